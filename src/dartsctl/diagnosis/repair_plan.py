"""From findings to a plan: the steps of `doctor --fix`, and what is left to a person.

Data only; workflows/doctor/repair.py carries it out.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from dartsctl.diagnosis.causes.all_causes import MODULES
from dartsctl.diagnosis.repairs import (
    NO_REPAIR,
    Repair,
    RepairAction,
    is_looping,
    start_after_refusal,
)
from dartsctl.records import record

if TYPE_CHECKING:
    from dartsctl.diagnosis.facts import Facts, ServiceFacts
    from dartsctl.diagnosis.findings import Finding

_STRENGTH = (RepairAction.START, RepairAction.RESTART, RepairAction.RECREATE)
"""Of two of these for one service the later one is done."""
_MOMENT = 1.0
"""Seconds that a service without a health check must have run to count as started."""


@record
class RepairStep:
    """One thing to do."""

    action: RepairAction
    service: str
    """Empty for the whole stack."""
    reason: str
    """The root cause, or what makes this step follow from another one."""

    @property
    def line(self) -> str:
        """What will be done: `recreate app`."""
        match self.action:
            case RepairAction.FREE:
                return "free ports and names"
            case RepairAction.UP:
                return "start the whole stack"
            case RepairAction.RELOAD:
                return f"reload the configuration of {self.service}"
        return f"{self.action.value} {self.service}"


@record
class ByHand:
    """A root cause that needs a person."""

    finding: Finding

    @property
    def line(self) -> str:
        return f"{self.finding.sentence}; by hand: {self.finding.command}"


@record
class RepairPlan:
    """The steps in their order, and what is left to a person."""

    steps: tuple[RepairStep, ...] = ()
    by_hand: tuple[ByHand, ...] = ()

    @property
    def starts(self) -> tuple[str, ...]:
        """The services whose containers the plan starts, restarts or recreates."""
        return tuple(step.service for step in self.steps if step.action in _STRENGTH)

    @property
    def starts_stack(self) -> bool:
        """Whether the plan starts the whole stack."""
        return any(step.action is RepairAction.UP for step in self.steps)


def make_plan(findings: Sequence[Finding], facts: Facts) -> RepairPlan:
    """Return what to do about `findings`.

    Ports are freed first; services start after those that they need, the proxy last; at the end
    the proxy reloads.
    """
    by_hand: list[ByHand] = []
    freed: list[str] = []
    stale: list[str] = []
    starts: dict[str, RepairStep] = {}
    for finding in findings:
        repair = _repair_of(finding, facts)
        if repair.action is None or repair.is_partial:
            by_hand.append(ByHand(finding))
        if repair.frees:
            freed.append(finding.sentence)
        if repair.action is RepairAction.RELOAD:
            stale.append(finding.sentence)
        elif repair.action:
            _add_starts(
                starts, action=repair.action, reason=repair.reason, finding=finding, facts=facts
            )
    ordered = _in_order(starts, facts)
    steps = [*ordered, *_reload(stale, ordered, facts)]
    if freed:
        steps.insert(0, RepairStep(RepairAction.FREE, "", "; ".join(freed)))
    return RepairPlan(tuple(steps), tuple(by_hand))


def safe_plan(
    findings: Sequence[Finding], facts: Facts, spared: Collection[str] = ()
) -> RepairPlan:
    """Return the part of the plan that needs nobody's decision.

    Left out is what would free a port or a name, start the whole stack, or is only part of the
    repair, and services in `spared`.
    """
    safe = []
    for finding in findings:
        repair = _repair_of(finding, facts)
        is_whole = repair.action not in (None, RepairAction.UP) and not repair.is_partial
        if is_whole and not repair.frees:
            safe.append(finding)
    plan = make_plan([row for row in safe if row.service not in spared], facts)
    steps = tuple(step for step in plan.steps if step.service not in spared)
    return RepairPlan(steps)


def settling(plan: RepairPlan, facts: Facts) -> tuple[str, ...]:
    """Return the services that the plan has started and that may still fail.

    They are on their way to health, or run only for a moment (edge-cases.md#75).
    """
    return tuple(
        name
        for name, service in facts.services.items()
        if (plan.starts_stack or name in plan.starts) and _is_settling(service, facts)
    )


def _is_settling(service: ServiceFacts, facts: Facts) -> bool:
    for container in service.running:
        is_new = facts.now - (container.started or 0) < _MOMENT
        if container.health == "starting" or (is_new and not container.health):
            return True
    return False


def _repair_of(finding: Finding, facts: Facts) -> Repair:
    """Return the repair by the finding's cause; none for what does no harm."""
    if finding.harmless or finding.service not in facts.services:
        return NO_REPAIR
    return MODULES[finding.cause].repair(finding, facts)


def _add_starts(
    starts: dict[str, RepairStep],
    action: RepairAction,
    reason: str,
    finding: Finding,
    facts: Facts,
) -> None:
    """Add the steps for a finding's service and for the services that went down with it."""
    service = "" if action is RepairAction.UP else finding.service
    _add(starts, RepairStep(action, service, reason or finding.sentence))
    for name in _followers(finding):
        follower = facts.services.get(name)
        if follower and (needed := _action_of_follower(follower)):
            _add(starts, RepairStep(needed, name, f"it went down with {finding.service}"))


def _add(starts: dict[str, RepairStep], step: RepairStep) -> None:
    known = starts.get(step.service)
    if known is None or _is_stronger(step.action, known.action):
        starts[step.service] = step


def _is_stronger(action: RepairAction, known: RepairAction) -> bool:
    return action in _STRENGTH and _STRENGTH.index(action) > _STRENGTH.index(known)


def _followers(finding: Finding) -> tuple[str, ...]:
    names = finding.data.get("followed_by")
    if not isinstance(names, Sequence):
        return ()
    return tuple(map(str, names))


def _action_of_follower(service: ServiceFacts) -> RepairAction | None:
    """Return what starts a service that went down with another one.

    None for one that runs: it recovers by itself. A looping one is restarted, because the
    engine's pause between two tries may have grown to a minute.
    """
    if service.running:
        return None
    if is_looping(service):
        return RepairAction.RESTART
    return start_after_refusal(service)


def _in_order(starts: Mapping[str, RepairStep], facts: Facts) -> list[RepairStep]:
    """Return the steps in the order of `depends_on`; `up` replaces all others."""
    if "" in starts:
        return [starts[""]]
    return sorted(starts.values(), key=lambda step: _rank(step.service, facts))


def _rank(name: str, facts: Facts) -> tuple[bool, int, str]:
    """The proxy is last: nginx ends where a name is missing at its start (edge-cases.md#71)."""
    is_proxy = facts.proxy is not None and facts.proxy.service == name
    return is_proxy, _depth(name, facts.services, frozenset()), name


def _depth(name: str, services: Mapping[str, ServiceFacts], seen: frozenset[str]) -> int:
    """Return the length of the longest `depends_on` chain from a service."""
    if name in seen or name not in services:
        return 0
    depth = 0
    for other in services[name].depends_on:
        depth = max(depth, _depth(other, services, seen | {name}))
    return 1 + depth


def _reload(stale: Sequence[str], starts: Iterable[RepairStep], facts: Facts) -> list[RepairStep]:
    """Return the reload of nginx where an address is stale, or may become stale.

    A started container may get another address (edge-cases.md#69).
    """
    proxy, service = facts.proxy, facts.proxy_service
    started = {step.service for step in starts}
    if proxy is None or proxy.kind != "nginx" or service is None or not service.running:
        return []
    if started & {proxy.service, ""}:
        return []
    names = started
    if proxy.config is not None:
        looked_up = {row.service for row in facts.upstreams if row.looked_up_once}
        names = started & looked_up
    if stale:
        return [RepairStep(RepairAction.RELOAD, proxy.service, "; ".join(stale))]
    if names:
        reason = (
            f"it looked up {', '.join(sorted(names))} when it started, "
            "and the address may have changed"
        )
        return [RepairStep(RepairAction.RELOAD, proxy.service, reason)]
    return []
