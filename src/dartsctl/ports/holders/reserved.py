"""Reserved: a port that the watch of another stack keeps for it."""

from __future__ import annotations

from dartsctl.ports.holders.kinds import Classification, HolderKind
from dartsctl.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dartsctl.ports.holders.kinds import ClassifyContext, ProcessDetails
    from dartsctl.ports.reservation import Reservation
    from dartsctl.stack.containers import Container


@record
class Reserved:
    """A `dartsctl watch --reserve`: it keeps the ports of its own stack while that is down."""

    watch: int
    """Its pid."""
    project: str
    evidence: str = field(default="", compare=False)

    @classmethod
    def of(cls, reservation: Reservation, evidence: str = "") -> Reserved:
        return cls(reservation.watch, reservation.project, evidence)

    @property
    def summary(self) -> str:
        return f"dartsctl watch (pid {self.watch}), which reserves it for {self.project}"

    @property
    def description(self) -> str:
        evidence = f" [{self.evidence}]" if self.evidence else ""
        return f"reserved by dartsctl watch (pid {self.watch}) for {self.project}{evidence}"

    @property
    def line(self) -> str:
        return self.description

    @property
    def container(self) -> Container | None:
        return None

    @property
    def pids(self) -> tuple[int, ...]:
        return ()

    def document(self) -> dict[str, Any]:
        return {
            "kind": "reserved",
            "pid": self.watch,
            "project": self.project,
            "evidence": self.evidence,
        }

    def finding_data(self) -> dict[str, object]:
        return {"holder": "reserved", "pid": self.watch, "holder_project": self.project}

    def details(self, _host: ProcessDetails) -> list[str]:
        return [f"  {self.line}", f"    {self.project} gets it back when it starts"]

    def classify(self, _context: ClassifyContext) -> Classification:
        return Classification(HolderKind.RESERVED)

    def remedy(self, _classification: Classification) -> str:
        return f"end dartsctl watch (pid {self.watch}), or run it with --no-reserve"
