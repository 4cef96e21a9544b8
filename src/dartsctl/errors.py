"""What can go wrong, and with which exit code the program then ends."""

from __future__ import annotations

from enum import IntEnum


class ExitCode(IntEnum):
    """The contract with scripts (docs/reference.md#exit-codes). `dev` and `run` end with the server's own code instead."""

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


class DartsctlError(Exception):
    """An expected failure: one clear sentence, the next command to type, an exit code.

    `message` and `hint` are shown to people as they are, so neither may hold a secret.
    `details` are lines of evidence between the two (the list of conflicts, a file's candidates).
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
    """The words of the call, or a settings file, are wrong; nothing was done."""

    code = ExitCode.USAGE


class Refused(DartsctlError):
    """A policy forbids it: a production port, a foreign project's name, a weak secret."""

    code = ExitCode.REFUSED


class DockerUnavailable(DartsctlError):
    """Docker or Compose is missing, too old, not running, or not ours to use."""

    code = ExitCode.NO_DOCKER


class NotHealthy(DartsctlError):
    """The stack is up, but something in it is not healthy or lacks its bindings."""

    code = ExitCode.NOT_HEALTHY


class TimedOut(DartsctlError):
    """A deadline passed."""

    code = ExitCode.TIMED_OUT


class Interrupted(DartsctlError):
    """Ctrl-C or SIGTERM, after what was begun has been undone."""

    code = ExitCode.INTERRUPTED
