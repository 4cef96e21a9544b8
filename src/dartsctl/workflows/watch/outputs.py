"""Where a watch shows and sends what happens."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.errors import DartsctlError
from dartsctl.text.phrases import exact_duration
from dartsctl.workflows.watch.lines import JsonLines, PlainLines
from dartsctl.workflows.watch.signals import Note
from dartsctl.workflows.watch.view import View

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.ending import Ending
    from dartsctl.workflows.watch.request import WatchRequest
    from dartsctl.workflows.watch.signals import Output


def outputs_of(request: WatchRequest, *, deps: Deps, ending: Ending) -> list[Output]:
    """Return the outputs, the screen last: its `close` may raise BrokenPipeError.

    Raises DartsctlError if metrics cannot be served. When the settings were read again it is a
    warning: the watch goes on.
    """
    outputs: list[Output] = []
    try:
        outputs += metrics_of(request, deps=deps)
    except DartsctlError as error:
        if ending.is_first_round:
            raise
        deps.screen.warn(f"no metrics: {error.message}")
    return [*outputs, screen_of(request, deps=deps, on_end=ending.end)]


def metrics_of(request: WatchRequest, *, deps: Deps) -> list[Output]:
    """Return the metrics, if they are asked for. Raises DartsctlError if the port is not free."""
    port = request.settings.metrics
    if port is None:
        return []
    from dartsctl.workflows.watch.metrics import MetricsOutput

    check_metrics(request)
    first = View(request.environment.name, request.project, deps.now())
    output = MetricsOutput(port, first, shown=deps.screen.masker.line)
    output.start()
    return [output]


def check_metrics(request: WatchRequest) -> None:
    """Raise DartsctlError for metrics on a production port, or without their library."""
    port = request.settings.metrics
    if port is None:
        return
    from dartsctl.edges.metrics.exporter import require_prometheus
    from dartsctl.workflows.watch.metrics import refuse_production_port

    refuse_production_port(port, request.production())
    require_prometheus()


def screen_of(request: WatchRequest, *, deps: Deps, on_end: Callable[[], None]) -> Output:
    """Return what a person or a program sees: JSON lines, the dashboard, or plain lines.

    `on_end` is called, in some thread, when nobody reads what is shown any more.
    """
    screen = deps.screen
    if screen.as_json:
        return JsonLines(screen, on_end=on_end)
    if screen.can_show_dashboard:
        from dartsctl.workflows.watch.dashboard import DashboardOutput

        first = View(request.environment.name, request.project, deps.now())
        return DashboardOutput(screen, first, clock=deps.now, on_end=on_end)
    return PlainLines(screen, started=deps.now(), on_end=on_end)


def beginning(request: WatchRequest, outputs: Sequence[Output], now: float) -> Note:
    """Return the first line: what is watched, and where metrics are, if they are served."""
    name = request.environment.name
    if request.project != name:
        name += f" (project {request.project})"
    interval = exact_duration(request.settings.interval)
    data = {"environment": request.environment.name, "project": request.project}
    text = f"watching {name}: a look every {interval}"
    if len(outputs) > 1:  # the screen is the last one
        text += f", metrics on http://127.0.0.1:{request.settings.metrics}/metrics"
    return Note(text, now, data=data)
