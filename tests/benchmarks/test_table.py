"""Rows: verdicts, the lines of a run, JSON."""

from __future__ import annotations

import pytest

from measure import Ratio
from table import HEADER, Row, document, duration, summary

pytestmark = pytest.mark.once


def ratio(value: float) -> Ratio:
    return Ratio(value, value - 0.1, value + 0.1, rounds=9, ours=0.0254, peer=0.5)


def row(value: float, limit: float | None = 1.0) -> Row:
    return Row("dartsctl --help", "docker compose version", limit, ratio(value))


MISSING = Row("dartsctl ports", "lsof", 0.6, reason="lsof is not installed here")
BROKEN = Row("dartsctl check", "config", 0.9, reason="it ended with 70", failed=True)


@pytest.mark.parametrize(
    ("measured", "verdict", "is_missed"),
    [
        (row(0.5), "ok", False),
        (row(1.0), "ok", False),
        (row(1.0001), "SHORT", True),
        (row(7.0, limit=None), "info", False),
        (MISSING, "skipped", False),
        (BROKEN, "FAILED", True),
    ],
)
def test_the_median_decides_and_what_is_skipped_is_not_missed(
    measured: Row, verdict: str, is_missed: bool
) -> None:
    assert (measured.verdict, measured.is_missed) == (verdict, is_missed)


def test_a_line_has_its_columns_under_the_header() -> None:
    line = row(1.5).line
    columns = {name: HEADER.index(name) + len(name) for name in ("ratio", "ours", "peer")}
    assert line[: columns["ratio"]].endswith("1.500")
    assert line[: columns["ours"]].endswith("25.4 ms")
    assert line[: columns["peer"]].endswith("500 ms")
    assert line[HEADER.index("quartiles") :].startswith("1.400-1.600")
    assert line[HEADER.index("target") :].startswith("<= 1 ")
    assert line[HEADER.index("what") :] == "dartsctl --help / docker compose version"
    assert MISSING.line[HEADER.index("what") :] == (
        "dartsctl ports / lsof: lsof is not installed here"
    )


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.0000533, "53 us"),
        (0.0254, "25.4 ms"),
        (0.1234, "123 ms"),
        (6.7021, "6702 ms"),
        (17.24, "17.2 s"),
    ],
)
def test_a_time_is_written_in_the_unit_that_suits_it(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_the_summary_counts_verdicts_and_names_what_was_missed() -> None:
    assert summary([row(0.5), row(0.6), row(2.0), MISSING, BROKEN]) == [
        "2 ok, 1 SHORT, 1 FAILED, 1 skipped",
        "  SHORT: dartsctl --help / docker compose version",
        "  FAILED: dartsctl check / config",
    ]
    assert summary([]) == ["nothing was measured"]


def test_json_has_the_machine_and_each_target_with_times_in_milliseconds() -> None:
    counted = Row("duplicates", "", 0.0, Ratio.of_count(0, 99))
    assert document({"cores": 2}, [row(1.5), counted, MISSING]) == {
        "schema": 1,
        "machine": {"cores": 2},
        "targets": [
            {
                "ours": "dartsctl --help",
                "peer": "docker compose version",
                "limit": 1.0,
                "verdict": "SHORT",
                "ratio": 1.5,
                "quartiles": [1.4, 1.6],
                "ours_ms": 25.4,
                "peer_ms": 500.0,
                "rounds": 9,
            },
            {
                "ours": "duplicates",
                "peer": "",
                "limit": 0.0,
                "verdict": "ok",
                "ratio": 0.0,
                "quartiles": [0.0, 0.0],
                "ours_ms": None,
                "peer_ms": None,
                "rounds": 1,
            },
            {
                "ours": "dartsctl ports",
                "peer": "lsof",
                "limit": 0.6,
                "verdict": "skipped",
                "reason": "lsof is not installed here",
            },
        ],
    }
