"""Upstreams whose service runs, listens on other ports than the proxy asks, and not on that one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.container_state import is_stable, unreachable_port
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.diagnosis.proxy_path import paths
from dartsctl.diagnosis.proxy_routes import open_ports, port_list
from dartsctl.records import record

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import ContainerFacts, Facts, ServiceFacts, UpstreamFacts
    from dartsctl.diagnosis.nginx.log import FailureCount


@record
class WrongPort:
    """An upstream with a port on which its service does not listen."""

    upstream: UpstreamFacts
    service: ServiceFacts
    container: ContainerFacts
    ports: tuple[int, ...]
    """The ports on which the service listens."""

    @property
    def open_ports(self) -> str:
        return port_list(self.ports)

    @property
    def published_for(self) -> int | None:
        """The open port inside that is published on the asked number of the host."""
        port = self.upstream.target.port
        for place in (*self.container.bound, *self.container.wanted):
            if place.endpoint.port == port and place.target in self.ports:
                return place.target
        return None

    @property
    def is_expected(self) -> bool:
        """Whether the Compose file publishes the asked port of the container."""
        return any(place.target == self.upstream.target.port for place in self.container.wanted)

    def failure(self, facts: Facts) -> FailureCount | None:
        """Return the last refused connection to this port in the proxy's log."""
        ending = f":{self.upstream.target.port}"
        for failure in reversed(facts.proxy.failures if facts.proxy else ()):
            is_here = failure.upstream.endswith(ending)
            if failure.failure is NginxFailure.REFUSED and is_here:
                return failure
        return None


def wrong_ports(facts: Facts) -> Iterator[WrongPort]:
    """Yield each upstream with a wrong port.

    Without services whose health check fails or still runs: the port may be the one that is late.
    """
    for path in paths(facts):
        port, container = path.upstream.target.port, path.service.running[0]
        if not port or container.health in ("unhealthy", "starting"):
            continue
        ports = open_ports(path.service)
        if not is_stable(container, facts) or not ports or port in ports:
            continue
        place = unreachable_port(path.service, container, facts, only=port)
        if place is not None and not place.loopback:
            yield WrongPort(path.upstream, path.service, container, ports)
