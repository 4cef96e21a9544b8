"""One conflict of each kind: a holder as the table of choices sees it."""

from __future__ import annotations

from dartsctl.ports.availability import Reason
from dartsctl.ports.cases import Case, Kind, Unit
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
from dartsctl.stack.bindings import Endpoint, PortBinding
from dartsctl.stack.containers import PROJECT_LABEL, Container

SERVER = Process(4711, "python", 1, ("python", "run.py"), parents=((4700, "bash"), (1, "init")))
SUPERVISED = Process(4711, "python", 1, parents=((4700, "supervisord"), (1, "init")))
LOOK = "sudo ss -Htnap 'sport = :5000'"


def container(project: str = "shop", name: str = "shop-web-1") -> Container:
    return Container(
        f"id-{name}", name, "image", "running", labels={PROJECT_LABEL: project} if project else {}
    )


def conflict(
    *holders: Holder, port: int = 5000, service: str = "app", replica: int = 1
) -> Conflict:
    binding = PortBinding(service, replica, 80, "tcp", port, port, ("127.0.0.1",))
    return Conflict(binding, (Endpoint(port, "127.0.0.1"),), Reason.IN_USE, holders)


def case(
    kind: Kind, holder: Holder, *conflicts: Conflict, unit: Unit | None = None, reloader: int = 0
) -> Case:
    return Case(holder, kind, conflicts or (conflict(holder),), unit, reloader)


UNIT = Unit(("web.socket", "web.service"), main=4711)
CASES = {
    Kind.DEV_SERVER: case(Kind.DEV_SERVER, DevLease(SERVER, "/src/app", "http://127.0.0.1:5001")),
    Kind.PROCESS: case(Kind.PROCESS, HostProcess(SERVER, (4712, 4713))),
    Kind.RELOADER: case(Kind.RELOADER, HostProcess(SERVER), reloader=4710),
    Kind.MANAGED: case(Kind.MANAGED, HostProcess(SERVER), unit=UNIT),
    Kind.SUPERVISED: case(Kind.SUPERVISED, HostProcess(SUPERVISED)),
    Kind.OTHER_USER: case(Kind.OTHER_USER, HostProcess(SERVER, (4712,)), reloader=4710),
    Kind.PROTECTED: case(Kind.PROTECTED, HostProcess(Process(1, "systemd", 1))),
    Kind.AIRPLAY: case(Kind.AIRPLAY, HostProcess(Process(80, "ControlCenter", 1))),
    Kind.CONTAINER: case(Kind.CONTAINER, ForeignContainer(container())),
    Kind.LONE_CONTAINER: case(Kind.LONE_CONTAINER, ForeignContainer(container("", "loose"))),
    Kind.HOST_NETWORK: case(Kind.HOST_NETWORK, ForeignContainer(container())),
    Kind.ORPHAN: case(Kind.ORPHAN, ForeignContainer(container("darts-dev", "darts-dev-old-1"))),
    Kind.OWN: case(Kind.OWN, OwnContainer(container("darts-dev", "darts-dev-app-1"))),
    Kind.SAME_STACK: case(Kind.SAME_STACK, SameStack("api", "5000:80/tcp")),
    Kind.NAME: Case(NameTaken("app", container()), Kind.NAME),
    Kind.CONNECTION: case(Kind.CONNECTION, Connection(SERVER, False, "192.0.2.7:443")),
    Kind.UNKNOWN: case(Kind.UNKNOWN, Unknown(0, LOOK)),
    Kind.NOBODY: Case(Unknown(), Kind.NOBODY, (conflict(),)),
}
