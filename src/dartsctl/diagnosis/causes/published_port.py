"""The proxy asks a service on the port that is published on the host, not on the container's."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.proxy_routes import correction, passes, passing_to, route_trouble
from dartsctl.diagnosis.repairs import by_hand
from dartsctl.diagnosis.wrong_ports import WrongPort, wrong_ports

if TYPE_CHECKING:
    from dartsctl.diagnosis.facts import Facts
    from dartsctl.diagnosis.trouble import Trouble

CAUSE = Cause.PUBLISHED_PORT


def detect(facts: Facts) -> Iterator[Trouble]:
    for mistake in wrong_ports(facts):
        if mistake.published_for is not None:
            yield _trouble(mistake, mistake.published_for, facts)


def _trouble(mistake: WrongPort, target: int, facts: Facts) -> Trouble:
    upstream, service = mistake.upstream, mistake.service.name
    port = upstream.target.port
    front = facts.proxy.service if facts.proxy else ""
    return route_trouble(
        CAUSE,
        upstream,
        facts,
        sentence=(
            f"{front} passes {passes(upstream)} on to {upstream.target}, but {port} is the port "
            f"that {service} has on the host; inside the network {service} listens on {target}"
        ),
        command=correction(upstream, passing_to(upstream, upstream.target.host, target), facts),
        text=f"nothing listens on {port} in {mistake.container.name} (open: {mistake.open_ports})",
        failure=mistake.failure(facts),
        data={"port": port, "container_port": target},
    )


repair = by_hand
