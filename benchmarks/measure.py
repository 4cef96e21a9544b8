"""Ratios of two things that are measured in turn: machines are noisy, and only what ran side by side can be compared."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

Timed = Callable[[], float]
"""Does the thing once and returns its seconds."""


@dataclass(frozen=True, slots=True)
class Ratio:
    """The median of the per-round ratios; `ours` and `peer` are the medians in seconds."""

    ratio: float
    ours: float
    peer: float


def compare(ours: Timed, peer: Timed, *, rounds: int, share: bool = False) -> Ratio:
    """A B A B ..., after one round that does not count; with `share` a / (a + b) instead of a / b."""
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
    """A whole process, from its start to its end. `after` tidies up and is not counted. Raises RuntimeError for another exit code than `good`."""

    def once() -> float:
        began = time.perf_counter()
        done = subprocess.run(
            argv, cwd=cwd, env=environ, stdin=subprocess.DEVNULL, capture_output=True, check=False
        )
        took = time.perf_counter() - began
        if done.returncode not in good:
            raise RuntimeError(
                f"{' '.join(argv)} ended with {done.returncode}: {(done.stderr or done.stdout).decode(errors='replace')[-600:]}"
            )
        if after:
            after()
        return took

    return once


def call(function: Callable[[], object], *, times: int = 1) -> Timed:
    """A function in this process; the mean of `times` calls."""

    def once() -> float:
        began = time.perf_counter()
        for _ in range(times):
            function()
        return (time.perf_counter() - began) / times

    return once
