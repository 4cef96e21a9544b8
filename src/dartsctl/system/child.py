"""A child process in its own group, and its output: what `subprocess` does, at a tenth of its cost.

Importing `subprocess` takes as long as starting Python. This module imports nothing that the
interpreter has not loaded, except for a few of its own parts in C. It knows nothing of limits:
`spawn` has those.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # the C part of `signal`; typeshed has no stub
import _thread
import os
import select
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

SIGINT: int = _signal.SIGINT
SIGTERM: int = _signal.SIGTERM
SIGKILL: int = _signal.SIGKILL
SIGCONT: int = _signal.SIGCONT
TICK = 0.1
"""Seconds between two chunks of `output`, at most."""
_CHUNK = 64 << 10  # bytes: the size of a pipe
_PIPES_GRACE = 0.5  # seconds for which pipes are read after the process has ended
_REAP_WITHIN = 2.0  # seconds: a killed process may hang in the kernel
_PAUSE = 0.001  # seconds between two looks at a process whose end cannot be waited for
_STANDARD = 2
"""The highest of the standard descriptors."""
_FOR_US = (_signal.SIGPIPE, _signal.SIGXFSZ)
"""Signals that Python ignores for itself. Its children get them as usual."""


class Child:
    """A process that was started, and the pipes of its output.

    Another thread, or the handler of a signal, may signal it.
    """

    def __init__(
        self,
        program: str,
        argv: tuple[str, ...],
        environment: Mapping[str, str],
        *,
        stdin: bytes = b"",
        inherited: Sequence[int] = (),
        joined: bool = False,
    ) -> None:
        """Start the program at the path `program`, which sees `argv`.

        `stdin`: what it reads, no more than a pipe has room for. `inherited`: descriptors that it
        has under the same numbers. `joined`: its stderr goes into stdout.
        Raises OSError, and ValueError for a NUL character.
        """
        self.code: int | None = None
        """Its exit code after the end, negative for a signal."""
        self._reaping = _thread.allocate_lock()
        self.stdout = self.stderr = -1
        ends: list[int] = []
        try:
            standard = self._standard(ends, stdin, joined=joined)
            self.pid = os.posix_spawn(
                program,
                argv,
                environment,
                file_actions=_descriptors(standard, inherited),
                setpgroup=0,  # `docker` starts its plugins as children, which get signals too
                setsigdef=_FOR_US,
            )
        except BaseException:
            self._close_pipes()
            raise
        finally:
            for descriptor in ends:
                os.close(descriptor)

    def _standard(self, ends: list[int], stdin: bytes, *, joined: bool) -> tuple[int, int, int]:
        """Return what is the child's stdin, stdout and stderr; add it to `ends`, to be closed."""
        self.stdout, out = _pipe()
        ends.append(out)
        errors = out
        if not joined:
            self.stderr, errors = _pipe()
            ends.append(errors)
        source = _source(stdin)
        ends.append(source)
        return source, out, errors

    def output(self) -> Iterator[tuple[int, bytes]]:
        """Yield each chunk with its pipe's descriptor, and an empty one at least every TICK.

        Ends when the process and its pipes have ended, or half a second after the process: a child
        of it may keep the pipes open.
        """
        poller = select.poll()
        pipes = {self.stdout, self.stderr} - {-1}
        for pipe in pipes:
            poller.register(pipe, select.POLLIN)
        ended_at = None
        while True:
            ready = False
            for pipe, _ in poller.poll(TICK * 1000) if pipes else ():
                ready = True
                chunk = os.read(pipe, _CHUNK)
                if not chunk:
                    poller.unregister(pipe)
                    pipes.discard(pipe)
                yield pipe, chunk
            yield -1, b""
            if not pipes:
                self._await_end(TICK)
            if not self.has_ended():
                continue
            ended_at = ended_at or time.monotonic()
            if not pipes or (not ready and time.monotonic() > ended_at + _PIPES_GRACE):
                return

    def has_ended(self) -> bool:
        """Return whether the process has ended, and leave no zombie."""
        if self.code is None and self._reaping.acquire(blocking=False):
            try:
                if self.code is None:
                    self._reap()
            finally:
                self._reaping.release()
        return self.code is not None

    def _reap(self) -> None:
        try:
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:  # SIGCHLD is ignored, as our parent wanted: nobody knows the code
            self.code = 0
            return
        if pid:
            self.code = os.waitstatus_to_exitcode(status)

    def _await_end(self, seconds: float) -> None:
        """Wait up to `seconds` for the end of the process."""
        if self.has_ended():
            return
        try:
            descriptor = os.pidfd_open(self.pid)
        except (AttributeError, OSError):  # not on this system
            descriptor = -1
        if descriptor >= 0:
            poller = select.poll()
            poller.register(descriptor, select.POLLIN)
            poller.poll(seconds * 1000)
            os.close(descriptor)
            return
        until = time.monotonic() + seconds
        while not self.has_ended() and time.monotonic() < until:
            time.sleep(_PAUSE)

    def signal(self, number: int) -> None:
        """Send a signal to the whole group, unless the process has ended."""
        if self.has_ended():
            return
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):  # macOS refuses for a group of zombies
            return

    def close(self) -> None:
        """Close the pipes and reap the process, without waiting forever for a killed one."""
        self._close_pipes()
        self._await_end(_REAP_WITHIN)
        self.has_ended()

    def _close_pipes(self) -> None:
        for pipe in {self.stdout, self.stderr} - {-1}:
            os.close(pipe)
        self.stdout = self.stderr = -1


def _descriptors(standard: tuple[int, int, int], inherited: Sequence[int]) -> list[tuple[int, ...]]:
    """Return what gives a child its standard descriptors and the `inherited` ones, and no other.

    Ours are closed by themselves. Those that we have inherited are not.
    """
    actions: list[tuple[int, ...]] = []
    for number, descriptor in enumerate(standard):
        actions.append((os.POSIX_SPAWN_DUP2, descriptor, number))
    # a copy to the same number stays open
    actions += [(os.POSIX_SPAWN_DUP2, descriptor, descriptor) for descriptor in inherited]
    return actions + [(os.POSIX_SPAWN_CLOSE, number) for number in _foreign(inherited)]


def _foreign(wanted: Sequence[int]) -> Iterator[int]:
    """Yield the other descriptors that a child would inherit."""
    try:
        names = os.listdir("/dev/fd")
    except OSError:  # a root folder without /dev
        return
    for name in names:
        number = int(name)
        if number <= _STANDARD or number in wanted:
            continue
        try:
            if os.get_inheritable(number):
                yield number
        except OSError:  # the descriptor of the listing itself
            continue


def _pipe() -> tuple[int, int]:
    """Return a pipe whose end for the child is none of the standard descriptors."""
    reader, writer = os.pipe()
    return reader, above_standard(writer)


def _source(text: bytes) -> int:
    """Return a descriptor from which a child reads `text`, and then the end."""
    if not text:
        return above_standard(os.open(os.devnull, os.O_RDONLY))
    reader, writer = os.pipe()
    os.write(writer, text)
    os.close(writer)
    return above_standard(reader)


def above_standard(descriptor: int) -> int:
    """Return the descriptor, moved where somebody has started us with a standard one closed."""
    if descriptor > _STANDARD:
        return descriptor
    try:
        return above_standard(os.dup(descriptor))
    finally:
        os.close(descriptor)
