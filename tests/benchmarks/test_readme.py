"""The README's table is that of benchmarks/last.json, which has the targets of today."""

from __future__ import annotations

import json
from typing import Any

import pytest

from readme import BEGIN, END, LAST, README, table, with_table
from run import TARGETS

pytestmark = pytest.mark.once

MACHINE = {
    "date": "2026-11-27 00:30 UTC",
    "commit": "edc1ce2f0737",
    "cpu": "AMD EPYC",
    "cores": 2,
    "kernel": "Linux 6.18",
    "load": 0.1,
    "python": "3.11.7",
    "python_start_ms": 11.8,
    "docker": "28.2.2",
    "compose": "2.40.3",
    "engine": None,
}
DOCUMENT: dict[str, Any] = {
    "machine": MACHINE,
    "targets": [
        {
            "ours": "dartsctl --help",
            "peer": "docker compose version",
            "limit": 0.5,
            "verdict": "ok",
            "ratio": 0.4321,
            "quartiles": [0.4, 0.5],
            "ours_ms": 25.41,
            "peer_ms": 58.8,
            "rounds": 41,
        },
        {
            "ours": "dartsctl prod up",
            "peer": "docker compose up",
            "limit": 1.0,
            "verdict": "skipped",
            "reason": "no Docker engine answers",
        },
    ],
}
TABLE = """\
| what is compared | ours | peer | ratio | target | |
|---|--:|--:|--:|--:|---|
| dartsctl --help / docker compose version | 25.4 ms | 58.8 ms | 0.432 | 0.5 | ok |
| dartsctl prod up / docker compose up | | | | 1 | skipped: no Docker engine answers |

dartsctl edc1ce2f0737, 2026-11-27 00:30 UTC\\
2 cores of AMD EPYC, Linux 6.18, load 0.1\\
Python 3.11.7 (`python -c pass` takes 11.8 ms)\\
docker 28.2.2, Compose 2.40.3, no engine
"""


def test_the_table_has_the_targets_and_the_machine() -> None:
    assert table(DOCUMENT) == TABLE


def test_only_the_text_between_the_comments_is_replaced() -> None:
    assert with_table(f"before\n{BEGIN}old\n{END}after\n", DOCUMENT) == (
        f"before\n{BEGIN}{TABLE}{END}after\n"
    )


def test_the_readme_has_the_last_table() -> None:
    readme = README.read_text()
    assert with_table(readme, json.loads(LAST.read_text())) == readme


def test_the_last_table_has_the_targets_of_today() -> None:
    rows = json.loads(LAST.read_text())["targets"]
    measured = {(row["ours"], row["peer"], row["limit"]) for row in rows}
    assert measured == {(target.ours, target.peer, target.limit) for target in TARGETS}
