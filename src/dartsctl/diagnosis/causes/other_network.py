"""The proxy and a service that it passes requests on to share no network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.findings import Cause, Link
from dartsctl.diagnosis.proxy_end import (
    FatalError,
    ends,
    fatal_error,
    fatal_trouble,
    network_names,
    shared_networks,
)
from dartsctl.diagnosis.proxy_path import paths
from dartsctl.diagnosis.repairs import by_hand
from dartsctl.diagnosis.trouble import Rank, Scope, Trouble
from dartsctl.errors import Advice

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts, ServiceFacts

CAUSE = Cause.OTHER_NETWORK


def detect(facts: Facts) -> Iterator[Trouble]:
    fatal = fatal_error(facts)
    if fatal and fatal.service and fatal.is_about_networks:
        for end in ends(facts):
            yield _at_start(end, fatal, fatal.service, facts)
    for path in paths(facts):
        if _is_apart(path.service, path.front):
            yield _while_serving(path.position, path.service, path.front, facts)


def _at_start(end: Trouble, fatal: FatalError, service: ServiceFacts, facts: Facts) -> Trouble:
    own = ", ".join(fatal.container.networks)
    theirs = network_names(service)
    return fatal_trouble(
        CAUSE,
        end,
        fatal,
        facts,
        reason=f"{fatal.host} is on none of its networks ({theirs} instead of {own})",
        command=_advice(fatal.proxy.service, service.name, facts),
    )


def _is_apart(service: ServiceFacts, front: ServiceFacts) -> bool:
    proxy = front.running[0]
    if not proxy.networks or not service.networks:
        return False
    return not shared_networks(proxy, service)


def _while_serving(
    position: int, service: ServiceFacts, front: ServiceFacts, facts: Facts
) -> Trouble:
    proxy = front.running[0]
    own, theirs = ", ".join(proxy.networks), network_names(service)
    link = Link(
        "upstream",
        "bad",
        f"no network has both {front.name} and {service.name}",
        evidence=(f"{service.name}: {theirs}",),
        source=f"engine: inspect {proxy.name}",
    )
    return Trouble(
        cause=CAUSE,
        service=service.name,
        container=service.running[0].name,
        sentence=(
            f"{front.name} cannot reach {service.name}: "
            f"{front.name} is on {own}, {service.name} on {theirs}"
        ),
        command=_advice(front.name, service.name, facts),
        rank=Rank(Scope.PATH, position=position),
        links=(link,),
        data={"networks": list(proxy.networks), "upstream_networks": list(service.networks)},
    )


def _advice(proxy: str, service: str, facts: Facts) -> str:
    return Advice(
        f"connect {proxy} and {service} to one network in the Compose file, "
        f"then run `{facts.commands.up}`"
    )


repair = by_hand
