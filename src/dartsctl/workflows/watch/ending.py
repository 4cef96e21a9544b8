"""How a watch is asked to end, or to read its settings again: by signals.

SIGTERM and Ctrl-C end it. SIGHUP reads the settings again, as a service manager expects. A terminal
that is closed sends SIGHUP too, and then the watch ends: nobody can see or stop it any more.
"""

from __future__ import annotations

import os
import signal
import termios
import threading
from contextlib import contextmanager, suppress

from dartsctl.errors import ExitCode
from dartsctl.system.signal_handlers import STOP_SIGNALS, signal_handlers

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

_TERMINAL = "/dev/tty"


class Ending:
    """What the signals have asked for. The sources and the loop wait for `stop`."""

    def __init__(self) -> None:
        self.code = ExitCode.OK
        """How the process ends."""
        self.stop = threading.Event()
        self.reload = threading.Event()
        """SIGHUP has come; who reads the settings clears it."""
        self.is_first_round = True
        self._asked = False
        self._is_setting = False
        self._terminal: int | None = None

    @contextmanager
    def by_signals(self) -> Iterator[None]:
        """Take the signals for this time. A second Ctrl-C interrupts the ending itself."""
        with suppress(OSError):
            self._terminal = os.open(_TERMINAL, os.O_RDONLY | os.O_NOCTTY | os.O_CLOEXEC)
        try:
            with signal_handlers(STOP_SIGNALS, self._handle):
                yield
        finally:
            if self._terminal is not None:
                os.close(self._terminal)

    @property
    def is_over(self) -> bool:
        """Whether the watch is to end, and not only to begin anew with other settings."""
        return self._asked

    def end(self, code: ExitCode = ExitCode.OK) -> None:
        """Ask for the end. The first code counts."""
        if self._asked:  # also by a signal that came while this one is handled: see `_ask_reload`
            return
        self._asked = True
        self.code = code
        self.stop.set()

    def begin_again(self) -> None:
        """Ask the loop and the sources to stop, because they start anew."""
        self.stop.set()

    def next_round(self) -> None:
        """Prepare for another start, unless the end was asked for meanwhile."""
        self.is_first_round = False
        self.stop = threading.Event()
        if self._asked:
            self.stop.set()

    def _handle(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP and not self._lost_terminal():
            self._ask_reload()
            return
        if number == signal.SIGINT:
            if self._asked:
                raise KeyboardInterrupt
            self.end(ExitCode.INTERRUPTED)
        else:
            self.end()

    def _ask_reload(self) -> None:
        """Set `reload`, but not within itself: its lock would wait for its own thread for ever."""
        if not self._is_setting:
            self._is_setting = True
            self.reload.set()
            self._is_setting = False

    def _lost_terminal(self) -> bool:
        """Whether the terminal that the watch was started at has been closed."""
        if self._terminal is None:
            return False
        try:
            termios.tcgetattr(self._terminal)
        except (termios.error, OSError):
            return True
        return False
