"""`make bench`: each target with its verdict, the median ratio, its quartiles, and both medians.

    python3 benchmarks/run.py                  all targets
    python3 benchmarks/run.py --only lease     targets with `lease` in their name
    python3 benchmarks/run.py --json FILE      write the table and the facts of the machine, too

A target is skipped, visibly, if this machine lacks what it needs. Exit code 1 if a target is
missed or fails.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import host
import install
import machine
import reaction
import stacks
import starting
from measure import Failed, Plan
from session import guarded, heading, parser, plan_of, products, write
from table import HEADER, Row, document, summary
from targets import Bench, Target, for_each

TARGETS = (*starting.TARGETS, *stacks.TARGETS, *host.TARGETS, *reaction.TARGETS)


def main(argv: Sequence[str]) -> int:
    """Return 0 if every target that could be measured is reached."""
    options = parser((__doc__ or "").partition("\n")[0]).parse_args(argv)
    return guarded(lambda folder: bench(options, folder))


def bench(options: argparse.Namespace, folder: Path) -> int:
    """Measure the targets that were selected."""
    selected = [target for target in TARGETS if options.only in target.name]
    if not selected:
        raise Failed(f"no target has {options.only!r} in its name")
    install.tools()
    (product,) = products(folder, {"bench": install.current()})
    facts = machine.facts(product.python)
    print(heading(facts, "", HEADER), flush=True)
    rows: list[Row] = []

    def measure(target: Target) -> None:
        rows.append(target.row(Bench(product, plan_of(options, Plan()))))
        print(rows[-1].line, flush=True)

    for_each(selected, measure)
    print("\n".join(["", *summary(rows)]))
    write(options.json, document(facts, rows))
    return 1 if any(row.is_missed for row in rows) else 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
