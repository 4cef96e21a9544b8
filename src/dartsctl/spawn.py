"""The one place that starts processes for their output: docker, compose, git. No shell, no inherited stdin.

Whatever a process does, it holds us no longer than its deadline, and what is kept of its output is limited. A child of its own that
keeps our pipes open after its end is not waited for.
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

OUTPUT_LIMIT = 16 << 20
"""Bytes of stdout that `Running` takes."""
LINE_LIMIT = 16 << 10
"""Bytes of a `Stream`'s line that are shown."""
PATIENCE = (10.0, 5.0)
"""Seconds that a `Stream` has to end after SIGINT, before SIGTERM, and then before SIGKILL."""
_STDERR_KEPT = 64 << 10  # bytes of its beginning, and as many of its end
_CHUNK = 64 << 10  # bytes: what a pipe holds
_TICK = 0.1  # seconds between two looks at the clock
_PIPES_GRACE = 0.5  # seconds that a pipe is still read after the end of the process
_REAP_WITHIN = 2.0  # seconds: a killed process may hang in the kernel
_LEADER = str(Path(__file__).parent / "system" / "group_leader.py")


@dataclass(frozen=True, slots=True)
class Completed:
    """What a process left behind; `code` is negative for a signal, as in subprocess."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str


class CommandNotFound(DartsctlError):
    """The program is not on this machine, or what is there cannot be started."""

    code = ExitCode.FAILED


class OutputTooLarge(DartsctlError):
    """A process wrote more than anybody can need."""

    code = ExitCode.NO_DOCKER


def cannot_start(program: str, error: OSError) -> CommandNotFound:
    """The error for a program that the kernel did not start, in words for the reason."""
    if isinstance(error, FileNotFoundError):
        if not os.path.lexists(program):
            return CommandNotFound(f"{program} is not installed here")
        return CommandNotFound(f"{program} cannot be started: its interpreter is missing")
    if error.errno == errno.ENOEXEC:
        return CommandNotFound(
            f"{program} cannot be started: it is no program for this machine ({error.strerror})"
        )
    return CommandNotFound(f"{program} cannot be started: {error.strerror}")


class Running:
    """A process whose output is read later, so that other work is done meanwhile."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str] | None) -> None:
        self.argv = tuple(argv)
        self._process = _start(self.argv, environment, stderr=subprocess.PIPE)

    def result(self, *, deadline: float) -> Completed:
        """Return its output, waited for `deadline` seconds at most.

        Raises TimedOut or OutputTooLarge; the process and its children are then killed at once: it was only asked for something.
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
                        hint=f"{self._name} | wc -c",
                    )
                if time.monotonic() > until:
                    raise TimedOut(f"{self._name} did not end within {deadline:.0f} s")
        finally:
            self.abandon()
        return Completed(
            self.argv, self._process.returncode, stdout.decode(errors="replace"), stderr.text()
        )

    def abandon(self) -> None:
        """Kill it and its children unless it has ended, and leave no zombie."""
        if self._process.poll() is None:
            _signal(self._process, signal.SIGKILL)
        _close(self._process)

    @property
    def _name(self) -> str:
        """How messages call it: without its later arguments, which may hold secrets."""
        return f"`{' '.join(self.argv[:3])}`"


def start(argv: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Running:
    """Start `argv` and return at once. Raises CommandNotFound."""
    return Running(argv, environment)


def run(
    argv: Sequence[str], *, deadline: float, environment: Mapping[str, str] | None = None
) -> Completed:
    """Return `argv`'s output and code, whatever the code. Raises CommandNotFound, TimedOut, OutputTooLarge."""
    return start(argv, environment=environment).result(deadline=deadline)


