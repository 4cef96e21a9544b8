"""Write the table of a run into the README: `make bench-readme`.

    python3 benchmarks/readme.py                 the README's table is that of benchmarks/last.json
    python3 benchmarks/readme.py FILE.json       FILE.json becomes benchmarks/last.json

A test compares the README with benchmarks/last.json.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import machine
from install import ROOT
from table import duration, name_of

LAST = ROOT / "benchmarks" / "last.json"
README = ROOT / "README.md"
BEGIN, END = "<!-- benchmarks: make bench-readme -->\n", "<!-- end of benchmarks -->\n"


def main(argv: Sequence[str]) -> int:
    """Update the README, and what it is made from."""
    text = Path(argv[0]).read_text() if argv else LAST.read_text()
    README.write_text(with_table(README.read_text(), json.loads(text)))
    LAST.write_text(text)
    return 0


def with_table(readme: str, document: Mapping[str, Any]) -> str:
    """Return the README with the table between its two comments."""
    before, _, rest = readme.partition(BEGIN)
    _, _, after = rest.partition(END)
    return f"{before}{BEGIN}{table(document)}{END}{after}"


def table(document: Mapping[str, Any]) -> str:
    """Return the table in Markdown, with the machine that it comes from below it."""
    lines = ["| what is compared | ours | peer | ratio | target | |", "|---|--:|--:|--:|--:|---|"]
    lines += [_line(row) for row in document["targets"]]
    facts = machine.lines(document["machine"])
    return "\n".join([*lines, "", *[f"{fact}\\" for fact in facts[:-1]], facts[-1], ""])


def _line(row: Mapping[str, Any]) -> str:
    name = name_of(row["ours"], row["peer"])
    limit = "" if row["limit"] is None else f"{row['limit']:g}"
    if "ratio" not in row:
        return f"| {name} | | | | {limit} | {row['verdict']}: {row['reason']} |"
    ours, peer = _duration(row["ours_ms"]), _duration(row["peer_ms"])
    return f"| {name} | {ours} | {peer} | {row['ratio']:.3g} | {limit} | {row['verdict']} |"


def _duration(milliseconds: float | None) -> str:
    if milliseconds is None:
        return ""
    return duration(milliseconds / 1000)


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
