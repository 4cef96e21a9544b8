"""What a target is: two things that are measured in turn, and the limit of their ratio."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import Enum

import crowd
from measure import Failed, Plan, Ratio, Skipped, Timed, compare
from product import Product
from table import Row, name_of

Scenario = Callable[[Product], AbstractContextManager[Timed]]
"""Prepares what a version of dartsctl needs, yields the measurement, and cleans up."""


class Surroundings(Enum):
    """What else there is on the host while a target is measured."""

    IDLE = "idle"
    SOCKETS = "10,000 sockets"
    CROWD = "10,000 sockets and 1,500 processes"


@dataclass(frozen=True, slots=True)
class Bench:
    """One run: the version of dartsctl that is measured, and how long a target takes."""

    product: Product
    plan: Plan

    def longer(self, factor: float) -> Plan:
        """Return a plan for something slow: more seconds, and no more rounds than before."""
        least = min(self.plan.least, 5)
        return Plan(self.plan.seconds * factor, least, self.plan.most)


@dataclass(frozen=True, slots=True)
class Target:
    """A line of the table. Without `limit` it is for information only.

    `scenario` is what `make bench-compare` measures of two versions; None if it cannot.
    """

    ours: str
    peer: str
    limit: float | None
    measure: Callable[[Bench], Ratio]
    scenario: Scenario | None = None
    surroundings: Surroundings = Surroundings.IDLE

    @property
    def name(self) -> str:
        """Both things: `dartsctl --version / docker --version`."""
        return name_of(self.ours, self.peer)

    def row(self, bench: Bench) -> Row:
        """Measure. What goes wrong is the row's reason."""
        try:
            measured = self.measure(bench)
        except Skipped as why:
            return Row(self.ours, self.peer, self.limit, reason=str(why))
        except Failed as why:
            return Row(self.ours, self.peer, self.limit, reason=str(why), failed=True)
        return Row(self.ours, self.peer, self.limit, measured)


def pair(
    ours: str,
    peer: str,
    limit: float | None,
    *,
    scenario: Scenario,
    against: Scenario,
    longer: float = 1.0,
    share: bool = False,
    surroundings: Surroundings = Surroundings.IDLE,
) -> Target:
    """Return a target of two scenarios: `scenario` is dartsctl's, `against` is the peer's.

    The peer's is prepared first, so that a missing program is noticed before anything is started.
    """

    def measure(bench: Bench) -> Ratio:
        plan = bench.plan if longer == 1.0 else bench.longer(longer)
        with against(bench.product) as other, scenario(bench.product) as own:
            return compare(own, other, plan=plan, share=share)

    return Target(ours, peer, limit, measure, scenario, surroundings)


def just(timed: Callable[[Product], Timed]) -> Scenario:
    """Return a scenario that has nothing to prepare and nothing to clean up."""

    @contextlib.contextmanager
    def scenario(product: Product) -> Iterator[Timed]:
        yield timed(product)

    return scenario


@contextlib.contextmanager
def _surrounded(by: Surroundings) -> Iterator[None]:
    """Hold the sockets and processes that a target is measured among."""
    with contextlib.ExitStack() as stack:
        if by is not Surroundings.IDLE:
            stack.enter_context(crowd.listeners())
        if by is Surroundings.CROWD:
            stack.enter_context(crowd.processes())
        yield


def for_each(targets: Sequence[Target], work: Callable[[Target], object]) -> None:
    """Do something with each target, while the surroundings that it needs are there."""
    for surroundings in Surroundings:
        inside = [target for target in targets if target.surroundings is surroundings]
        if not inside:
            continue
        with _surrounded(surroundings):
            for target in inside:
                work(target)