class Stream:
    """A process in a group of its own, its output read line by line, stdout and stderr in one.

    A group of its own because the terminal's Ctrl-C must reach us alone: we decide what the child gets, and when. The group ends
    with us, even when we are killed (system/group_leader.py). After its deadline, or a signal of ours, it is asked to end by SIGINT, then
    by SIGTERM, and then killed.
    """

    def __init__(
        self,
        argv: Sequence[str],
        *,
        environment: Mapping[str, str] | None = None,
        seconds: float | None = None,
        patience: tuple[float, float] = PATIENCE,
        on_error: Callable[[str], None] | None = None,
    ) -> None:
        """Start `argv`; `seconds` is its deadline. With `on_error` stderr is apart, and its lines go there. Raises CommandNotFound."""
        self._on_error = on_error
        self.is_late = False
        """Whether the deadline has passed."""
        self._until = None if seconds is None else time.monotonic() + seconds
        self._harder = list(zip((signal.SIGTERM, signal.SIGKILL), patience, strict=True))
        self._asked_at: float | None = None
        if not shutil.which(argv[0], path=(environment or os.environ).get("PATH")):
            raise CommandNotFound(f"{argv[0]} is not installed here")
        line, self._line = os.pipe()  # closed by the kernel when we end, however that is
        try:
            command = (sys.executable, "-I", "-S", _LEADER, str(line), *argv)
            self._process = _start(
                command,
                environment,
                stderr=subprocess.PIPE if on_error else subprocess.STDOUT,
                inherited=(line,),
            )
        except BaseException:
            os.close(self._line)
            raise
        finally:
            os.close(line)

    def lines(self) -> Iterator[str]:
        """Yield each line as it comes, without its end and cut where it is too long, until the process has ended."""
        splitter, errors = _Lines(), _Lines()
        for pipe, chunk in _output(self._process):
            if pipe is not None and pipe is self._process.stderr:
                self._pass_on(errors.add(chunk))
            else:
                yield from splitter.add(chunk)
            self._mind_the_time()
        yield from splitter.rest()
        self._pass_on(errors.rest())

    def _pass_on(self, errors: Iterator[str]) -> None:
        for line in errors:
            if self._on_error:
                self._on_error(line)

    @contextmanager
    def taking_signals(self) -> Iterator[list[int]]:
        """While it runs, Ctrl-C, SIGTERM and SIGHUP go to it: the first asks it to stop, the second ends it at once. Yields the signals that came."""
        from dartsctl.system.signal_handlers import ENDING, signal_handlers

        came: list[int] = []

        def take(number: int, _frame: object) -> None:
            came.append(number)
            if len(came) == 1:
                self.interrupt()
            else:
                self.kill()

        with signal_handlers(ENDING, take):
            yield came

    def interrupt(self) -> None:
        """Ask its whole group to stop (SIGINT, as a terminal would)."""
        if self._asked_at is None:
            self._asked_at = time.monotonic()
        _signal(self._process, signal.SIGINT)

    def kill(self) -> None:
        """End its whole group at once."""
        _signal(self._process, signal.SIGKILL)

    def wait(self) -> int:
        """Return its exit code, after its output has ended; 128 + n for signal n, as shells say it, negative if it was `kill`ed."""
        _close(self._process)
        os.close(self._line)
        return self._process.returncode if self._process.returncode is not None else -signal.SIGKILL

    def _mind_the_time(self) -> None:
        now = time.monotonic()
        if self._until is not None and now >= self._until and not self.is_late:
            self.is_late = True
            self.interrupt()
        if (
            self._asked_at is not None
            and self._harder
            and now >= self._asked_at + self._harder[0][1]
        ):
            self._asked_at = now
            _signal(self._process, self._harder.pop(0)[0])


class _Excerpt:
    """The beginning and the end of what may be endless."""

    def __init__(self) -> None:
        self._kept = bytearray()
        self._is_cut = False

    def add(self, chunk: bytes) -> None:
        self._kept += chunk
        if len(self._kept) > 4 * _STDERR_KEPT:
            del self._kept[_STDERR_KEPT:-_STDERR_KEPT]
            self._is_cut = True

    def text(self) -> str:
        if not self._is_cut:
            return self._kept.decode(errors="replace")
        return (self._kept[:_STDERR_KEPT] + b"\n...\n" + self._kept[-_STDERR_KEPT:]).decode(
            errors="replace"
        )


class _Lines:
    """Whole lines out of chunks."""

    def __init__(self) -> None:
        self._begun = b""

    def add(self, chunk: bytes) -> Iterator[str]:
        *whole, begun = (self._begun + chunk).split(b"\n")
        self._begun = begun[: LINE_LIMIT + 1]
        yield from map(_line, whole)

    def rest(self) -> Iterator[str]:
        if self._begun:
            yield _line(self._begun)


def _line(text: bytes) -> str:
    cut = "..." if len(text) > LINE_LIMIT else ""
    return text[:LINE_LIMIT].decode(errors="replace").rstrip() + cut


def _start(
    argv: tuple[str, ...],
    environment: Mapping[str, str] | None,
    *,
    stderr: int,
    inherited: Sequence[int] = (),
) -> subprocess.Popen[bytes]:
    try:
        return subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=stderr,
            env=None if environment is None else dict(environment),
            process_group=0,  # `docker` starts its plugins as children: all of them must be within reach of a signal
            pass_fds=inherited,
        )
    except OSError as error:
        raise cannot_start(argv[0], error) from error
    except ValueError:
        raise CommandNotFound(
            f"{argv[0]} cannot be started: an argument or a variable has a NUL character"
        ) from None


def _output(process: subprocess.Popen[bytes]) -> Iterator[tuple[IO[bytes] | None, bytes]]:
    """Yield what comes and from which pipe, and nothing from none of them every _TICK seconds at the latest.

    Ends with the process and its pipes, or a moment after the process: a child of its own may keep them open.
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
    """Send `number` to the process's whole group, unless it has ended."""
    if process.poll() is None:
        with suppress(ProcessLookupError, PermissionError):  # macOS refuses for a group of zombies
            os.killpg(process.pid, number)


def _close(process: subprocess.Popen[bytes]) -> None:
    """Give the pipes back, and take its end, for which a killed process is not waited for ever."""
    for pipe in (process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()
    with suppress(subprocess.TimeoutExpired):
        process.wait(_REAP_WITHIN)
