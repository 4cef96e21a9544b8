"""Puts together what the screen shows, from what the sources have seen."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.records import field, fields, record, replace
from dartsctl.workflows.watch.event_text import plural, short_time, subject_name
from dartsctl.workflows.watch.signals import Seen
from dartsctl.workflows.watch.view import PortView, ServiceView, View

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dartsctl.alerts.observations import Silence
    from dartsctl.diagnosis.facts import ContainerFacts, Facts, ServiceFacts
    from dartsctl.ports.strangers import Occupation
    from dartsctl.workflows.watch.known import Known

_MOST_PORTS = 32
"""Ports without a stranger that are shown."""
_WORST_HEALTH = ("unhealthy", "starting", "healthy")


@record(frozen=False)
class ViewBoard:
    """The latest of every part of the view."""

    environment: str
    project: str
    known: Known
    _seen: Seen = field(default_factory=Seen)

    def take(self, seen: Seen) -> None:
        """Replace the parts that `seen` has."""
        parts = {name: getattr(seen, name) for name in fields(Seen)}
        self._seen = replace(
            self._seen, **{name: part for name, part in parts.items() if part is not None}
        )

    def view(self, now: float) -> View:
        """Return everything that is known at `now` (Unix time)."""
        seen, state = self._seen, self.known.state
        latencies = self.known.latencies
        return View(
            environment=self.environment,
            project=self.project,
            now=now,
            engine=seen.engine or "",
            services=tuple(
                replace(service, latencies=latencies.get(service.name, ()))
                for service in seen.services or ()
            ),
            ports=seen.ports or (),
            episodes=tuple(state.episodes.values()),
            upstream_errors=self.known.upstream_errors.totals,
            work=state.verb or seen.work or "",
            waiting=seen.waiting or {},
            notes=(*_silences(state.silences, now), *_waiting(seen.waiting), *(seen.notes or ())),
        )


def _silences(silences: Iterable[Silence], now: float) -> Iterator[str]:
    """Yield the silences that hold: `silenced: wso2is until 14:30 (load test)`."""
    for silence in silences:
        if silence.until <= now:
            continue
        name = "everything"
        if silence.subject:
            name = subject_name(silence.subject)
        note = f"silenced: {name} until {short_time(silence.until, now)}"
        if silence.reason:
            note += f" ({silence.reason})"
        yield note


def _waiting(waiting: Mapping[str, int] | None) -> Iterator[str]:
    """Yield which channels do not take messages."""
    for channel, count in (waiting or {}).items():
        yield f"channel {channel}: {plural(count, 'message')} not taken yet"


def service_views(facts: Facts) -> tuple[ServiceView, ...]:
    """Return the services of the stack, in the order of its files."""
    return tuple(_service_view(service, facts) for service in facts.services.values())


def _service_view(service: ServiceFacts, facts: Facts) -> ServiceView:
    """Return a service; of several containers the worst state and health, and all restarts."""
    containers = service.containers
    restarts = sum(container.restart_count for container in containers)
    health = worst_health(container.health for container in containers)
    return ServiceView(
        service.name,
        worst_state([container.state for container in containers]),
        health,
        restarts,
        _since(containers, facts),
    )


def worst_state(states: Sequence[str]) -> str:
    """Return the state of a service: `running` if all of its containers run."""
    for state in states:
        if state != "running":
            return state
    return states[0] if states else ""


def worst_health(healths: Iterable[str]) -> str:
    """Return the worst health of a service's containers, empty without health checks."""
    known = set(healths)
    for health in _WORST_HEALTH:
        if health in known:
            return health
    return ""


def _since(containers: Sequence[ContainerFacts], facts: Facts) -> float | None:
    """Return since when the latest change holds, by our clock."""
    moments: list[float] = []
    for container in containers:
        moment = container.finished
        if container.runs:
            moment = container.started
        if moment and 0 < moment <= facts.now:
            moments.append(moment - facts.engine.skew)
    return max(moments, default=None)


def port_views(occupations: Sequence[Occupation]) -> tuple[PortView, ...]:
    """Return production's ports with their holders; of very many, those with strangers too."""
    views = []
    for position, occupation in enumerate(occupations):
        if position >= _MOST_PORTS and not occupation.strangers:
            continue
        holders = [stranger.holder.summary for stranger in occupation.strangers]
        if occupation.own:
            holders.insert(0, occupation.own)
        views.append(
            PortView(
                occupation.wanted.port,
                occupation.wanted.service,
                ", ".join(holders),
                is_stranger=bool(occupation.strangers),
                protocol=occupation.wanted.protocol,
            )
        )
    return tuple(views)
