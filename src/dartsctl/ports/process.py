"""Process: one process of this host, as far as this user may see it."""

from __future__ import annotations

from dataclasses import dataclass, field

from dartsctl.text.masking import mask_command


@dataclass(frozen=True, slots=True)
class Process:
    """Fields are None (or empty) where the kernel does not show them to this user.

    `birth` is an opaque mark of the process' start: the same pid with another birth is another process (edge-cases.md#24). It is no wall-clock
    time, because a clock that is set would change that; `started` (Unix time, seconds) is for people. What changes by itself (status, children) does
    not count for equality.
    """

    pid: int
    name: str
    birth: int
    command: tuple[str, ...] = ()
    executable: str | None = None
    user: str | None = None
    cwd: str | None = None
    started: float | None = None
    status: str = field(default="", compare=False)
    """psutil's word: running, sleeping, stopped, zombie ..."""
    parents: tuple[tuple[int, str], ...] = ()
    """pid and name, the parent first, pid 1 last."""
    children: tuple[int, ...] = field(default=(), compare=False)
    """Direct children's pids."""

    @property
    def shown_words(self) -> tuple[str, ...]:
        """Its command line without secrets, cut where it is too long."""
        return mask_command(self.command)

    @property
    def shown_command(self) -> str:
        """The same as one text; its name where the command line is not shown to this user."""
        return " ".join(self.shown_words) or self.name
