"""Ratios of two things that are measured in turn, because machines are noisy."""

from __future__ import annotations

import resource
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Timed = Callable[[], float]
"""Does something once and returns the seconds that it took."""
Clock = Callable[[], float]
"""Returns the seconds until now, of which the difference is what something took."""


class Skipped(Exception):
    """Something that a measurement needs is missing here; the message says what."""


class Failed(Exception):
    """A program that is measured did not do what it should."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of the per-round ratios, with their quartiles.

    `ours` and `peer` are the medians in seconds, None where no time was measured.
    """

    ratio: float
    low: float
    high: float
    rounds: int
    ours: float | None = None
    peer: float | None = None

    @classmethod
    def of(cls, pairs: Sequence[tuple[float, float]], *, share: bool = False) -> Ratio:
        """Return a / b of each round, in the middle; with `share` a / (a + b)."""
        ratios = [a / (a + b if share else b) for a, b in pairs]
        low, high = ratios[0], ratios[0]
        if len(ratios) > 1:
            low, _, high = statistics.quantiles(ratios, n=4, method="inclusive")
        return cls(
            ratio=statistics.median(ratios),
            low=low,
            high=high,
            rounds=len(pairs),
            ours=statistics.median(a for a, _ in pairs),
            peer=statistics.median(b for _, b in pairs),
        )

    @classmethod
    def of_count(cls, count: int, total: int) -> Ratio:
        """Return a share that was counted, not timed."""
        share = count / total
        return cls(ratio=share, low=share, high=share, rounds=1)


@dataclass(frozen=True, slots=True)
class Plan:
    """How many rounds: for so many seconds, but not fewer than `least` or more than `most`.

    A machine that is too slow for `least` rounds in four times the seconds does three.
    """

    seconds: float = 6.0
    least: int = 7
    most: int = 41

    def is_done(self, rounds: int, seconds: float) -> bool:
        """Return whether so many rounds in so much time are enough."""
        if rounds < self.least:
            return rounds >= 3 and 0 < self.seconds * 4 <= seconds
        return rounds >= self.most or seconds >= self.seconds


def compare(ours: Timed, peer: Timed, *, plan: Plan, share: bool = False) -> Ratio:
    """Measure A B A B ..., after a round that does not count."""
    ours()
    peer()
    began = time.perf_counter()
    pairs: list[tuple[float, float]] = []
    while not plan.is_done(len(pairs), time.perf_counter() - began):
        pairs.append((ours(), peer()))
    return Ratio.of(pairs, share=share)


def wall() -> float:
    """Return the time. A Clock."""
    return time.perf_counter()


def cpu() -> float:
    """Return the CPU time of all processes that have ended, with their own children. A Clock.

    On a busy machine it varies less than the time does. The engine's work is not in it.
    """
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def command(
    argv: Sequence[str],
    *,
    cwd: Path,
    environ: Mapping[str, str],
    clock: Clock = wall,
    good: Sequence[int] = (0,),
    after: Callable[[], object] | None = None,
) -> Timed:
    """Time a whole process. `after` cleans up and is not counted.

    It raises Failed for an exit code that is not in `good`.
    """

    def once() -> float:
        began = clock()
        done = subprocess.run(
            argv, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        took = clock() - began
        if done.returncode not in good:
            output = (done.stderr or done.stdout).decode(errors="replace").strip()[-600:]
            raise Failed(f"`{' '.join(argv)}` ended with {done.returncode}: {output}")
        if after:
            after()
        return took

    return once
