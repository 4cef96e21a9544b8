"""The supervisor between dartsctl and a host server: a script of its own (stdlib only), run by `python -I -S confine.py CONTROL GRACE COMMAND...`.

It leads the server's process group and stays until the last process of the server's tree has gone. What it guarantees:
- the lease's descriptors, which it inherited, are held as long as anything of the tree lives, by itself and by whoever inherits them;
- when dartsctl goes, even by SIGKILL, its end of the CONTROL socket closes: the tree gets SIGTERM, and SIGKILL a second later;
- when this process is itself killed, the server's main process gets SIGKILL from the kernel (PR_SET_PDEATHSIG; Linux), and dartsctl kills the group;
- a child that outlives the server (a reloader's, a daemon's) is adopted here (PR_SET_CHILD_SUBREAPER; Linux) and ended too;
- its own exit code is the server's: 128 + n for signal n, as shells say it.

The terminal's signals (Ctrl-C, Ctrl-\\, a hang-up) reach the group by themselves and are only counted here; what dartsctl wants forwarded comes as
one byte through CONTROL. From CONTROL, one byte each: 0 start, 1-64 forward this signal, 255 end all quickly.
To CONTROL, one line each: `P pid` started, `E errno` cannot be executed, `T` stopped by the terminal.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from collections.abc import Callable, Iterator

START = 0
END_QUICKLY = 255
LEFTOVERS_GRACE = 1.0  # seconds between SIGTERM and SIGKILL for what nobody waits for any more
QUICK_GRACE = 0.2

_PR_SET_PDEATHSIG = 1  # linux/prctl.h
_PR_SET_CHILD_SUBREAPER = 36
_CAUGHT = (
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2,
    signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCONT, signal.SIGCHLD,
)  # fmt: skip
_JOB_CONTROL = (signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU)


def _prctl() -> Callable[[int, int], None]:
    """Linux's prctl(option, value); a no-op elsewhere, where the CONTROL socket and the group have to do."""
    if sys.platform != "linux":
        return lambda _option, _value: None
    import ctypes

    call = ctypes.CDLL(None).prctl
    return lambda option, value: call(option, ctypes.c_ulong(value), 0, 0, 0)


