"""Start processes for their output: docker, compose, git. No shell, no inherited stdin.

This is the only module that does so. A process cannot hold us longer than its deadline, and only a
limited part of its output is kept. A child of the process that keeps our pipes open is not waited
for.
"""

from __future__ import annotations

import errno
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from dartsctl.errors import DartsctlError, ExitCode, TimedOut
from dartsctl.system.signal_handlers import STOP_SIGNALS, signal_handlers
from dartsctl.text.phrases import shell_command

OUTPUT_LIMIT = 16 << 20
"""Bytes of stdout that `Running` accepts."""
STDIN_LIMIT = 60 << 10
"""Bytes that a process can be given: a pipe has room for them before it reads."""
STREAM_LINE_LIMIT = 16 << 10
"""Bytes of a line of a `Stream` that are shown."""
PATIENCE = (10.0, 5.0)
"""Seconds that a `Stream` has after SIGINT until SIGTERM, and after that until SIGKILL."""
_STDERR_KEPT = 64 << 10  # bytes of its start, and as many of its end
_CHUNK = 64 << 10  # bytes: the size of a pipe
_TICK = 0.1  # seconds between two checks of the clock
_PIPES_GRACE = 0.5  # seconds for which pipes are read after the process has ended
_REAP_WITHIN = 2.0  # seconds: a killed process may hang in the kernel
_LEADER = str(Path(__file__).parent / "system" / "group_leader.py")


