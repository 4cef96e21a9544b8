"""Answers: how conflicts are answered in one run."""

from __future__ import annotations

from dartsctl.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.ports.choices import Policy


@record
class Answers:
    """How conflicts are answered in one run. Without a `policy`: ask at a terminal, else fail."""

    policy: Policy | None = None
    yes: bool = False
    wait_timeout: float = 120.0
    """Seconds that the policy "wait", or that choice, may take."""
    health_timeout: float | None = None
    """A person's seconds until the stack must be healthy. None: as its health checks allow."""
    avoid: frozenset[int] = frozenset()
    """Numbers that a moved binding must not get: production's, and the dev range."""
    production_project: str = ""
    """Nothing of this project is stopped for another stack."""
    removable: frozenset[str] = frozenset()
    """The containers that --remove-container names."""
    remappable: bool = True
    """False for files without settings: only `up` of an environment uses the override."""
    remap_by_itself: frozenset[str] = frozenset()
    """Services that may move without a prompt where nobody can be asked: the host server is told
    their real addresses."""
