"""From a diagnosis to a plan: what will be done about each root cause, in which order and why, and what only a person can do (DESIGN 7).

Data only; workflows/doctor/repair.py carries it out.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from dartsctl.diagnosis.facts import Facts, ServiceFacts
from dartsctl.diagnosis.findings import Cause, Finding
from dartsctl.stack import compose_errors


class Action(Enum):
    """What a step does; the values are the words of the JSON document and of the history."""

    FREE = "free-ports"
    """Whatever keeps the services below from starting is settled, as before an `up`: asked, or by --yes."""
    UP = "up"
    START = "start"
    RESTART = "restart"
    RECREATE = "recreate"
    RELOAD = "reload-proxy"


_STRENGTH = (Action.START, Action.RESTART, Action.RECREATE)
"""Of two of these for one service the later one does."""


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do. `service` is empty for the whole stack; `reason` is the root cause, or what makes this step follow from another."""

    action: Action
    service: str
    reason: str

    @property
    def line(self) -> str:
        """What will be done, as an order."""
        match self.action:
            case Action.FREE:
                return "free what is taken"
            case Action.UP:
                return "start the whole stack"
            case Action.RELOAD:
                return f"let {self.service} reload its configuration"
        return f"{self.action.value} {self.service}"


@dataclass(frozen=True, slots=True)
class ByHand:
    """A root cause that no step removes, and what a person does about it."""

    finding: Finding

    @property
    def line(self) -> str:
        return f"{self.finding.sentence}; by hand: {self.finding.command}"


@dataclass(frozen=True, slots=True)
class Plan:
    """The steps in their order, and what is left to a person."""

    steps: tuple[Step, ...] = ()
    by_hand: tuple[ByHand, ...] = ()

    @property
    def starts(self) -> tuple[str, ...]:
        """The services whose containers the plan starts, restarts or recreates."""
        return tuple(one.service for one in self.steps if one.action in _STRENGTH)


_MOMENT = 1.0
"""Seconds that a service without a health check must have run to count as started."""
_WHY: Mapping[Action | None, str] = {
    Action.UP: "nothing of it is there, and it can have its ports then",
    Action.START: "it can have its port then",
    Action.RECREATE: "it can have its port then; the engine has refused it before, and some engines would start the same container without any",
}
_TAKEN = frozenset({Cause.PORT_SQUATTER, Cause.OTHER_CONTAINER, Cause.ENTRY_PORT_TAKEN})
_STARTED_AGAIN = frozenset({Cause.APP_EXITED, Cause.PROXY_DOWN, Cause.OUT_OF_MEMORY})


def plan(findings: Sequence[Finding], facts: Facts) -> Plan:
    """What to do about `findings`: ports first, services after those that they need, the proxy last, its reload at the end."""
    made: dict[str, Step] = {}
    by_hand: list[ByHand] = []
    for finding in findings:
        action = _action(finding, facts)
        if action is None or finding.cause is Cause.OUT_OF_MEMORY:
            by_hand.append(ByHand(finding))
        if action in (None, Action.RELOAD):
            continue
        service = "" if action is Action.UP else finding.service
        _add(
            made,
            Step(action, service, _WHY[action] if finding.cause in _TAKEN else finding.sentence),
        )
        for name in _followers(finding):
            if follows := _action_of_follower(facts.services.get(name)):
                _add(made, Step(follows, name, f"it went down with {finding.service}"))
    starts = (
        [made[""]]
        if "" in made
        else sorted(made.values(), key=lambda one: _rank(one.service, facts))
    )
    harmful = [one for one in findings if not one.harmless]
    free = [one.sentence for one in harmful if one.cause in _TAKEN or one.data.get("name_taken_by")]
    stale = [one.sentence for one in harmful if one.cause is Cause.STALE_UPSTREAM]
    steps = [
        *([Step(Action.FREE, "", "; ".join(free))] if free else []),
        *starts,
        *_reload(stale, starts, facts),
    ]
    return Plan(tuple(steps), tuple(by_hand))


def settling(plan: Plan, facts: Facts) -> tuple[str, ...]:
    """Services that the plan has started and that may still come to nothing: on their way to health, or up for less than a moment (edge-cases.md#75)."""
    started = [
        facts.services[name]
        for name in facts.services
        if name in plan.starts or any(one.action is Action.UP for one in plan.steps)
    ]
    return tuple(
        service.name
        for service in started
        if any(
            one.health == "starting"
            or (not one.health and facts.now - (one.started or 0) < _MOMENT)
            for one in service.running
        )
    )


