"""The table of sources."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from dartsctl.workflows.watch.sources import (
    events,
    healer,
    processes,
    proxy_log,
    requests,
    reserve,
    silences,
    work,
)

if TYPE_CHECKING:
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.known import Known
    from dartsctl.workflows.watch.request import WatchRequest
    from dartsctl.workflows.watch.signals import Source

Maker = Callable[["WatchRequest", "Known", "Deps"], "Source | None"]
"""Makes a source; None where this watch has no use for it."""

SOURCES: tuple[Maker, ...] = (
    events.make,
    processes.make,
    work.make,
    silences.make,
    requests.make,
    proxy_log.make,
    reserve.make,
    healer.make,
)


def sources_of(request: WatchRequest, known: Known, *, deps: Deps) -> list[Source]:
    """Return the sources of one watch, not yet running."""
    sources = (make(request, known, deps) for make in SOURCES)
    return [source for source in sources if source is not None]
