"""Holders for which nothing can be stopped: a connection, the stack itself, an unseen owner."""

from __future__ import annotations

from dartsctl.ports.holders.kinds import Classification, HolderKind
from dartsctl.ports.holders.wording import after, pid_of, process_document
from dartsctl.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dartsctl.ports.holders.kinds import ClassifyContext, ProcessDetails
    from dartsctl.ports.process import Process
    from dartsctl.stack.bindings import PortBinding
    from dartsctl.stack.containers import Container


class _Unstoppable:
    """What is the same for every holder that nothing is stopped for."""

    __slots__ = ()

    @property
    def description(self) -> str:
        raise NotImplementedError

    @property
    def line(self) -> str:
        return self.description

    @property
    def container(self) -> Container | None:
        return None

    @property
    def pids(self) -> tuple[int, ...]:
        return ()

    def details(self, _host: ProcessDetails) -> list[str]:
        return []

    def remedy(self, _classification: Classification) -> str:
        return ""


@record
class RivalBinding(_Unstoppable):
    """Another binding of the same stack.

    Both can never be created, and which one fails is chance (engine-rules.md#gotchas).
    """

    service: str
    published: str
    evidence: str = field(default="", compare=False)

    @classmethod
    def of(cls, binding: PortBinding) -> RivalBinding:
        """Return a binding as a holder: `8080:80/tcp` of its service."""
        published = f"{binding.published}:{binding.targets}/{binding.protocol}"
        return cls(binding.service, published, "the stack's own file")

    @property
    def description(self) -> str:
        return f"wanted by service {self.service} too: {self.published} [{self.evidence}]"

    @property
    def summary(self) -> str:
        return f"service {self.service} of the same stack ({self.published})"

    def document(self) -> dict[str, Any]:
        return {
            "kind": "same-stack",
            "service": self.service,
            "published": self.published,
            "evidence": self.evidence,
        }

    def finding_data(self) -> dict[str, object]:
        return {"holder": "same-stack", "holder_service": self.service}

    def classify(self, _context: ClassifyContext) -> Classification:
        return Classification(HolderKind.SAME_STACK)


@record
class Connection(_Unstoppable):
    """A connection whose source port is the wanted number. It ends by itself.

    `process` is None where the owner is not visible, and where no process has the socket open any
    more (`is_closing`: TIME_WAIT and the like). `look` is the command that shows the owner to root.
    """

    process: Process | None
    is_closing: bool
    peer: str = field(default="", compare=False)
    look: str = field(default="", compare=False)
    evidence: str = field(default="", compare=False)

    @property
    def sentence(self) -> str:
        """`outgoing connection of python (pid 12) to 192.0.2.7:443 uses this number ...`."""
        to = after(" to ", self.peer)
        use = "uses this number as its source port"
        if self.process:
            who = f"{self.process.name} (pid {self.process.pid})"
            return f"outgoing connection of {who}{to} {use}"
        if self.is_closing:
            return f"closed connection{to} {use}, for about a minute more"
        return f"outgoing connection of a process that is not visible{to} {use}"

    @property
    def description(self) -> str:
        shown = f"{self.sentence} [{self.evidence}]"
        if self.process or self.is_closing:
            return shown
        return f"{shown}; to see the owner: {self.look}"

    @property
    def summary(self) -> str:
        return f"a connection: {self.sentence}"

    def document(self) -> dict[str, Any]:
        return {
            "kind": "connection",
            **process_document(self.process),
            "peer": self.peer,
            "state": "closing" if self.is_closing else "open",
            "evidence": self.evidence,
        }

    def finding_data(self) -> dict[str, object]:
        return {"holder": "connection", "pid": pid_of(self.process), "peer": self.peer}

    def classify(self, _context: ClassifyContext) -> Classification:
        return Classification(HolderKind.CONNECTION)


@record
class Unknown(_Unstoppable):
    """A socket whose owner is not visible. `look` is the command that shows it to root."""

    uid: int | None = None
    look: str = ""
    evidence: str = field(default="", compare=False)

    @property
    def description(self) -> str:
        return f"{self.evidence}; to see the owner: {self.look}"

    @property
    def summary(self) -> str:
        return f"a process that is not visible{after('; to see the owner: ', self.look)}"

    def document(self) -> dict[str, Any]:
        return {
            "kind": "unknown",
            "uid": self.uid,
            "look": self.look,
            "evidence": self.evidence,
        }

    def finding_data(self) -> dict[str, object]:
        return {"holder": "unknown", "uid": self.uid, "look": self.look}

    def classify(self, _context: ClassifyContext) -> Classification:
        return Classification(HolderKind.UNKNOWN)

    def remedy(self, classification: Classification) -> str:
        return self.look if classification.kind is HolderKind.UNKNOWN else ""
