"""The supervisor between dartsctl and a host server: a process of its own (stdlib only), begun by edges/supervisor/client.py.

It leads the server's process group and stays until the last process of the server's tree has gone. What it guarantees:
- the lease's descriptors, which it inherited, are held as long as anything of the tree lives, by itself and by whoever inherits them;
- when dartsctl goes, even by SIGKILL, its end of the CONTROL socket closes: the tree gets SIGTERM, and SIGKILL a second later;
- when this process is itself killed, the server's main process gets SIGKILL from the kernel (PR_SET_PDEATHSIG; Linux), and dartsctl kills the group;
- a child that outlives the server (a reloader's, a daemon's) is adopted here (PR_SET_CHILD_SUBREAPER; Linux) and ended too;
- the server's tree cannot bind the closed ports, as far as the kernel has the layers for it (edges/supervisor/confine.py);
- a server that ends with the exit code RESTART asks to be started again, with the same descriptors (werkzeug's reloader does);
- its own exit code is the server's: 128 + n for signal n, as shells say it.

Its arguments: CONTROL GRACE LAYERS PORTS RESTART COMMAND..., layers and ports in commas; each of these three may be empty.
Its own environment is dartsctl's. The server's comes through CONTROL first: its length (LENGTH bytes), then NAME=value with NUL between them.

The terminal's signals (Ctrl-C, Ctrl-\\, a hang-up) reach the group by themselves and are only counted here; what dartsctl wants forwarded comes as
one byte through CONTROL. From CONTROL, one byte each: 0 start, 1-64 forward this signal, 255 end all quickly.
To CONTROL, one line each: `L layer...` the layers that hold, `P pid` started, `E errno` cannot be executed, `R port` a closed port was refused
(once a port), `T` stopped (by the terminal, or by itself, as bash's `suspend` does), `D` it ended well and had left somebody running (a daemon).
"""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
import time
from collections.abc import Collection

from dartsctl.edges.supervisor import process_tree
from dartsctl.edges.supervisor.confine import Confinement, adopt_orphans, die_with_parent

LENGTH = 8  # bytes
START = 0
END_QUICKLY = 255
LEFTOVERS_GRACE = 1.0  # seconds between SIGTERM and SIGKILL for what nobody waits for any more
QUICK_GRACE = 0.2
SHORT_LIFE = 1.0  # seconds
SHORT_LIVES = 3  # so many short ones in a row, and a restart is no cure

_CAUGHT = (
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2,
    signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCONT, signal.SIGCHLD,
)  # fmt: skip
_ENDING = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))


