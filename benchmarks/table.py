"""The rows of a table: verdicts, lines for a terminal, JSON, and the table of the README."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from measure import Ratio

Verdict = Literal["ok", "SHORT", "info", "skipped", "FAILED"]
HEADER = (
    f"{'verdict':<8}{'ratio':>8}  {'quartiles':<13}  {'target':<8}"
    f"{'ours':>9}{'peer':>9}  what is compared"
)


@dataclass(frozen=True, slots=True)
class Row:
    """What came of one target. Without `limit` it is for information only."""

    ours: str
    peer: str
    limit: float | None
    measured: Ratio | None = None
    reason: str = ""
    """Why nothing was measured."""
    failed: bool = False

    @property
    def name(self) -> str:
        """Both things: `dartsctl --version / docker --version`."""
        return name_of(self.ours, self.peer)

    @property
    def verdict(self) -> Verdict:
        """`ok` for a median at or below the limit."""
        if self.measured is None:
            return "FAILED" if self.failed else "skipped"
        if self.limit is None:
            return "info"
        return "ok" if self.measured.ratio <= self.limit else "SHORT"

    @property
    def is_missed(self) -> bool:
        """Whether the run as a whole has not reached its targets."""
        return self.verdict in ("SHORT", "FAILED")

    @property
    def line(self) -> str:
        """The row for a terminal, below HEADER."""
        if self.measured is None:
            return f"{self.verdict:<8}{'':53}{self.name}: {self.reason}".rstrip()
        limit = "" if self.limit is None else f"<= {self.limit:g}"
        return (
            f"{self.verdict:<8}{self.measured.ratio:8.3f}  {_spread(self.measured):<13}  "
            f"{limit:<8}{duration(self.measured.ours):>9}{duration(self.measured.peer):>9}"
            f"  {self.name}"
        )

    def as_dict(self) -> dict[str, Any]:
        """Return the row for JSON. Times are in milliseconds."""
        document: dict[str, Any] = {
            "ours": self.ours,
            "peer": self.peer,
            "limit": self.limit,
            "verdict": self.verdict,
        }
        if self.measured is None:
            return document | {"reason": self.reason}
        return document | {
            "ratio": round(self.measured.ratio, 4),
            "quartiles": [round(self.measured.low, 4), round(self.measured.high, 4)],
            "ours_ms": _rounded(self.measured.ours),
            "peer_ms": _rounded(self.measured.peer),
            "rounds": self.measured.rounds,
        }


def name_of(ours: str, peer: str) -> str:
    """Return how a target is called."""
    return f"{ours} / {peer}" if peer else ours


def summary(rows: Sequence[Row]) -> list[str]:
    """Return the last lines: how many of each verdict, and the names of those that were missed."""
    verdicts = [row.verdict for row in rows]
    words = [verdict for verdict in ("ok", "SHORT", "FAILED", "skipped") if verdict in verdicts]
    counted = [f"{verdicts.count(verdict)} {verdict}" for verdict in words]
    missed = [f"  {row.verdict}: {row.name}" for row in rows if row.is_missed]
    return [", ".join(counted) or "nothing was measured", *missed]


def duration(seconds: float | None) -> str:
    """Return a time with three digits that count, in the unit that suits it."""
    if seconds is None:
        return "-"
    if seconds < 0.001:
        return f"{seconds * 1e6:.0f} us"
    if seconds < 0.1:
        return f"{seconds * 1e3:.1f} ms"
    if seconds < 10:
        return f"{seconds * 1e3:.0f} ms"
    return f"{seconds:.1f} s"


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds * 1000, 4)


def _spread(measured: Ratio) -> str:
    if measured.rounds == 1:
        return ""
    return f"{measured.low:.3f}-{measured.high:.3f}"


def document(machine: Mapping[str, Any], rows: Sequence[Row]) -> dict[str, Any]:
    """Return what `--json` writes."""
    return {
        "schema": 1,
        "machine": dict(machine),
        "targets": [row.as_dict() for row in rows],
    }
