"""What `watch` knows of the stack now, for the dashboard and the metrics."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.records import field, record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dartsctl.alerts.state import Episode


@record
class ServiceView:
    """A service: its containers' state, health and restarts, and the latest check latencies."""

    name: str
    state: str = ""
    """As in Container; empty: it has no container."""
    health: str = ""
    restarts: int = 0
    since: float | None = None
    latencies: tuple[float | None, ...] = ()
    """Seconds, the latest last; None: the check failed."""


@record
class PortView:
    """A production port and who holds it."""

    port: int
    service: str
    holder: str = ""
    """`darts-app`, `reserved by this watch`, `python run.py (pid 7)`; empty: nobody."""
    is_stranger: bool = False
    protocol: str = "tcp"


@record
class View:
    """Everything on the screen. `now` is Unix time."""

    environment: str
    project: str
    now: float
    engine: str = ""
    """Its version; empty while it does not answer."""
    services: tuple[ServiceView, ...] = ()
    ports: tuple[PortView, ...] = ()
    episodes: tuple[Episode, ...] = ()
    upstream_errors: Mapping[str, int] = field(default_factory=dict)
    """By service, since `watch` began."""
    work: str = ""
    """What dartsctl does to the stack now."""
    waiting: Mapping[str, int] = field(default_factory=dict)
    """Messages that wait to be sent, by channel (its scheme, or the name that notes use)."""
    notes: tuple[str, ...] = ()
    """`silenced: darts-app until 14:00`, `channel mailto: 3 messages not taken yet`."""
