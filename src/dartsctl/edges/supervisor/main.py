"""The supervisor between dartsctl and a host server.

A process of its own, started by edges/supervisor/client.py. Standard library only.

It leads the server's process group and stays until the last process of the server's tree has gone.
It guarantees:

- The descriptors of the leases, which it inherits, are open as long as a process of the tree lives.
- When dartsctl goes, even by SIGKILL, its end of the CONTROL socket closes. The tree gets SIGTERM,
  and SIGKILL a second later.
- When this process is killed, the server's main process gets SIGKILL from the kernel
  (PR_SET_PDEATHSIG; Linux), and dartsctl kills the group.
- A child that outlives the server (a reloader's, a daemon's) is adopted here
  (PR_SET_CHILD_SUBREAPER; Linux) and ended too.
- The server's tree cannot bind the closed ports, as far as the kernel has the layers for it
  (edges/supervisor/confine.py).
- A server that ends with the exit code RESTART is started again with the same descriptors.
  werkzeug's reloader does that.
- Its own exit code is the server's: 128 + n for signal n, as in shells.

Arguments: CONTROL GRACE LAYERS PORTS RESTART COMMAND... Layers and ports are separated by commas.
LAYERS, PORTS and RESTART may be empty. Its environment is dartsctl's.

From CONTROL come first the server's environment: its length (LENGTH bytes), then NAME=value with
NUL between them. Then single bytes: 0 starts the server, 1-64 forward this signal, 255 ends
everything quickly. The terminal's signals (Ctrl-C, Ctrl-\\, a hang-up) reach the group without this
process, which only counts them.

To CONTROL go lines:

    L layer...  the layers that hold
    P pid       the server runs
    E errno     the command cannot be executed
    R port      a closed port was refused (once a port)
    B port address   a process tries to bind another tcp port (once a port, at most MOST_BINDS)
    I           Ctrl-C
    T           the server was stopped by the terminal or by itself, as bash's `suspend` does
    D           the server ended well and had left processes (a daemon)
"""

from __future__ import annotations

import errno
import os
import select
import signal
import sys
import time

from dartsctl.edges.supervisor import process_tree
from dartsctl.edges.supervisor.confine import Confinement, adopt_orphans, die_with_parent

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

LENGTH = 8
"""Bytes."""
START = 0
END_QUICKLY = 255
LEFTOVERS_GRACE = 1.0
"""Seconds between SIGTERM and SIGKILL for processes that nobody waits for any more."""
QUICK_GRACE = 0.2
SHORT_LIFE = 1.0
"""Seconds. A server that ends sooner has failed to start."""
MOST_BINDS = 32
SHORT_LIVES = 3
"""After so many short lives in a row it is not started again."""

_CAUGHT = (
    signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT, signal.SIGUSR1, signal.SIGUSR2,
    signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU, signal.SIGCONT, signal.SIGCHLD,
)  # fmt: skip
_ENDING = frozenset((signal.SIGINT, signal.SIGTERM, signal.SIGHUP))


