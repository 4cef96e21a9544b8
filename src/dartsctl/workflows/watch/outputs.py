"""Where a watch shows and sends what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.text.phrases import exact_duration
from dartsctl.workflows.watch.lines import JsonLines, PlainLines
from dartsctl.workflows.watch.signals import Note
from dartsctl.workflows.watch.view import View

if TYPE_CHECKING:
    from collections.abc import Callable

    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.known import Known
    from dartsctl.workflows.watch.request import WatchRequest
    from dartsctl.workflows.watch.signals import Output


def outputs_of(
    request: WatchRequest, known: Known, *, deps: Deps, on_end: Callable[[], None]
) -> list[Output]:
    """Return the outputs, the screen last: its `close` may raise BrokenPipeError.

    `on_end` is called, in some thread, when nobody reads what is shown any more.
    """
    del known
    return [screen_of(request, deps=deps, on_end=on_end)]


def screen_of(request: WatchRequest, *, deps: Deps, on_end: Callable[[], None]) -> Output:
    """Return what a person or a program sees: JSON lines, the dashboard, or plain lines."""
    screen = deps.screen
    if screen.as_json:
        return JsonLines(screen, on_end=on_end)
    if screen.can_show_dashboard:
        from dartsctl.workflows.watch.dashboard import DashboardOutput

        first = View(request.environment.name, request.project, deps.now())
        return DashboardOutput(screen, first, clock=deps.now, on_end=on_end)
    return PlainLines(screen, started=deps.now(), on_end=on_end)


def beginning(request: WatchRequest, now: float) -> Note:
    """Return the first line: what is watched."""
    name = request.environment.name
    if request.project != name:
        name += f" (project {request.project})"
    interval = exact_duration(request.settings.interval)
    data = {"environment": request.environment.name, "project": request.project}
    return Note(f"watching {name}: a full look every {interval}", now, data=data)
