"""What to watch, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.rules import Rules
from dartsctl.ports.allocation import Allocation
from dartsctl.records import field, record

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from dartsctl.config.environment import Environment
    from dartsctl.config.settings import WatchSettings
    from dartsctl.workflows.examine.probes import ExamineRequest


@record
class WatchRequest:
    """One environment to watch."""

    examine: ExamineRequest
    settings: WatchSettings
    """With what the command line says instead."""
    reload: Callable[[], WatchRequest]
    """Read the settings again. Raises DartsctlError."""
    documented: Allocation = field(default_factory=lambda: Allocation({}))
    """Production's documented ports."""
    production: Callable[[], Allocation] = lambda: Allocation({})
    """Production's ports, documented and published. Asks Compose."""
    record: Path | None = None
    """A new file for a recording of everything that is observed."""

    @property
    def environment(self) -> Environment:
        """The environment, by its files or by its containers' labels."""
        return self.examine.environment

    def is_like(self, other: WatchRequest) -> bool:
        """Whether both ask for the same watch."""
        mine = self.examine, self.settings, self.documented
        return mine == (other.examine, other.settings, other.documented)

    @property
    def project(self) -> str:
        """Its Compose project."""
        return self.environment.project or self.environment.name


def rules_of(settings: WatchSettings) -> Rules:
    """Return the thresholds that the settings ask for."""
    escalate_after = 0.0
    if settings.escalate:
        escalate_after = settings.escalate_after
    return Rules(
        open_after=settings.open_after,
        close_after=settings.close_after,
        remind=settings.remind,
        escalate_after=escalate_after,
    )
