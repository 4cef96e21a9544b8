"""The preflight's verdicts: for every binding of a stack whether the engine will be able to make it, and if not, who is in the way.

The rule is ENGINES.md section 7, on top of PORTS.md section 1. Everything is reported at once, all candidates included.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from enum import Enum

from dartsctl.availability import Availability, Obstacle, Reason
from dartsctl.bindings import Endpoint, PortBinding
from dartsctl.engines import Engine
from dartsctl.holders import Holder, SameStack
from dartsctl.publishing import Unbound


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
class Finding:
    """A binding with its verdict. `conflict` is set for CONFLICT, `note` says what people should know besides."""

    binding: PortBinding
    verdict: Verdict
    note: str = ""
    conflict: Conflict | None = None
    pinnable: bool = False
    """A range whose doubt goes away when one of its free numbers is published instead of the range."""


@dataclass(frozen=True, slots=True)
class Findings:
    """The whole answer of a preflight about ports."""

    findings: tuple[Finding, ...]
    unbound: tuple[Unbound, ...] = ()

    @property
    def conflicts(self) -> tuple[Conflict, ...]:
        return tuple(finding.conflict for finding in self.findings if finding.conflict)

    @property
    def uncertain(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.verdict is Verdict.UNCERTAIN)


Attribute = Callable[[Endpoint, Obstacle], Sequence[Holder]]
"""Names the holders behind an obstacle (attribution.py)."""

UNSEEN = "a socket uses this port, and whether it blocks is not visible without root"

BIND_ATTEMPTS = 10
"""How many numbers of a range an engine tries in one start, those in its own book not counted (ENGINES.md section 3)."""


def find(
    new: Sequence[PortBinding],
    *,
    engine: Engine,
    availability: Availability,
    attribute: Attribute,
    doubtful: dict[str, str],
    held: Sequence[PortBinding] = (),
) -> tuple[Finding, ...]:
    """The verdict on each binding of `new`; `held` ones are reported as such. `doubtful` services never get a plain conflict."""
    judge = _Judge(new, engine, availability, attribute)
    found = [Finding(binding, Verdict.HELD, "running already") for binding in held]
    for binding in new:
        finding = judge.range(binding) if binding.is_range else judge.fixed(binding)
        if finding.verdict is Verdict.CONFLICT and binding.service in doubtful:
            finding = replace(finding, verdict=Verdict.UNCERTAIN, note=doubtful[binding.service], conflict=None)
        found.append(finding)
    return tuple(sorted(found, key=lambda finding: (finding.binding.service, finding.binding.first, finding.binding)))


class _Judge:
    """The rules for one set of bindings that are to be made in one `up`."""

    def __init__(self, new: Sequence[PortBinding], engine: Engine, availability: Availability, attribute: Attribute) -> None:
        self._new = new
        self._engine = engine
        self._available = availability
        self._attribute = attribute

    def fixed(self, binding: PortBinding) -> Finding:
        """All addresses of a fixed port must be free, and nobody else in the stack may want one of them."""
        wanted = binding.endpoints(binding.first)
        blocked = [(endpoint, obstacle) for endpoint in wanted if (obstacle := self._available.obstacle(endpoint))]
        rivals = [other for other in self._rivals(binding) if not other.is_range]
        same_stack = tuple(_as_holder(other) for other in rivals or ((binding,) if self._excludes_itself(binding) else ()))
        if any(obstacle.certain for _, obstacle in blocked):
            return self._conflict(binding, blocked, rivals=same_stack)
        if same_stack:
            return Finding(binding, Verdict.CONFLICT, conflict=Conflict(binding, wanted, Reason.SAME_STACK, tuple(dict.fromkeys(same_stack))))
        if blocked:
            return Finding(binding, Verdict.UNCERTAIN, UNSEEN)
        racing = [other for other in self._rivals(binding) if other.is_range and not self._same_container(binding, other)]
        if racing:
            return Finding(binding, Verdict.UNCERTAIN, f"a race: {racing[0].service} may take this number out of {racing[0].published}")
        return Finding(binding, Verdict.FREE)

    def range(self, binding: PortBinding) -> Finding:
        """The engine picks a number: enough of them must be usable for every replica and every other range that meets this one."""
        rivals = self._rivals(binding)
        if self._excludes_itself(binding):
            holder = _as_holder(binding)
            return Finding(binding, Verdict.CONFLICT, conflict=Conflict(binding, binding.endpoints(binding.first), Reason.SAME_STACK, (holder,)))
        own_fixed = {other.first for other in rivals if not other.is_range and self._same_container(binding, other)}
        numbers = [port for port in binding.numbers if port not in own_fixed]
        obstacles = {port: self._obstacles(binding, port) for port in numbers}
        usable = [port for port in numbers if not obstacles[port]]
        if self._is_exhausted(binding):
            blocked = [pair for port in numbers for pair in obstacles[port]]
            return self._conflict(binding, blocked, Reason.RANGE_EXHAUSTED, tuple(_as_holder(other) for other in rivals))
        if doubt := self._doubt_by_rivals(binding, usable, rivals):
            return Finding(binding, Verdict.UNCERTAIN, doubt)
        if doubt := self._doubt_by_attempts(binding, obstacles, usable):
            return Finding(binding, Verdict.UNCERTAIN, doubt, pinnable=True)
        busy = sum(1 for found in obstacles.values() if found)
        return Finding(binding, Verdict.FREE, f"partly busy: {busy} of {len(binding.numbers)} numbers" if busy else "")

    def _is_exhausted(self, binding: PortBinding) -> bool:
        """Whether `binding` can get no number at all, or not everybody in the crowd that wants the same ones."""
        crowd = [binding]
        for other in self._rivals(binding):
            if other.is_range and other.numbers == binding.numbers and all(other.may_exclude(one) for one in crowd):
                crowd.append(other)
        attainable = self._attainable(binding)
        if not attainable:
            return True
        for addresses in {one.addresses for one in crowd} - {binding.addresses}:
            attainable |= self._attainable(replace(binding, addresses=addresses))
        return len(attainable) < len(crowd)

    def _attainable(self, binding: PortBinding) -> set[int]:
        """The numbers that nothing certain keeps from `binding`: no obstacle, and no fixed port of the stack, which must have its number."""
        fixed = {other.first for other in self._new if not other.is_range and other.may_exclude(binding)}
        return {port for port in binding.numbers if port not in fixed and not any(one.certain for _, one in self._obstacles(binding, port))}

    def _doubt_by_rivals(self, binding: PortBinding, usable: list[int], rivals: list[PortBinding]) -> str:
        """Why the rest of the stack may take the numbers that this range needs."""
        strangers = [other for other in rivals if not other.is_range and not self._same_container(binding, other)]
        if strangers:
            return f"a race: {strangers[0].service} wants {strangers[0].published} out of this range"
        if not usable:
            return UNSEEN
        crowd = [other for other in rivals if other.is_range]
        # Before 27 the engine's book is asked for exactly this address: a wildcard and a single address may be given the same number.
        elsewhere = [other for other in crowd if other.addresses != binding.addresses]
        if elsewhere and not self._engine.walks_ranges:
            return f"this engine may pick the same number for {elsewhere[0].service}, which asks for it on another address"
        return f"{len(usable)} free numbers for {1 + len(crowd)} bindings whose ranges meet" if len(usable) < 1 + len(crowd) else ""

    def _doubt_by_attempts(self, binding: PortBinding, obstacles: dict[int, list[tuple[Endpoint, Obstacle]]], usable: list[int]) -> str:
        """Why the engine may give up before it comes to a free number."""
        busy = sum(1 for found in obstacles.values() if found)
        if self._engine.walks_ranges:
            if _longest_run(obstacles) < BIND_ATTEMPTS:
                return ""
            return f"{busy} numbers are busy and the engine gives up after {BIND_ATTEMPTS}; pin a free one, e.g. {usable[0]}"
        busy += len(binding.numbers) - len(obstacles)  # fixed ports of the same container
        return f"{busy} of {len(binding.numbers)} numbers are busy, and this engine tries only one; pin a free one, e.g. {usable[0]}" if busy else ""

    def _obstacles(self, binding: PortBinding, port: int) -> list[tuple[Endpoint, Obstacle]]:
        return [(endpoint, obstacle) for endpoint in binding.endpoints(port) if (obstacle := self._available.obstacle(endpoint))]

    def _rivals(self, binding: PortBinding) -> list[PortBinding]:
        return [other for other in self._new if other is not binding and other.may_exclude(binding)]

    @staticmethod
    def _same_container(one: PortBinding, other: PortBinding) -> bool:
        return (one.service, one.replica) == (other.service, other.replica)

    def _excludes_itself(self, binding: PortBinding) -> bool:
        """Two addresses of one service that meet: `listen` fails; udp on 28 has no listen and shares the address (ENGINES.md section 2)."""
        if binding.protocol == "udp" and self._engine.reuses_udp_addresses:
            return False
        wanted = binding.endpoints(binding.first)
        return any(one.excludes(other) for position, one in enumerate(wanted) for other in wanted[position + 1 :])

    def _conflict(
        self,
        binding: PortBinding,
        blocked: list[tuple[Endpoint, Obstacle]],
        reason: Reason | None = None,
        rivals: tuple[Holder, ...] = (),
    ) -> Finding:
        holders = dict.fromkeys(holder for endpoint, obstacle in blocked for holder in self._attribute(endpoint, obstacle))
        endpoints = tuple(dict.fromkeys(endpoint for endpoint, _ in blocked)) or binding.endpoints(binding.first)
        holders |= dict.fromkeys(rivals)
        conflict = Conflict(binding, endpoints, reason or blocked[0][1].reason, tuple(holders))
        return Finding(binding, Verdict.CONFLICT, conflict=conflict)


def _as_holder(binding: PortBinding) -> SameStack:
    return SameStack(binding.service, f"{binding.published}:{binding.target}/{binding.protocol}", "the stack's own file")


def _longest_run(obstacles: dict[int, list[tuple[Endpoint, Obstacle]]]) -> int:
    """The longest cyclic run of numbers that only the kernel refuses: the engine skips those of its own book without an attempt."""
    tried = [bool(found) for found in obstacles.values() if not any(obstacle.containers for _, obstacle in found)]
    longest = run = 0
    for busy in (*tried, *tried):
        run = run + 1 if busy else 0
        longest = max(longest, run)
    return min(longest, len(tried))
