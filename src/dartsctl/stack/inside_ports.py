"""Which ports inside a container must have a listener before its service is ready."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.records import record
from dartsctl.stack.blocks import fold

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dartsctl.stack.bindings import Endpoint
    from dartsctl.stack.model import PortEntry, Service


@record
class SilentPort:
    """A tcp port inside a container on which nothing listens that others can reach.

    `loopback` are listeners on the container's own loopback address, `proxy` is the service that
    passes requests to the port; empty for a port that is only published.
    """

    port: int
    loopback: tuple[Endpoint, ...] = ()
    proxy: str = ""

    @property
    def reason(self) -> str:
        """Why the container is not ready: `nothing listens on port 80 inside`."""
        if self.loopback:
            reason = f"listens only on {self.loopback[0]} inside"
        else:
            reason = f"nothing listens on port {self.port} inside"
        if self.proxy:
            reason += f", and {self.proxy} passes requests there"
        return reason


def published_targets(service: Service, unbound: Iterable[PortEntry] = ()) -> frozenset[int]:
    """Return the tcp ports inside a service's containers that are published and must listen.

    A row of many ports is left out: its ports are opened on demand (passive FTP, media streams). So
    are udp ports, which have no listener, and `unbound` entries, which the engine does not bind.
    """
    if service.network_mode in ("host", "none"):
        return frozenset()
    skipped = set(unbound)
    entries = [entry for entry in service.ports if entry not in skipped]
    return frozenset(
        entry.target for entry in fold(entries) if entry.protocol == "tcp" and entry.count == 1
    )


def silent_ports(
    published: Iterable[int], passed_on: Mapping[int, str], listening: Sequence[Endpoint]
) -> tuple[SilentPort, ...]:
    """Return the ports without a listener that others can reach, sorted.

    `passed_on` are the ports to which a reverse proxy passes requests, with the proxy's service.
    """
    silent = []
    for port in sorted({*published, *passed_on}):
        listeners = [endpoint for endpoint in listening if endpoint.port == port]
        loopback = tuple(filter(_is_loopback, listeners))
        if len(loopback) == len(listeners):
            silent.append(SilentPort(port, loopback, passed_on.get(port, "")))
    return tuple(silent)


def _is_loopback(endpoint: Endpoint) -> bool:
    return endpoint.address == "::1" or endpoint.address.startswith("127.")
