"""Judge every binding of a stack: can the engine create it, and if not, who is in the way.

The rule is engine-rules.md#one-implementation, on top of engine-rules.md#rules. Everything is
reported at once, with all holders.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain

from dartsctl.ports.availability import Availability, Obstacle, Reason
from dartsctl.ports.conflicts import BindingVerdict, Conflict, Verdict
from dartsctl.ports.holders import Holder, RivalBinding
from dartsctl.records import replace
from dartsctl.stack import blocks
from dartsctl.stack.bindings import Endpoint, PortBinding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.stack.bindings import TransportProtocol
    from dartsctl.stack.engine_rules import EngineRules

Attribute = Callable[[Endpoint, Obstacle], Sequence[Holder]]
"""Names the holders behind an obstacle (ports/attribution.py)."""

Obstacles = list[tuple[Endpoint, Obstacle]]
"""Each busy endpoint of one number, with what is in its way."""

UNSEEN = "a socket uses this port, and whether it blocks is not visible without root"

BIND_ATTEMPTS = 10
"""How many numbers of a range an engine tries in one start.

Numbers in its own list are skipped and do not count (engine-rules.md#ranges).
"""


def judge(
    new: Sequence[PortBinding],
    *,
    engine: EngineRules,
    availability: Availability,
    attribute: Attribute,
    doubtful: Mapping[str, str],
    held: Sequence[PortBinding] = (),
) -> tuple[BindingVerdict, ...]:
    """Return the verdict on each binding of `new`, and on the `held` ones, which exist already.

    `doubtful` are services whose networks make the engine's choice unpredictable, with the reason:
    they never get a plain conflict.
    """
    cuts = _cuts(new, availability)
    pieces_of = [list(blocks.cut(binding, cuts.get(binding.protocol, ()))) for binding in new]
    rules = _Judge(list(chain.from_iterable(pieces_of)), engine, availability, attribute)
    verdicts = [BindingVerdict(binding, Verdict.HELD, "already running") for binding in held]
    for pieces in pieces_of:
        verdicts += _joined(_doubted(rules.verdict(piece), doubtful) for piece in pieces)
    return tuple(sorted(verdicts, key=_reading_order))


def _reading_order(checked: BindingVerdict) -> tuple[str, int, PortBinding]:
    return (checked.binding.service, checked.binding.first, checked.binding)


def _cuts(
    new: Sequence[PortBinding], availability: Availability
) -> dict[TransportProtocol, list[int]]:
    """Where to cut blocks, so that all numbers of a piece meet the same bindings and obstacles.

    All blocks of a protocol are cut at the same numbers: two pieces are then either the same
    numbers, or have none in common.
    """
    by_protocol: dict[TransportProtocol, list[PortBinding]] = {}
    for binding in new:
        by_protocol.setdefault(binding.protocol, []).append(binding)
    cuts: dict[TransportProtocol, list[int]] = {}
    for protocol, own in by_protocol.items():
        own_blocks = {_anonymous(binding) for binding in own if binding.is_block}
        if own_blocks:
            numbers = set(blocks.edges(own))
            for block in own_blocks:
                numbers |= blocks.edges_of_marks(availability.marks(block))
            cuts[protocol] = sorted(numbers)
    return cuts


def _anonymous(block: PortBinding) -> PortBinding:
    """A block without what does not matter to the kernel."""
    return replace(block, service="", replica=0, target=0)


def _doubted(checked: BindingVerdict, doubtful: Mapping[str, str]) -> BindingVerdict:
    if checked.verdict is not Verdict.CONFLICT or checked.binding.service not in doubtful:
        return checked
    note = doubtful[checked.binding.service]
    return replace(checked, verdict=Verdict.UNCERTAIN, note=note, conflict=None)


def _joined(pieces: Iterable[BindingVerdict]) -> list[BindingVerdict]:
    """The verdicts on the pieces of one block, equal neighbours in one."""
    joined: list[BindingVerdict] = []
    for piece in pieces:
        if joined and (both := _merged(joined[-1], piece)):
            joined[-1] = both
        else:
            joined.append(piece)
    return joined


def _merged(left: BindingVerdict, right: BindingVerdict) -> BindingVerdict | None:
    """Two verdicts on neighbouring pieces as one, None where they differ."""
    if (left.verdict, left.note) != (right.verdict, right.note):
        return None
    binding = replace(left.binding, last=right.binding.last, is_block=True)
    if left.conflict is None or right.conflict is None:
        return replace(left, binding=binding)
    if left.conflict.reason != right.conflict.reason:
        return None
    if left.conflict.holders != right.conflict.holders:
        return None
    endpoints = (*left.conflict.endpoints, *right.conflict.endpoints)
    conflict = replace(left.conflict, binding=binding, endpoints=endpoints)
    return replace(left, binding=binding, conflict=conflict)


class _Judge:
    """The rules for the bindings of one `up`, whose blocks are cut into pieces of equal numbers."""

    def __init__(
        self,
        new: Sequence[PortBinding],
        engine: EngineRules,
        availability: Availability,
        attribute: Attribute,
    ) -> None:
        self._rivals = _RivalIndex(new)
        self._engine = engine
        self._available = availability
        self._attribute = attribute
        self._known: dict[
            tuple[TransportProtocol, tuple[str, ...], range], dict[int, Obstacles]
        ] = {}

    def verdict(self, binding: PortBinding) -> BindingVerdict:
        return self._range(binding) if binding.is_range else self._fixed(binding)

    def _fixed(self, binding: PortBinding) -> BindingVerdict:
        """All addresses of a fixed port must be free, and no other binding may want one of them.

        What is true of the first number of a block's piece is true of all of its numbers.
        """
        obstacles = self._obstacles_at(binding, binding.first)
        rivals = self._rivals.of(binding)
        clashing = [rival for rival in rivals if not rival.is_range]
        if not clashing and self._excludes_itself(binding):
            clashing = [binding]
        same_stack = tuple(map(RivalBinding.of, clashing))
        if _any_certain(obstacles):
            return self._blocked(binding, obstacles, rivals=same_stack)
        if same_stack:
            return _wanted_twice(binding, same_stack)
        if obstacles:
            return BindingVerdict(binding, Verdict.UNCERTAIN, UNSEEN)
        for rival in rivals:
            if not _same_container(binding, rival):
                note = f"a race: {rival.service} may take this number out of {rival.published}"
                return BindingVerdict(binding, Verdict.UNCERTAIN, note)
        return BindingVerdict(binding, Verdict.FREE)

    def _range(self, binding: PortBinding) -> BindingVerdict:
        """The engine picks a number of a range.

        Enough of them must be usable for every replica and every other range that meets this one.
        """
        if self._excludes_itself(binding):
            return _wanted_twice(binding, (RivalBinding.of(binding),))
        rivals = self._rivals.of(binding)
        obstacles = self._obstacles_beside_own(binding, rivals)
        if self._is_exhausted(binding):
            blocked = list(chain.from_iterable(obstacles.values()))
            same_stack = tuple(map(RivalBinding.of, rivals))
            return self._blocked(binding, blocked, Reason.RANGE_EXHAUSTED, same_stack)
        usable = [port for port, there in obstacles.items() if not there]
        if doubt := self._doubt_by_rivals(binding, usable, rivals):
            return BindingVerdict(binding, Verdict.UNCERTAIN, doubt)
        if doubt := self._doubt_by_attempts(binding, obstacles, usable):
            return BindingVerdict(binding, Verdict.UNCERTAIN, doubt, pinnable=True)
        busy = len(obstacles) - len(usable)
        note = f"partly busy: {busy} of {len(binding.numbers)} numbers" if busy else ""
        return BindingVerdict(binding, Verdict.FREE, note)

    def _obstacles_beside_own(
        self, binding: PortBinding, rivals: Sequence[PortBinding]
    ) -> dict[int, Obstacles]:
        """The numbers that no fixed port of the same container takes, with their obstacles."""
        own_fixed: set[int] = set()
        for rival in rivals:
            if not rival.is_range and _same_container(binding, rival):
                own_fixed.update(rival.numbers)
        known = self._obstacles(binding)
        return {port: known[port] for port in binding.numbers if port not in own_fixed}

    def _is_exhausted(self, binding: PortBinding) -> bool:
        """Whether `binding` can get no number, or not every binding that wants the same numbers."""
        crowd = [binding]
        for other in self._rivals.of(binding):
            is_same_range = other.is_range and other.numbers == binding.numbers
            if is_same_range and all(map(other.may_exclude, crowd)):
                crowd.append(other)
        attainable = self._attainable(binding)
        if not attainable:
            return True
        for addresses in {member.addresses for member in crowd} - {binding.addresses}:
            attainable |= self._attainable(replace(binding, addresses=addresses))
        return len(attainable) < len(crowd)

    def _attainable(self, binding: PortBinding) -> set[int]:
        """The numbers that nothing certain keeps from `binding`.

        That is no obstacle, and no fixed port of the stack, which must have its number.
        """
        attainable = set(binding.numbers)
        for rival in self._rivals.of(binding):
            if not rival.is_range:
                attainable.difference_update(rival.numbers)
        for port, obstacles in self._obstacles(binding).items():
            if _any_certain(obstacles):
                attainable.discard(port)
        return attainable

    def _doubt_by_rivals(
        self, binding: PortBinding, usable: Sequence[int], rivals: Sequence[PortBinding]
    ) -> str:
        """Why the rest of the stack may take the numbers that this range needs."""
        ranges = []
        for rival in rivals:
            if rival.is_range:
                ranges.append(rival)
            elif not _same_container(binding, rival):
                return f"a race: {rival.service} wants {rival.published} out of this range"
        if not usable:
            return UNSEEN
        if not self._engine.walks_ranges:
            # Before 27 the engine's list is asked for exactly this address: a wildcard and a single
            # address may be given the same number.
            for rival in ranges:
                if rival.addresses != binding.addresses:
                    other = f"{rival.service}, which asks for it on another address"
                    return f"this engine may pick the same number for {other}"
        if len(usable) < 1 + len(ranges):
            return f"{len(usable)} free numbers for {1 + len(ranges)} bindings whose ranges meet"
        return ""

    def _doubt_by_attempts(
        self, binding: PortBinding, obstacles: Mapping[int, Obstacles], usable: Sequence[int]
    ) -> str:
        """Why the engine may give up before it comes to a free number."""
        advice = f"pin a free one, e.g. {usable[0]}"
        if self._engine.walks_ranges:
            if _longest_busy_run(obstacles) < BIND_ATTEMPTS:
                return ""
            busy = len(obstacles) - len(usable)
            attempts = f"the engine gives up after {BIND_ATTEMPTS}"
            return f"{busy} numbers are busy and {attempts}; {advice}"
        busy = len(binding.numbers) - len(usable)  # with the fixed ports of the same container
        if not busy:
            return ""
        numbers = f"{busy} of {len(binding.numbers)} numbers"
        return f"{numbers} are busy, and this engine tries only one; {advice}"

    def _obstacles(self, binding: PortBinding) -> dict[int, Obstacles]:
        """The obstacles on each number of a range.

        Asked once for all replicas, and once for all numbers without a mark.
        """
        key = (binding.protocol, binding.addresses, binding.numbers)
        if key not in self._known:
            self._known[key] = self._look(binding)
        return self._known[key]

    def _look(self, binding: PortBinding) -> dict[int, Obstacles]:
        marks = self._available.marks(binding)
        usual: Obstacles | None = None
        obstacles: dict[int, Obstacles] = {}
        for port in binding.numbers:
            if port in marks:
                obstacles[port] = self._obstacles_at(binding, port)
                continue
            if usual is None:
                usual = self._obstacles_at(binding, port)
            obstacles[port] = [
                (replace(endpoint, port=port), obstacle) for endpoint, obstacle in usual
            ]
        return obstacles

    def _obstacles_at(self, binding: PortBinding, port: int) -> Obstacles:
        obstacles: Obstacles = []
        for endpoint in binding.endpoints(port):
            if obstacle := self._available.obstacle(endpoint):
                obstacles.append((endpoint, obstacle))
        return obstacles

    def _excludes_itself(self, binding: PortBinding) -> bool:
        """Whether two addresses of one service meet: then `listen` fails.

        udp on 28 has no listen and shares the address (engine-rules.md#versions).
        """
        if binding.protocol == "udp" and self._engine.reuses_udp_addresses:
            return False
        wanted = binding.endpoints(binding.first)
        return any(
            any(map(endpoint.excludes, wanted[position:]))
            for position, endpoint in enumerate(wanted, 1)
        )

    def _blocked(
        self,
        binding: PortBinding,
        obstacles: Obstacles,
        reason: Reason | None = None,
        rivals: Sequence[Holder] = (),
    ) -> BindingVerdict:
        """The conflict with everybody behind the obstacles, and with the rivals in the stack."""
        endpoints: dict[Endpoint, None] = {}
        holders: dict[Holder, None] = {}
        for endpoint, obstacle in obstacles:
            endpoints[endpoint] = None
            holders |= dict.fromkeys(self._attribute(endpoint, obstacle))
        holders |= dict.fromkeys(rivals)
        conflict = Conflict(
            binding,
            _on_every_number(binding, tuple(endpoints) or binding.endpoints(binding.first)),
            reason or obstacles[0][1].reason,
            tuple(holders),
        )
        return BindingVerdict(binding, Verdict.CONFLICT, conflict=conflict)


class _RivalIndex:
    """The bindings of one `up` by their numbers, so that rivals are looked up.

    Pieces of blocks meet whole or not at all.
    """

    def __init__(self, new: Sequence[PortBinding]) -> None:
        self._fixed: dict[TransportProtocol, dict[int, list[tuple[int, PortBinding]]]] = {}
        self._ranges: dict[TransportProtocol, list[tuple[int, PortBinding]]] = {}
        for position, binding in enumerate(new):
            if binding.is_range:
                placed = self._ranges.setdefault(binding.protocol, [])
            else:
                fixed = self._fixed.setdefault(binding.protocol, {})
                placed = fixed.setdefault(binding.first, [])
            placed.append((position, binding))
        self._firsts = {protocol: sorted(fixed) for protocol, fixed in self._fixed.items()}

    def of(self, binding: PortBinding) -> list[PortBinding]:
        """Return every other binding that may exclude `binding`, in the order of the files."""
        near = [*self._fixed_within(binding), *self._ranges.get(binding.protocol, ())]
        near.sort(key=lambda placed: placed[0])
        return [other for _, other in near if other is not binding and other.may_exclude(binding)]

    def _fixed_within(self, binding: PortBinding) -> list[tuple[int, PortBinding]]:
        fixed = self._fixed.get(binding.protocol, {})
        if not binding.is_range:
            return fixed.get(binding.first, [])
        firsts = self._firsts.get(binding.protocol, [])
        inside = firsts[bisect_left(firsts, binding.first) : bisect_left(firsts, binding.last + 1)]
        return list(chain.from_iterable(map(fixed.__getitem__, inside)))


def _any_certain(obstacles: Obstacles) -> bool:
    return any(obstacle.certain for _, obstacle in obstacles)


def _same_container(binding: PortBinding, other: PortBinding) -> bool:
    return (binding.service, binding.replica) == (other.service, other.replica)


def _wanted_twice(binding: PortBinding, rivals: Sequence[RivalBinding]) -> BindingVerdict:
    endpoints = _on_every_number(binding, binding.endpoints(binding.first))
    holders = tuple(dict.fromkeys(rivals))
    conflict = Conflict(binding, endpoints, Reason.SAME_STACK, holders)
    return BindingVerdict(binding, Verdict.CONFLICT, conflict=conflict)


def _on_every_number(binding: PortBinding, endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    """The endpoints of a block's first number, for all of its numbers. Others as they are."""
    if not binding.is_block:
        return endpoints
    return tuple(replace(endpoint, port=port) for port in binding.numbers for endpoint in endpoints)


def _longest_busy_run(obstacles: Mapping[int, Obstacles]) -> int:
    """The longest cyclic run of numbers that only the kernel refuses.

    The engine skips the numbers of its own list without an attempt.
    """
    tried = [
        bool(there)
        for there in obstacles.values()
        if not any(obstacle.containers for _, obstacle in there)
    ]
    longest = run = 0
    for is_busy in (*tried, *tried):
        run = run + 1 if is_busy else 0
        longest = max(longest, run)
    return min(longest, len(tried))
