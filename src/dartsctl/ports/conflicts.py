"""The preflight's verdicts: for every binding of a stack whether the engine will be able to make it, and if not, who is in the way.

The rule is engine-rules.md#one-implementation, on top of engine-rules.md#rules. Everything is reported at once, all candidates included.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from dartsctl.ports.availability import Availability, Obstacle, Reason
from dartsctl.ports.holders import Holder, SameStack
from dartsctl.stack import blocks
from dartsctl.stack.bindings import Endpoint, PortBinding, TransportProtocol
from dartsctl.stack.engine_rules import EngineRules
from dartsctl.stack.publishing import Unbound


class Verdict(Enum):
    """What will become of a binding."""

    FREE = "free"
    HELD = "held"
    """Already made by a container of this project that `up` leaves as it is."""
    CONFLICT = "conflict"
    UNCERTAIN = "uncertain"
    """It may fail, and nothing that can be seen from outside the engine decides it."""


@dataclass(frozen=True, slots=True)
class Conflict:
    """One binding that cannot be made, and everybody who is in its way."""

    binding: PortBinding
    endpoints: tuple[Endpoint, ...]
    reason: Reason
    holders: tuple[Holder, ...] = ()


@dataclass(frozen=True, slots=True)
class BindingVerdict:
    """A binding with its verdict. `conflict` is set for CONFLICT, `note` says what people should know besides."""

    binding: PortBinding
    verdict: Verdict
    note: str = ""
    conflict: Conflict | None = None
    pinnable: bool = False
    """A range whose doubt goes away when one of its free numbers is published instead of the range."""


@dataclass(frozen=True, slots=True)
class PortVerdicts:
    """The whole answer of a preflight about ports."""

    bindings: tuple[BindingVerdict, ...]
    unbound: tuple[Unbound, ...] = ()

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        return tuple(finding.conflict for finding in self.bindings if finding.conflict)


Attribute = Callable[[Endpoint, Obstacle], Sequence[Holder]]
"""Names the holders behind an obstacle (ports/attribution.py)."""

UNSEEN = "a socket uses this port, and whether it blocks is not visible without root"

BIND_ATTEMPTS = 10
"""How many numbers of a range an engine tries in one start, those in its own book not counted (engine-rules.md#ranges)."""


def find(
    new: Sequence[PortBinding],
    *,
    engine: EngineRules,
    availability: Availability,
    attribute: Attribute,
    doubtful: dict[str, str],
    held: Sequence[PortBinding] = (),
) -> tuple[BindingVerdict, ...]:
    """The verdict on each binding of `new`; `held` ones are reported as such. `doubtful` services never get a plain conflict."""
    edges = _edges(new, availability)
    pieces = [list(blocks.cut(binding, edges.get(binding.protocol, ()))) for binding in new]
    judge = _Judge([piece for some in pieces for piece in some], engine, availability, attribute)
    found = [BindingVerdict(binding, Verdict.HELD, "running already") for binding in held]
    for some in pieces:
        judged = [judge.range(piece) if piece.is_range else judge.fixed(piece) for piece in some]
        found += _joined([_doubted(finding, doubtful) for finding in judged])
    return tuple(
        sorted(
            found,
            key=lambda finding: (finding.binding.service, finding.binding.first, finding.binding),
        )
    )


def _edges(
    new: Sequence[PortBinding], availability: Availability
) -> dict[TransportProtocol, list[int]]:
    """Where to cut blocks so that all numbers of a piece meet the same bindings of the stack and the same obstacles.

    One set of edges for all blocks of a protocol: two pieces are then either the same numbers, or have none in common.
    """
    found: dict[TransportProtocol, list[int]] = {}
    for protocol in {binding.protocol for binding in new if binding.is_block}:
        own = [binding for binding in new if binding.protocol == protocol]
        edges = set(blocks.edges(own))
        for block in {
            replace(binding, service="", replica=0, target=0) for binding in own if binding.is_block
        }:
            edges.update(blocks.edges_of_marks(availability.marks(block)))
        found[protocol] = sorted(edges)
    return found


def _doubted(finding: BindingVerdict, doubtful: Mapping[str, str]) -> BindingVerdict:
    if finding.verdict is not Verdict.CONFLICT or finding.binding.service not in doubtful:
        return finding
    return replace(
        finding, verdict=Verdict.UNCERTAIN, note=doubtful[finding.binding.service], conflict=None
    )


def _joined(found: Sequence[BindingVerdict]) -> list[BindingVerdict]:
    """The findings on the pieces of one block, neighbours with the same answer in one."""
    joined: list[BindingVerdict] = []
    for finding in found:
        if joined and (both := _both(joined[-1], finding)):
            joined[-1] = both
        else:
            joined.append(finding)
    return joined


def _both(left: BindingVerdict, right: BindingVerdict) -> BindingVerdict | None:
    """Two findings on neighbouring pieces as one; None where they differ."""
    if (left.verdict, left.note) != (right.verdict, right.note):
        return None
    binding = replace(left.binding, last=right.binding.last, is_block=True)
    if left.conflict is None or right.conflict is None:
        return replace(left, binding=binding)
    if (left.conflict.reason, left.conflict.holders) != (
        right.conflict.reason,
        right.conflict.holders,
    ):
        return None
    endpoints = (*left.conflict.endpoints, *right.conflict.endpoints)
    return replace(
        left, binding=binding, conflict=replace(left.conflict, binding=binding, endpoints=endpoints)
    )


class _Judge:
    """The rules for one set of bindings that are to be made in one `up`, its blocks cut into pieces of equal numbers."""

    def __init__(
        self,
        new: Sequence[PortBinding],
        engine: EngineRules,
        availability: Availability,
        attribute: Attribute,
    ) -> None:
        self._rivalry = _Rivalry(new)
        self._engine = engine
        self._available = availability
        self._attribute = attribute
        self._known: dict[
            tuple[TransportProtocol, tuple[str, ...], range],
            dict[int, list[tuple[Endpoint, Obstacle]]],
        ] = {}

    def fixed(self, binding: PortBinding) -> BindingVerdict:
        """All addresses of a fixed port must be free, and nobody else in the stack may want one of them.

        What is true of the first number of a block's piece is true of all of them.
        """
        blocked = self._obstacles_at(binding, binding.first)
        rivals = self._rivals(binding)
        fixed = [other for other in rivals if not other.is_range]
        same_stack = tuple(
            _as_holder(other)
            for other in fixed or ((binding,) if self._excludes_itself(binding) else ())
        )
        if any(obstacle.certain for _, obstacle in blocked):
            return self._conflict(binding, blocked, rivals=same_stack)
        if same_stack:
            wanted = _on_every_number(binding, binding.endpoints(binding.first))
            conflict = Conflict(
                binding, wanted, Reason.SAME_STACK, tuple(dict.fromkeys(same_stack))
            )
            return BindingVerdict(binding, Verdict.CONFLICT, conflict=conflict)
        if blocked:
            return BindingVerdict(binding, Verdict.UNCERTAIN, UNSEEN)
        racing = [
            other for other in rivals if other.is_range and not self._same_container(binding, other)
        ]
        if racing:
            return BindingVerdict(
                binding,
                Verdict.UNCERTAIN,
                f"a race: {racing[0].service} may take this number out of {racing[0].published}",
            )
        return BindingVerdict(binding, Verdict.FREE)

    def range(self, binding: PortBinding) -> BindingVerdict:
        """The engine picks a number: enough of them must be usable for every replica and every other range that meets this one."""
        rivals = self._rivals(binding)
        if self._excludes_itself(binding):
            holder = _as_holder(binding)
            return BindingVerdict(
                binding,
                Verdict.CONFLICT,
                conflict=Conflict(
                    binding, binding.endpoints(binding.first), Reason.SAME_STACK, (holder,)
                ),
            )
        own = [
            other for other in rivals if not other.is_range and self._same_container(binding, other)
        ]
        own_fixed = {port for other in own for port in other.numbers}
        numbers = [port for port in binding.numbers if port not in own_fixed]
        known = self._obstacles(binding)
        obstacles = {port: known[port] for port in numbers}
        usable = [port for port in numbers if not obstacles[port]]
        if self._is_exhausted(binding):
            blocked = [pair for port in numbers for pair in obstacles[port]]
            return self._conflict(
                binding,
                blocked,
                Reason.RANGE_EXHAUSTED,
                tuple(_as_holder(other) for other in rivals),
            )
        if doubt := self._doubt_by_rivals(binding, usable, rivals):
            return BindingVerdict(binding, Verdict.UNCERTAIN, doubt)
        if doubt := self._doubt_by_attempts(binding, obstacles, usable):
            return BindingVerdict(binding, Verdict.UNCERTAIN, doubt, pinnable=True)
        busy = sum(1 for found in obstacles.values() if found)
        return BindingVerdict(
            binding,
            Verdict.FREE,
            f"partly busy: {busy} of {len(binding.numbers)} numbers" if busy else "",
        )

    def _is_exhausted(self, binding: PortBinding) -> bool:
        """Whether `binding` can get no number at all, or not everybody in the crowd that wants the same ones."""
        crowd = [binding]
        for other in self._rivals(binding):
            if (
                other.is_range
                and other.numbers == binding.numbers
                and all(other.may_exclude(one) for one in crowd)
            ):
                crowd.append(other)
        attainable = self._attainable(binding)
        if not attainable:
            return True
        for addresses in {one.addresses for one in crowd} - {binding.addresses}:
            attainable |= self._attainable(replace(binding, addresses=addresses))
        return len(attainable) < len(crowd)

    def _attainable(self, binding: PortBinding) -> set[int]:
        """The numbers that nothing certain keeps from `binding`: no obstacle, and no fixed port of the stack, which must have its number."""
        rivals = [other for other in self._rivals(binding) if not other.is_range]
        fixed = {port for other in rivals for port in other.numbers}
        known = self._obstacles(binding)
        return {
            port
            for port in binding.numbers
            if port not in fixed and not any(one.certain for _, one in known[port])
        }

    def _doubt_by_rivals(
        self, binding: PortBinding, usable: list[int], rivals: list[PortBinding]
    ) -> str:
        """Why the rest of the stack may take the numbers that this range needs."""
        strangers = [
            other
            for other in rivals
            if not other.is_range and not self._same_container(binding, other)
        ]
        if strangers:
            return (
                f"a race: {strangers[0].service} wants {strangers[0].published} out of this range"
            )
        if not usable:
            return UNSEEN
        crowd = [other for other in rivals if other.is_range]
        # Before 27 the engine's book is asked for exactly this address: a wildcard and a single address may be given the same number.
        elsewhere = [other for other in crowd if other.addresses != binding.addresses]
        if elsewhere and not self._engine.walks_ranges:
            return f"this engine may pick the same number for {elsewhere[0].service}, which asks for it on another address"
        return (
            f"{len(usable)} free numbers for {1 + len(crowd)} bindings whose ranges meet"
            if len(usable) < 1 + len(crowd)
            else ""
        )

    def _doubt_by_attempts(
        self,
        binding: PortBinding,
        obstacles: dict[int, list[tuple[Endpoint, Obstacle]]],
        usable: list[int],
    ) -> str:
        """Why the engine may give up before it comes to a free number."""
        busy = sum(1 for found in obstacles.values() if found)
        if self._engine.walks_ranges:
            if _longest_run(obstacles) < BIND_ATTEMPTS:
                return ""
            return f"{busy} numbers are busy and the engine gives up after {BIND_ATTEMPTS}; pin a free one, e.g. {usable[0]}"
        busy += len(binding.numbers) - len(obstacles)  # fixed ports of the same container
        return (
            f"{busy} of {len(binding.numbers)} numbers are busy, and this engine tries only one; pin a free one, e.g. {usable[0]}"
            if busy
            else ""
        )

    def _obstacles(self, binding: PortBinding) -> dict[int, list[tuple[Endpoint, Obstacle]]]:
        """What is in the way of each number of a range. Asked once for all replicas, and once for all numbers that have no mark."""
        key = (binding.protocol, binding.addresses, binding.numbers)
        if key not in self._known:
            self._known[key] = self._look(binding)
        return self._known[key]

    def _look(self, binding: PortBinding) -> dict[int, list[tuple[Endpoint, Obstacle]]]:
        marks = self._available.marks(binding)
        plain = next((port for port in binding.numbers if port not in marks), None)
        usual = [] if plain is None else self._obstacles_at(binding, plain)
        found: dict[int, list[tuple[Endpoint, Obstacle]]] = {}
        for port in binding.numbers:
            if port in marks:
                found[port] = self._obstacles_at(binding, port)
            else:
                found[port] = [
                    (replace(endpoint, port=port), obstacle) for endpoint, obstacle in usual
                ]
        return found

    def _obstacles_at(self, binding: PortBinding, port: int) -> list[tuple[Endpoint, Obstacle]]:
        return [
            (endpoint, obstacle)
            for endpoint in binding.endpoints(port)
            if (obstacle := self._available.obstacle(endpoint))
        ]

    def _rivals(self, binding: PortBinding) -> list[PortBinding]:
        return self._rivalry.of(binding)

    @staticmethod
    def _same_container(one: PortBinding, other: PortBinding) -> bool:
        return (one.service, one.replica) == (other.service, other.replica)

    def _excludes_itself(self, binding: PortBinding) -> bool:
        """Two addresses of one service that meet: `listen` fails; udp on 28 has no listen and shares the address (engine-rules.md#versions)."""
        if binding.protocol == "udp" and self._engine.reuses_udp_addresses:
            return False
        wanted = binding.endpoints(binding.first)
        return any(
            one.excludes(other)
            for position, one in enumerate(wanted)
            for other in wanted[position + 1 :]
        )

    def _conflict(
        self,
        binding: PortBinding,
        blocked: list[tuple[Endpoint, Obstacle]],
        reason: Reason | None = None,
        rivals: tuple[Holder, ...] = (),
    ) -> BindingVerdict:
        holders = dict.fromkeys(
            holder
            for endpoint, obstacle in blocked
            for holder in self._attribute(endpoint, obstacle)
        )
        holders |= dict.fromkeys(rivals)
        endpoints = tuple(dict.fromkeys(endpoint for endpoint, _ in blocked)) or binding.endpoints(
            binding.first
        )
        conflict = Conflict(
            binding,
            _on_every_number(binding, endpoints),
            reason or blocked[0][1].reason,
            tuple(holders),
        )
        return BindingVerdict(binding, Verdict.CONFLICT, conflict=conflict)


class _Rivalry:
    """The bindings of one `up` by their numbers, so that who meets whom is looked up. Pieces of blocks meet whole or not at all."""

    def __init__(self, new: Sequence[PortBinding]) -> None:
        self._fixed: dict[TransportProtocol, dict[int, list[tuple[int, PortBinding]]]] = {}
        self._ranges: dict[TransportProtocol, list[tuple[int, PortBinding]]] = {}
        for position, binding in enumerate(new):
            if binding.is_range:
                self._ranges.setdefault(binding.protocol, []).append((position, binding))
            else:
                self._fixed.setdefault(binding.protocol, {}).setdefault(binding.first, []).append(
                    (position, binding)
                )
        self._firsts = {protocol: sorted(fixed) for protocol, fixed in self._fixed.items()}

    def of(self, binding: PortBinding) -> list[PortBinding]:
        """Every other binding that may exclude `binding`, in the order of the files."""
        met = [*self._fixed_within(binding), *self._ranges.get(binding.protocol, ())]
        return [
            other
            for _, other in sorted(met, key=lambda item: item[0])
            if other is not binding and other.may_exclude(binding)
        ]

    def _fixed_within(self, binding: PortBinding) -> list[tuple[int, PortBinding]]:
        fixed = self._fixed.get(binding.protocol, {})
        if not binding.is_range:
            return fixed.get(binding.first, [])
        firsts = self._firsts.get(binding.protocol, [])
        inside = firsts[bisect_left(firsts, binding.first) : bisect_left(firsts, binding.last + 1)]
        return [item for first in inside for item in fixed[first]]


def _on_every_number(binding: PortBinding, endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    """The endpoints of a block's first number, for all of its numbers; those of any other binding as they are."""
    if not binding.is_block:
        return endpoints
    return tuple(replace(endpoint, port=port) for port in binding.numbers for endpoint in endpoints)


def _as_holder(binding: PortBinding) -> SameStack:
    return SameStack(binding.service, wish(binding), "the stack's own file")


def wish(binding: PortBinding) -> str:
    """A binding as SameStack names it: `8080:80/tcp`."""
    return f"{binding.published}:{binding.targets}/{binding.protocol}"


def _longest_run(obstacles: dict[int, list[tuple[Endpoint, Obstacle]]]) -> int:
    """The longest cyclic run of numbers that only the kernel refuses: the engine skips those of its own book without an attempt."""
    tried = [
        bool(found)
        for found in obstacles.values()
        if not any(obstacle.containers for _, obstacle in found)
    ]
    longest = run = 0
    for busy in (*tried, *tried):
        run = run + 1 if busy else 0
        longest = max(longest, run)
    return min(longest, len(tried))
