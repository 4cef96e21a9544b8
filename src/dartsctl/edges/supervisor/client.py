"""A host server under its supervisor: start, the terminal, signals, the end.

The supervisor (edges/supervisor/main.py) is a process of its own. This is dartsctl's side of it.
"""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import subprocess
import sys
from contextlib import ExitStack, suppress
from pathlib import Path

from dartsctl.edges.supervisor.terminal import Terminal
from dartsctl.errors import Advice, DartsctlError
from dartsctl.system.signal_handlers import signal_handlers
from dartsctl.text.phrases import shell_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from types import FrameType, TracebackType

_SCRIPT = (
    "import sys; sys.path.append(sys.argv.pop(1));"
    " from dartsctl.edges.supervisor import main as supervisor; supervisor.main()"
)
"""The program of the supervisor's interpreter, which has neither site-packages nor PYTHONPATH.

An imported module starts faster than a script, which is compiled every time.
"""
_SOURCE = str(Path(__file__).parents[3])
_LENGTH = 8
"""Bytes of the environment's length. This and the next two are words of main.py."""
_START = 0
_END_QUICKLY = 255
_FORWARDED = (
    signal.SIGINT,
    signal.SIGTERM,
    signal.SIGHUP,
    signal.SIGQUIT,
    signal.SIGUSR1,
    signal.SIGUSR2,
)
LAYERS = ("landlock", "seccomp")
"""The kernel's layers (edges/supervisor/confine.py)."""
STOP_GRACE = 5.0
"""Seconds that a server has after SIGTERM or SIGHUP before it is killed.

After Ctrl-C it has no limit until the second Ctrl-C.
"""


