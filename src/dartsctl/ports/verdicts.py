"""Judge every binding of a stack: can the engine create it, and if not, who is in the way.

The rule is engine-rules.md#one-implementation, on top of engine-rules.md#rules. Everything is
reported at once, with all holders.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import chain, combinations, product

from dartsctl.ports import pieces
from dartsctl.ports.availability import Availability, Obstacle, Reason
from dartsctl.ports.conflicts import BindingVerdict, Conflict, Verdict
from dartsctl.ports.contention import Contentions, are_in_one_container, wish_of
from dartsctl.ports.holders import Holder, RivalBinding
from dartsctl.records import record, replace
from dartsctl.stack import blocks
from dartsctl.stack.bindings import Endpoint, PortBinding

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.ports.contention import Wish
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
    availability.expect(binding for binding in new if binding.first != binding.last)
    cuts = pieces.cuts(new, availability)
    parts_of = [list(blocks.cut(binding, cuts.get(binding.protocol, ()))) for binding in new]
    rules = _Judge(list(chain.from_iterable(parts_of)), engine, availability, attribute)
    verdicts = [BindingVerdict(binding, Verdict.HELD, "already running") for binding in held]
    for parts in parts_of:
        verdicts += pieces.joined(_doubted(rules.verdict(part), doubtful) for part in parts)
    return tuple(sorted(verdicts, key=_reading_order))


def _reading_order(checked: BindingVerdict) -> tuple[str, int, PortBinding]:
    return (checked.binding.service, checked.binding.first, checked.binding)


def _doubted(checked: BindingVerdict, doubtful: Mapping[str, str]) -> BindingVerdict:
    if checked.verdict is not Verdict.CONFLICT or checked.binding.service not in doubtful:
        return checked
    note = doubtful[checked.binding.service]
    return replace(checked, verdict=Verdict.UNCERTAIN, note=note, conflict=None)


@record
class _Outlook:
    """What an engine meets on the numbers of a range, and who has them."""

    obstacles: Mapping[int, Obstacles]
    """By number, without the fixed ports of the same container."""
    usable: Sequence[int]
    """The numbers without an obstacle."""
    longest_busy_run: int

    @property
    def busy(self) -> int:
        """How many numbers have an obstacle."""
        return len(self.obstacles) - len(self.usable)


class _Judge:
    """The rules for the bindings of one `up`, whose blocks are cut into pieces of equal numbers."""

    def __init__(
        self,
        new: Sequence[PortBinding],
        engine: EngineRules,
        availability: Availability,
        attribute: Attribute,
    ) -> None:
        self._contentions = Contentions(new)
        self._engine = engine
        self._available = availability
        self._attribute = attribute
        self._known: dict[Wish, dict[int, Obstacles]] = {}
        self._outlooks: dict[tuple[Wish, frozenset[int]], _Outlook] = {}
        self._exhausted: dict[Wish, bool] = {}
        self._meeting: dict[tuple[str, ...], bool] = {}
        self._holders: dict[Endpoint, Sequence[Holder]] = {}

    def verdict(self, binding: PortBinding) -> BindingVerdict:
        return self._range(binding) if binding.is_range else self._fixed(binding)

    def _fixed(self, binding: PortBinding) -> BindingVerdict:
        """All addresses of a fixed port must be free, and no other binding may want one of them.

        What is true of the first number of a block's piece is true of all of its numbers.
        """
        obstacles = self._obstacles_at(binding, binding.first)
        contention = self._contentions.of(binding)
        same_stack: tuple[RivalBinding, ...] = ()
        if len(contention.fixed) > 1:
            same_stack = contention.rivals_of(binding, fixed_only=True)
        elif self._excludes_itself(binding):
            same_stack = (RivalBinding.of(binding),)
        if _any_certain(obstacles):
            return self._blocked(binding, obstacles, rivals=same_stack)
        if same_stack:
            return _wanted_twice(binding, same_stack)
        if obstacles:
            return BindingVerdict(binding, Verdict.UNCERTAIN, UNSEEN)
        for rival in contention.ranges:
            if not are_in_one_container(binding, rival):
                note = f"a race: {rival.service} may take this number out of {rival.published}"
                return BindingVerdict(binding, Verdict.UNCERTAIN, note)
        return BindingVerdict(binding, Verdict.FREE)

    def _range(self, binding: PortBinding) -> BindingVerdict:
        """The engine picks a number of a range.

        Enough of them must be usable for every replica and every other range that meets this one.
        """
        if self._excludes_itself(binding):
            return _wanted_twice(binding, (RivalBinding.of(binding),))
        contention = self._contentions.of(binding)
        outlook = self._outlook(binding)
        if self._is_exhausted(binding):
            blocked = list(chain.from_iterable(outlook.obstacles.values()))
            same_stack = contention.rivals_of(binding, fixed_only=False)
            return self._blocked(binding, blocked, Reason.RANGE_EXHAUSTED, same_stack)
        if doubt := self._doubt_by_rivals(binding, outlook):
            return BindingVerdict(binding, Verdict.UNCERTAIN, doubt)
        if doubt := self._doubt_by_attempts(binding, outlook):
            return BindingVerdict(binding, Verdict.UNCERTAIN, doubt, pinnable=True)
        note = ""
        if outlook.busy:
            note = f"partly busy: {outlook.busy} of {len(binding.numbers)} numbers"
        return BindingVerdict(binding, Verdict.FREE, note)

    def _outlook(self, binding: PortBinding) -> _Outlook:
        """The numbers that no fixed port of the same container takes, with their obstacles."""
        own_fixed: set[int] = set()
        for rival in self._contentions.of(binding).fixed_of_container(binding):
            own_fixed.update(rival.numbers)
        key = wish_of(binding), frozenset(own_fixed)
        if key not in self._outlooks:
            known = self._obstacles(binding)
            obstacles = {port: known[port] for port in binding.numbers if port not in own_fixed}
            usable = [port for port, there in obstacles.items() if not there]
            self._outlooks[key] = _Outlook(obstacles, usable, _longest_busy_run(obstacles))
        return self._outlooks[key]

    def _is_exhausted(self, binding: PortBinding) -> bool:
        """Whether `binding` can get no number, or not every binding that wants the same numbers."""
        wish = wish_of(binding)
        if wish not in self._exhausted:
            self._exhausted[wish] = self._are_too_many(binding)
        return self._exhausted[wish]

    def _are_too_many(self, binding: PortBinding) -> bool:
        count = 0
        crowd = {binding.addresses: binding}
        """The bindings that exclude each other, one for each set of addresses."""
        for other in self._contentions.of(binding).ranges:
            if other.numbers != binding.numbers:
                continue
            if other.addresses in crowd or all(map(other.may_exclude, crowd.values())):
                crowd.setdefault(other.addresses, other)
                count += 1
        attainable = self._attainable(binding)
        if not attainable:
            return True
        for addresses in crowd.keys() - {binding.addresses}:
            attainable |= self._attainable(replace(binding, addresses=addresses))
        return len(attainable) < count

    def _attainable(self, binding: PortBinding) -> set[int]:
        """The numbers that nothing certain keeps from `binding`.

        That is no obstacle, and no fixed port of the stack, which must have its number.
        """
        attainable = set(binding.numbers)
        for rival in self._contentions.of(binding).fixed:
            attainable.difference_update(rival.numbers)
        for port, obstacles in self._obstacles(binding).items():
            if _any_certain(obstacles):
                attainable.discard(port)
        return attainable

    def _doubt_by_rivals(self, binding: PortBinding, outlook: _Outlook) -> str:
        """Why the rest of the stack may take the numbers that this range needs."""
        contention = self._contentions.of(binding)
        for rival in contention.fixed:
            if not are_in_one_container(binding, rival):
                return f"a race: {rival.service} wants {rival.published} out of this range"
        if not outlook.usable:
            return UNSEEN
        if not self._engine.walks_ranges and contention.elsewhere:
            # Before 27 the engine's list is asked for exactly this address: a wildcard and a single
            # address may be given the same number.
            other = f"{contention.elsewhere.service}, which asks for it on another address"
            return f"this engine may pick the same number for {other}"
        usable, wanted = len(outlook.usable), len(contention.ranges)
        if usable < wanted:
            return f"{usable} free numbers for {wanted} bindings whose ranges meet"
        return ""

    def _doubt_by_attempts(self, binding: PortBinding, outlook: _Outlook) -> str:
        """Why the engine may give up before it comes to a free number."""
        usable = outlook.usable
        advice = f"pin a free one, e.g. {usable[0]}"
        if self._engine.walks_ranges:
            if outlook.longest_busy_run < BIND_ATTEMPTS:
                return ""
            attempts = f"the engine gives up after {BIND_ATTEMPTS}"
            return f"{outlook.busy} numbers are busy and {attempts}; {advice}"
        busy = len(binding.numbers) - len(usable)  # with the fixed ports of the same container
        if not busy:
            return ""
        numbers = f"{busy} of {len(binding.numbers)} numbers"
        return f"{numbers} are busy, and this engine tries only one; {advice}"

    def _obstacles(self, binding: PortBinding) -> dict[int, Obstacles]:
        """The obstacles on each number of a range.

        Asked once for all replicas, and once for all numbers without a mark.
        """
        key = wish_of(binding)
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
                (Endpoint(port, endpoint.address, endpoint.protocol), obstacle)
                for endpoint, obstacle in usual
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
        addresses = binding.addresses
        if addresses not in self._meeting:
            wanted = binding.endpoints(binding.first)
            meeting = any(left.excludes(right) for left, right in combinations(wanted, 2))
            self._meeting[addresses] = meeting
        return self._meeting[addresses]

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
            holders |= dict.fromkeys(self._holders_of(endpoint, obstacle))
        holders |= dict.fromkeys(rivals)
        conflict = Conflict(
            binding,
            _on_every_number(binding, tuple(endpoints) or binding.endpoints(binding.first)),
            reason or obstacles[0][1].reason,
            tuple(holders),
        )
        return BindingVerdict(binding, Verdict.CONFLICT, conflict=conflict)

    def _holders_of(self, endpoint: Endpoint, obstacle: Obstacle) -> Sequence[Holder]:
        """Who is behind an obstacle. Asked once for all bindings that want the endpoint."""
        if endpoint not in self._holders:
            self._holders[endpoint] = self._attribute(endpoint, obstacle)
        return self._holders[endpoint]


def _any_certain(obstacles: Obstacles) -> bool:
    return any(obstacle.certain for _, obstacle in obstacles)


def _wanted_twice(binding: PortBinding, rivals: Sequence[RivalBinding]) -> BindingVerdict:
    endpoints = _on_every_number(binding, binding.endpoints(binding.first))
    holders = tuple(dict.fromkeys(rivals))
    conflict = Conflict(binding, endpoints, Reason.SAME_STACK, holders)
    return BindingVerdict(binding, Verdict.CONFLICT, conflict=conflict)


def _on_every_number(binding: PortBinding, endpoints: tuple[Endpoint, ...]) -> tuple[Endpoint, ...]:
    """The endpoints of a block's first number, for all of its numbers. Others as they are."""
    if not binding.is_block:
        return endpoints
    places = product(binding.numbers, endpoints)
    return tuple(Endpoint(port, at.address, at.protocol) for port, at in places)


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
