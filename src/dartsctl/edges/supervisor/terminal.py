"""The controlling terminal on stdin: given to a server's process group and taken back.

Shells do the same with their jobs.
"""

from __future__ import annotations

import os
import signal
import termios
from contextlib import suppress

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Terminal:
    """The terminal and its foreground process group.

    `present` is False if stdin is not our controlling terminal. Then the methods do nothing.
    """

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._given = False
        self._modes: list[Any] | None = None
        self._sigttou_handler: Any = None

    @classmethod
    def of_stdin(cls) -> Terminal:
        """Return the terminal on stdin."""
        try:
            os.tcgetpgrp(0)
        except OSError:
            return cls(None)
        return cls(0)

    @property
    def present(self) -> bool:
        """Return whether there is a terminal."""
        return self._descriptor is not None

    def give(self, group: int) -> None:
        """Make `group` the foreground group, if ours is. A background job takes nothing away."""
        if self._descriptor is None:
            return
        with suppress(OSError):  # the terminal was closed meanwhile
            if os.tcgetpgrp(self._descriptor) != os.getpgrp():
                return
            self._modes = self._modes or termios.tcgetattr(self._descriptor)
            os.tcsetpgrp(self._descriptor, group)
            self._given = True
            self._tolerate_background()

    def take_back(self, *, restore_modes: bool = False) -> None:
        """Make our group the foreground group again.

        `restore_modes` restores the terminal's settings: a killed server may leave it in raw mode.
        """
        if self._descriptor is None or not self._given:
            return
        self._tolerate_background()
        with suppress(OSError, termios.error):
            os.tcsetpgrp(self._descriptor, os.getpgrp())
            if restore_modes and self._modes is not None:
                termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._modes)
        self._given = False
        with suppress(ValueError):
            signal.signal(signal.SIGTTOU, self._sigttou_handler)
        self._sigttou_handler = None

    def _tolerate_background(self) -> None:
        """Ignore SIGTTOU, which stops a background process that writes to the terminal.

        While the server is in the foreground we still write lines and take the terminal back.
        """
        if self._sigttou_handler is None:
            with suppress(ValueError):  # not the main thread
                self._sigttou_handler = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
