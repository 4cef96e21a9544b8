"""One conflict of each kind: a holder as the table of choices sees it."""

from __future__ import annotations

from dartsctl.ports.availability import Reason
from dartsctl.ports.cases import Case
from dartsctl.ports.collisions import NameTaken
from dartsctl.ports.conflicts import Conflict
from dartsctl.ports.holders import (
    Connection,
    DevLease,
    ForeignContainer,
    Holder,
    HostProcess,
    OwnContainer,
    Reserved,
    RivalBinding,
    Unknown,
)
from dartsctl.ports.holders.kinds import HolderKind, SystemdUnit
from dartsctl.ports.process import Process
from dartsctl.ports.shared import SharedResource
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
    kind: HolderKind,
    holder: Holder,
    *conflicts: Conflict,
    unit: SystemdUnit | None = None,
    reloader: int = 0,
) -> Case:
    return Case(holder, kind, conflicts or (conflict(holder),), unit, reloader)


UNIT = SystemdUnit(("web.socket", "web.service"), main=4711)
CASES = {
    HolderKind.DEV_SERVER: case(
        HolderKind.DEV_SERVER, DevLease(SERVER, "/src/app", "http://127.0.0.1:5001")
    ),
    HolderKind.PROCESS: case(HolderKind.PROCESS, HostProcess(SERVER, (4712, 4713))),
    HolderKind.RELOADER: case(HolderKind.RELOADER, HostProcess(SERVER), reloader=4710),
    HolderKind.MANAGED: case(HolderKind.MANAGED, HostProcess(SERVER), unit=UNIT),
    HolderKind.SUPERVISED: case(HolderKind.SUPERVISED, HostProcess(SUPERVISED)),
    HolderKind.OTHER_USER: case(HolderKind.OTHER_USER, HostProcess(SERVER, (4712,)), reloader=4710),
    HolderKind.PROTECTED: case(HolderKind.PROTECTED, HostProcess(Process(1, "systemd", 1))),
    HolderKind.AIRPLAY: case(HolderKind.AIRPLAY, HostProcess(Process(80, "ControlCenter", 1))),
    HolderKind.CONTAINER: case(HolderKind.CONTAINER, ForeignContainer(container())),
    HolderKind.LONE_CONTAINER: case(
        HolderKind.LONE_CONTAINER, ForeignContainer(container("", "loose"))
    ),
    HolderKind.HOST_NETWORK: case(HolderKind.HOST_NETWORK, ForeignContainer(container())),
    HolderKind.ORPHAN: case(
        HolderKind.ORPHAN, ForeignContainer(container("darts-dev", "darts-dev-old-1"))
    ),
    HolderKind.NOT_STARTED: case(
        HolderKind.NOT_STARTED, ForeignContainer(container("darts-dev", "darts-dev-tool-1"))
    ),
    HolderKind.OWN: case(HolderKind.OWN, OwnContainer(container("darts-dev", "darts-dev-app-1"))),
    HolderKind.SAME_STACK: case(HolderKind.SAME_STACK, RivalBinding("api", "5000:80/tcp")),
    HolderKind.NAME: Case(NameTaken("app", container()), HolderKind.NAME),
    HolderKind.SHARED: Case(
        SharedResource(
            "volume",
            "data",
            "shop_data",
            ("app",),
            "shop",
            container(),
            instead="darts-dev_data",
        ),
        HolderKind.SHARED,
    ),
    HolderKind.RESERVED: case(HolderKind.RESERVED, Reserved(77, "shop")),
    HolderKind.CONNECTION: case(HolderKind.CONNECTION, Connection(SERVER, False, "192.0.2.7:443")),
    HolderKind.UNKNOWN: case(HolderKind.UNKNOWN, Unknown(0, LOOK)),
    HolderKind.NOBODY: Case(Unknown(), HolderKind.NOBODY, (conflict(),)),
}
