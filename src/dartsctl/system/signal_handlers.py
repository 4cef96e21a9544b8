"""Set signal handlers for the time of a context."""

from __future__ import annotations

import signal
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that ask a program to stop."""


@contextmanager
def signal_handlers(
    numbers: Iterable[signal.Signals], handler: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    """Call `handler` for these signals, and restore the former handlers at the end.

    An ignored signal stays ignored: nohup and background jobs of a shell rely on that. Outside the
    main thread this does nothing, because Python runs handlers only there.
    """
    former = {}
    try:
        for number in numbers:
            if signal.getsignal(number) is not signal.SIG_IGN:
                former[number] = signal.signal(number, handler)
    except ValueError:  # not the main thread
        former = {}
    try:
        yield
    finally:
        for number, previous in former.items():
            signal.signal(number, previous)
