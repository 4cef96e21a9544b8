"""The step that runs Compose to its end, its lines shown as they come: with a deadline, and signals passed on in order."""

from __future__ import annotations

import signal
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from dartsctl.edges.engine.compose import Compose
from dartsctl.edges.screen.output import Screen

_KEPT_LINES = 1000


@dataclass(frozen=True, slots=True)
class ComposeResult:
    """How a Compose call ended. `text` is the end of its output; `is_late`: the deadline ended it."""

    code: int
    text: str
    is_late: bool = False


@contextmanager
def interruptible() -> Iterator[None]:
    """Within it SIGTERM and SIGHUP raise KeyboardInterrupt as Ctrl-C does, so that what was begun is told or undone; what is ignored stays so."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    numbers = [
        number
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if signal.getsignal(number) is not signal.SIG_IGN
    ]
    handlers = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def run(
    compose: Compose,
    *words: str,
    seconds: float,
    screen: Screen,
    on_line: Callable[[str], None] = lambda _: None,
) -> ComposeResult:
    """Compose with `words`, for `seconds` at most; `saw` gets every line, unmasked. Raises KeyboardInterrupt after a signal, Compose having ended."""
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
