"""What `watch` knows as metrics for Prometheus. Their names are part of the contract."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Literal

from dartsctl import __version__
from dartsctl.edges.metrics.exporter import Exporter, Family
from dartsctl.errors import Advice, DartsctlError, ExitCode

if TYPE_CHECKING:
    from dartsctl.alerts.state import Message
    from dartsctl.ports.allocation import Allocation
    from dartsctl.workflows.watch.signals import Note, Noticed
    from dartsctl.workflows.watch.view import PortView, ServiceView, View

PREFIX = "dartsctl_"
_Series = Iterable[tuple[tuple[str, ...], float]]


class MetricsOutput:
    """An output that answers Prometheus with the latest view. It serves from `start` on."""

    def __init__(self, port: int, first: View, *, shown: Callable[[str], str]) -> None:
        self._view = first
        self._exporter = Exporter(port, lambda: families_of(self._view), shown=shown)

    def start(self) -> None:
        """Serve. Raises as Exporter.start."""
        self._exporter.start()

    def noticed(self, noticed: Noticed) -> None:
        """Metrics are read from views."""

    def message(self, message: Message) -> None:
        """Metrics are read from views."""

    def note(self, note: Note) -> None:
        """Metrics are read from views."""

    def view(self, view: View) -> None:
        self._view = view

    def close(self) -> None:
        self._exporter.close()


def refuse_production_port(port: int, production: Allocation) -> None:
    """Raise DartsctlError (3) if a port for metrics is one of production's."""
    if port not in production.owners:
        return
    raise DartsctlError(
        f"port {port} for metrics {production.claim(port)}",
        hint=Advice("use another port, such as --metrics 9464"),
        details=production.how_to_change(port),
        code=ExitCode.CONFLICT,
    )


def families_of(view: View) -> list[Family]:
    """Return all metrics of a view."""
    services = [service for service in view.services if service.name]
    return [
        _info("build_info", "The version of dartsctl.", version=__version__),
        _info(
            "watch_info",
            "What is watched.",
            environment=view.environment,
            project=view.project,
            engine=view.engine,
        ),
        _gauge("view_timestamp_seconds", "When this was known.", (), [((), view.now)]),
        _gauge("engine_up", "Whether the engine answers.", (), [((), float(bool(view.engine)))]),
        *_service_families(services),
        Family(
            f"{PREFIX}upstream_errors",
            "Errors of nginx about its upstreams, since the watch began.",
            "counter",
            ("service",),
            tuple(((name,), float(count)) for name, count in view.upstream_errors.items()),
        ),
        *_port_families(view.ports),
        _gauge(
            "open_episodes",
            "Episodes that are open.",
            ("cause", "severity"),
            _open_episodes(view),
        ),
        _gauge(
            "waiting_messages",
            "Messages that wait to be sent.",
            ("channel",),
            [((name,), float(count)) for name, count in view.waiting.items()],
        ),
    ]


def is_up(service: ServiceView) -> bool:
    """Return whether a service runs, and is not known to be unhealthy or starting."""
    return service.state.startswith("running") and service.health not in ("unhealthy", "starting")


def _service_families(services: list[ServiceView]) -> list[Family]:
    checked = [service for service in services if service.latencies]
    restarts = tuple(((service.name,), float(service.restarts)) for service in services)
    latencies: list[tuple[tuple[str, ...], float]] = []
    for service in checked:
        latest = service.latencies[-1]
        if latest is not None:
            latencies.append(((service.name,), latest))
    return [
        _gauge(
            "service_up",
            "Whether a service runs, and its health check is good, if it has one.",
            ("service",),
            [((service.name,), float(is_up(service))) for service in services],
        ),
        Family(
            f"{PREFIX}service_restarts",
            "Restarts by the engine of a service's present containers.",
            "counter",
            ("service",),
            restarts,
        ),
        _gauge(
            "service_check_success",
            "Whether the latest check of a service has succeeded.",
            ("service",),
            [((service.name,), float(service.latencies[-1] is not None)) for service in checked],
        ),
        _gauge(
            "service_check_latency_seconds",
            "How long the latest check took; no series if it has failed.",
            ("service",),
            latencies,
        ),
    ]


def _port_families(ports: Iterable[PortView]) -> list[Family]:
    labels = ("port", "protocol", "service")
    held: dict[tuple[str, ...], float] = {}
    strangers: dict[tuple[str, ...], float] = {}
    holders: dict[tuple[str, ...], float] = {}
    for port in ports:
        values = (str(port.port), port.protocol, port.service)
        held[values] = float(bool(port.holder))
        strangers[values] = float(port.is_stranger)
        if port.holder:
            holders[(*values, port.holder)] = 1.0
    return [
        _gauge("port_held", "Whether a production port is held.", labels, held.items()),
        _gauge(
            "port_held_by_stranger",
            "Whether something else than its service holds it.",
            labels,
            strangers.items(),
        ),
        _gauge("port_holder_info", "Who holds it.", (*labels, "holder"), holders.items()),
    ]


def _open_episodes(view: View) -> _Series:
    counts: Counter[tuple[str, ...]] = Counter()
    for episode in view.episodes:
        if episode.phase != "pending":
            counts[episode.problem.cause, episode.problem.severity] += 1
    return [(labels, float(count)) for labels, count in counts.items()]


def _gauge(name: str, text: str, labels: tuple[str, ...], series: _Series) -> Family:
    return Family(PREFIX + name, text, "gauge", labels, tuple(series))


def _info(name: str, text: str, **values: str) -> Family:
    kind: Literal["gauge"] = "gauge"
    return Family(PREFIX + name, text, kind, tuple(values), ((tuple(values.values()), 1.0),))
