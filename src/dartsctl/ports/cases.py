"""Who is in the way, by what may be done about them: the conflicts of a preflight, grouped by holder, each of one kind (DESIGN 4)."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from enum import Enum
from typing import Protocol

from dartsctl.ports.collisions import NameTaken
from dartsctl.ports.conflicts import Conflict
from dartsctl.ports.holders import (
    Connection,
    DevLease,
    ForeignContainer,
    Holder,
    HostProcess,
    OwnContainer,
    SameStack,
    Unknown,
)
from dartsctl.ports.process import Process
from dartsctl.stack.containers import Container
from dartsctl.stack.model import Stack


class HolderKind(Enum):
    """The kinds of holder that differ in what may be done about them."""

    DEV_SERVER = "a dev server under a lease"
    PROCESS = "a process"
    RELOADER = "a reloader and its server"
    MANAGED = "a process that systemd keeps running"
    SUPERVISED = "a process that another supervisor keeps running"
    OTHER_USER = "another user's process"
    PROTECTED = "a process that is never stopped"
    AIRPLAY = "the AirPlay receiver of macOS"
    CONTAINER = "a container of another project"
    LONE_CONTAINER = "a container of no project"
    HOST_NETWORK = "a container on the host's network"
    ORPHAN = "an orphan of this project"
    OWN = "a container of this project that stays"
    SAME_STACK = "another binding of the stack itself"
    NAME = "a container that has the name"
    CONNECTION = "a connection that uses the number as its source port"
    UNKNOWN = "somebody who is not visible"
    NOBODY = "nobody: the binding can never be made"


KEEPERS = (
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
"""Names, or their beginnings, of programs that start their children again; one that is missing here is told after the fact (edge-cases.md#21)."""


@dataclass(frozen=True, slots=True)
class SystemdUnit:
    """What of systemd keeps a process running. `names` in the order of stopping: the sockets that would start it again first (edge-cases.md#20)."""

    names: tuple[str, ...]
    of_user: bool = False
    """Of the user's own systemd."""
    main: int = 0
    """The service's main process."""

    @property
    def stop_command(self) -> str:
        return " ".join(["systemctl", *(["--user"] if self.of_user else []), "stop", *self.names])


@dataclass(frozen=True, slots=True)
class Case:
    """One holder with everything of ours that it keeps from being made. Answering it answers all of its conflicts."""

    holder: Holder | NameTaken
    kind: HolderKind
    conflicts: tuple[Conflict, ...] = ()
    unit: SystemdUnit | None = None
    """What keeps the process running, where that is systemd."""
    reloader: int = 0
    """The pid of the reloader that would start it again."""

    @property
    def services(self) -> tuple[str, ...]:
        named = (self.holder.service,) if isinstance(self.holder, NameTaken) else ()
        return tuple(
            dict.fromkeys((*named, *(conflict.binding.service for conflict in self.conflicts)))
        )


class ProcessInspector(Protocol):
    """What decides about a process beside what was seen of it."""

    def family_of(self, holder: HostProcess) -> Sequence[Process]:
        """The processes that have to end together: the holder, those that share its socket, a reloader above them."""

    def reloader_of(self, holder: HostProcess) -> Process | None:
        """The one of these that would start the others again."""

    def is_protected(self, process: Process) -> bool:
        """Whether it is an engine's, pid 1, ourselves or an ancestor of ours: never stopped."""

    def is_ours(self, process: Process) -> bool:
        """Whether this user may signal it."""

    def unit_of(self, process: Process, ports: Collection[int]) -> SystemdUnit | None:
        """What of systemd keeps it running, or keeps these ports open for it."""


def cases(
    conflicts: Sequence[Conflict],
    names: Sequence[NameTaken],
    stack: Stack,
    inspector: ProcessInspector,
) -> tuple[Case, ...]:
    """The conflicts by holder; names first, because a container that is removed for its name has no ports either.

    A process is one holder, however many of its sockets are shared with whom. A conflict without a holder (no such address, say) is a case too:
    nobody can be asked about it, and nothing may be stopped for a stack that cannot start anyway.
    """
    groups: dict[object, tuple[Holder, list[Conflict]]] = {}
    for conflict in conflicts:
        for holder in conflict.holders or (Unknown(evidence=conflict.reason.value),):
            key: object = (
                (holder.process.pid, holder.process.birth)
                if isinstance(holder, HostProcess)
                else holder
            )
            known, group = groups.get(key, (holder, []))
            groups[key] = (_united(known, holder), [*group, conflict])
    found = [
        _case(holder, tuple(dict.fromkeys(group)), stack, inspector)
        for holder, group in groups.values()
    ]
    return (*(Case(name, HolderKind.NAME) for name in names), *found)


def _united(known: Holder, other: Holder) -> Holder:
    if isinstance(known, HostProcess) and isinstance(other, HostProcess):
        return replace(known, others=tuple(sorted({*known.others, *other.others})))
    return known


def _case(
    holder: Holder, conflicts: tuple[Conflict, ...], stack: Stack, inspector: ProcessInspector
) -> Case:
    match holder:
        case HostProcess():
            return _case_of_process(holder, conflicts, inspector)
        case DevLease(process, _, _, _):
            kind = _kind_of_server(process, inspector)
        case ForeignContainer(container, _):
            kind = _kind_of_container(container, stack)
        case OwnContainer():
            kind = HolderKind.OWN
        case SameStack():
            kind = HolderKind.SAME_STACK
        case Connection():
            kind = HolderKind.CONNECTION
        case Unknown():
            kind = (
                HolderKind.UNKNOWN
                if any(conflict.holders for conflict in conflicts)
                else HolderKind.NOBODY
            )
    return Case(holder, kind, conflicts)


def _case_of_process(
    holder: HostProcess, conflicts: tuple[Conflict, ...], inspector: ProcessInspector
) -> Case:
    if holder.process.name.startswith("ControlCe"):
        return Case(
            holder, HolderKind.AIRPLAY, conflicts
        )  # it answers on 5000 and 7000, and comes back when it is killed (edge-cases.md#14)
    family = inspector.family_of(holder)
    unit = inspector.unit_of(
        holder.process, {endpoint.port for conflict in conflicts for endpoint in conflict.endpoints}
    )
    reloader = inspector.reloader_of(holder)
    if any(inspector.is_protected(one) for one in family) and not (
        unit and holder.process.pid == 1
    ):
        kind = (
            HolderKind.PROTECTED
        )  # systemd itself may hold a port: then its socket unit is stopped, not systemd
    elif not all(inspector.is_ours(one) for one in family):
        kind = HolderKind.OTHER_USER
    elif unit:
        kind = HolderKind.MANAGED
    elif reloader:
        kind = HolderKind.RELOADER
    else:
        kind = HolderKind.SUPERVISED if keeper_of(holder.process) else HolderKind.PROCESS
    return Case(holder, kind, conflicts, unit, reloader.pid if reloader else 0)


def _kind_of_server(process: Process | None, inspector: ProcessInspector) -> HolderKind:
    if process and inspector.is_protected(process):
        return HolderKind.PROTECTED
    return (
        HolderKind.OTHER_USER
        if process and not inspector.is_ours(process)
        else HolderKind.DEV_SERVER
    )


def keeper_of(process: Process) -> str:
    """`supervisord (pid 12)`: a parent that is known to start its children again; empty where there is none."""
    for pid, name in process.parents[:1]:
        if name.startswith(KEEPERS):
            return f"{name} (pid {pid})"
    return ""


def _kind_of_container(container: Container, stack: Stack) -> HolderKind:
    if container.network_mode == "host":
        return HolderKind.HOST_NETWORK
    if container.project == stack.project:
        return HolderKind.ORPHAN
    return HolderKind.CONTAINER if container.project else HolderKind.LONE_CONTAINER


def project_of(case: Case) -> str:
    """The Compose project of the container in the way; empty where it is none."""
    container = container_in(case)
    return container.project if container else ""


def container_in(case: Case) -> Container | None:
    """The container in the way, if it is one."""
    return (
        case.holder.container
        if isinstance(case.holder, ForeignContainer | OwnContainer | NameTaken)
        else None
    )


def container_of(case: Case) -> Container:
    """The container in the way. Raises ValueError where it is none."""
    if container := container_in(case):
        return container
    raise ValueError(f"{case.kind} is no container")


def process_of(case: Case) -> Process:
    """The process in the way. Raises ValueError where it is none."""
    match case.holder:
        case HostProcess(process, _, _):
            return process
    raise ValueError(f"{case.kind} is no process")
