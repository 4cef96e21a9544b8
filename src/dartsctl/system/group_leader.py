"""Lead the process group of a command, and end the group when dartsctl has gone.

A separate program that uses only the standard library; spawn.py starts it. The command runs in this
process's group and gets every signal of the group. This process survives the signals and exits with
the command's exit code, or 128 + n for signal n.

When dartsctl goes, even by SIGKILL, the kernel closes its end of the pipe PIPE. Then the group
gets SIGTERM, and SIGKILL a second later. PR_SET_PDEATHSIG would reach a single process, and only
on Linux.

Arguments: PIPE COMMAND...
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL."""
_SURVIVED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def main() -> int:
    """Start the command and return its exit code."""
    owner, command = int(sys.argv[1]), sys.argv[2:]
    os.set_inheritable(owner, False)
    signals = _signal_pipe()
    try:
        child = os.posix_spawnp(command[0], command, os.environ, setsigdef=_IGNORED_BY_PYTHON)
    except OSError as error:
        os.write(2, f"cannot start {command[0]}: {error.strerror}\n".encode())
        return 127
    while (code := _exit_code(child)) is None:
        ready, _, _ = select.select([signals, owner], [], [])
        if owner in ready:
            _end_group()
        else:
            os.read(signals, 512)
    return code


def _exit_code(child: int) -> int | None:
    """Return the exit code of a child; None while it runs."""
    pid, status = os.waitpid(child, os.WNOHANG)
    if not pid:
        return None
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _end_group() -> None:
    """End all processes of the group, including this one."""
    os.killpg(0, signal.SIGTERM)
    time.sleep(GRACE)
    os.killpg(0, signal.SIGKILL)


def _signal_pipe() -> int:
    """Return a descriptor that is readable after every signal, and survive the signals."""
    reader, writer = os.pipe()
    for end in (reader, writer):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in _SURVIVED:
        if signal.getsignal(number) is not signal.SIG_IGN:  # as nohup asks for
            signal.signal(number, lambda _number, _frame: None)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return reader


if __name__ == "__main__":
    sys.exit(main())