@dataclass(frozen=True, slots=True)
class Completed:
    """The result of a process; `code` is negative for a signal, as in subprocess."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str


class CommandNotFound(DartsctlError):
    """The program is not installed, or cannot be started."""

    code = ExitCode.FAILED


class OutputTooLarge(DartsctlError):
    """A process wrote more than anybody can need."""

    code = ExitCode.NO_DOCKER


def cannot_start(program: str, error: OSError) -> CommandNotFound:
    """Return the error for a program that the kernel did not start."""
    if isinstance(error, FileNotFoundError):
        if not os.path.lexists(program):
            return _not_installed(program)
        return CommandNotFound(f"cannot start {program}: its interpreter is missing")
    if error.errno == errno.ENOEXEC:
        reason = f"not a program for this machine ({error.strerror})"
        return CommandNotFound(f"cannot start {program}: {reason}")
    return CommandNotFound(f"cannot start {program}: {error.strerror}")


def _not_installed(program: str) -> CommandNotFound:
    return CommandNotFound(f"{program} is not installed")


class Running:
    """A process whose output is read later, so that other work can be done meanwhile."""

    def __init__(
        self,
        argv: Sequence[str],
        environment: Mapping[str, str] | None,
        stdin: bytes = b"",
        inherited: Sequence[int] = (),
    ) -> None:
        self.argv = tuple(argv)
        self._process = _start(
            self.argv, environment, stderr=subprocess.PIPE, stdin=stdin, inherited=inherited
        )

    def result(self, *, deadline: float) -> Completed:
        """Wait up to `deadline` seconds for the end of the process, and return its output.

        Raises TimedOut or OutputTooLarge. Then the process and its children are killed at once.
        """
        until = time.monotonic() + deadline
        stdout, stderr = bytearray(), _Excerpt()
        try:
            for pipe, chunk in _output(self._process):
                if pipe is self._process.stdout:
                    stdout += chunk
                else:
                    stderr.add(chunk)
                if len(stdout) > OUTPUT_LIMIT:
                    raise OutputTooLarge(
                        f"{self._name} wrote more than {OUTPUT_LIMIT >> 20} MiB",
                        hint=f"{shell_command(*self.argv[:3])} | wc -c",
                    )
                if time.monotonic() > until:
                    raise TimedOut(f"{self._name} did not end within {deadline:.0f} s")
        finally:
            self.abandon()
        text = stdout.decode(errors="replace")
        return Completed(self.argv, self._process.returncode, text, stderr.text())

    def abandon(self) -> None:
        """Kill the process and its children unless it has ended, and leave no zombie."""
        if self._process.poll() is None:
            _signal(self._process, signal.SIGKILL)
        _close(self._process)

    @property
    def _name(self) -> str:
        """Its name in messages, without the later arguments, which may be secrets."""
        return f"`{' '.join(self.argv[:3])}`"


def start(
    argv: Sequence[str],
    *,
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    inherited: Sequence[int] = (),
) -> Running:
    """Start `argv` and return at once. Raises CommandNotFound.

    `stdin`: what the process reads, at most STDIN_LIMIT bytes; no argument shows it. `inherited`:
    descriptors that it has under the same numbers.
    """
    return Running(argv, environment, stdin, inherited)


def run(
    argv: Sequence[str],
    *,
    deadline: float,
    environment: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    inherited: Sequence[int] = (),
) -> Completed:
    """Run `argv` for up to `deadline` seconds; return its output and exit code.

    Raises CommandNotFound, TimedOut, OutputTooLarge.
    """
    process = start(argv, environment=environment, stdin=stdin, inherited=inherited)
    return process.result(deadline=deadline)


class Stream:
    """A process in its own group whose output is read line by line, stdout and stderr together.

    It has its own group so that the terminal's Ctrl-C reaches only us: we decide what the process
    gets, and when. The group ends with us, even if we are killed (system/group_leader.py). After
    its deadline, or after `interrupt`, it gets SIGINT, then SIGTERM, and then SIGKILL.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        seconds: float | None = None,
        patience: tuple[float, float] = PATIENCE,
        on_error: Callable[[str], None] | None = None,
        on_tick: Callable[[], None] = lambda: None,
    ) -> None:
        """Start `argv`; `seconds` is its deadline.

        With `on_error` stderr is separate, and its lines go there. `on_tick` is called at least
        ten times a second while `lines` waits; it may call `expire`.

        Raises CommandNotFound.
        """
        self._on_error = on_error
        self._on_tick = on_tick
        self.is_late = False
        """Whether the deadline has passed."""
        self._until = None if seconds is None else time.monotonic() + seconds
        self._next_signals = list(zip((signal.SIGTERM, signal.SIGKILL), patience, strict=True))
        self._signalled_at: float | None = None
        if not shutil.which(argv[0], path=(environment or os.environ).get("PATH")):
            raise _not_installed(argv[0])
        reader, self._alive = os.pipe()  # the kernel closes it when we end, even by SIGKILL
        try:
            self._process = _start(
                (sys.executable, "-I", "-S", _LEADER, str(reader), *argv),
                environment,
                stderr=subprocess.PIPE if on_error else subprocess.STDOUT,
                inherited=(reader,),
            )
        except BaseException:
            os.close(self._alive)
            raise
        finally:
            os.close(reader)

    def lines(self) -> Iterator[str]:
        """Yield each line when it is written, without its end, until the process has ended.

        Long lines are cut.
        """
        splitter, errors = _Lines(), _Lines()
        for pipe, chunk in _output(self._process):
            if pipe is not None and pipe is self._process.stderr:
                self._pass_on(errors.add(chunk))
            else:
                yield from splitter.add(chunk)
            self._on_tick()
            self._check_deadline()
        yield from splitter.rest()
        self._pass_on(errors.rest())

    def _pass_on(self, errors: Iterator[str]) -> None:
        for line in errors:
            if self._on_error:
                self._on_error(line)

    @contextmanager
    def taking_signals(self) -> Iterator[list[int]]:
        """Pass Ctrl-C, SIGTERM and SIGHUP on to the process; yield the signals that came.

        The first one asks the process to stop, the second one ends it at once.
        """
        received: list[int] = []

        def pass_on(number: int, _frame: object) -> None:
            received.append(number)
            if len(received) == 1:
                self.interrupt()
            else:
                self.kill()

        with signal_handlers(STOP_SIGNALS, pass_on):
            yield received

    def interrupt(self) -> None:
        """Ask the whole group to stop: SIGINT, as from a terminal."""
        if self._signalled_at is None:
            self._signalled_at = time.monotonic()
        _signal(self._process, signal.SIGINT)

    def expire(self) -> None:
        """End it as its deadline does."""
        if not self.is_late:
            self.is_late = True
            self.interrupt()

    def kill(self) -> None:
        """End the whole group at once."""
        _signal(self._process, signal.SIGKILL)

    def wait(self) -> int:
        """Return the exit code, after the output has ended.

        It is 128 + n for signal n, as in shells, and negative if the process was killed by `kill`.
        """
        _close(self._process)
        os.close(self._alive)
        if self._process.returncode is None:
            return -signal.SIGKILL
        return self._process.returncode

    def _check_deadline(self) -> None:
        now = time.monotonic()
        if self._until is not None and now >= self._until:
            self.expire()
        if self._signalled_at is None or not self._next_signals:
            return
        number, patience = self._next_signals[0]
        if now >= self._signalled_at + patience:
            self._signalled_at = now
            self._next_signals.pop(0)
            _signal(self._process, number)


