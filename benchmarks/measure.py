"""Ratios of two things that are measured in turn, because machines are noisy."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Timed = Callable[[], float]
"""Does something once and returns the seconds that it took."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of the per-round ratios; `ours` and `peer` are the medians in seconds."""

    ratio: float
    ours: float
    peer: float


def compare(ours: Timed, peer: Timed, *, rounds: int, share: bool = False) -> Ratio:
    """Measure A B A B ..., after a round that does not count.

    With `share` the ratio is a / (a + b) instead of a / b.
    """
    ours()
    peer()
    pairs = [(ours(), peer()) for _ in range(rounds)]
    return Ratio(
        statistics.median(a / (a + b) if share else a / b for a, b in pairs),
        statistics.median(a for a, _ in pairs),
        statistics.median(b for _, b in pairs),
    )


def command(
    argv: Sequence[str],
    *,
    cwd: Path | None = None,
    environ: Mapping[str, str] | None = None,
    good: Sequence[int] = (0,),
    after: Timed | None = None,
) -> Timed:
    """Time a whole process. `after` cleans up and is not counted.

    Raises RuntimeError for an exit code that is not in `good`.
    """

    def once() -> float:
        began = time.perf_counter()
        done = subprocess.run(
            argv, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        took = time.perf_counter() - began
        if done.returncode not in good:
            output = (done.stderr or done.stdout).decode(errors="replace")[-600:]
            raise RuntimeError(f"{' '.join(argv)} ended with {done.returncode}: {output}")
        if after:
            after()
        return took

    return once


def call(function: Callable[[], object], *, times: int = 1) -> Timed:
    """Time a function in this process: the mean of `times` calls."""

    def once() -> float:
        began = time.perf_counter()
        for _ in range(times):
            function()
        return (time.perf_counter() - began) / times

    return once
