"""Signals to processes that are not ours: only to the very process that was seen, and only while it is still wanted (edge-cases.md#24)."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress

from dartsctl.errors import DartsctlError, Refused
from dartsctl.ports.process import Process


def send(
    process: Process,
    number: signal.Signals,
    *,
    birth_of: Callable[[int], int | None],
    still_wanted: Callable[[], bool],
) -> bool:
    """Send `number` to `process`; False, and nothing sent, where it has gone, its pid is another's, or it is no longer wanted.

    The pid is held by a pidfd before it is looked at (Linux), so that it cannot become another process' between the look and the signal.
    A stopped process (T) is continued: it would not notice a SIGTERM (edge-cases.md#23). Raises DartsctlError without the right to signal it, Refused
    for pid 1, a group (0 and below) and ourselves, whatever was seen.
    """
    if process.pid <= 1 or process.pid == os.getpid():
        raise Refused(f"pid {process.pid} is never signalled", hint=f"ps -fp {process.pid}")
    handle = _handle(process.pid)
    if handle is None:
        return False
    try:
        if birth_of(process.pid) != process.birth or not still_wanted():
            return False
        _send(process.pid, handle, number)
        if number is not signal.SIGKILL:
            with suppress(ProcessLookupError):  # it ended at once
                _send(process.pid, handle, signal.SIGCONT)
    except ProcessLookupError:
        return False
    except PermissionError as error:
        raise DartsctlError(
            f"pid {process.pid} belongs to another user and cannot be stopped",
            hint=f"sudo kill {process.pid}",
        ) from error
    finally:
        if handle >= 0:
            os.close(handle)
    return True


def _handle(pid: int) -> int | None:
    """A pidfd; -1 on a system without them; None when there is no such process."""
    if not hasattr(os, "pidfd_open"):
        return -1
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    except OSError:
        return -1


def _send(pid: int, handle: int, number: signal.Signals) -> None:
    if handle >= 0:
        signal.pidfd_send_signal(handle, number)
    else:
        os.kill(pid, number)
