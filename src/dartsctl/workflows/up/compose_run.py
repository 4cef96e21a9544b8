"""Run Compose to its end: show its lines as they come, keep a deadline, pass signals on."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dartsctl.records import record
from dartsctl.stack.compose_progress import ComposeActivity, is_layer_bar
from dartsctl.system.signal_handlers import STOP_SIGNALS, signal_handlers
from dartsctl.workflows.up.signs_of_life import SignsOfLife

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterator

    from dartsctl.edges.engine.compose import Compose
    from dartsctl.spawn import Stream
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.up.deadline import CallClock

_KEPT_LINES = 1000


@record
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
    clock: CallClock,
    deps: Deps,
    built: Collection[str] = (),
    on_line: Callable[[str], None] = lambda _: None,
    meanwhile: Callable[[], None] = lambda: None,
) -> ComposeResult:
    """Run Compose with `words`, until `clock` says that it has taken too long.

    `built` are the services whose images it may build. `on_line` gets every line, unmasked.
    `meanwhile` is called when Compose has begun.

    Raises KeyboardInterrupt after a signal, when Compose has ended.
    """
    call = _Call(ComposeActivity(built), clock, deps)
    stream = compose.stream(*words, on_tick=lambda: call.tick(stream))
    lines: deque[str] = deque(maxlen=_KEPT_LINES)
    with stream.taking_signals() as signals:
        meanwhile()
        for line in compose.lines(stream):
            lines.append(line)
            on_line(line)
            call.follow(line)
        code = stream.wait()
    call.signs.end()
    if signals:
        raise KeyboardInterrupt
    return ComposeResult(code, "\n".join(lines), stream.is_late)


class _Call:
    """One call while it runs: shows its lines, and that it lives when it says nothing."""

    def __init__(self, activity: ComposeActivity, clock: CallClock, deps: Deps) -> None:
        self._activity = activity
        self._clock = clock
        self.signs = SignsOfLife(deps)
        self.signs.tick(activity.words)

    def follow(self, line: str) -> None:
        """Show a line, and follow what it says."""
        if is_layer_bar(line):
            self.signs.passed(line)
            return
        self._activity.follow(line)
        self._clock.follow(self._activity)
        if line.strip():
            self.signs.said(line)
        self.signs.tick(self._activity.words)

    def tick(self, stream: Stream) -> None:
        """Say that Compose still works if it has been silent, and end it when its time is over."""
        if self._clock.is_over():
            stream.expire()
        self.signs.tick(self._activity.words)
