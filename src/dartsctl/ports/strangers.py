"""Who is on the ports of a stack and does not belong there. Sockets are read, nothing is bound."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

from dartsctl.ports.holders import DevLease, ForeignContainer, Holder, OwnContainer, Unknown
from dartsctl.records import record
from dartsctl.stack.bindings import ANY_IPV4, ANY_IPV6, LOOPBACK_IPV4, LOOPBACK_IPV6, Endpoint
from dartsctl.stack.host_network import host_bindings
from dartsctl.stack.publishing import stack_bindings

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from dartsctl.ports.allocation import Allocation
    from dartsctl.ports.listeners import Listener
    from dartsctl.stack.bindings import TransportProtocol
    from dartsctl.stack.containers import Container
    from dartsctl.stack.engine_rules import EngineRules
    from dartsctl.stack.model import Stack


class Effect(Enum):
    """What a stranger does to the next `up`, or to the clients of the stack."""

    CONFLICT = "the port cannot be bound"
    DOUBTFUL = "the port may not be bound"
    LOCALHOST = "localhost may mean the stranger"
    BESIDE = "another address of the same port"
    DOCUMENTED = "the Compose files do not publish the port"


@record
class WantedPort:
    """A port of the stack. `endpoints`: what `up` binds there; none: it is only documented."""

    port: int
    protocol: TransportProtocol
    service: str
    endpoints: tuple[Endpoint, ...] = ()
    on_host: bool = False
    """The container is on the host's network and binds it by itself."""
    origin: str = ""
    """Who says that it is the stack's: `dartsctl.toml:12`."""

    @property
    def name(self) -> str:
        """`5000/tcp`."""
        return f"{self.port}/{self.protocol}"


@record
class Stranger:
    """Somebody on a port who is neither the stack, nor dartsctl's own."""

    holder: Holder
    endpoints: tuple[Endpoint, ...]
    effect: Effect


@record
class Occupation:
    """Who is on a port: the stack's own container, this program, a lease, and strangers."""

    wanted: WantedPort
    own: str = ""
    """The service or `reserved by this watch`; empty: neither."""
    strangers: tuple[Stranger, ...] = ()


class Owners(Protocol):
    """Names the owner of a socket (attribution.Attribution)."""

    def owner(self, row: Listener) -> Holder: ...


def wanted_ports(
    stack: Stack, engine: EngineRules, documented: Allocation
) -> tuple[WantedPort, ...]:
    """Return the ports that a stack binds, and the documented ones that it does not publish.

    Without those of a range, of which the engine picks any free number, and without the default
    list: nobody has said that this project has those services.
    """
    wanted: dict[tuple[int, str], WantedPort] = {}
    published = stack_bindings(stack, engine).bindings
    for binding in (*published, *host_bindings(stack).listened):
        if binding.is_range:
            continue
        for port in binding.numbers:
            key = port, binding.protocol
            endpoints = binding.endpoints(port)
            if key in wanted:
                endpoints = tuple(dict.fromkeys((*wanted[key].endpoints, *endpoints)))
            wanted[key] = WantedPort(
                port,
                binding.protocol,
                binding.service,
                endpoints,
                on_host=binding.on_host,
                origin=documented.origins.get(port, ""),
            )
    published_numbers = {number for number, _ in wanted}
    for port, service in documented.owners.items():
        if service and port not in published_numbers:
            origin = documented.origins.get(port, "")
            wanted[port, "tcp"] = WantedPort(port, "tcp", service, origin=origin)
    return tuple(sorted(wanted.values(), key=lambda port: (port.port, port.protocol)))


