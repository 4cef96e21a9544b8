"""Every holder is of one kind, and the kind decides what may be done about it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import pytest

from dartsctl.ports.availability import Reason
from dartsctl.ports.cases import (
    Case,
    container_in,
    container_of,
    group_by_holder,
    process_of,
    project_of,
)
from dartsctl.ports.collisions import NameTaken
from dartsctl.ports.conflicts import Conflict
from dartsctl.ports.holders import (
    Connection,
    DevLease,
    ForeignContainer,
    Holder,
    HostProcess,
    OwnContainer,
    RivalBinding,
    Unknown,
)
from dartsctl.ports.holders.kinds import HolderKind, SystemdUnit
from dartsctl.ports.holders.processes import RESTARTING_PARENTS
from dartsctl.ports.process import Process
from dartsctl.stack.bindings import Endpoint, PortBinding
from dartsctl.stack.containers import PROJECT_LABEL, Container
from dartsctl.stack.model import Stack

STACK = Stack("darts-dev", {}, {})
SERVER = Process(4711, "python", 1, ("python", "run.py"), parents=((4700, "bash"), (1, "init")))


@dataclass
class FakeInspector:
    """What the host would say."""

    protected: Collection[int] = (1,)
    foreign: Collection[int] = ()
    unit: SystemdUnit | None = None
    reloader: Process | None = None
    ports_asked: set[int] = field(default_factory=set)

    def family_of(self, holder: HostProcess) -> Sequence[Process]:
        return [
            holder.process,
            *(Process(pid, "python", 1) for pid in holder.others),
            *([self.reloader] if self.reloader else []),
        ]

    def reloader_of(self, _holder: HostProcess) -> Process | None:
        return self.reloader

    def is_protected(self, process: Process) -> bool:
        return process.pid in self.protected

    def is_ours(self, process: Process) -> bool:
        return process.pid not in self.foreign

    def unit_of(self, _process: Process, ports: Collection[int]) -> SystemdUnit | None:
        self.ports_asked |= set(ports)
        return self.unit


def conflict(
    *holders: Holder, port: int = 5000, service: str = "app", reason: Reason = Reason.IN_USE
) -> Conflict:
    binding = PortBinding(service, 1, 80, "tcp", port, port, ("127.0.0.1",))
    return Conflict(binding, (Endpoint(port, "127.0.0.1"),), reason, holders)


def only(holder: Holder, inspector: FakeInspector | None = None) -> Case:
    cases = group_by_holder([conflict(holder)], (), STACK, inspector or FakeInspector())
    assert len(cases) == 1
    return cases[0]


def container(project: str = "", *, name: str = "other-1", network: str = "bridge") -> Container:
    return Container(
        f"id-{name}",
        name,
        "image",
        "running",
        labels={PROJECT_LABEL: project} if project else {},
        network_mode=network,
    )


@pytest.mark.parametrize(
    ("holder", "kind"),
    [
        (HostProcess(SERVER), HolderKind.PROCESS),
        (HostProcess(Process(1, "systemd", 1)), HolderKind.PROTECTED),
        (Connection(SERVER, False), HolderKind.CONNECTION),
        (Connection(None, True), HolderKind.CONNECTION),
        (HostProcess(Process(80, "ControlCenter", 1)), HolderKind.AIRPLAY),  # edge-cases.md#14
        (HostProcess(Process(80, "ControlCe", 1)), HolderKind.AIRPLAY),
        (
            HostProcess(Process(81, "python", 1, parents=((70, "supervisord"), (1, "init")))),
            HolderKind.SUPERVISED,
        ),  # edge-cases.md#21
        (
            HostProcess(
                Process(81, "node", 1, parents=((70, "PM2 v5.3.0: God Daemon"), (1, "init")))
            ),
            HolderKind.SUPERVISED,
        ),
        (
            HostProcess(Process(81, "python", 1, parents=((75, "bash"), (70, "supervisord")))),
            HolderKind.PROCESS,
        ),
        (DevLease(SERVER, "/src/app", "http://127.0.0.1:5001"), HolderKind.DEV_SERVER),
        (ForeignContainer(container("darts")), HolderKind.CONTAINER),
        (ForeignContainer(container()), HolderKind.LONE_CONTAINER),
        (ForeignContainer(container("darts", network="host")), HolderKind.HOST_NETWORK),
        (ForeignContainer(container("darts-dev"), is_orphan=True), HolderKind.ORPHAN),
        (ForeignContainer(container("darts-dev")), HolderKind.NOT_STARTED),  # edge-cases.md#38
        (OwnContainer(container("darts-dev")), HolderKind.OWN),
        (RivalBinding("api", "5000:80/tcp"), HolderKind.SAME_STACK),
        (Unknown(0, "sudo ss"), HolderKind.UNKNOWN),
    ],
)
def test_each_holder_is_of_one_kind(holder: Holder, kind: HolderKind) -> None:
    assert only(holder).kind is kind


def test_every_known_supervisor_is_told_by_the_parents_name() -> None:
    for name in RESTARTING_PARENTS:
        assert (
            only(HostProcess(Process(81, "python", 1, parents=((70, name),)))).kind
            is HolderKind.SUPERVISED
        )


def test_a_reloader_is_named_with_its_pid() -> None:  # edge-cases.md#22
    case = only(HostProcess(SERVER), FakeInspector(reloader=Process(4710, "python", 1)))
    assert (case.kind, case.reloader) == (HolderKind.RELOADER, 4710)


def test_what_systemd_runs_is_managed_whatever_else_it_is() -> None:
    unit = SystemdUnit(("web.service",), main=4711)
    case = only(HostProcess(SERVER), FakeInspector(unit=unit, reloader=Process(4710, "python", 1)))
    assert (case.kind, case.unit) == (HolderKind.MANAGED, unit)


def test_a_port_that_systemd_itself_keeps_open_is_managed_by_its_socket_unit() -> (
    None
):  # edge-cases.md#20
    inspector = FakeInspector(unit=SystemdUnit(("web.socket", "web.service"), main=1))
    assert (
        only(HostProcess(Process(1, "systemd", 1), others=(812,)), inspector).kind
        is HolderKind.MANAGED
    )
    assert inspector.ports_asked == {5000}


def test_another_users_process_is_not_ours_to_stop_even_where_systemd_runs_it() -> None:
    assert (
        only(
            HostProcess(SERVER), FakeInspector(foreign={4711}, unit=SystemdUnit(("web.service",)))
        ).kind
        is HolderKind.OTHER_USER
    )
    assert (
        only(DevLease(SERVER, "/src/app", ""), FakeInspector(foreign={4711})).kind
        is HolderKind.OTHER_USER
    )


@pytest.mark.parametrize("member", [4711, 4712, 4710])
def test_one_protected_or_foreign_member_decides_for_the_whole_family(
    member: int,
) -> None:  # edge-cases.md#25
    holder, reloader = HostProcess(SERVER, others=(4712,)), Process(4710, "python", 1)
    assert (
        only(holder, FakeInspector(protected={member}, reloader=reloader)).kind
        is HolderKind.PROTECTED
    )
    assert (
        only(holder, FakeInspector(foreign={member}, reloader=reloader)).kind
        is HolderKind.OTHER_USER
    )


def test_a_dev_server_that_we_run_under_is_protected() -> None:  # edge-cases.md#25
    assert (
        only(DevLease(SERVER, "/src/app", ""), FakeInspector(protected={4711})).kind
        is HolderKind.PROTECTED
    )


def test_a_holder_of_several_bindings_is_one_case() -> None:
    first, second = (
        conflict(HostProcess(SERVER)),
        conflict(HostProcess(SERVER), port=5001, service="api"),
    )
    cases = group_by_holder([first, second, first], (), STACK, FakeInspector())
    assert [(case.conflicts, case.services) for case in cases] == [
        ((first, second), ("app", "api"))
    ]


def test_a_process_whose_sockets_are_shared_with_different_workers_is_one_case() -> None:
    cases = group_by_holder(
        [conflict(HostProcess(SERVER, (9,))), conflict(HostProcess(SERVER, (8, 9)), port=5001)],
        (),
        STACK,
        FakeInspector(),
    )
    assert [case.holder for case in cases] == [HostProcess(SERVER, (8, 9))]


def test_the_same_pid_with_another_birth_is_another_holder() -> None:  # edge-cases.md#24
    again = Process(4711, "python", 2, ("python", "run.py"))
    assert (
        len(
            group_by_holder(
                [conflict(HostProcess(SERVER)), conflict(HostProcess(again), port=5001)],
                (),
                STACK,
                FakeInspector(),
            )
        )
        == 2
    )


def test_names_come_first_and_what_has_no_holder_is_a_case_too() -> None:
    taken = NameTaken("app", container("darts"))
    cases = group_by_holder(
        [conflict(reason=Reason.NO_SUCH_ADDRESS)], [taken], STACK, FakeInspector()
    )
    assert [case.kind for case in cases] == [HolderKind.NAME, HolderKind.NOBODY]
    assert cases[1].holder == Unknown()


def test_two_reasons_without_a_holder_are_two_cases() -> None:
    absent = conflict(reason=Reason.NO_SUCH_ADDRESS)
    unsupported = conflict(reason=Reason.UNSUPPORTED, port=5001)
    cases = group_by_holder([absent, unsupported], (), STACK, FakeInspector())
    assert [case.conflicts for case in cases] == [(absent,), (unsupported,)]


def test_what_a_case_is_about_is_asked_by_name() -> None:
    case = only(ForeignContainer(container("darts")))
    assert (project_of(case), container_of(case).name) == ("darts", "other-1")
    other = only(HostProcess(SERVER))
    assert (project_of(other), container_in(other), process_of(other)) == ("", None, SERVER)
    with pytest.raises(ValueError, match="no container"):
        container_of(other)
    with pytest.raises(ValueError, match="no process"):
        process_of(case)
