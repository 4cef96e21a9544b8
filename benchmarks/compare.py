"""`make bench-compare REF=...`: is this checkout faster or slower than another commit?

    python3 benchmarks/compare.py main~20
    python3 benchmarks/compare.py v0.1.0 --only ports --rounds 41

Both are installed from wheels, with the same libraries, and measured in turn. A row is `faster` or
`slower` where three of four rounds agree; otherwise the difference is within the noise. Exit code 1
if something is slower by more than --limit.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import install
import machine
from measure import Failed, Plan, Ratio, Skipped, compare, cpu, wall
from product import Product
from run import TARGETS
from session import guarded, heading, parser, plan_of, products, write
from table import duration
from targets import Target, for_each

Verdict = Literal["faster", "same", "slower", "skipped", "FAILED"]
LIMIT = 1.05
PLAN = Plan(seconds=8, least=11, most=61)
"""More rounds than against a peer: small differences count."""
HEADER = f"{'verdict':<8}{'ratio':>8}  {'quartiles':<13}{'new':>9}{'old':>9}  what is compared"


@dataclass(frozen=True, slots=True)
class Difference:
    """What came of one thing that both versions do. Below 1 the new one is faster."""

    name: str
    measured: Ratio | None = None
    reason: str = ""
    failed: bool = False

    @property
    def verdict(self) -> Verdict:
        """`faster` or `slower` where three of four rounds agree."""
        if self.measured is None:
            return "FAILED" if self.failed else "skipped"
        if self.measured.high < 1:
            return "faster"
        if self.measured.low > 1:
            return "slower"
        return "same"

    def is_worse(self, limit: float) -> bool:
        """Return whether it is slower, by more than the noise and by more than the limit."""
        if self.measured is None:
            return self.failed
        return self.verdict == "slower" and self.measured.ratio > limit

    @property
    def line(self) -> str:
        """The row for a terminal, below HEADER."""
        if self.measured is None:
            return f"{self.verdict:<8}{'':41}  {self.name}: {self.reason}"
        spread = f"{self.measured.low:.3f}-{self.measured.high:.3f}"
        return (
            f"{self.verdict:<8}{self.measured.ratio:8.3f}  {spread:<13}"
            f"{duration(self.measured.ours):>9}{duration(self.measured.peer):>9}  {self.name}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the row for JSON. Times are in milliseconds."""
        document: dict[str, Any] = {"name": self.name, "verdict": self.verdict}
        if self.measured is None:
            return document | {"reason": self.reason}
        return document | {
            "ratio": round(self.measured.ratio, 4),
            "quartiles": [round(self.measured.low, 4), round(self.measured.high, 4)],
            "rounds": self.measured.rounds,
        }


def main(argv: Sequence[str]) -> int:
    """Return 1 if something is slower than it was, by more than the limit."""
    options = parser((__doc__ or "").partition("\n")[0])
    options.add_argument("ref", help="the commit to compare with, as git names it")
    options.add_argument("--limit", type=float, default=LIMIT, help="the ratio that is accepted")
    options.add_argument("--cpu", action="store_true", help="measure CPU time: on a busy machine")
    asked = options.parse_args(argv)
    return guarded(lambda folder: differences(asked, folder))


def differences(options: argparse.Namespace, folder: Path) -> int:
    """Measure both versions, and print what differs."""
    targets = comparable(TARGETS, options.only)
    if not targets:
        raise Failed(f"nothing to compare has {options.only!r} in its name")
    sha = install.commit_of(options.ref)
    environments = {"old": install.of_commit(sha), "new": install.current()}
    old, new = products(folder, environments, cpu if options.cpu else wall)
    facts = machine.facts(new.python)
    old_name = f"old: {options.ref} ({sha[:12]})"
    print(heading(facts, old_name, "", HEADER), flush=True)
    rows: list[Difference] = []

    def measure(target: Target) -> None:
        rows.append(difference(target, new, old, plan_of(options, PLAN)))
        print(rows[-1].line, flush=True)

    for_each(targets, measure)
    worse = [row.name for row in rows if row.is_worse(options.limit)]
    print(f"\n{len(worse)} slower than {options.limit:g}")
    print("".join(f"  {name}\n" for name in worse), end="")
    document = {"schema": 1, "machine": facts, "old": sha, "limit": options.limit}
    write(options.json, document | {"rows": [row.as_dict() for row in rows]})
    return 1 if worse else 0


def comparable(targets: Sequence[Target], only: str) -> list[Target]:
    """Return the selected targets that two versions can be measured with, each name once."""
    by_name: dict[str, Target] = {}
    for target in targets:
        if target.scenario is not None and only in target.ours:
            by_name.setdefault(target.ours, target)
    return list(by_name.values())


def difference(target: Target, new: Product, old: Product, plan: Plan) -> Difference:
    """Measure one target with both versions in turn."""
    if target.scenario is None:
        raise ValueError(f"{target.name} cannot be compared")
    try:
        with target.scenario(old) as before, target.scenario(new) as now:
            return Difference(target.ours, compare(now, before, plan=plan))
    except Skipped as why:
        return Difference(target.ours, reason=str(why))
    except Failed as why:
        return Difference(target.ours, reason=str(why), failed=True)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
