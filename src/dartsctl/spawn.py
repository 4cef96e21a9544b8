"""The one place that starts processes for their output: docker, compose, git. No shell, no inherited stdin."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from dartsctl.errors import DartsctlError, ExitCode, TimedOut


@dataclass(frozen=True, slots=True)
class Completed:
    """What a process left behind; `code` is negative for a signal, as in subprocess."""

    argv: tuple[str, ...]
    code: int
    stdout: str
    stderr: str


class CommandNotFound(DartsctlError):
    """The program is not on this machine."""

    code = ExitCode.FAILED


class Running:
    """A process whose output is read later, so that other work is done meanwhile."""

    def __init__(self, argv: Sequence[str], environment: Mapping[str, str] | None) -> None:
        self.argv = tuple(argv)
        try:
            self._process = subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=None if environment is None else dict(environment),
                process_group=0,  # `docker` starts its plugins as children: all of them must be within reach of `abandon`
            )
        except FileNotFoundError as error:
            raise CommandNotFound(f"{argv[0]} is not installed here") from error

    def result(self, *, deadline: float) -> Completed:
        """Its output, waited for `deadline` seconds at most; raises TimedOut, the process then killed."""
        try:
            out, err = self._process.communicate(timeout=deadline)
        except subprocess.TimeoutExpired:
            self.abandon()
            raise TimedOut(f"`{' '.join(self.argv[:3])}` did not end within {deadline:.0f} s") from None
        except BaseException:
            self.abandon()
            raise
        return Completed(self.argv, self._process.returncode, out.decode(errors="replace"), err.decode(errors="replace"))

    def abandon(self) -> None:
        """Kill it and its children, and take its end: no zombie stays, and no wait for a grandchild that keeps our pipes open."""
        with self._process, suppress(ProcessLookupError, PermissionError):  # macOS refuses for a group of zombies
            if self._process.poll() is None:
                os.killpg(self._process.pid, signal.SIGKILL)


def start(argv: Sequence[str], *, environment: Mapping[str, str] | None = None) -> Running:
    """Start `argv` and return at once. Raises CommandNotFound."""
    return Running(argv, environment)


def run(argv: Sequence[str], *, deadline: float, environment: Mapping[str, str] | None = None) -> Completed:
    """`argv`'s output and code, whatever the code. Raises CommandNotFound, TimedOut."""
    return start(argv, environment=environment).result(deadline=deadline)


class Stream:
    """A process in a process group of its own, its output read line by line, stdout and stderr in one.

    A group of its own because the terminal's Ctrl-C must reach us alone: we decide what the child gets, and when.
    """

    def __init__(self, argv: Sequence[str], *, environment: Mapping[str, str] | None = None) -> None:
        try:
            self._process = subprocess.Popen(
                tuple(argv),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                env=None if environment is None else dict(environment),
                process_group=0,
            )
        except FileNotFoundError as error:
            raise CommandNotFound(f"{argv[0]} is not installed here") from error

    def lines(self) -> Iterator[str]:
        """Each line as it comes, without its end; ends when the process closes its output."""
        if self._process.stdout is not None:
            for line in self._process.stdout:
                yield line.decode(errors="replace").rstrip()

    @contextmanager
    def taking_signals(self) -> Iterator[list[int]]:
        """While it runs, Ctrl-C, SIGTERM and SIGHUP go to it: the first asks it to stop, the second ends it at once. Yields the signals that came."""
        came: list[int] = []

        def take(number: int, _frame: object) -> None:
            came.append(number)
            if len(came) == 1:
                self.interrupt()
            else:
                self.kill()

        wanted = [number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN]
        before = {number: signal.signal(number, take) for number in wanted}  # what is ignored stays so: nohup, a background job
        try:
            yield came
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def interrupt(self) -> None:
        """Ask its whole group to stop (SIGINT, as a terminal would)."""
        self._signal(signal.SIGINT)

    def kill(self) -> None:
        """End its whole group at once."""
        self._signal(signal.SIGKILL)

    def wait(self) -> int:
        """Its exit code, after its output has ended."""
        code = self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()
        return code

    def _signal(self, number: signal.Signals) -> None:
        if self._process.poll() is None:
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                return
