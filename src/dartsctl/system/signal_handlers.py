"""Signal handlers for a while: set, and the former ones restored."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from types import FrameType

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""The signals that ask a program to end."""


@contextmanager
def signal_handlers(
    numbers: Iterable[signal.Signals], handler: Callable[[int, FrameType | None], None]
) -> Iterator[None]:
    """Within it the signals call `handler`.

    An ignored signal stays ignored: nohup and a shell's background jobs rely on that. In another
    thread than the main one this does nothing, as Python runs handlers only in the main thread.
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