class SupervisedServer:
    """A server under its supervisor, as a context manager.

    Within it the terminal belongs to the server, and signals to dartsctl are forwarded to it. When
    it ends, no process of the server's tree is left.
    """

    server: int
    """The pid of the server's main process, once it runs. A restart changes it."""
    confined: frozenset[str]
    """The kernel layers that hold the server's tree, once it runs."""
    refused: set[int]
    """The closed ports that the tree tried to bind, as reported by the layer "seccomp"."""
    tried: dict[int, str]
    """The other tcp ports that the tree tried to bind, with the address, from the same layer."""
    interrupted: bool
    """Whether Ctrl-C has reached the server."""
    left_behind: bool
    """Whether the server ended well and left processes (a daemon), which were stopped."""
    code: int | None
    """The server's exit code once it has ended, 128 + n for signal n."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        directory: str,
        environment: Mapping[str, str],
        descriptors: Sequence[int],
        grace: float = STOP_GRACE,
        closed_ports: Collection[int] = (),
        kernel_layers: Collection[str] = LAYERS,
        restart_on: int | None = None,
    ) -> None:
        """Start the supervisor. The server waits for `begin`.

        `environment` is only the server's. The supervisor has ours, so that no LD_PRELOAD from the
        settings is loaded into it.
        `descriptors` (the leases) are inherited by the whole tree.
        `closed_ports` cannot be bound for tcp by any process of the tree, as far as the kernel has
        the `kernel_layers`.
        `restart_on`: the exit code with which a server asks to be started again, with the same
        descriptors.
        Raises DartsctlError if `directory` does not exist.
        """
        self._command = tuple(command)
        layers, ports = ",".join(kernel_layers), ",".join(map(str, closed_ports))
        restart = "" if restart_on is None else str(restart_on)
        arguments = [str(grace), layers, ports, restart, *command]
        self._process, self._control = _start_supervisor(arguments, directory, descriptors)
        self._send_environment(environment)
        self._received = b""
        self._terminal = Terminal.of_stdin()
        self._handlers = ExitStack()
        self.server = 0
        self.confined = frozenset()
        self.refused = set()
        self.tried = {}
        self.interrupted = False
        self.left_behind = False
        self.code = None

    @property
    def supervisor(self) -> int:
        """Return the supervisor's pid, which is the id of the server's process group."""
        return self._process.pid

    def __enter__(self) -> SupervisedServer:
        self._handlers.enter_context(
            signal_handlers((*_FORWARDED, signal.SIGCONT), self._on_signal)
        )
        self._terminal.give(self.supervisor)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._control.close()  # the supervisor now ends whatever still runs
        self._end()
        self._terminal.take_back(restore_modes=(self.code or 0) >= 128)
        self._handlers.close()

    def begin(self) -> None:
        """Start the server. Raises DartsctlError if the command cannot be executed."""
        self._send(_START)
        while not self.server and self.code is None:
            self.wait(None)

    def wait(self, timeout: float | None) -> int | None:
        """Wait for an event, at most `timeout` seconds: the end, a restart, a refused port.

        Return the server's exit code, or None while it runs.
        """
        if self.code is None and select.select([self._control], [], [], timeout)[0]:
            try:
                chunk = self._control.recv(256)
            except ConnectionResetError:  # it ended with unread data from us
                chunk = b""
            if not chunk:
                self._end()
            *lines, self._received = (self._received + chunk).split(b"\n")
            for line in lines:
                self._handle_report(line.decode().split())
        return self.code

    def end_quickly(self) -> None:
        """End a server that must not go on: SIGTERM, and SIGKILL a moment later.

        Returns when it has ended.
        """
        self._send(_END_QUICKLY)
        while self.wait(None) is None:
            continue

    def interrupt(self) -> None:
        """Do what Ctrl-C does: SIGINT to the group. The second time kills."""
        self._send(signal.SIGINT)

    def _handle_report(self, words: list[str]) -> None:
        """Handle one line of the supervisor."""
        match words:
            case ["P", pid]:
                self.server = int(pid)
            case ["L", *layers]:
                self.confined = frozenset(layers)
            case ["R", port]:
                self.refused.add(int(port))
            case ["B", port, address]:
                self.tried[int(port)] = address
            case ["E", number]:
                raise _cannot_run(self._command[0], int(number))
            case ["I"]:
                self.interrupted = True
            case ["D"]:
                self.left_behind = True
            case ["T"]:
                self._suspend()

    def _suspend(self) -> None:
        """Stop with the server after Ctrl-Z, so that the shell prompts.

        `fg` and `bg` continue both. In an orphaned group nothing stops us, because no
        shell could continue us.
        """
        if not self._terminal.present:
            return
        self._terminal.take_back()
        os.killpg(os.getpgrp(), signal.SIGTSTP)
        self._resume()

    def _resume(self) -> None:
        self._terminal.give(self.supervisor)
        self._send(signal.SIGCONT)

    def _on_signal(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGCONT:
            self._resume()
        else:
            self._send(number)

    def _send_environment(self, environment: Mapping[str, str]) -> None:
        variables = b"\0".join(
            os.fsencode(f"{name}={value}") for name, value in environment.items()
        )
        with suppress(OSError):  # it has ended: `begin` reports how
            self._control.sendall(len(variables).to_bytes(_LENGTH, "big") + variables)

    def _send(self, word: int) -> None:
        with suppress(OSError):  # it has ended: the next `wait` reports how
            self._control.send(bytes([word]))

    def _end(self) -> None:
        """Wait for the supervisor's end, and kill what it left (only if it was killed itself)."""
        if self.code is not None:
            return
        if hasattr(os, "waitid"):  # macOS: from Python 3.13
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
            with suppress(OSError):  # not reaped yet, so the group's id is still its own
                os.killpg(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        self.code = 128 - code if code < 0 else code


def _start_supervisor(
    arguments: Sequence[str], directory: str, descriptors: Sequence[int]
) -> tuple[subprocess.Popen[bytes], socket.socket]:
    """Return the supervisor's process and the socket CONTROL. Raises DartsctlError."""
    ours, theirs = socket.socketpair()
    program = [sys.executable, "-I", "-S", "-c", _SCRIPT, _SOURCE]
    with theirs:
        try:
            process = subprocess.Popen(
                [*program, str(theirs.fileno()), *arguments],
                cwd=directory,
                pass_fds=[theirs.fileno(), *descriptors],
                process_group=0,
            )
        except OSError as error:
            ours.close()
            raise DartsctlError(
                f"cannot start the server in {directory}: {error.strerror}",
                hint=Advice("change to a folder that exists"),
            ) from error
    return process, ours


def _cannot_run(program: str, number: int) -> DartsctlError:
    """Return the error for a command that the kernel did not execute."""
    hints = {
        errno.ENOENT: Advice("check the command after `--`, and that it is on PATH"),
        errno.EACCES: shell_command("ls", "-ld", program),
        errno.EINVAL: Advice("check the command after `--`: its first word is empty"),
        errno.ENOEXEC: Advice(f"start it with its interpreter: {shell_command('sh', program)}"),
        errno.EMFILE: "ulimit -n 4096",
    }
    details: tuple[str, ...] = ()
    if number == errno.ENOENT and "/" in program and Path(program).is_file():
        details = ("the file exists; the interpreter that it names does not",)
        hints[errno.ENOENT] = shell_command("head", "-n", "1", program)
    if number == errno.EACCES:
        details = ("a script that is not executable needs its interpreter, such as `python`",)
    return DartsctlError(
        f"cannot run {program or 'an empty command'}: {os.strerror(number)}",
        hint=hints.get(number, hints[errno.ENOENT]),
        details=details,
    )