class _Excerpt:
    """The start and the end of output of any length."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._is_cut = False

    def add(self, chunk: bytes) -> None:
        self._kept += chunk
        if len(self._kept) > 4 * _STDERR_KEPT:
            del self._kept[_STDERR_KEPT:-_STDERR_KEPT]
            self._is_cut = True

    def text(self) -> str:
        kept = self._kept
        if self._is_cut:
            kept = kept[:_STDERR_KEPT] + b"\n...\n" + kept[-_STDERR_KEPT:]
        return kept.decode(errors="replace")


class _Lines:
    """Splits chunks into lines."""

    def __init__(self) -> None:
        self._partial = b""

    def add(self, chunk: bytes) -> Iterator[str]:
        *whole, partial = (self._partial + chunk).split(b"\n")
        self._partial = partial[: STREAM_LINE_LIMIT + 1]
        yield from map(_decode_line, whole)

    def rest(self) -> Iterator[str]:
        if self._partial:
            yield _decode_line(self._partial)


def _decode_line(text: bytes) -> str:
    line = text[:STREAM_LINE_LIMIT].decode(errors="replace").rstrip()
    return f"{line}..." if len(text) > STREAM_LINE_LIMIT else line


def _start(
    argv: tuple[str, ...],
    environment: Mapping[str, str] | None,
    *,
    stderr: int,
    inherited: Sequence[int] = (),
    stdin: bytes = b"",
) -> subprocess.Popen[bytes]:
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=None if environment is None else dict(environment),
            process_group=0,  # `docker` starts its plugins as children, which must get signals too
            pass_fds=inherited,
        )
    except OSError as error:
        raise cannot_start(argv[0], error) from error
    except ValueError:
        raise CommandNotFound(
            f"cannot start {argv[0]}: an argument or a variable contains a NUL character"
        ) from None
    if process.stdin:
        with suppress(BrokenPipeError), process.stdin:  # it may have ended already
            process.stdin.write(stdin[:STDIN_LIMIT])
    return process


def _output(process: subprocess.Popen[bytes]) -> Iterator[tuple[IO[bytes] | None, bytes]]:
    """Yield each chunk with its pipe, and an empty one with None at least every _TICK seconds.

    Ends when the process and its pipes have ended, or _PIPES_GRACE seconds after the process: a
    child of it may keep the pipes open.
    """
    ended_at = None
    with selectors.DefaultSelector() as selector:
        for pipe in (process.stdout, process.stderr):
            if pipe is not None:
                selector.register(pipe, selectors.EVENT_READ, pipe)
        while True:
            ready = selector.select(_TICK) if selector.get_map() else []
            for key, _ in ready:
                chunk = os.read(key.fd, _CHUNK)
                if not chunk:
                    selector.unregister(key.fd)
                yield key.data, chunk
            yield None, b""
            if not selector.get_map():
                with suppress(subprocess.TimeoutExpired):
                    process.wait(_TICK)
            if process.poll() is None:
                continue
            ended_at = ended_at or time.monotonic()
            if not selector.get_map() or (not ready and time.monotonic() > ended_at + _PIPES_GRACE):
                return


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    """Send a signal to the whole group of a process, unless it has ended."""
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):  # macOS refuses for a group of zombies
            os.killpg(process.pid, number)


def _close(process: subprocess.Popen[bytes]) -> None:
    """Close the pipes and reap the process, without waiting forever for a killed one."""
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_REAP_WITHIN)
