"""Whether the engine could bind one endpoint now: its own list first, then the kernel's answer.

The rule is engine-rules.md#one-implementation.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from enum import Enum

from dartsctl.ports.listeners import Listener, Probe
from dartsctl.records import record
from dartsctl.stack.bindings import Endpoint, PortBinding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from typing import Protocol

    from dartsctl.stack.bindings import TransportProtocol
    from dartsctl.stack.containers import Container
    from dartsctl.stack.convergence import Convergence
    from dartsctl.stack.engine_rules import EngineRules

    class Kernel(Protocol):
        """What this decision asks of the host."""

        def probe(self, endpoint: Endpoint, *, udp_reuse_address: bool) -> Probe: ...

        def listeners(self, port: int) -> tuple[Listener, ...]: ...

        def occupied(
            self, protocol: TransportProtocol, ports: Collection[int]
        ) -> Mapping[int, Sequence[Listener]] | None:
            """Return the sockets on those of `ports` that have any.

            None where a socket may block without being in the table.
            """

        def local_addresses(self) -> tuple[str, ...]: ...


class Reason(Enum):
    """Why a binding cannot be created."""

    IN_USE = "in use"
    SAME_STACK = "wanted twice by the stack itself"
    RANGE_EXHAUSTED = "no free number left in the range"
    NO_SUCH_ADDRESS = "this host has no such address"
    INVALID_ADDRESS = "not an address that can be bound"
    UNSUPPORTED = "the kernel does not support the protocol"


_REASONS = {
    Probe.IN_USE: Reason.IN_USE,
    Probe.NO_SUCH_ADDRESS: Reason.NO_SUCH_ADDRESS,
    Probe.INVALID: Reason.INVALID_ADDRESS,
    Probe.UNSUPPORTED: Reason.UNSUPPORTED,
}


@record
class Obstacle:
    """What is in the way of an endpoint.

    `containers` are those that the engine lists. It is not `certain` where only the socket table
    could be asked.
    """

    reason: Reason
    containers: tuple[Container, ...] = ()
    certain: bool = True

    @property
    def is_in_use(self) -> bool:
        """Whether something else has it, and not the host or the stack itself refuses it."""
        return self.reason is Reason.IN_USE


@record
class _Table:
    """The sockets on some numbers, by number. `numbers` are those that have any, in order."""

    rows: Mapping[int, Sequence[Listener]]
    numbers: Sequence[int]


class Availability:
    """Answers for single endpoints. The kernel is asked once for each."""

    def __init__(
        self,
        engine: EngineRules,
        convergence: Convergence,
        kernel: Kernel,
        *,
        reserved: Callable[[Endpoint], Collection[Endpoint]] = lambda _: (),
    ) -> None:
        """`reserved` returns what our own watch has on an endpoint's port: `up` gets it back."""
        self._is_here = engine.is_here
        self._reuses_udp_addresses = engine.reuses_udp_addresses
        self._kernel = kernel
        self._reserved = reserved
        self._freed = set(convergence.freed)
        self._freed_on: dict[int, list[Endpoint]] = {}
        for endpoint in self._freed:
            self._freed_on.setdefault(endpoint.port, []).append(endpoint)
        self._answers: dict[Endpoint, Obstacle | None] = {}
        self._local_addresses: tuple[str, ...] | None = None
        self._expected: dict[TransportProtocol, set[int]] = {}
        self._tables: dict[TransportProtocol, _Table | None] = {}
        self._listed = set(self._freed)
        self._published: dict[int, list[tuple[Endpoint, Container]]] = {}
        for container in convergence.staying:
            self._listed.update(container.published)
            for endpoint in container.published:
                self._published.setdefault(endpoint.port, []).append((endpoint, container))
        self._listed_numbers = sorted(self._published.keys() | self._freed_on.keys())

    def expect(self, bindings: Iterable[PortBinding]) -> None:
        """Let the first call of `marks` read the sockets on all these numbers at once."""
        for binding in bindings:
            self._expected.setdefault(binding.protocol, set()).update(binding.numbers)

    def obstacle(self, endpoint: Endpoint) -> Obstacle | None:
        """Return what keeps the engine from binding `endpoint`, None where nothing does."""
        try:
            return self._answers[endpoint]
        except KeyError:
            answer = self._answers[endpoint] = self._ask(endpoint)
            return answer

    def marks(self, binding: PortBinding) -> Mapping[int, object]:
        """Return the numbers of `binding` for which `obstacle` may answer otherwise than usual.

        Neighbours with equal marks get the same answer: they belong to the same containers, and
        nobody else has a socket there.
        """
        numbers = binding.numbers
        marks: dict[int, object] = {}
        for port in _within(self._listed_numbers, numbers):
            marks[port] = self._mark(port, binding.protocol)
        if not self._is_here:
            return marks
        table = self._table_with(binding)
        if table is None:
            occupied = [port for port in numbers if not self._is_clear(binding, port)]
        else:
            near = _within(table.numbers, numbers)
            occupied = [port for port in near if not self._is_listed(table.rows[port])]
        marks.update(zip(occupied, occupied, strict=True))
        return marks

    def _table_with(self, binding: PortBinding) -> _Table | None:
        """The sockets on the numbers of a binding, and on all others that are expected."""
        protocol = binding.protocol
        expected = self._expected.setdefault(protocol, set())
        if not expected.issuperset(binding.numbers):
            expected.update(binding.numbers)
            self._tables.pop(protocol, None)
        if protocol not in self._tables:
            rows = self._kernel.occupied(protocol, expected)
            self._tables[protocol] = None if rows is None else _Table(rows, sorted(rows))
        return self._tables[protocol]

    def _mark(self, port: int, protocol: TransportProtocol) -> object:
        """What the engine lists on a port, and what it will release."""
        listed = tuple(
            (endpoint.address, container.id)
            for endpoint, container in self._published.get(port, ())
            if endpoint.protocol == protocol
        )
        freed = self._freed_on.get(port, ())
        addresses = (endpoint.address for endpoint in freed if endpoint.protocol == protocol)
        return listed, frozenset(addresses)

    def _is_listed(self, sockets: Collection[Listener]) -> bool:
        """Whether all of them are what the engine lists."""
        return all(socket.endpoint in self._listed for socket in sockets)

    def _is_clear(self, binding: PortBinding, port: int) -> bool:
        return all(self._probe(endpoint) is Probe.FREE for endpoint in binding.endpoints(port))

    def _ask(self, endpoint: Endpoint) -> Obstacle | None:
        listed: dict[str, Container] = {}
        for published, container in self._published.get(endpoint.port, ()):
            if published.excludes(endpoint):
                listed[container.id] = container
        # Before any probe: a udp probe with SO_REUSEADDR does not see another container's udp port
        # on 28 (engine-rules.md#versions).
        if listed:
            return Obstacle(Reason.IN_USE, tuple(listed.values()))
        if not self._is_here:
            return None
        answer = self._probe(endpoint)
        if answer is Probe.FREE:
            return None
        self._free_reserved(endpoint)
        if answer is Probe.FORBIDDEN:
            return self._by_table(endpoint)
        if answer is Probe.IN_USE and self._only_freed_ones_block(endpoint):
            return None
        return Obstacle(_REASONS[answer])

    def _free_reserved(self, endpoint: Endpoint) -> None:
        """Count what our own watch has on this port as released: `up` asks it to let go."""
        for own in self._reserved(endpoint):
            if own not in self._freed:
                self._freed.add(own)
                self._freed_on.setdefault(own.port, []).append(own)
                insort(self._listed_numbers, own.port)

    def _by_table(self, endpoint: Endpoint) -> Obstacle | None:
        """A privileged port and an unprivileged user: only the socket table can be asked.

        On 28 a udp socket blocks only without SO_REUSEADDR, which no table shows
        (engine-rules.md#gotchas).
        """
        rows = self._rows_of_others(endpoint)
        if not rows:
            return None
        is_visible = endpoint.protocol != "udp" or not self._reuses_udp_addresses
        return Obstacle(Reason.IN_USE, certain=is_visible and _any_blocks(rows))

    def _only_freed_ones_block(self, endpoint: Endpoint) -> bool:
        """Whether a busy endpoint is busy only through what `up` releases first.

        The rule is the last paragraph of engine-rules.md#own-containers.
        """
        freed = [own for own in self._freed_on.get(endpoint.port, ()) if own.excludes(endpoint)]
        others = self._rows_of_others(endpoint) if freed else []
        if not freed or _any_blocks(others):
            return False
        if any(own.address == endpoint.address or own.is_wildcard for own in freed):
            return True
        # The new binding is wider than what is released. Sockets that are bound only are in no
        # table, so every single address is asked.
        held = {own.address for own in freed}
        if self._local_addresses is None:
            self._local_addresses = self._kernel.local_addresses()
        addresses = {*self._local_addresses, *(row.address for row in others)} - held
        return all(self._is_single_free(endpoint, address) for address in sorted(addresses))

    def _is_single_free(self, wildcard: Endpoint, address: str) -> bool:
        """Whether one address of a wildcard's family is free, by the kernel."""
        single = Endpoint(wildcard.port, address, wildcard.protocol)
        if single.is_wildcard or single.is_ipv6 != wildcard.is_ipv6:
            return True
        return self._probe(single) is not Probe.IN_USE

    def _rows_of_others(self, endpoint: Endpoint) -> list[Listener]:
        """The sockets that overlap an endpoint, without those that will be released."""
        rows = self._kernel.listeners(endpoint.port)
        return [row for row in rows if row.overlaps(endpoint) and row.endpoint not in self._freed]

    def _probe(self, endpoint: Endpoint) -> Probe:
        return self._kernel.probe(endpoint, udp_reuse_address=self._reuses_udp_addresses)


def _any_blocks(rows: Iterable[Listener]) -> bool:
    return any(row.surely_blocks for row in rows)


def _within(ascending: Sequence[int], numbers: range) -> Sequence[int]:
    """The part of a sequence that lies in a range."""
    return ascending[bisect_left(ascending, numbers.start) : bisect_left(ascending, numbers.stop)]
