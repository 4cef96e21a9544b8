"""Holders that are processes: any program, and a host server that dartsctl started."""

from __future__ import annotations

from dartsctl.ports.holders.kinds import Classification, HolderKind
from dartsctl.ports.holders.wording import (
    after,
    in_brackets,
    pid_of,
    process_details,
    process_document,
    process_line,
    process_summary,
)
from dartsctl.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dartsctl.ports.holders.kinds import ClassifyContext, ProcessDetails, SystemdUnit
    from dartsctl.ports.process import Process
    from dartsctl.stack.containers import Container

RESTARTING_PARENTS = (
    "supervisord",
    "runsv",
    "s6-supervise",
    "circusd",
    "monit",
    "PM2",
    "pm2",
    "nodemon",
    "watchmedo",
    "honcho",
    "overmind",
    "foreman",
)
"""Names, or their beginnings, of programs that start their children again.

A program that is missing here is noticed after the stop (edge-cases.md#21).
"""

_AIRPLAY_NAME = "ControlCe"  # the beginning of ControlCenter: macOS may cut names to 15 characters
_AIRPLAY_SETTING = "System Settings > General > AirDrop & Handoff > AirPlay Receiver: off"


def restarting_parent_of(process: Process) -> str:
    """`supervisord (pid 12)`: a parent known to start its children again; empty without one."""
    for pid, name in process.parents[:1]:
        if name.startswith(RESTARTING_PARENTS):
            return f"{name} (pid {pid})"
    return ""


@record
class HostProcess:
    """A program on this host.

    `others` are the pids that share the socket: a reloader's pair, forked workers.
    """

    process: Process
    others: tuple[int, ...] = ()
    evidence: str = field(default="", compare=False)

    @property
    def description(self) -> str:
        shared = after(", shared with pid ", ", ".join(map(str, self.others)))
        return f"{process_line(self.process)}{shared} [{self.evidence}]"

    @property
    def line(self) -> str:
        return f"held by {self.description}"

    @property
    def summary(self) -> str:
        return process_summary(self.process)

    @property
    def container(self) -> Container | None:
        return None

    @property
    def pids(self) -> tuple[int, ...]:
        return (self.process.pid, *self.others)

    def document(self) -> dict[str, Any]:
        return {
            "kind": "process",
            **process_document(self.process),
            "shared_with": list(self.others),
            "evidence": self.evidence,
        }

    def finding_data(self) -> dict[str, object]:
        return {
            "holder": "process",
            "pid": self.process.pid,
            "command": list(self.process.shown_words),
            "shared_with": list(self.others),
        }

    def details(self, host: ProcessDetails) -> list[str]:
        lines = process_details(self.process, host)
        for pid in self.others:
            if process := host.describe(pid):
                lines += process_details(process, host)
        return lines

    def classify(self, context: ClassifyContext) -> Classification:
        if self.process.name.startswith(_AIRPLAY_NAME):
            # it answers on 5000 and 7000, and comes back after a kill (edge-cases.md#14)
            return Classification(HolderKind.AIRPLAY)
        unit = context.inspector.unit_of(self.process, context.ports)
        reloader = context.inspector.reloader_of(self)
        kind = self._kind(context, unit, reloader)
        return Classification(kind, unit, pid_of(reloader) or 0)

    def _kind(
        self, context: ClassifyContext, unit: SystemdUnit | None, reloader: Process | None
    ) -> HolderKind:
        family = context.inspector.family_of(self)
        # pid 1 may hold a port for a socket unit: then that unit is stopped, not systemd
        is_socket_unit = unit is not None and self.process.pid == 1
        if not is_socket_unit and any(map(context.inspector.is_protected, family)):
            return HolderKind.PROTECTED
        if not all(map(context.inspector.is_ours, family)):
            return HolderKind.OTHER_USER
        if unit:
            return HolderKind.MANAGED
        if reloader:
            return HolderKind.RELOADER
        if restarting_parent_of(self.process):
            return HolderKind.SUPERVISED
        return HolderKind.PROCESS

    def remedy(self, classification: Classification) -> str:
        if classification.kind is HolderKind.AIRPLAY:
            return _AIRPLAY_SETTING
        return _process_remedy(self.pids, classification)


@record
class DevLease:
    """A host server that dartsctl started, on a leased port."""

    process: Process | None
    checkout: str
    url: str
    evidence: str = field(default="", compare=False)

    @property
    def description(self) -> str:
        pid = in_brackets(self.process)
        return f"the dev server of {self.checkout}{pid} at {self.url} [{self.evidence}]"

    @property
    def line(self) -> str:
        return f"held by {self.description}"

    @property
    def summary(self) -> str:
        return f"the dev server of {self.checkout} at {self.url}{in_brackets(self.process)}"

    @property
    def container(self) -> Container | None:
        return None

    @property
    def pids(self) -> tuple[int, ...]:
        return (self.process.pid,) if self.process else ()

    def document(self) -> dict[str, Any]:
        return {
            "kind": "dev-lease",
            **process_document(self.process),
            "checkout": self.checkout,
            "url": self.url,
            "evidence": self.evidence,
        }

    def finding_data(self) -> dict[str, object]:
        return {"holder": "dev-lease", "pid": pid_of(self.process), "checkout": self.checkout}

    def details(self, host: ProcessDetails) -> list[str]:
        if self.process is None:
            return []
        return [f"  {self.line}", *process_details(self.process, host)]

    def classify(self, context: ClassifyContext) -> Classification:
        if self.process and context.inspector.is_protected(self.process):
            return Classification(HolderKind.PROTECTED)
        if self.process and not context.inspector.is_ours(self.process):
            return Classification(HolderKind.OTHER_USER)
        return Classification(HolderKind.DEV_SERVER)

    def remedy(self, classification: Classification) -> str:
        return _process_remedy(self.pids, classification)


def _process_remedy(pids: tuple[int, ...], classification: Classification) -> str:
    """A command for a process that dartsctl leaves alone."""
    numbers = list(map(str, classification.with_reloader(pids)))
    if classification.kind is HolderKind.PROTECTED:
        return f"see what it belongs to: ps -fp {','.join(numbers)}"
    if classification.kind is not HolderKind.OTHER_USER:
        return ""
    if classification.unit:
        return f"sudo {classification.unit.stop_command}"
    return f"sudo kill {' '.join(numbers)}"
