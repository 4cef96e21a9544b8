"""Lead the process group of one command, and end that group when dartsctl is gone. A process of its own (stdlib only), started by spawn.py.

The command runs in this process's group and gets every signal that the group gets; this process outlives them and ends with the
command's own exit code, 128 + n for signal n. When dartsctl goes, even by SIGKILL, the kernel closes its end of the pipe LINE: then
the group gets SIGTERM, and SIGKILL a second later. (PR_SET_PDEATHSIG would reach one process alone, and on Linux alone.)

Arguments: LINE COMMAND...
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time

GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL for a group that nobody waits for any more."""
_OUTLIVED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_IGNORED_BY_PYTHON = (signal.SIGPIPE, signal.SIGXFSZ)


def main() -> int:
    """Start the command, and return its exit code."""
    line, command = int(sys.argv[1]), sys.argv[2:]
    os.set_inheritable(line, False)
    ended = _pipe_of_signals()
    try:
        child = os.posix_spawnp(command[0], command, os.environ, setsigdef=_IGNORED_BY_PYTHON)
    except OSError as error:
        os.write(2, f"{command[0]} cannot be started: {error.strerror}\n".encode())
        return 127
    while (code := _code_of(child)) is None:
        ready, _, _ = select.select([ended, line], [], [])
        if line in ready:
            _end_the_group()
        else:
            os.read(ended, 512)
    return code


def _code_of(child: int) -> int | None:
    """Return its exit code, None while it runs."""
    pid, status = os.waitpid(child, os.WNOHANG)
    if not pid:
        return None
    code = os.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _end_the_group() -> None:
    """End everybody in the group, this process included."""
    os.killpg(0, signal.SIGTERM)
    time.sleep(GRACE)
    os.killpg(0, signal.SIGKILL)


def _pipe_of_signals() -> int:
    """Return a descriptor that can be read after every signal; none of them ends this process."""
    ended, wake = os.pipe()
    for end in (ended, wake):
        os.set_blocking(end, False)
    signal.set_wakeup_fd(wake, warn_on_full_buffer=False)
    for number in _OUTLIVED:
        if signal.getsignal(number) is not signal.SIG_IGN:  # nohup's wish is kept
            signal.signal(number, lambda _number, _frame: None)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    return ended


if __name__ == "__main__":
    sys.exit(main())
