"""The kinds of holder and the choices that each one leaves: what may be done about a conflict."""

from __future__ import annotations

from enum import Enum

from dartsctl.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Sequence
    from typing import Protocol

    from dartsctl.ports.holders.processes import HostProcess
    from dartsctl.ports.process import Process

    class ProcessInspector(Protocol):
        """What decides the kind of a process, besides the process itself."""

        def family_of(self, holder: HostProcess) -> Sequence[Process]:
            """Return the processes that have to end together: the holder, the processes that share
            its socket, and a reloader above them."""

        def reloader_of(self, holder: HostProcess) -> Process | None:
            """Return the process that would start the others again."""

        def is_protected(self, process: Process) -> bool:
            """Return whether it is an engine's, pid 1, this process or one of its ancestors."""

        def is_ours(self, process: Process) -> bool:
            """Return whether this user may signal it."""

        def unit_of(self, process: Process, ports: Collection[int]) -> SystemdUnit | None:
            """Return the units that keep it running, or that keep these ports open for it."""

    class ProcessDetails(Protocol):
        """What `show details` asks of the host."""

        def describe(self, pid: int) -> Process | None: ...

        def listening_on(self, pid: int) -> Collection[object]: ...


class ResolutionAction(Enum):
    """What can be done about a conflict. The values appear in the history and in JSON."""

    STOP_SERVER = "stop-server"
    STOP_PROCESS = "stop-process"
    STOP_UNIT = "stop-unit"
    STOP_CONTAINER = "stop-container"
    STOP_PROJECT = "stop-project"
    REMOVE_CONTAINER = "remove-container"
    REMAP = "remap"
    WAIT = "wait"
    ABORT = "abort"


PRODUCTION_STOPS = "only `dartsctl prod down` stops it"
"""What is said about a container of production that is in the way of another stack."""

_A = ResolutionAction
_REMAP_WAIT_ABORT = (_A.REMAP, _A.WAIT, _A.ABORT)
_STOP_PROCESS = (_A.REMAP, _A.WAIT, _A.STOP_PROCESS, _A.ABORT)
_STOP_CONTAINER = (_A.REMAP, _A.WAIT, _A.STOP_CONTAINER, _A.ABORT)


class HolderKind(Enum):
    """The kinds of holder that differ in what may be done about them.

    Each member is a description and the choices, safest first. The bindings of production never
    move: there REMAP is not offered.
    """

    DEV_SERVER = ("a dev server under a lease", (_A.STOP_SERVER, *_REMAP_WAIT_ABORT))
    PROCESS = ("a process", _STOP_PROCESS)
    RELOADER = ("a reloader and its server", _STOP_PROCESS)
    MANAGED = ("a process of a systemd unit", (_A.REMAP, _A.WAIT, _A.STOP_UNIT, _A.ABORT))
    SUPERVISED = ("a process of another supervisor", _STOP_PROCESS)
    OTHER_USER = ("a process of another user", _REMAP_WAIT_ABORT)
    PROTECTED = ("a process that dartsctl never stops", _REMAP_WAIT_ABORT)
    AIRPLAY = ("the AirPlay receiver of macOS", _REMAP_WAIT_ABORT)
    CONTAINER = (
        "a container of another project",
        (_A.REMAP, _A.WAIT, _A.STOP_CONTAINER, _A.STOP_PROJECT, _A.ABORT),
    )
    LONE_CONTAINER = ("a container without a project", _STOP_CONTAINER)
    HOST_NETWORK = ("a container on the host network", _STOP_CONTAINER)
    ORPHAN = ("an orphan of this project", (_A.STOP_CONTAINER, _A.REMAP, _A.ABORT))
    NOT_STARTED = (
        "a container of this project that this `up` does not start",
        (_A.STOP_CONTAINER, _A.REMAP, _A.ABORT),
    )
    OWN = ("a container of this project that keeps running", (_A.REMAP, _A.ABORT))
    SAME_STACK = ("another binding of the same stack", (_A.REMAP, _A.ABORT))
    NAME = ("a container with the wanted name", (_A.REMAP, _A.REMOVE_CONTAINER, _A.ABORT))
    SHARED = ("what another stack has under the same name", (_A.REMAP, _A.ABORT))
    RESERVED = ("the watch of another stack, which reserves its ports", _REMAP_WAIT_ABORT)
    CONNECTION = ("a connection with this source port", _REMAP_WAIT_ABORT)
    UNKNOWN = ("an owner that is not visible", _REMAP_WAIT_ABORT)
    NOBODY = ("no holder: the binding can never be created", (_A.ABORT,))

    def __init__(self, description: str, choices: tuple[ResolutionAction, ...]) -> None:
        self.description = description
        self.choices = choices


@record
class SystemdUnit:
    """The systemd units that keep a process running.

    `names` are in stop order: the sockets that would start the service again come first
    (edge-cases.md#20). `main` is the pid of the service's main process.
    """

    names: tuple[str, ...]
    of_user: bool = False
    """Whether the units belong to the user's systemd instance."""
    main: int = 0

    @property
    def stop_command(self) -> str:
        user_flag = ["--user"] if self.of_user else []
        return " ".join(["systemctl", *user_flag, "stop", *self.names])


@record
class Classification:
    """The kind of a holder, and what would start it again: a systemd unit, a reloader's pid."""

    kind: HolderKind
    unit: SystemdUnit | None = None
    reloader: int = 0

    def with_reloader(self, pids: Sequence[int]) -> tuple[int, ...]:
        """Return the pids, after that of a reloader, which would start the others again."""
        first = [self.reloader] if self.reloader else []
        return tuple(dict.fromkeys([*first, *pids]))


@record
class ClassifyContext:
    """What a holder is classified by: the project of the stack, the ports of its conflicts."""

    project: str
    ports: frozenset[int]
    inspector: ProcessInspector
