"""The controlling terminal on stdin: whose group is in front. Handed to a server's group and taken back, as shells do."""

from __future__ import annotations

import os
import signal
import termios
from contextlib import suppress
from typing import Any


class Terminal:
    """`present` is False where stdin is no terminal, or not our controlling one: then everything here does nothing."""

    def __init__(self, descriptor: int | None) -> None:
        self._descriptor = descriptor
        self._given = False
        self._modes: list[Any] | None = None
        self._background_writes: Any = None

    @classmethod
    def of_stdin(cls) -> Terminal:
        try:
            os.tcgetpgrp(0)
        except OSError:
            return cls(None)
        return cls(0)

    @property
    def present(self) -> bool:
        return self._descriptor is not None

    def give(self, group: int) -> None:
        """Put `group` in front, if we are: from the background nothing is taken from anybody."""
        if self._descriptor is None:
            return
        with suppress(OSError):  # hung up meanwhile
            if os.tcgetpgrp(self._descriptor) != os.getpgrp():
                return
            self._modes = self._modes or termios.tcgetattr(self._descriptor)
            os.tcsetpgrp(self._descriptor, group)
            self._given = True
            self._tolerate_background()

    def take_back(self, *, restore_modes: bool = False) -> None:
        """Put our own group in front again; with `restore_modes` as the terminal was set before (a killed server may leave it raw)."""
        if self._descriptor is None or not self._given:
            return
        self._tolerate_background()
        with suppress(OSError, termios.error):
            os.tcsetpgrp(self._descriptor, os.getpgrp())
            if restore_modes and self._modes is not None:
                termios.tcsetattr(self._descriptor, termios.TCSADRAIN, self._modes)
        self._given = False
        with suppress(ValueError):
            signal.signal(signal.SIGTTOU, self._background_writes)
        self._background_writes = None

    def _tolerate_background(self) -> None:
        """While the server is in front we still write a line and take the terminal back: SIGTTOU would stop us."""
        if self._background_writes is None:
            with suppress(ValueError):  # not the main thread
                self._background_writes = signal.signal(signal.SIGTTOU, signal.SIG_IGN)