class Supervisor:
    """Supervises one server.

    `grace`: seconds between a requested SIGTERM and SIGKILL. `restart_on`: RESTART above.
    """

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
        self._started = self._lived = 0.0
        self._short_lives = 0
        self._stopping = False
        self._interrupts = 0
        self._kill_at: float | None = None
        self._is_alone = False
        self._refused: set[int] = set()
        self._tried: set[int] = set()
        self._signals, writing_end = os.pipe()
        for end in (self._signals, writing_end):
            os.set_blocking(end, False)
        signal.set_wakeup_fd(writing_end, warn_on_full_buffer=False)
        # an ignored signal stays ignored: nohup relies on that
        self._caught = [
            number for number in _CAUGHT if signal.getsignal(number) is not signal.SIG_IGN
        ]
        for number in self._caught:
            signal.signal(number, lambda _number, _frame: None)
        adopt_orphans()
        self._confinement = Confinement(layers, closed)

    def run(self) -> int:
        """Start the server on command, and return its exit code when its whole tree has gone."""
        self._environment = self._read_environment()
        if os.read(self._control, 1) != bytes([START]):
            return 1  # dartsctl has gone already
        if early := _ENDING.intersection(_drained(self._signals)):
            return 128 + min(early)  # Ctrl-C came before there was a server to receive it
        while True:
            self._start()
            while self._code is None:
                self._wait_for_event()
            left_behind = self._end_leftovers()
            if not self._should_restart():
                if left_behind and self._code == 0 and not self._stopping:
                    self._report("D")
                return self._code
            self._code, self._kill_at = None, None

    def _read_environment(self) -> dict[bytes, bytes]:
        length = int.from_bytes(self._read(LENGTH), "big")
        pairs = [variable.partition(b"=") for variable in self._read(length).split(b"\0")]
        return {name: value for name, _, value in pairs if name}

    def _read(self, length: int) -> bytes:
        """Read `length` bytes from CONTROL, fewer if dartsctl has gone."""
        data = bytearray()
        while len(data) < length and (part := os.read(self._control, length - len(data))):
            data += part
        return bytes(data)

    def _start(self) -> None:
        # until its handlers are reset, a signal to the child would go to ours
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, set(signal.Signals))
        supervisor = os.getpid()
        self._started = time.monotonic()
        self._confinement.prepare()
        self._server = os.fork()
        if self._server == 0:
            try:
                self._become_server(supervisor, mask)
            finally:
                os._exit(127)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        self._report(" ".join(["L", *self._confinement.applied(self._server)]))
        self._report(f"P {self._server}")

    def _become_server(self, supervisor: int, mask: set[int]) -> None:
        """Run between fork and exec in the server's process."""
        signal.set_wakeup_fd(-1)
        # Python ignores SIGPIPE and SIGXFSZ; a server expects the defaults
        for number in (*self._caught, signal.SIGPIPE, signal.SIGXFSZ):
            signal.signal(number, signal.SIG_DFL)
        die_with_parent()
        if os.getppid() != supervisor:
            return  # the supervisor died before `die_with_parent`
        self._confinement.apply()
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        try:
            os.execvpe(self._command[0], self._command, self._environment)  # noqa: S606 - no shell
        except OSError as error:
            self._report(f"E {error.errno}")
        except ValueError:  # an empty command
            self._report(f"E {errno.EINVAL}")

    def _should_restart(self) -> bool:
        """Return whether the server ended by itself with the code that asks for a restart.

        False after SHORT_LIVES short lives in a row.
        """
        self._short_lives = self._short_lives + 1 if self._lived < SHORT_LIFE else 0
        return (
            self._code == self._restart_on
            and not self._stopping
            and self._short_lives < SHORT_LIVES
        )

    def _wait_for_event(self) -> None:
        """Wait for the next event, and handle it."""
        timeout = None
        if self._kill_at is not None:
            timeout = max(0.0, self._kill_at - time.monotonic())
        self._poll(timeout)
        self._reap()
        self._kill_if_due()

    def _kill_if_due(self) -> None:
        if self._kill_at is not None and time.monotonic() >= self._kill_at:
            self._kill_all()

    def _poll(self, timeout: float | None) -> None:
        """Handle signals, commands of dartsctl and binds, waiting `timeout` seconds for the first.

        A bind must be answered at once: its caller is blocked.
        """
        poll = select.poll()
        poll.register(self._signals, select.POLLIN)
        if not self._is_alone:
            poll.register(self._control, select.POLLIN)
        if self._confinement.listener is not None:
            poll.register(self._confinement.listener, select.POLLIN)
        for descriptor, event in poll.poll(None if timeout is None else timeout * 1000):
            if descriptor == self._signals:
                for number in _drained(self._signals):
                    self._on_signal(number)
            elif descriptor == self._control:
                self._read_commands()
            elif event & select.POLLIN:
                self._report_bind(self._confinement.answer())
            else:
                self._confinement.stop_listening()  # every process that could bind has ended

    def _report_bind(self, bind: tuple[int, str, bool] | None) -> None:
        if bind is None:
            return
        port, address, is_refused = bind
        if is_refused and port not in self._refused:
            self._refused.add(port)
            self._report(f"R {port}")
        elif not is_refused and port and port not in self._tried and len(self._tried) < MOST_BINDS:
            self._tried.add(port)
            self._report(f"B {port} {address}")

    def _on_signal(self, number: int) -> None:
        """Handle a signal to this process. If it is the terminal's, the whole group has it."""
        if number == signal.SIGINT:
            self._interrupted()
        elif number in (signal.SIGTERM, signal.SIGHUP):
            self._stop(self._grace)

    def _read_commands(self) -> None:
        try:
            commands = os.read(self._control, 64)
        except OSError:
            commands = b""
        if not commands:  # dartsctl has gone
            self._is_alone = True
            self._stop(LEFTOVERS_GRACE)
        for command in commands:
            if command == END_QUICKLY:
                self._stop(QUICK_GRACE)
            elif command == signal.SIGINT:
                self._signal_group(signal.SIGINT)
                self._interrupted()
            elif command in (signal.SIGTERM, signal.SIGHUP):
                self._signal_group(signal.Signals(command))
                self._stop(self._grace)
            elif command != START:
                self._signal_group(signal.Signals(command))

    def _interrupted(self) -> None:
        self._stopping = True
        self._interrupts += 1
        self._report("I")
        if self._interrupts > 1:
            self._kill_all()

    def _stop(self, grace: float) -> None:
        """Ask the group to end, and set the time at which it is killed.

        A stopped process gets a signal only when it is continued (edge-cases.md#23).
        """
        self._stopping = True
        self._signal_group(signal.SIGTERM)
        self._signal_group(signal.SIGCONT)
        self._kill_within(grace)

    def _kill_within(self, seconds: float) -> None:
        latest = time.monotonic() + seconds
        self._kill_at = latest if self._kill_at is None else min(self._kill_at, latest)

    def _signal_group(self, number: signal.Signals) -> None:
        """Send a signal to every process of the group but this one.

        A signal that is ignored while it is sent is never queued. An interactive shell has a group
        of its own.
        """
        handler = signal.signal(number, signal.SIG_IGN)
        try:
            os.killpg(0, number)
            if self._code is None and os.getpgid(self._server) != os.getpgrp():
                os.kill(self._server, number)
        except ProcessLookupError:
            return
        finally:
            signal.signal(number, handler)

    def _kill_all(self) -> None:
        """Kill the whole tree, and again a moment later: a process may have forked meanwhile."""
        self._kill_at = time.monotonic() + 0.05
        for pid in process_tree.pids():
            process_tree.send(pid, signal.SIGKILL)

    def _reap(self) -> bool:
        """Reap every child that has ended, adopted ones too. Return whether any child is left."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG | os.WUNTRACED)
            except ChildProcessError:
                return False
            if pid == 0:
                return True
            if pid != self._server or self._code is not None:
                continue
            if os.WIFSTOPPED(status):
                self._report("T")
                continue
            code = os.waitstatus_to_exitcode(status)
            self._code = 128 - code if code < 0 else code
            self._lived = time.monotonic() - self._started

    def _end_leftovers(self) -> bool:
        """End the processes that the server left behind. Return whether there were any."""
        asked: set[int] = set()
        self._kill_within(LEFTOVERS_GRACE)
        while (self._reap() or sys.platform != "linux") and (left := process_tree.pids()):
            self._kill_if_due()
            for pid in left - asked:
                process_tree.send(pid, signal.SIGTERM)
                process_tree.send(pid, signal.SIGCONT)
            asked |= left
            self._poll(0.02)
        return bool(asked)

    def _report(self, line: str) -> None:
        try:
            os.write(self._control, f"{line}\n".encode())
        except OSError:  # dartsctl has gone: the next read of CONTROL shows that
            return


def _drained(descriptor: int) -> bytes:
    try:
        return os.read(descriptor, 512)
    except BlockingIOError:
        return b""


def main() -> None:
    """Run the supervisor, and exit with the server's code."""
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