@record
class Lookout:
    """Looks at ports. `containers` are the engine's list, `own_pids` this program's processes."""

    stack: Stack
    engine: EngineRules
    containers: Sequence[Container]
    owners: Owners
    own_pids: frozenset[int] = frozenset()

    def occupations(
        self, wanted: Iterable[WantedPort], rows: Mapping[int, Sequence[Listener]]
    ) -> tuple[Occupation, ...]:
        """Return who is on each port. `rows`: the host's sockets by their port."""
        listed = self._listed()
        occupations = []
        for port in wanted:
            theirs = listed.get((port.port, port.protocol), ())
            occupations.append(self._occupation(port, rows.get(port.port, ()), theirs))
        return tuple(occupations)

    def _occupation(
        self,
        wanted: WantedPort,
        rows: Sequence[Listener],
        listed: Sequence[tuple[Container, Endpoint]],
    ) -> Occupation:
        own = ""
        places: dict[Holder, list[Listener | Endpoint]] = {}
        for container, endpoint in listed:
            if self._is_own(container):
                own = container.service
            else:
                evidence = f"docker lists {endpoint}"
                places.setdefault(ForeignContainer(container, evidence), []).append(endpoint)
        endpoints = {endpoint for _, endpoint in listed}
        for row in rows:
            if row.protocol != wanted.protocol or row.is_connection:
                continue
            holder = self._holder(row, wanted, endpoints)
            if isinstance(holder, str):
                own = own or holder
            elif holder is not None:
                places.setdefault(holder, []).append(row)
        strangers = []
        for holder, seats in places.items():
            effect = min(map(self._effect_on(wanted), seats), key=_ORDER.index)
            at = tuple(dict.fromkeys(map(_endpoint, seats)))
            strangers.append(Stranger(holder, at, effect))
        return Occupation(wanted, own, tuple(strangers))

    def _listed(self) -> dict[tuple[int, TransportProtocol], list[tuple[Container, Endpoint]]]:
        """Return the containers that the engine lists on each port, with their endpoints."""
        listed: dict[tuple[int, TransportProtocol], list[tuple[Container, Endpoint]]] = {}
        for container in self.containers:
            for place in container.published:
                listed.setdefault((place.port, place.protocol), []).append((container, place))
        return listed

    def _holder(
        self, row: Listener, wanted: WantedPort, listed: Collection[Endpoint]
    ) -> Holder | str | None:
        """Return a stranger, else whose the socket is in words; None if that is known already.

        The engine's own socket for a port that it lists is no stranger. Where it publishes without
        one (no userland proxy), somebody else may listen on the same endpoint.
        """
        if not self.own_pids.isdisjoint(row.pids):
            return "reserved by this watch"
        holder = self.owners.owner(row)
        match holder:
            case DevLease():
                return holder.summary
            case OwnContainer() | ForeignContainer() if self._is_own(holder.container):
                return holder.container.service
            case Unknown() if row.endpoint in listed:
                return None
            case Unknown() if self._is_expected(wanted):
                return wanted.service
        return holder

    def _is_own(self, container: Container) -> bool:
        """Whether a container is of the project, also one of `run` or of a service that is gone."""
        return container.project == self.stack.project

    def _is_expected(self, wanted: WantedPort) -> bool:
        """Whether an own container on the host's network runs, whose sockets may be invisible."""
        if not wanted.on_host:
            return False
        return any(
            self.stack.includes(container)
            and container.service == wanted.service
            and container.holds_ports
            for container in self.containers
        )

    def _effect_on(self, wanted: WantedPort) -> _EffectOf:
        return _EffectOf(wanted, self.engine)


@record
class _EffectOf:
    """The effect of a socket, or of another container's endpoint, on a wanted port."""

    wanted: WantedPort
    engine: EngineRules

    def __call__(self, place: Listener | Endpoint) -> Effect:
        endpoints = self.wanted.endpoints
        if not endpoints:
            return Effect.DOCUMENTED
        if isinstance(place, Endpoint):
            if any(map(place.excludes, endpoints)):
                return Effect.CONFLICT
        elif any(map(place.overlaps, endpoints)):
            reuses = place.protocol == "udp" and self.engine.reuses_udp_addresses
            if place.surely_blocks and not reuses:
                return Effect.CONFLICT
            return Effect.DOUBTFUL
        if self.wanted.protocol == "tcp" and _answers_on_localhost(place, endpoints):
            return Effect.LOCALHOST
        return Effect.BESIDE


_ORDER = list(Effect)
_LOOPBACKS = {
    LOOPBACK_IPV4: frozenset({ANY_IPV4, LOOPBACK_IPV4}),
    LOOPBACK_IPV6: frozenset({ANY_IPV6, LOOPBACK_IPV6}),
}


def _answers_on_localhost(place: Listener | Endpoint, endpoints: Sequence[Endpoint]) -> bool:
    """Whether `localhost` leads to the stack by one address, and to the stranger by the other."""
    ours = set(_families(endpoint.address for endpoint in endpoints))
    theirs = set(_families([place.address]))
    return bool(ours) and bool(theirs - ours)


def _families(addresses: Iterable[str]) -> Iterator[str]:
    for address in addresses:
        for loopback, covering in _LOOPBACKS.items():
            if address in covering:
                yield loopback


def _endpoint(place: Listener | Endpoint) -> Endpoint:
    if isinstance(place, Endpoint):
        return place
    return place.endpoint
