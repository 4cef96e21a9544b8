"""Whether the engine could bind one endpoint right now: the engine's own list first, then the kernel's answer (engine-rules.md#one-implementation)."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from dartsctl.ports.listeners import Listener, Probe
from dartsctl.stack.bindings import Endpoint, PortBinding, TransportProtocol
from dartsctl.stack.containers import Container
from dartsctl.stack.convergence import Convergence
from dartsctl.stack.engine_rules import EngineRules


class Reason(Enum):
    """Why a binding cannot be made."""

    IN_USE = "in use"
    SAME_STACK = "wanted twice by the stack itself"
    RANGE_EXHAUSTED = "no free number left in the range"
    NO_SUCH_ADDRESS = "this host has no such address"
    INVALID_ADDRESS = "not an address that can be bound"
    UNSUPPORTED = "this kernel does not know the protocol"


_REASONS = {
    Probe.IN_USE: Reason.IN_USE,
    Probe.NO_SUCH_ADDRESS: Reason.NO_SUCH_ADDRESS,
    Probe.INVALID: Reason.INVALID_ADDRESS,
    Probe.UNSUPPORTED: Reason.UNSUPPORTED,
}


class Kernel(Protocol):
    """What this decision asks of the host."""

    def probe(self, endpoint: Endpoint, *, udp_reuse_address: bool) -> Probe: ...

    def listeners(self, port: int) -> tuple[Listener, ...]: ...

    def occupied(
        self, protocol: TransportProtocol, ports: range
    ) -> Mapping[int, Sequence[Listener]] | None:
        """The sockets on those of `ports` that have any; None where a socket may block without being in the table."""

    def local_addresses(self) -> tuple[str, ...]: ...


@dataclass(frozen=True, slots=True)
class Obstacle:
    """What stands in an endpoint's way. `containers` are those which the engine lists; not `certain` where only the socket table could be asked."""

    reason: Reason
    containers: tuple[Container, ...] = ()
    certain: bool = True


class Availability:
    """Answers for single endpoints, each asked of the kernel once."""

    def __init__(self, engine: EngineRules, convergence: Convergence, kernel: Kernel) -> None:
        self._engine = engine
        self._kernel = kernel
        self._freed = convergence.freed
        self._freed_on: dict[int, list[Endpoint]] = {}
        for endpoint in self._freed:
            self._freed_on.setdefault(endpoint.port, []).append(endpoint)
        self._answers: dict[Endpoint, Obstacle | None] = {}
        self._published: dict[int, list[tuple[Endpoint, Container]]] = {}
        for container in convergence.staying:
            for endpoint in container.published:
                self._published.setdefault(endpoint.port, []).append((endpoint, container))

    def obstacle(self, endpoint: Endpoint) -> Obstacle | None:
        """What keeps the engine from binding `endpoint`, or None."""
        if endpoint not in self._answers:
            self._answers[endpoint] = self._ask(endpoint)
        return self._answers[endpoint]

    def marks(self, binding: PortBinding) -> Mapping[int, object]:
        """The numbers of `binding` for which `obstacle` may answer otherwise than for its other numbers.

        Neighbours with equal marks get the same answer: they belong to the same containers, and nobody else has a socket there.
        """
        numbers = binding.numbers
        book = {
            port for port in (self._published.keys() | self._freed_on.keys()) if port in numbers
        }
        found: dict[int, object] = {port: self._mark(port, binding.protocol) for port in book}
        if not self._engine.is_here:
            return found
        rows = self._kernel.occupied(binding.protocol, numbers)
        if rows is None:
            return {
                **found,
                **{port: port for port in numbers if not self._is_clear(binding, port)},
            }
        return {
            **found,
            **{port: port for port, sockets in rows.items() if not self._is_listed(sockets)},
        }

    def _mark(self, port: int, protocol: TransportProtocol) -> object:
        listed = tuple(
            (one.address, container.id)
            for one, container in self._published.get(port, ())
            if one.protocol == protocol
        )
        return listed, frozenset(
            one.address for one in self._freed_on.get(port, ()) if one.protocol == protocol
        )

    def _is_listed(self, sockets: Collection[Listener]) -> bool:
        """Whether all of them are what the engine lists."""
        return all(socket.endpoint in self._known_on(socket.port) for socket in sockets)

    def _known_on(self, port: int) -> Collection[Endpoint]:
        return [
            *self._freed_on.get(port, ()),
            *(endpoint for endpoint, _ in self._published.get(port, ())),
        ]

    def _is_clear(self, binding: PortBinding, port: int) -> bool:
        return all(self._probe(endpoint) is Probe.FREE for endpoint in binding.endpoints(port))

    def _ask(self, endpoint: Endpoint) -> Obstacle | None:
        listed = {
            container.id: container
            for published, container in self._published.get(endpoint.port, ())
            if published.excludes(endpoint)
        }
        # Before any probe: an udp probe with SO_REUSEADDR does not see another container's udp port on 28 (engine-rules.md#versions).
        if listed:
            return Obstacle(Reason.IN_USE, tuple(listed.values()))
        if not self._engine.is_here:
            return None
        answer = self._probe(endpoint)
        if answer is Probe.FREE:
            return None
        if answer is Probe.FORBIDDEN:
            return self._by_table(endpoint)
        if answer is Probe.IN_USE and self._only_freed_ones_block(endpoint):
            return None
        return Obstacle(_REASONS[answer])

    def _by_table(self, endpoint: Endpoint) -> Obstacle | None:
        """A privileged port and an unprivileged user: only the socket table can be asked (engine-rules.md#gotchas)."""
        rows = [
            row
            for row in self._kernel.listeners(endpoint.port)
            if row.overlaps(endpoint) and row.endpoint not in self._freed
        ]
        # on 28 an udp socket blocks only without SO_REUSEADDR, which no table shows
        if any(row.surely_blocks for row in rows) and not (
            endpoint.protocol == "udp" and self._engine.reuses_udp_addresses
        ):
            return Obstacle(Reason.IN_USE)
        return Obstacle(Reason.IN_USE, certain=False) if rows else None

    def _only_freed_ones_block(self, endpoint: Endpoint) -> bool:
        """Whether a busy endpoint is busy only through containers that `up` releases first (engine-rules.md#own-containers, last paragraph)."""
        freed = [mine for mine in self._freed_on.get(endpoint.port, ()) if mine.excludes(endpoint)]
        if not freed:
            return False
        others = [
            row
            for row in self._kernel.listeners(endpoint.port)
            if row.overlaps(endpoint) and row.endpoint not in self._freed
        ]
        if any(row.surely_blocks for row in others):
            return False
        if any(mine.address == endpoint.address or mine.is_wildcard for mine in freed):
            return True
        # The new binding is wider than what is released: bound-only sockets show in no table, so every single address is asked.
        held = {mine.address for mine in freed}
        known = dict.fromkeys((*self._kernel.local_addresses(), *(row.address for row in others)))
        singles = [
            Endpoint(endpoint.port, address, endpoint.protocol)
            for address in known
            if address not in held
        ]
        return all(
            self._is_free(single)
            for single in singles
            if single.is_ipv6 == endpoint.is_ipv6 and not single.is_wildcard
        )

    def _is_free(self, endpoint: Endpoint) -> bool:
        return self._probe(endpoint) is not Probe.IN_USE

    def _probe(self, endpoint: Endpoint) -> Probe:
        return self._kernel.probe(endpoint, udp_reuse_address=self._engine.reuses_udp_addresses)
