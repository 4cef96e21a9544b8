"""A host server under its supervisor (edges/supervisor/main.py), seen from dartsctl: start, the terminal, signals, the end."""

from __future__ import annotations

import errno
import os
import select
import signal
import socket
import subprocess
import sys
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType, TracebackType

from dartsctl.edges.supervisor.terminal import Terminal
from dartsctl.errors import DartsctlError
from dartsctl.text.phrases import shell_command

_BEGIN = "import sys; sys.path.append(sys.argv.pop(1)); from dartsctl.edges.supervisor import main as supervisor; supervisor.main()"
"""The whole script of the supervisor's interpreter, which has neither site-packages nor PYTHONPATH: imported it starts quicker than compiled anew."""
_LENGTH = 8  # the words of supervisor.py, which is of another process
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
_ROOT = str(Path(__file__).parents[3])
LAYERS = ("landlock", "seccomp")
"""Those of the kernel (edges/supervisor/confine.py)."""
STOP_GRACE = 5.0
"""Seconds that a server has after SIGTERM or SIGHUP before it is killed. After Ctrl-C it has all the time until the second Ctrl-C."""


class Supervised:
    """A context manager: within it the terminal is the server's and signals to dartsctl go to the server; at its end nothing of it is left."""

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
        """Start the supervisor; the server waits for `begin`. `descriptors` (the leases) are inherited by the whole tree.

        `environment` is the server's alone: the supervisor has ours, and no LD_PRELOAD of the settings is loaded into it.

        `closed_ports` cannot be bound for tcp by anything of the tree, as far as the kernel has the `kernel_layers`. A server that ends by
        itself with the code `restart_on` is started again, with the same descriptors.
        Raises DartsctlError when `directory` has gone.
        """
        self._command = tuple(command)
        self._line, theirs = socket.socketpair()
        asked = [
            ",".join(kernel_layers),
            ",".join(map(str, closed_ports)),
            "" if restart_on is None else str(restart_on),
        ]
        with theirs:
            try:
                self._process = subprocess.Popen(
                    [
                        sys.executable,
                        "-I",
                        "-S",
                        "-c",
                        _BEGIN,
                        _ROOT,
                        str(theirs.fileno()),
                        str(grace),
                        *asked,
                        *command,
                    ],
                    cwd=directory,
                    pass_fds=[theirs.fileno(), *descriptors],
                    process_group=0,
                )
            except OSError as error:
                self._line.close()
                raise DartsctlError(
                    f"the server cannot be started in {directory}: {error.strerror}",
                    hint="change into a folder that exists",
                ) from error
        self._send_environment(environment)
        self._heard = b""
        self._terminal = Terminal.of_stdin()
        self._handlers: dict[signal.Signals, object] = {}
        self.server = 0
        """The server's main process, once begun; another one after a restart."""
        self.confined: frozenset[str] = frozenset()
        """The kernel's layers that hold the server's tree, once begun."""
        self.refused: set[int] = set()
        """The closed ports that something of the tree tried to bind and could not, as far as the layer "seccomp" told."""
        self.left_behind = False
        """It ended by itself, well, and something of it went on running (a daemon): that was ended."""
        self.code: int | None = None
        """How it ended: the server's own code, 128 + n for signal n."""

    @property
    def supervisor(self) -> int:
        """The supervisor's pid, which is the id of the server's process group."""
        return self._process.pid

    def __enter__(self) -> Supervised:
        for number in (*_FORWARDED, signal.SIGCONT):
            if (
                signal.getsignal(number) is not signal.SIG_IGN
            ):  # nohup and a shell's `&` keep their meaning
                with suppress(ValueError):  # not the main thread: nobody signals us there
                    self._handlers[number] = signal.signal(number, self._take)
        self._terminal.give(self.supervisor)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._line.close()  # whatever still runs is ended by the supervisor now
        self._end()
        self._terminal.take_back(restore_modes=(self.code or 0) >= 128)
        for number, handler in self._handlers.items():
            signal.signal(number, handler)  # type: ignore[arg-type]  # what signal.signal gave us

    def begin(self) -> None:
        """Let the server start. Raises DartsctlError when the command cannot be executed."""
        self._send(_START)
        while not self.server and self.code is None:
            self.wait(None)

    def wait(self, timeout: float | None) -> int | None:
        """Until something happens (its end, a restart, a refused port), `timeout` seconds at most: the server's exit code, or None while it runs."""
        if self.code is None and select.select([self._line], [], [], timeout)[0]:
            try:
                heard = self._line.recv(256)
            except ConnectionResetError:  # it ended with a word of ours unread
                heard = b""
            if not heard:
                self._end()
            *lines, self._heard = (self._heard + heard).split(b"\n")
            for line in lines:
                self._hear(line.decode().split())
        return self.code

    def end_quickly(self) -> None:
        """SIGTERM, and SIGKILL a moment later, for what must not go on; returns when it has ended."""
        self._send(_END_QUICKLY)
        while self.wait(None) is None:
            continue

    def interrupt(self) -> None:
        """What a Ctrl-C does: SIGINT to the group; the second kills."""
        self._send(signal.SIGINT)

    def _hear(self, words: list[str]) -> None:
        match words:
            case ["P", pid]:
                self.server = int(pid)
            case ["L", *layers]:
                self.confined = frozenset(layers)
            case ["R", port]:
                self.refused.add(int(port))
            case ["E", number]:
                raise _cannot_be_run(self._command[0], int(number))
            case ["D"]:
                self.left_behind = True
            case ["T"]:
                self._suspend()

    def _suspend(self) -> None:
        """Ctrl-Z stopped the server: stop with it, so that the shell gets its prompt; `fg` and `bg` continue both."""
        if not self._terminal.present:
            return
        self._terminal.take_back()
        os.killpg(os.getpgrp(), signal.SIGTSTP)
        self._resume()  # also where nobody could stop us: an orphaned group has no shell to come back to

    def _resume(self) -> None:
        self._terminal.give(self.supervisor)
        self._send(signal.SIGCONT)

    def _take(self, number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGCONT:
            self._resume()
        else:
            self._send(number)

    def _send_environment(self, environment: Mapping[str, str]) -> None:
        variables = b"\0".join(
            os.fsencode(f"{name}={value}") for name, value in environment.items()
        )
        with suppress(OSError):  # it has ended: `begin` says how
            self._line.sendall(len(variables).to_bytes(_LENGTH, "big") + variables)

    def _send(self, word: int) -> None:
        with suppress(OSError):  # it has ended: the next `wait` says how
            self._line.send(bytes([word]))

    def _end(self) -> None:
        """The supervisor has gone or goes: take its end, and kill what it may have left (only if it was killed itself)."""
        if self.code is not None:
            return
        if hasattr(os, "waitid"):  # macOS: from Python 3.13
            os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
            with suppress(OSError):  # not reaped yet, so the group's id is still its own
                os.killpg(self._process.pid, signal.SIGKILL)
        code = self._process.wait()
        self.code = 128 - code if code < 0 else code


def _cannot_be_run(program: str, number: int) -> DartsctlError:
    hints = {
        errno.ENOENT: "check the command after `--`, and that it is on PATH",
        errno.EACCES: f"{shell_command('ls', '-ld', program)}; a script that is not executable needs its interpreter before it, such as python",
        errno.EINVAL: "check the command after `--`: its first word is empty",
        errno.ENOEXEC: f"begin with its interpreter: {shell_command('sh', program)}",
        errno.EMFILE: "raise the limit of open files: ulimit -n 4096",
    }
    return DartsctlError(
        f"{program or 'an empty command'} cannot be run: {os.strerror(number)}",
        hint=hints.get(number, hints[errno.ENOENT]),
    )
