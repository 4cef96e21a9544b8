"""The fuzzer: wrong input from outside.

Whatever comes, dartsctl must end with a documented code, in time, in little memory, and show
nothing secret.

python tests/fuzz/fuzz.py --count 10000 --seed 7 --jobs 2
python tests/fuzz/fuzz.py --seed 7 --only engine:123        repeat one case, with all output
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
    """A case that ended wrongly. `steps` are the fewest changes that cause it."""

    seed: int
    kind: str
    number: int
    outcome: Outcome
    words: tuple[str, ...]
    steps: tuple[str, ...]

    @property
    def sort(self) -> str:
        """What failures with the same cause have in common, most likely."""
        return f"{', '.join(self.outcome.faults)} {self.outcome.place}".strip()

    def __str__(self) -> str:
        steps = "".join(f"\n    {step}" for step in self.steps)
        command = f"dartsctl {' '.join(map(ascii, self.words))}{steps}"
        again = f"make fuzz SEED={self.seed} ONLY={self.kind}:{self.number}"
        return f"{self.sort}\n  {command}\n  again: {again}"


def run_one(seed: int, kind: str, number: int, root: Path) -> tuple[Outcome, Failure | None]:
    """Run one case. Return its failure with as few changes as possible."""
    case = cases.make(seed, kind, number)
    outcome = bench.run(case, root)
    if not outcome.faults:
        return outcome, None
    if "hang" not in outcome.faults:
        for size in range(len(case.steps)):
            for kept in itertools.combinations(range(len(case.steps)), size):
                smaller = cases.make(seed, kind, number, kept)
                again = bench.run(smaller, root)
                if again.faults == outcome.faults and again.place == outcome.place:
                    return outcome, Failure(seed, kind, number, again, smaller.words, smaller.steps)
    return outcome, Failure(seed, kind, number, outcome, case.words, case.steps)


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
        with ProcessPoolExecutor(jobs, multiprocessing.get_context("fork")) as pool:
            shares = [range(first, min(first + 25, count)) for first in range(0, count, 25)]
            return _total(
                [
                    future.result()
                    for future in [
                        pool.submit(_share, seed, share, root, until) for share in shares
                    ]
                ]
            )


def _share(seed: int, numbers: Sequence[int], root: Path, until: float) -> Result:
    outcomes: list[Outcome] = []
    failures: list[Failure] = []
    for number in numbers:
        if time.monotonic() < until:
            outcome, failure = run_one(seed, cases.draw(seed, number), number, root)
            outcomes.append(outcome)
            failures += [failure] if failure else []
    seconds, kibibytes = (
        max(figures, default=0)
        for figures in ([one.seconds for one in outcomes], [one.kibibytes for one in outcomes])
    )
    return Result(Counter(one.code for one in outcomes), failures, seconds, int(kibibytes))


def _total(results: list[Result]) -> Result:
    codes: Counter[int | None] = Counter()
    for result in results:
        codes += result.codes
    failures = [failure for result in results for failure in result.failures]
    return Result(
        codes, failures, max(one.slowest for one in results), max(one.largest for one in results)
    )


def report(result: Result, seconds: float) -> str:
    """Return the failures, one of each sort, and the figures."""
    sorts: dict[str, list[Failure]] = {}
    for failure in result.failures:
        sorts.setdefault(failure.sort, []).append(failure)
    lines = [
        f"{len(alike)} x {min(alike, key=lambda one: len(one.steps))}\n"
        for alike in sorted(sorts.values(), key=len, reverse=True)
    ]
    codes = ", ".join(
        f"{code}: {count}"
        for code, count in sorted(result.codes.items(), key=lambda item: str(item[0]))
    )
    lines.append(f"{sum(result.codes.values())} cases in {seconds:.0f} s; exit codes {codes}")
    size = f"slowest {result.slowest:.1f} s, largest {result.largest >> 10} MiB"
    lines.append(f"{size}; {len(result.failures)} failures of {len(sorts)} sorts")
    return "\n".join(lines)


def _again(seed: int, only: str) -> int:
    kind, _, number = only.partition(":")
    with tempfile.TemporaryDirectory(prefix="dartsctl-fuzz-") as name:
        root = Path(name)
        bench.prepare(root)
        outcome, failure = run_one(seed, kind, int(number), root)
    said = ascii(outcome.output.decode(errors="replace")[-6000:]).replace("\\n", "\n")
    size = f"{outcome.seconds:.2f} s, {outcome.kibibytes >> 10} MiB"
    sys.stdout.write(f"{said}\nexit {outcome.code}, {size}\n{failure or 'no fault'}\n")
    return 1 if failure else 0


def main() -> int:
    """Run the command line. Exit code 1 if a case failed."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=500)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", metavar="KIND:NUMBER")
    given = parser.parse_args()
    if given.only:
        return _again(given.seed, given.only)
    began = time.monotonic()
    result = run(given.count, given.seed, given.jobs)
    sys.stdout.write(report(result, time.monotonic() - began) + "\n")
    return 1 if result.failures else 0


if __name__ == "__main__":
    raise SystemExit(main())