class Supervisor:
    """One server's life. `grace`: seconds between a SIGTERM that was asked for and SIGKILL."""

    def __init__(self, control: int, grace: float, command: list[str]) -> None:
        self._control = control
        self._grace = grace
        self._command = command
        self._server = 0
        self._code: int | None = None
        self._interrupts = 0
        self._kill_at: float | None = None
        self._alone = False
        self._prctl = _prctl()
        self._wake, wake_end = os.pipe()
        for end in (self._wake, wake_end):
            os.set_blocking(end, False)
        os.set_inheritable(control, False)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)

    def run(self) -> int:
        """Start the server when told to, and return its exit code when nothing of its tree is left."""
        caught = [number for number in _CAUGHT if signal.getsignal(number) is not signal.SIG_IGN]  # nohup's wish is kept
        for number in caught:
            signal.signal(number, lambda _number, _frame: None)
        self._prctl(_PR_SET_CHILD_SUBREAPER, 1)
        if os.read(self._control, 1) != bytes([START]):
            return 1  # dartsctl went before it began
        self._start(caught)
        while self._code is None:
            self._turn()
        self._end_leftovers()
        return self._code

    def _start(self, caught: list[signal.Signals]) -> None:
        everything = set(signal.Signals)
        before = signal.pthread_sigmask(signal.SIG_BLOCK, everything)  # a signal in between belongs to the server, not to our handlers
        supervisor = os.getpid()
        self._server = os.fork()
        if self._server == 0:
            try:
                self._become_the_server(supervisor, caught, before)
            finally:
                os._exit(127)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._tell(f"P {self._server}")

    def _become_the_server(self, supervisor: int, caught: list[signal.Signals], mask: set[int]) -> None:
        """Between fork and exec: everything that the server's process takes on."""
        signal.set_wakeup_fd(-1)
        for number in (*caught, signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores the last two; a server expects the default
            signal.signal(number, signal.SIG_DFL)
        self._prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != supervisor:
            return  # it died before the request for its death signal
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        try:
            os.execvp(self._command[0], self._command)  # noqa: S606 - a list, never a shell
        except OSError as error:
            self._tell(f"E {error.errno}")

    def _turn(self) -> None:
        """Wait for the next thing to happen, and do what it asks for."""
        rest = None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic())
        watched = [self._wake] if self._alone else [self._wake, self._control]
        ready, _, _ = select.select(watched, [], [], rest)
        if self._wake in ready:
            for number in os.read(self._wake, 512):
                self._came(number)
        if self._control in ready:
            self._obey()
        self._reap()
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._kill_all()

    def _came(self, number: int) -> None:
        """A signal to ourselves: from the terminal (then the whole group has it), or meant for us."""
        if number == signal.SIGINT:
            self._interrupted()
        elif number in (signal.SIGTERM, signal.SIGHUP):
            self._stop(self._grace)

    def _obey(self) -> None:
        try:
            words = os.read(self._control, 64)
        except OSError:
            words = b""
        if not words:  # dartsctl is gone, whatever the way
            self._alone = True
            self._stop(LEFTOVERS_GRACE)
        for word in words:
            if word == END_QUICKLY:
                self._stop(QUICK_GRACE)
            elif word == signal.SIGINT:
                self._to_group(signal.SIGINT)
                self._interrupted()
            elif word in (signal.SIGTERM, signal.SIGHUP):
                self._to_group(signal.Signals(word))
                self._stop(self._grace)
            elif word != START:
                self._to_group(signal.Signals(word))

    def _interrupted(self) -> None:
        self._interrupts += 1
        if self._interrupts > 1:
            self._kill_all()

    def _stop(self, grace: float) -> None:
        """Ask the group to end, and set the time at which it is no longer asked. A stopped process takes a signal only once continued (EDGE 23)."""
        self._to_group(signal.SIGTERM)
        self._to_group(signal.SIGCONT)
        latest = time.monotonic() + grace
        self._kill_at = latest if self._kill_at is None else min(self._kill_at, latest)

    def _to_group(self, number: signal.Signals) -> None:
        """To everybody in the group but ourselves: what we ignore while we send it is never queued for us."""
        mine = signal.signal(number, signal.SIG_IGN)
        try:
            os.killpg(0, number)
            if os.getpgid(self._server) != os.getpgrp():  # an interactive shell makes a group of its own
                os.kill(self._server, number)
        except ProcessLookupError:
            return
        finally:
            signal.signal(number, mine)

    def _kill_all(self) -> None:
        """SIGKILL to the whole tree, and again a moment later: somebody may have forked meanwhile."""
        self._kill_at = time.monotonic() + 0.05
        for pid in self._tree():
            _send(pid, signal.SIGKILL)

    def _reap(self) -> bool:
        """Take the end of every child that has ended, the adopted ones too; whether any child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid != self._server:
                continue
            if not os.WIFSTOPPED(status):
                code = os.waitstatus_to_exitcode(status)
                self._code = 128 - code if code < 0 else code
            elif os.WSTOPSIG(status) in _JOB_CONTROL:
                self._tell("T")

    def _end_leftovers(self) -> None:
        """The server has ended; whoever it left behind ends now."""
        asked: set[int] = set()
        patient_until = time.monotonic() + (LEFTOVERS_GRACE if self._interrupts < 2 else 0.0)
        while (self._reap() or sys.platform != "linux") and (left := self._tree()):
            if time.monotonic() >= patient_until:
                self._kill_all()
            for pid in left - asked:
                _send(pid, signal.SIGTERM)
                _send(pid, signal.SIGCONT)
            asked |= left
            select.select([self._wake], [], [], 0.02)
            _drain(self._wake)

    def _tree(self) -> set[int]:
        """Our descendants and whoever else is in our group."""
        me, group = os.getpid(), os.getpgrp()
        rows = list(_processes())
        tree = {me}
        grown = True
        while grown:
            found = {pid for pid, parent, its_group in rows if (parent in tree or its_group == group) and pid not in tree}
            tree |= found
            grown = bool(found)
        return tree - {me}

    def _tell(self, line: str) -> None:
        try:
            os.write(self._control, f"{line}\n".encode())
        except OSError:  # dartsctl is gone: the next look at CONTROL finds that out
            return


def _processes() -> Iterator[tuple[int, int, int]]:
    """(pid, parent, group) of every process that has not ended."""
    if sys.platform != "linux":
        with os.popen("ps -A -o pid=,ppid=,pgid=,state=") as table:  # noqa: S605, S607 - fixed words; /bin/ps on macOS
            for line in table:
                pid, parent, group, state = line.split()[:4]
                if not state.startswith("Z"):
                    yield int(pid), int(parent), int(group)
        return
    for name in os.listdir("/proc"):  # noqa: PTH208 - the same
        if name.isdecimal():
            try:
                with open(f"/proc/{name}/stat", "rb") as file:  # noqa: PTH123 - pathlib would double this script's start-up
                    state, parent_, group_ = file.read().rpartition(b")")[2].split()[:3]
            except OSError:  # gone
                continue
            if state not in (b"Z", b"X"):
                yield int(name), int(parent_), int(group_)


def _send(pid: int, number: signal.Signals) -> None:
    try:
        os.kill(pid, number)
    except OSError:  # gone, or by its own doing another user's
        return


def _drain(descriptor: int) -> None:
    try:
        os.read(descriptor, 512)
    except BlockingIOError:
        return


if __name__ == "__main__":
    sys.exit(Supervisor(int(sys.argv[1]), float(sys.argv[2]), sys.argv[3:]).run())
