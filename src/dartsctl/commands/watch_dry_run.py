"""`watch --dry-run`: what would be watched, and where alerts would go."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.edges.state.watch_lock import running_watch
from dartsctl.errors import ExitCode
from dartsctl.text.phrases import exact_duration
from dartsctl.workflows.watch.channels import destinations_of
from dartsctl.workflows.watch.known import Known
from dartsctl.workflows.watch.outputs import check_metrics
from dartsctl.workflows.watch.sources.all_sources import sources_of

if TYPE_CHECKING:
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.request import WatchRequest


def dry_run(request: WatchRequest, *, deps: Deps) -> ExitCode:
    """Show it. Nothing is watched, sent, written or bound. Raises as `watch` does.

    The port for metrics is not bound: whether it is free is not known.
    """
    settings = request.settings
    check_metrics(request)
    destinations = destinations_of(settings, request.environment, deps=deps)
    channels = [f"{channel.role} {channel.label}" for channel in destinations.channels]
    sources = ["looks", *(row.name for row in sources_of(request, Known(), deps=deps))]
    document = {
        "ok": True,
        "exit_code": 0,
        "dry_run": True,
        "environment": request.environment.name,
        "project": request.project,
        "sources": sources,
        "channels": channels,
        "heartbeat": bool(destinations.heartbeat),
        "metrics": settings.metrics,
        "heal": settings.heal,
        "reserve": settings.reserve,
    }
    what = f"{request.environment.name} (project {request.project})"
    lines = [
        f"would watch {what}: a look every {exact_duration(settings.interval)}",
        f"  sources: {', '.join(sources)}",
        f"  channels: {', '.join(channels) or 'none'}",
        f"  heartbeat: {_yes(bool(destinations.heartbeat))}",
        f"  metrics: {settings.metrics or 'no'}",
        f"  heal: {_yes(settings.heal)}",
        f"  reserve: {_yes(settings.reserve)}",
    ]
    deps.screen.result(document, lines)
    watching = running_watch(deps.state, request.project)
    if watching:
        deps.screen.note(f"a watch of {request.project} runs already: {watching.words}")
    return ExitCode.OK


def _yes(value: bool) -> str:  # noqa: FBT001 - a word for it
    return "yes" if value else "no"
