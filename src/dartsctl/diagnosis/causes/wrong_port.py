"""The proxy asks a service on a port where nothing listens; the service listens on others."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.container_state import BRIEF, age
from dartsctl.diagnosis.findings import Cause, Confidence, Link
from dartsctl.diagnosis.proxy_routes import (
    correction,
    passes,
    passing_to,
    route_trouble,
    then_restart,
    where,
)
from dartsctl.diagnosis.repairs import by_hand
from dartsctl.diagnosis.trouble import Trouble, container_trouble
from dartsctl.diagnosis.wrong_ports import WrongPort, wrong_ports
from dartsctl.errors import Advice
from dartsctl.text.phrases import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts

CAUSE = Cause.WRONG_PORT


def detect(facts: Facts) -> Iterator[Trouble]:
    for mistake in wrong_ports(facts):
        if mistake.published_for is None:
            yield _trouble(mistake, facts)


def _trouble(mistake: WrongPort, facts: Facts) -> Trouble:
    upstream, service = mistake.upstream, mistake.service.name
    port, seconds = upstream.target.port, age(mistake.container, facts)
    front = facts.proxy.service if facts.proxy else ""
    sentence = (
        f"{front} passes {passes(upstream)} on to {upstream.target}, but {service} listens on "
        f"{mistake.open_ports}, not on {port}"
    )
    text = f"nothing listens on {port} in {mistake.container.name} (open: {mistake.open_ports})"
    confidence: Confidence = "likely"
    if seconds < BRIEF:
        sentence += f"; it was started {duration(seconds)} ago"
        confidence = "possible"
    if mistake.is_expected:
        return container_trouble(
            CAUSE,
            mistake.service,
            mistake.container,
            facts,
            sentence=f"{sentence}, which its Compose file names",
            command=Advice(f"make {service} listen on {port}, then run `{facts.commands.up}`"),
            links=(Link("port", "bad", text, source=mistake.container.listening_source),),
            data={"port": port, "open": list(mistake.ports)},
            confidence=confidence,
            is_container_bad=False,
        )
    return route_trouble(
        CAUSE,
        upstream,
        facts,
        sentence=sentence,
        command=_advice(mistake, facts),
        text=text,
        failure=mistake.failure(facts),
        confidence=confidence,
        data={"port": port, "open": list(mistake.ports)},
    )


def _advice(mistake: WrongPort, facts: Facts) -> str:
    upstream = mistake.upstream
    if len(mistake.ports) == 1:
        wanted = passing_to(upstream, upstream.target.host, mistake.ports[0])
        return correction(upstream, wanted, facts)
    return then_restart(
        f"correct the port of {upstream.target} in {where(upstream, facts)} "
        f"(open: {mistake.open_ports})",
        facts,
    )


repair = by_hand
