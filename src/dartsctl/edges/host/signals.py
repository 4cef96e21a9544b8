"""Signals to processes of others: only to the process that was seen (edge-cases.md#24)."""

from __future__ import annotations

import os
from contextlib import suppress

from dartsctl.errors import DartsctlError, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    import signal
    from collections.abc import Callable

    from dartsctl.ports.process import Process


def send(
    process: Process,
    number: signal.Signals,
    *,
    birth_of: Callable[[int], int | None],
    still_wanted: Callable[[], bool],
) -> bool:
    """Send `number` to `process`, and return whether it was sent.

    Nothing is sent if the process has gone, its pid belongs to another one, or the signal is no
    longer wanted. On Linux a pidfd holds the pid before the process is examined, so that the pid
    cannot become another process in between. A stopped process (T) is continued: it would not react
    to a SIGTERM (edge-cases.md#23).
    Raises DartsctlError without the permission to signal it; Refused for pid 1, for a process group
    (0 and below) and for this process.
    """
    import signal

    if process.pid <= 1 or process.pid == os.getpid():
        raise Refused(f"refused to signal pid {process.pid}", hint=f"ps -fp {process.pid}")
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
        raise foreign_process(process.pid) from error
    finally:
        if handle >= 0:
            os.close(handle)
    return True


def foreign_process(pid: int) -> DartsctlError:
    """Return the error for a process that this user may not signal."""
    return DartsctlError(
        f"cannot stop pid {pid}: it belongs to another user", hint=f"sudo kill {pid}"
    )


def _handle(pid: int) -> int | None:
    """Return a pidfd, -1 on a system without them, None if there is no such process."""
    if not hasattr(os, "pidfd_open"):
        return -1
    try:
        return os.pidfd_open(pid)
    except ProcessLookupError:
        return None
    except OSError:
        return -1


def _send(pid: int, handle: int, number: signal.Signals) -> None:
    import signal

    if handle >= 0:
        signal.pidfd_send_signal(handle, number)
    else:
        os.kill(pid, number)
