"""Expected errors, and the exit code of each."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes that scripts rely on (README, "Exit codes").

    `dev` and `run` exit with the server's own code instead.
    """

    OK = 0
    FAILED = 1
    USAGE = 2
    CONFLICT = 3
    REFUSED = 4
    NO_DOCKER = 5
    NOT_HEALTHY = 6
    ANSWER_NEEDED = 7
    BUG = 70
    TIMED_OUT = 124
    INTERRUPTED = 130


class Advice(str):
    """A hint in words, shown after `hint:`. A hint that is a plain str is a command (`next:`)."""

    __slots__ = ()


class DartsctlError(Exception):
    """An expected failure: a clear sentence, the next command or an Advice, and an exit code.

    `message` and `hint` are shown as they are, so they must not contain secrets. `details` are
    lines of evidence between them, such as a list of conflicts.
    """

    code: ExitCode = ExitCode.FAILED

    def __init__(
        self,
        message: str,
        *,
        hint: str = "",
        details: tuple[str, ...] = (),
        code: ExitCode | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.details = details
        if code is not None:
            self.code = code


class UsageError(DartsctlError):
    """The arguments or a settings file are invalid. Nothing was done."""

    code = ExitCode.USAGE


class Refused(DartsctlError):
    """A policy forbids it: a production port, the name of another project, a weak secret."""

    code = ExitCode.REFUSED


class DockerUnavailable(DartsctlError):
    """Docker or Compose is missing, too old, not running, or not accessible."""

    code = ExitCode.NO_DOCKER


class NotHealthy(DartsctlError):
    """The stack is up, but some service is unhealthy or lacks its bindings."""

    code = ExitCode.NOT_HEALTHY


class TimedOut(DartsctlError):
    """A deadline has passed."""

    code = ExitCode.TIMED_OUT


class Interrupted(DartsctlError):
    """Ctrl-C or SIGTERM, after an undo of what was started."""

    code = ExitCode.INTERRUPTED
