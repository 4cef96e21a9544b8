"""Run Compose to its end: show its lines as they come, keep a deadline, pass signals on."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dartsctl.system.signal_handlers import STOP_SIGNALS, signal_handlers

if TYPE_CHECKING:
    from dartsctl.edges.engine.compose import Compose
    from dartsctl.edges.screen.output import Screen

_KEPT_LINES = 1000


@dataclass(frozen=True, slots=True)
class ComposeResult:
    """How a Compose call ended. `text` is the end of its output; `is_late`: by the deadline."""

    code: int
    text: str
    is_late: bool = False


@contextmanager
def interruptible() -> Iterator[None]:
    """Let SIGTERM and SIGHUP raise KeyboardInterrupt as Ctrl-C does. Ignored signals stay ignored.

    So the caller can undo or report what was begun.
    """

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    with signal_handlers(STOP_SIGNALS, interrupt):
        yield


def run(
    compose: Compose,
    *words: str,
    seconds: float,
    screen: Screen,
    on_line: Callable[[str], None] = lambda _: None,
) -> ComposeResult:
    """Run Compose with `words`, for at most `seconds`. `on_line` gets every line, unmasked.

    Raises KeyboardInterrupt after a signal, when Compose has ended.
    """
    stream = compose.stream(*words, seconds=seconds)
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    with stream.taking_signals() as signals:
        for line in compose.lines(stream):
            lines.append(line)
            on_line(line)
            if line.strip():
                screen.progress(line)
        code = stream.wait()
    if signals:
        raise KeyboardInterrupt
    return ComposeResult(code, "\n".join(lines), stream.is_late)
