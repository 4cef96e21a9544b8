"""Process: one process of this host, as far as this user may see it."""

from __future__ import annotations

from dartsctl.records import field, record
from dartsctl.text.masking import mask_command


@record
class Process:
    """One process. Fields are None (or empty) where the kernel does not show them to this user.

    `birth` marks the start of the process: the same pid with another birth is another process
    (edge-cases.md#24). It is not a wall-clock time, which changes when the clock is set. `started`
    (Unix time, seconds) is for people. `status` and `children` change by themselves and do not take
    part in comparison.
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
    """As psutil says it: running, sleeping, stopped, zombie ..."""
    parents: tuple[tuple[int, str], ...] = ()
    """Pid and name, the parent first, pid 1 last."""
    children: tuple[int, ...] = field(default=(), compare=False)
    """Pids of the direct children."""

    @property
    def shown_words(self) -> tuple[str, ...]:
        """Its command line without secrets, cut where it is too long."""
        return mask_command(self.command)

    @property
    def shown_command(self) -> str:
        """The same as one text; its name where the command line is not shown to this user."""
        return " ".join(self.shown_words) or self.name
