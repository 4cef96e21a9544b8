"""Lead the process group of a command, and end the group when dartsctl has gone.

A separate program that uses only the standard library; spawn.py starts it. The command runs in this
process's group and gets every signal of the group. This process survives the signals and exits with
the command's exit code, or 128 + n for signal n.

When dartsctl goes, even by SIGKILL, the kernel closes its end of the pipe PIPE. Then the group
gets SIGTERM, and SIGKILL a second later. PR_SET_PDEATHSIG would reach a single process, and only
on Linux.

Every call of Compose waits for its start. So it imports only what the interpreter has loaded and
parts of it in C: `os` and `signal`, which brings `enum`, would double the time.

Arguments: PIPE COMMAND...
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C part of `signal`; typeshed has no stub
import posix
import select
import sys
import time

GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL."""
_SURVIVED = (_signal.SIGINT, _signal.SIGTERM, _signal.SIGHUP)
_IGNORED_BY_PYTHON = (_signal.SIGPIPE, _signal.SIGXFSZ)


def main() -> int:
    """Start the command and return its exit code."""
    owner, command = int(sys.argv[1]), sys.argv[2:]
    posix.set_inheritable(owner, False)
    signals = _signal_pipe()
    try:
        child = posix.posix_spawnp(command[0], command, posix.environ, setsigdef=_IGNORED_BY_PYTHON)
    except OSError as error:
        posix.write(2, f"cannot start {command[0]}: {error.strerror}\n".encode())
        return 127
    while (code := _exit_code(child)) is None:
        ready, _, _ = select.select([signals, owner], [], [])
        if owner in ready:
            _end_group()
        else:
            posix.read(signals, 512)
    return code


def _exit_code(child: int) -> int | None:
    """Return the exit code of a child; None while it runs."""
    pid, status = posix.waitpid(child, posix.WNOHANG)
    if not pid:
        return None
    code = posix.waitstatus_to_exitcode(status)
    return 128 - code if code < 0 else code


def _end_group() -> None:
    """End all processes of the group, including this one."""
    posix.killpg(0, _signal.SIGTERM)
    time.sleep(GRACE)
    posix.killpg(0, _signal.SIGKILL)


def _signal_pipe() -> int:
    """Return a descriptor that is readable after every signal, and survive the signals."""
    reader, writer = posix.pipe()
    for end in (reader, writer):
        posix.set_blocking(end, False)
    _signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
    for number in _SURVIVED:
        if _signal.getsignal(number) != _signal.SIG_IGN:  # as nohup asks for
            _signal.signal(number, lambda _number, _frame: None)
    _signal.signal(_signal.SIGCHLD, lambda _number, _frame: None)
    return reader


if __name__ == "__main__":
    posix._exit(main())
