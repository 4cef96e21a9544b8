"""The fuzzer: whatever comes from outside, dartsctl ends well.

With a documented code, in time, in little memory, and without showing a secret or a control
character.

    python tests/fuzz/fuzz.py --count 10000 --seed 7 --jobs 2
    python tests/fuzz/fuzz.py --seed 7 --only engine:123        one case again, with its output
"""

from __future__ import annotations

import argparse
import itertools
import multiprocessing
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

import bench
import cases
from bench import Outcome


@dataclass(frozen=True)
class Failure:
    """A case that did not end well. `steps` are the changes that suffice for it."""

    seed: int
    kind: str
    number: int
    outcome: Outcome
    words: tuple[str, ...]
    steps: tuple[str, ...]

    @property
    def sort(self) -> str:
        """Return the sort of the failure. Failures of one sort probably have one cause."""
        return f"{', '.join(self.outcome.faults)} {self.outcome.place}".strip()

    def __str__(self) -> str:
        steps = "".join(f"\n    {step}" for step in self.steps)
        words = " ".join(map(ascii, self.words))
        again = f"make fuzz SEED={self.seed} ONLY={self.kind}:{self.number}"
        return f"{self.sort}\n  dartsctl {words}{steps}\n  again: {again}"


def run_one(seed: int, kind: str, number: int, root: Path) -> tuple[Outcome, Failure | None]:
    """Run one case. Return its outcome, and a failure with as few changes as possible."""
    case = cases.make(seed, kind, number)
    outcome = bench.run(case, root)
    if not outcome.faults:
        return outcome, None
    failure = Failure(seed, kind, number, outcome, case.words, case.steps)
    if "hang" in outcome.faults:
        return outcome, failure
    return outcome, _smaller(failure, root) or failure


def _smaller(failure: Failure, root: Path) -> Failure | None:
    """Return the same failure with fewer changes, None if all are needed."""
    seed, kind, number = failure.seed, failure.kind, failure.number
    for size in range(len(failure.steps)):
        for kept in itertools.combinations(range(len(failure.steps)), size):
            case = cases.make(seed, kind, number, kept)
            outcome = bench.run(case, root)
            if (outcome.faults, outcome.place) == (failure.outcome.faults, failure.outcome.place):
                return Failure(seed, kind, number, outcome, case.words, case.steps)
    return None


@dataclass(frozen=True)
class Result:
    """The result of a whole run."""

    codes: Counter[int | None]
    failures: list[Failure]
    slowest: float
    largest: int
    """KiB."""


def run(count: int, seed: int, jobs: int, budget: float = float("inf")) -> Result:
    """Run the cases 0 to `count` of a seed in `jobs` processes.

    After `budget` seconds no further case is started.
    """
    until = time.monotonic() + budget
    with tempfile.TemporaryDirectory(prefix="dartsctl-fuzz-") as name:
        root = Path(name)
        bench.prepare(root)
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("spawn")) as pool:
            shares = [range(first, min(first + 25, count)) for first in range(0, count, 25)]
            futures = [pool.submit(_share, seed, share, root, until) for share in shares]
            return _total([future.result() for future in futures])


def _share(seed: int, numbers: Sequence[int], root: Path, until: float) -> Result:
    outcomes: list[Outcome] = []
    failures: list[Failure] = []
    for number in numbers:
        if time.monotonic() < until:
            outcome, failure = run_one(seed, cases.draw(seed, number), number, root)
            outcomes.append(outcome)
            failures += [failure] if failure else []
    codes = Counter(outcome.code for outcome in outcomes)
    slowest = max((outcome.seconds for outcome in outcomes), default=0)
    largest = max((outcome.kibibytes for outcome in outcomes), default=0)
    return Result(codes, failures, slowest, largest)


def _total(results: list[Result]) -> Result:
    codes: Counter[int | None] = Counter()
    failures: list[Failure] = []
    for result in results:
        codes += result.codes
        failures += result.failures
    slowest = max(result.slowest for result in results)
    largest = max(result.largest for result in results)
    return Result(codes, failures, slowest, largest)


def report(result: Result, seconds: float) -> str:
    """Return the failures, one of each sort, and the figures."""
    sorts: dict[str, list[Failure]] = {}
    for failure in result.failures:
        sorts.setdefault(failure.sort, []).append(failure)
    lines = [
        f"{len(alike)} x {min(alike, key=lambda failure: len(failure.steps))}\n"
        for alike in sorted(sorts.values(), key=len, reverse=True)
    ]
    codes = ", ".join(
        f"{code}: {count}"
        for code, count in sorted(result.codes.items(), key=lambda item: str(item[0]))
    )
    lines.append(f"{sum(result.codes.values())} cases in {seconds:.0f} s; exit codes {codes}")
    lines.append(
        f"slowest {result.slowest:.1f} s, largest {result.largest >> 10} MiB;"
        f" {len(result.failures)} failures of {len(sorts)} sorts"
    )
    return "\n".join(lines)


def _again(seed: int, only: str) -> int:
    kind, _, number = only.partition(":")
    with tempfile.TemporaryDirectory(prefix="dartsctl-fuzz-") as name:
        root = Path(name)
        bench.prepare(root)
        outcome, failure = run_one(seed, kind, int(number), root)
    output = ascii(outcome.output.decode(errors="replace")[-6000:]).replace("\\n", "\n")
    figures = f"{outcome.seconds:.2f} s, {outcome.kibibytes >> 10} MiB"
    sys.stdout.write(f"{output}\nexit {outcome.code}, {figures}\n{failure or 'no fault'}\n")
    return 1 if failure else 0


def main() -> int:
    """Run the fuzzer. Return 1 if a case failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", metavar="KIND:NUMBER")
    options = parser.parse_args()
    if options.only:
        return _again(options.seed, options.only)
    started = time.monotonic()
    result = run(options.count, options.seed, options.jobs)
    sys.stdout.write(report(result, time.monotonic() - started) + "\n")
    return 1 if result.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
