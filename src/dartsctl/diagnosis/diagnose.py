"""From facts to root causes: one trouble for each service, effects folded into their root."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis import chain, follows
from dartsctl.diagnosis.causes import never_started
from dartsctl.diagnosis.causes.all_causes import CAUSES, REPORTED_FIRST
from dartsctl.diagnosis.findings import Cause, Diagnosis, Finding
from dartsctl.diagnosis.follows import Key, explains
from dartsctl.diagnosis.trouble import Fix, Scope, Trouble

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dartsctl.diagnosis.facts import Facts


def diagnose(facts: Facts) -> Diagnosis:
    """Return the root causes, those that hold a port first. A healthy stack has none."""
    symptoms = [http.symptom for http in facts.failed_requests]
    troubles: list[Trouble] = []
    for module in CAUSES:
        troubles += module.detect(facts)
    troubles.sort(key=lambda trouble: trouble.rank)
    if troubles and troubles[0].rank.scope is Scope.ENGINE:
        findings = [_engine_finding(troubles[0], facts)]
    else:
        findings = _findings(_chosen(troubles, facts), facts)
    return Diagnosis(tuple(findings), tuple(dict.fromkeys(symptoms)))


def _chosen(troubles: Iterable[Trouble], facts: Facts) -> dict[Key, Trouble]:
    """Return the trouble to report for each service, in the order of the services.

    The proxy may have one for each upstream. `troubles` are sorted by their rank.
    """
    chosen: dict[Key, Trouble] = {}
    for trouble in troubles:
        if not _is_explained(trouble, chosen.values(), facts):
            chosen.setdefault(trouble.key, trouble)
    names = list(facts.services)
    order = {name: position for position, name in enumerate(names)}
    keys = sorted(chosen, key=lambda key: order.get(key[0], len(names)))
    return {key: chosen[key] for key in keys}


def _is_explained(trouble: Trouble, chosen: Iterable[Trouble], facts: Facts) -> bool:
    """Whether a failed request follows from a trouble that is reported already."""
    if trouble.http is None:
        return False
    return any(explains(other, trouble.http, facts) for other in chosen)


def _findings(troubles: Mapping[Key, Trouble], facts: Facts) -> list[Finding]:
    causes_of = follows.roots(troubles, facts)
    causes = [trouble for key, trouble in troubles.items() if not causes_of[key]]
    if facts.services and not facts.has_containers:
        causes = _without_containers(causes, facts)
    causes.sort(key=_order)
    findings = []
    for root in causes:
        followers = [trouble for key, trouble in troubles.items() if root.key in causes_of[key]]
        findings.append(_finding(root, followers, facts))
    return findings


def _order(trouble: Trouble) -> tuple[int, str]:
    if trouble.cause in REPORTED_FIRST:
        return REPORTED_FIRST.index(trouble.cause), trouble.service
    return len(REPORTED_FIRST), trouble.service


def _without_containers(roots: Sequence[Trouble], facts: Facts) -> list[Trouble]:
    """Return one trouble for a stack that was never started; what holds it up comes instead."""
    obstacles = []
    for trouble in roots:
        is_missing = trouble.cause in (Cause.NEVER_STARTED, Cause.PROXY_DOWN)
        if trouble.data or not is_missing:
            obstacles.append(trouble)
    if obstacles:
        return obstacles
    return [never_started.missing_stack(roots[0].service if roots else "", facts)]


def _finding(root: Trouble, followers: Sequence[Trouble], facts: Facts) -> Finding:
    path = chain.path(root, followers, facts)
    is_harmless = path[0].mark != "bad" and not any(
        _is_missing(trouble.service, facts) for trouble in (root, *followers)
    )
    return Finding(
        cause=root.cause,
        service=root.service,
        container=root.container,
        chain=(*path, *chain.links(root, facts), chain.cause_link(root)),
        sentence=root.sentence,
        command=_command(root, facts, is_harmless=is_harmless),
        confidence=root.confidence,
        data={**root.data, "followed_by": _services(followers)},
        harmless=is_harmless,
        requests=tuple(http.url for http in chain.failed_requests(root, followers, facts)),
        is_aside=root.is_aside,
        fixable=isinstance(root.command, Fix),
    )


def _services(troubles: Iterable[Trouble]) -> list[str]:
    return list(dict.fromkeys(trouble.service for trouble in troubles))


def _command(root: Trouble, facts: Facts, *, is_harmless: bool) -> str:
    """Return the command or advice. `doctor --fix` would skip what is harmless: there `up`."""
    if not isinstance(root.command, Fix):
        return root.command
    if is_harmless and not root.command.options:
        return facts.commands.up
    return f"{facts.commands.doctor} --fix {root.command.options}".rstrip()


def _is_missing(name: str, facts: Facts) -> bool:
    """Whether fewer containers of a service run than it should have."""
    service = facts.services.get(name)
    return service is not None and len(service.running) < service.replicas


def _engine_finding(trouble: Trouble, facts: Facts) -> Finding:
    """Return the only finding: nothing is known of the containers."""
    return Finding(
        cause=trouble.cause,
        service=trouble.service,
        container=trouble.container,
        chain=(chain.symptom(trouble, (), facts), *trouble.links),
        sentence=trouble.sentence,
        command=_command(trouble, facts, is_harmless=False),
        confidence=trouble.confidence,
        data=trouble.data,
    )
