"""Where a watch shows and sends what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.workflows.watch.lines import Lines

if TYPE_CHECKING:
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.known import Known
    from dartsctl.workflows.watch.request import WatchRequest
    from dartsctl.workflows.watch.signals import Output


def outputs_of(request: WatchRequest, known: Known, *, deps: Deps) -> list[Output]:
    """Return the outputs: the screen, then the channels, the heartbeat and the metrics."""
    del request, known
    return [Lines(deps.screen)]