def _action(finding: Finding, facts: Facts) -> Action | None:  # noqa: PLR0911 - one line for each kind of cause
    """What helps against one root cause; None where nothing does that we may do, and for what does no harm."""
    service = facts.services.get(finding.service)
    if finding.harmless:
        return None
    if finding.cause is Cause.STALE_UPSTREAM:
        return Action.RELOAD
    if service is None:
        return None
    if finding.cause in _TAKEN or finding.cause is Cause.NEVER_STARTED:
        if not any(one.containers for one in facts.services.values()):
            return Action.UP
        return (
            _start_after_a_refusal(service)
            if finding.cause in _TAKEN or _is_about_ports(service)
            else None
        )
    if finding.cause in _STARTED_AGAIN:
        return None if service.running or _is_looping(service) else Action.START
    if finding.cause is Cause.PROXY_CANNOT_START:
        return Action.RESTART if _is_mendable(finding, facts) else None
    if finding.cause is Cause.NO_PORTS:
        return Action.RECREATE
    if finding.cause is Cause.UNHEALTHY:
        return Action.RESTART if any(one.health == "unhealthy" for one in service.running) else None
    return None


def _start_after_a_refusal(service: ServiceFacts) -> Action:
    """A container that the engine once failed to start, or that lacks its ports, is replaced: some engines would start it without any (edge-cases.md#33)."""
    return (
        Action.RECREATE
        if any(one.runs or one.error for one in service.containers)
        else Action.START
    )


def _is_about_ports(service: ServiceFacts) -> bool:
    """Whether a start can succeed once ports and names are free: not where the engine refused for another reason."""
    refusals = [compose_errors.classify(one.error).kind for one in service.containers if one.error]
    return all(kind == "port" for kind in refusals)


def _is_looping(service: ServiceFacts) -> bool:
    return any(one.state == "restarting" for one in service.containers)


def _is_mendable(finding: Finding, facts: Facts) -> bool:
    """Whether nginx would start now: it died of a name that is there by now. A wrong configuration is a person's to correct."""
    return finding.command == f"{facts.commands.doctor} --fix"


def _followers(finding: Finding) -> tuple[str, ...]:
    names = finding.data.get("followed_by") or ()
    return tuple(map(str, names)) if isinstance(names, Sequence) else ()


def _action_of_follower(service: ServiceFacts | None) -> Action | None:
    """What brings back a service that went down with another one. One that runs, and only suffers, recovers by itself."""
    if service is None or service.running:
        return None
    if _is_looping(service):
        return Action.RESTART  # the engine's pause between two tries may have grown to a minute
    return _start_after_a_refusal(service)


def _add(made: dict[str, Step], step: Step) -> None:
    known = made.get(step.service)
    if known is None or (
        step.action in _STRENGTH and _STRENGTH.index(step.action) > _STRENGTH.index(known.action)
    ):
        made[step.service] = step


def _rank(name: str, facts: Facts) -> tuple[bool, int, str]:
    """The proxy comes last: nginx dies of names that are not there when it starts (edge-cases.md#71)."""
    return (
        facts.proxy is not None and facts.proxy.service == name,
        _depth(name, facts.services, frozenset()),
        name,
    )


def _depth(name: str, services: Mapping[str, ServiceFacts], seen: frozenset[str]) -> int:
    """How many services stand below one in `depends_on`."""
    if name in seen or name not in services:
        return 0
    return 1 + max(
        (_depth(other, services, seen | {name}) for other in services[name].depends_on), default=0
    )


def _reload(stale: Sequence[str], starts: Sequence[Step], facts: Facts) -> list[Step]:
    """nginx reloads where an address is stale, or may become so: what is started anew may get another one (edge-cases.md#69)."""
    proxy = facts.proxy
    if (
        proxy is None
        or proxy.kind != "nginx"
        or any(one.service in (proxy.service, "") for one in starts)
    ):
        return []
    moved = {one.service for one in starts}
    asked = (
        moved
        if proxy.config is None
        else {one.service for one in facts.upstreams if one.looked_up_once and one.service in moved}
    )
    service = facts.services.get(proxy.service)
    if not (stale or asked) or service is None or not service.running:
        return []
    reason = (
        "; ".join(stale)
        or f"it has looked up {', '.join(sorted(asked))} when it started, and the address may be another one now"
    )
    return [Step(Action.RELOAD, proxy.service, reason)]