class Supervisor:
    """One server's life. `grace`: seconds between a SIGTERM that was asked for and SIGKILL; `restart_on`: see RESTART above."""

    def __init__(
        self,
        control: int,
        grace: float,
        command: list[str],
        *,
        layers: Collection[str],
        closed: Collection[int],
        restart_on: int | None,
    ) -> None:
        self._control = control
        self._grace = grace
        self._command = command
        self._restart_on = restart_on
        self._environment: dict[bytes, bytes] = {}
        self._server = 0
        self._code: int | None = None
        self._begun = self._lived = 0.0
        self._short_lives = 0
        self._stopping = False
        self._interrupts = 0
        self._kill_at: float | None = None
        self._alone = False
        self._refused: set[int] = set()
        self._wake, wake_end = os.pipe()
        for end in (self._wake, wake_end):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(wake_end, warn_on_full_buffer=False)
        self._caught = [
            number for number in _CAUGHT if signal.getsignal(number) is not signal.SIG_IGN
        ]  # nohup's wish is kept
        for number in self._caught:
            signal.signal(number, lambda _number, _frame: None)
        adopt_orphans()
        self._confinement = Confinement(layers, closed)

    def run(self) -> int:
        """Start the server when told to, and return its exit code when nothing of its tree is left."""
        self._environment = self._read_environment()
        if os.read(self._control, 1) != bytes([START]):
            return 1  # dartsctl went before it began
        if early := _ENDING.intersection(_drained(self._wake)):
            return 128 + min(
                early
            )  # the terminal's Ctrl-C came before there was a server that it could reach
        while True:
            self._start()
            while self._code is None:
                self._turn()
            left_behind = self._end_leftovers()
            if not self._wants_another_start():
                if left_behind and self._code == 0 and not self._stopping:
                    self._tell("D")
                return self._code
            self._code, self._kill_at = None, None

    def _read_environment(self) -> dict[bytes, bytes]:
        length = int.from_bytes(self._read(LENGTH), "big")
        pairs = [variable.partition(b"=") for variable in self._read(length).split(b"\0")]
        return {name: value for name, _, value in pairs if name}

    def _read(self, length: int) -> bytes:
        """So many bytes from CONTROL; fewer where dartsctl has gone."""
        data = bytearray()
        while len(data) < length and (part := os.read(self._control, length - len(data))):
            data += part
        return bytes(data)

    def _start(self) -> None:
        everything = set(signal.Signals)
        before = signal.pthread_sigmask(
            signal.SIG_BLOCK, everything
        )  # a signal in between belongs to the server, not to our handlers
        supervisor = os.getpid()
        self._begun = time.monotonic()
        self._confinement.meet()
        self._server = os.fork()
        if self._server == 0:
            try:
                self._become_the_server(supervisor, before)
            finally:
                os._exit(127)
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
        self._tell(" ".join(["L", *self._confinement.taken(self._server)]))
        self._tell(f"P {self._server}")

    def _become_the_server(self, supervisor: int, mask: set[int]) -> None:
        """Between fork and exec: everything that the server's process takes on."""
        signal.set_wakeup_fd(-1)
        for number in (
            *self._caught,
            signal.SIGPIPE,
            signal.SIGXFSZ,
        ):  # Python ignores the last two; a server expects the default
            signal.signal(number, signal.SIG_DFL)
        die_with_parent()
        if os.getppid() != supervisor:
            return  # it died before the request for its death signal
        self._confinement.take_on()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        try:
            os.execvpe(self._command[0], self._command, self._environment)  # noqa: S606 - a list, never a shell
        except OSError as error:
            self._tell(f"E {error.errno}")
        except ValueError:  # an empty command
            self._tell(f"E {errno.EINVAL}")

    def _wants_another_start(self) -> bool:
        """Whether the server ended by itself with the code that asks for it, and did not do so three times at once."""
        self._short_lives = self._short_lives + 1 if self._lived < SHORT_LIFE else 0
        return (
            self._code == self._restart_on
            and not self._stopping
            and self._short_lives < SHORT_LIVES
        )

    def _turn(self) -> None:
        """Wait for the next thing to happen, and do what it asks for."""
        self._attend(None if self._kill_at is None else max(0.0, self._kill_at - time.monotonic()))
        self._reap()
        self._kill_if_due()

    def _kill_if_due(self) -> None:
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._kill_all()

    def _attend(self, timeout: float | None) -> None:
        """Hear signals, dartsctl and binds, the first of them within `timeout` seconds. No bind may wait: its caller stands still."""
        poll = select.poll()
        poll.register(self._wake, select.POLLIN)
        if not self._alone:
            poll.register(self._control, select.POLLIN)
        if self._confinement.listener is not None:
            poll.register(self._confinement.listener, select.POLLIN)
        for descriptor, event in poll.poll(None if timeout is None else timeout * 1000):
            if descriptor == self._wake:
                for number in _drained(self._wake):
                    self._came(number)
            elif descriptor == self._control:
                self._obey()
            elif event & select.POLLIN:
                self._refuse(self._confinement.answer())
            else:
                self._confinement.stop_listening()  # whoever could bind has ended

    def _refuse(self, port: int | None) -> None:
        if port is not None and port not in self._refused:
            self._refused.add(port)
            self._tell(f"R {port}")

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
        self._stopping = True
        self._interrupts += 1
        if self._interrupts > 1:
            self._kill_all()

    def _stop(self, grace: float) -> None:
        """Ask the group to end, and set the time at which it is no longer asked. A stopped process takes a signal only once continued (edge-cases.md#23)."""
        self._stopping = True
        self._to_group(signal.SIGTERM)
        self._to_group(signal.SIGCONT)
        self._kill_within(grace)

    def _kill_within(self, seconds: float) -> None:
        latest = time.monotonic() + seconds
        self._kill_at = latest if self._kill_at is None else min(self._kill_at, latest)

    def _to_group(self, number: signal.Signals) -> None:
        """To everybody in the group but ourselves: what we ignore while we send it is never queued for us."""
        mine = signal.signal(number, signal.SIG_IGN)
        try:
            os.killpg(0, number)
            if (
                self._code is None and os.getpgid(self._server) != os.getpgrp()
            ):  # an interactive shell makes a group of its own
                os.kill(self._server, number)
        except ProcessLookupError:
            return
        finally:
            signal.signal(number, mine)

    def _kill_all(self) -> None:
        """SIGKILL to the whole tree, and again a moment later: somebody may have forked meanwhile."""
        self._kill_at = time.monotonic() + 0.05
        for pid in process_tree.pids():
            process_tree.send(pid, signal.SIGKILL)

    def _reap(self) -> bool:
        """Take the end of every child that has ended, the adopted ones too; whether any child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid != self._server or self._code is not None:
                continue
            if not os.WIFSTOPPED(status):
                code = os.waitstatus_to_exitcode(status)
                self._code = 128 - code if code < 0 else code
                self._lived = time.monotonic() - self._begun
            else:
                self._tell("T")

    def _end_leftovers(self) -> bool:
        """The server has ended; whoever it left behind ends now. Whether there was anybody."""
        asked: set[int] = set()
        self._kill_within(LEFTOVERS_GRACE)
        while (self._reap() or sys.platform != "linux") and (left := process_tree.pids()):
            self._kill_if_due()
            for pid in left - asked:
                process_tree.send(pid, signal.SIGTERM)
                process_tree.send(pid, signal.SIGCONT)
            asked |= left
            self._attend(0.02)
        return bool(asked)

    def _tell(self, line: str) -> None:
        try:
            os.write(self._control, f"{line}\n".encode())
        except OSError:  # dartsctl is gone: the next look at CONTROL finds that out
            return


def _drained(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 512)
    except BlockingIOError:
        return b""


def main() -> None:
    """The whole life of a supervisor's process."""
    control, grace, layers, ports, restart_on, *command = sys.argv[1:]
    os.set_inheritable(int(control), False)
    closed = [int(port) for port in ports.split(",") if port]
    supervisor = Supervisor(
        int(control),
        float(grace),
        command,
        layers=layers.split(","),
        closed=closed,
        restart_on=int(restart_on) if restart_on else None,
    )
    sys.exit(supervisor.run())
