"""Start processes for their output: docker, compose, git. No shell, no inherited stdin.

This is the only module that does so. A process cannot hold us longer than its deadline, and only a
limited part of its output is kept. A child of the process that keeps our pipes open is not waited
for.
"""

from __future__ import annotations

import errno
import os
import sys
import time
from contextlib import contextmanager

from dartsctl.errors import DartsctlError, ExitCode, TimedOut
from dartsctl.records import record
from dartsctl.system.child import SIGINT, SIGKILL, SIGTERM, Child, above_standard

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

OUTPUT_LIMIT = 16 << 20
"""Bytes of stdout that `Running` accepts."""
STDIN_LIMIT = 60 << 10
"""Bytes that a process can be given: a pipe has room for them before it reads."""
STREAM_LINE_LIMIT = 16 << 10
"""Bytes of a line of a `Stream` that are shown."""
PATIENCE = (10.0, 5.0)
"""Seconds that a `Stream` has after SIGINT until SIGTERM, and after that until SIGKILL."""
_STDERR_KEPT = 64 << 10  # bytes of its start, and as many of its end
_LEADER = f"{__file__.rpartition('spawn')[0]}system/group_leader.py"


@record
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

    def __init__(self, argv: Sequence[str], child: Child) -> None:
        self.argv = tuple(argv)
        self._child = child

    def result(self, *, deadline: float) -> Completed:
        """Wait up to `deadline` seconds for the end of the process, and return its output.

        Raises TimedOut or OutputTooLarge. Then the process and its children are killed at once.
        """
        until = time.monotonic() + deadline
        stdout, stderr = bytearray(), _Excerpt()
        try:
            for pipe, chunk in self._child.output():
                if pipe == self._child.stdout:
                    stdout += chunk
                else:
                    stderr.add(chunk)
                if len(stdout) > OUTPUT_LIMIT:
                    from dartsctl.text.phrases import shell_command

                    raise OutputTooLarge(
                        f"{self._name} wrote more than {OUTPUT_LIMIT >> 20} MiB",
                        hint=f"{shell_command(*self.argv[:3])} | wc -c",
                    )
                if time.monotonic() > until:
                    raise TimedOut(f"{self._name} did not end within {deadline:.0f} s")
        finally:
            self.abandon()
        text = stdout.decode(errors="replace")
        return Completed(self.argv, self._child.code or 0, text, stderr.text())

    def abandon(self) -> None:
        """Kill the process and its children unless it has ended, and leave no zombie."""
        self._child.signal(SIGKILL)
        self._child.close()

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
    argv = tuple(argv)
    return Running(argv, _start(argv, environment, stdin=stdin, inherited=inherited))


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
        self._next_signals = list(zip((SIGTERM, SIGKILL), patience, strict=True))
        self._signalled_at: float | None = None
        if not _is_program(_program(argv[0], environment or os.environ)):
            raise _not_installed(argv[0])
        reader, self._alive = os.pipe()  # the kernel closes it when we end, even by SIGKILL
        try:
            reader = above_standard(reader)
            self._child = _start(
                (sys.executable, "-I", "-S", _LEADER, str(reader), *argv),
                environment,
                inherited=(reader,),
                joined=on_error is None,
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
        for pipe, chunk in self._child.output():
            if pipe >= 0 and pipe == self._child.stderr:
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

        from dartsctl.system.signal_handlers import STOP_SIGNALS, signal_handlers

        with signal_handlers(STOP_SIGNALS, pass_on):
            yield received

    def interrupt(self) -> None:
        """Ask the whole group to stop: SIGINT, as from a terminal."""
        if self._signalled_at is None:
            self._signalled_at = time.monotonic()
        self._child.signal(SIGINT)

    def expire(self) -> None:
        """End it as its deadline does."""
        if not self.is_late:
            self.is_late = True
            self.interrupt()

    def kill(self) -> None:
        """End the whole group at once."""
        self._child.signal(SIGKILL)

    def wait(self) -> int:
        """Return the exit code, after the output has ended.

        It is 128 + n for signal n, as in shells, and negative if the process was killed by `kill`.
        """
        self._child.close()
        os.close(self._alive)
        if self._child.code is None:
            return -SIGKILL
        return self._child.code

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
            self._child.signal(number)


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
    stdin: bytes = b"",
    inherited: Sequence[int] = (),
    joined: bool = False,
) -> Child:
    """Start a process. `joined`: its stderr goes into stdout."""
    if environment is None:
        environment = os.environ
    try:
        program = _program(argv[0], environment)
        return Child(
            program,
            argv,
            environment,
            stdin=stdin[:STDIN_LIMIT],
            inherited=inherited,
            joined=joined,
        )
    except OSError as error:
        raise cannot_start(argv[0], error) from error
    except ValueError:
        raise CommandNotFound(
            f"cannot start {argv[0]}: an argument or a variable contains a NUL character"
        ) from None


def _program(name: str, environment: Mapping[str, str]) -> str:
    """Return the path of a program, which the environment's PATH has.

    Raises CommandNotFound. A path is returned as it is: the kernel says what is wrong with it.
    """
    if "/" in name:
        return name
    if not name:
        raise CommandNotFound("cannot start a program without a name")
    # an empty folder in PATH is the working folder
    paths = [f"{folder or '.'}/{name}" for folder in os.get_exec_path(environment)]
    for accepts in (_is_program, os.path.lexists):
        for path in paths:
            if accepts(path):
                return path
    raise _not_installed(name)


def _is_program(path: str) -> bool:
    return os.access(path, os.X_OK) and not os.path.isdir(path)  # noqa: PTH112 - pathlib takes time
