"""Holders that are containers."""

from __future__ import annotations

from dartsctl.ports.holders.kinds import Classification, HolderKind
from dartsctl.ports.holders.wording import (
    container_details,
    container_document,
    container_line,
    of_project,
)
from dartsctl.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dartsctl.ports.holders.kinds import ClassifyContext, ProcessDetails
    from dartsctl.stack.containers import Container


class _ContainerHolder:
    """What is the same for every container that holds a port."""

    __slots__ = ()

    container: Container

    @property
    def summary(self) -> str:
        return f"container {self.container.name}{of_project(self.container)}"

    @property
    def pids(self) -> tuple[int, ...]:
        return ()

    def finding_data(self) -> dict[str, object]:
        return {
            "holder": "container",
            "holder_container": self.container.name,
            "holder_project": self.container.project,
        }

    def details(self, _host: ProcessDetails) -> list[str]:
        return container_details(self.container)

    def remedy(self, _classification: Classification) -> str:
        return ""


@record
class ForeignContainer(_ContainerHolder):
    """A container outside the stack.

    It belongs to another project, is an orphan of this one, a one-off, or on the host network.
    """

    container: Container
    evidence: str = field(default="", compare=False)
    is_orphan: bool = field(default=False, compare=False)
    """Whether it is of this project, and its service is not in the Compose files any more."""

    @property
    def description(self) -> str:
        if self.is_orphan:
            name, service = self.container.name, self.container.service
            orphan = (
                f"{name} ({self.container.state}), an orphan of this project, service {service}"
            )
            return f"{orphan}: --remove-orphans removes it [{self.evidence}]"
        return f"container {container_line(self.container)} [{self.evidence}]"

    @property
    def line(self) -> str:
        return f"held by {self.description}"

    def document(self) -> dict[str, Any]:
        data = container_document(self.container)
        orphan = {"orphan": self.is_orphan}
        return {"kind": "container", **data, **orphan, "evidence": self.evidence}

    def classify(self, context: ClassifyContext) -> Classification:
        if self.is_orphan:
            return Classification(HolderKind.ORPHAN)
        if self.container.network_mode == "host":
            return Classification(HolderKind.HOST_NETWORK)
        if self.container.project == context.project:
            return Classification(HolderKind.NOT_STARTED)
        if self.container.project:
            return Classification(HolderKind.CONTAINER)
        return Classification(HolderKind.LONE_CONTAINER)


@record
class OwnContainer(_ContainerHolder):
    """A container of this project that `up` leaves running."""

    container: Container
    evidence: str = field(default="", compare=False)

    @property
    def description(self) -> str:
        name = self.container.name
        return f"this project's own container {name}, which keeps running [{self.evidence}]"

    @property
    def line(self) -> str:
        return f"held by {self.description}"

    def document(self) -> dict[str, Any]:
        data = container_document(self.container)
        return {"kind": "own-container", **data, "evidence": self.evidence}

    def classify(self, _context: ClassifyContext) -> Classification:
        return Classification(HolderKind.OWN)
