"""Every holder is of one kind, and the kind decides what may be done about it."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import pytest

from dartsctl.ports.availability import Reason
from dartsctl.ports.cases import (
    KEEPERS,
    Case,
    Kind,
    Unit,
    cases,
    container_in,
    container_of,
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
    SameStack,
    Unknown,
)
from dartsctl.ports.process import Process
from dartsctl.stack.bindings import Endpoint, PortBinding
from dartsctl.stack.containers import PROJECT_LABEL, Container
from dartsctl.stack.model import Stack

STACK = Stack("darts-dev", {}, {})
SERVER = Process(4711, "python", 1, ("python", "run.py"), parents=((4700, "bash"), (1, "init")))


@dataclass
class Facts:
    """What the host would say."""

    protected: Collection[int] = (1,)
    foreign: Collection[int] = ()
    unit: Unit | None = None
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

    def unit_of(self, _process: Process, ports: Collection[int]) -> Unit | None:
        self.ports_asked |= set(ports)
        return self.unit


def conflict(
    *holders: Holder, port: int = 5000, service: str = "app", reason: Reason = Reason.IN_USE
) -> Conflict:
    binding = PortBinding(service, 1, 80, "tcp", port, port, ("127.0.0.1",))
    return Conflict(binding, (Endpoint(port, "127.0.0.1"),), reason, holders)


def only(holder: Holder, facts: Facts | None = None) -> Case:
    found = cases([conflict(holder)], (), STACK, facts or Facts())
    assert len(found) == 1
    return found[0]


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
        (HostProcess(SERVER), Kind.PROCESS),
        (HostProcess(Process(1, "systemd", 1)), Kind.PROTECTED),
        (Connection(SERVER, False), Kind.CONNECTION),
        (Connection(None, True), Kind.CONNECTION),
        (HostProcess(Process(80, "ControlCenter", 1)), Kind.AIRPLAY),  # edge-cases.md#14
        (HostProcess(Process(80, "ControlCe", 1)), Kind.AIRPLAY),
        (
            HostProcess(Process(81, "python", 1, parents=((70, "supervisord"), (1, "init")))),
            Kind.SUPERVISED,
        ),  # edge-cases.md#21
        (
            HostProcess(
                Process(81, "node", 1, parents=((70, "PM2 v5.3.0: God Daemon"), (1, "init")))
            ),
            Kind.SUPERVISED,
        ),
        (
            HostProcess(Process(81, "python", 1, parents=((75, "bash"), (70, "supervisord")))),
            Kind.PROCESS,
        ),
        (DevLease(SERVER, "/src/app", "http://127.0.0.1:5001"), Kind.DEV_SERVER),
        (ForeignContainer(container("darts")), Kind.CONTAINER),
        (ForeignContainer(container()), Kind.LONE_CONTAINER),
        (ForeignContainer(container("darts", network="host")), Kind.HOST_NETWORK),
        (ForeignContainer(container("darts-dev")), Kind.ORPHAN),  # edge-cases.md#38
        (OwnContainer(container("darts-dev")), Kind.OWN),
        (SameStack("api", "5000:80/tcp"), Kind.SAME_STACK),
        (Unknown(0, "sudo ss"), Kind.UNKNOWN),
    ],
)
def test_each_holder_is_of_one_kind(holder: Holder, kind: Kind) -> None:
    assert only(holder).kind is kind


def test_every_known_supervisor_is_told_by_the_parents_name() -> None:
    for name in KEEPERS:
        assert (
            only(HostProcess(Process(81, "python", 1, parents=((70, name),)))).kind
            is Kind.SUPERVISED
        )


def test_a_reloader_is_named_with_its_pid() -> None:  # edge-cases.md#22
    case = only(HostProcess(SERVER), Facts(reloader=Process(4710, "python", 1)))
    assert (case.kind, case.reloader) == (Kind.RELOADER, 4710)


def test_what_systemd_runs_is_managed_whatever_else_it_is() -> None:
    unit = Unit(("web.service",), main=4711)
    case = only(HostProcess(SERVER), Facts(unit=unit, reloader=Process(4710, "python", 1)))
    assert (case.kind, case.unit) == (Kind.MANAGED, unit)


def test_a_port_that_systemd_itself_keeps_open_is_managed_by_its_socket_unit() -> (
    None
):  # edge-cases.md#20
    facts = Facts(unit=Unit(("web.socket", "web.service"), main=1))
    assert only(HostProcess(Process(1, "systemd", 1), others=(812,)), facts).kind is Kind.MANAGED
    assert facts.ports_asked == {5000}


def test_another_users_process_is_not_ours_to_stop_even_where_systemd_runs_it() -> None:
    assert (
        only(HostProcess(SERVER), Facts(foreign={4711}, unit=Unit(("web.service",)))).kind
        is Kind.OTHER_USER
    )
    assert only(DevLease(SERVER, "/src/app", ""), Facts(foreign={4711})).kind is Kind.OTHER_USER


@pytest.mark.parametrize("member", [4711, 4712, 4710])
def test_one_protected_or_foreign_member_decides_for_the_whole_family(
    member: int,
) -> None:  # edge-cases.md#25
    holder, reloader = HostProcess(SERVER, others=(4712,)), Process(4710, "python", 1)
    assert only(holder, Facts(protected={member}, reloader=reloader)).kind is Kind.PROTECTED
    assert only(holder, Facts(foreign={member}, reloader=reloader)).kind is Kind.OTHER_USER


def test_a_dev_server_that_we_run_under_is_protected() -> None:  # edge-cases.md#25
    assert only(DevLease(SERVER, "/src/app", ""), Facts(protected={4711})).kind is Kind.PROTECTED


def test_a_holder_of_several_bindings_is_one_case() -> None:
    first, second = (
        conflict(HostProcess(SERVER)),
        conflict(HostProcess(SERVER), port=5001, service="api"),
    )
    found = cases([first, second, first], (), STACK, Facts())
    assert [(case.conflicts, case.services) for case in found] == [
        ((first, second), ("app", "api"))
    ]


def test_a_process_whose_sockets_are_shared_with_different_workers_is_one_case() -> None:
    found = cases(
        [conflict(HostProcess(SERVER, (9,))), conflict(HostProcess(SERVER, (8, 9)), port=5001)],
        (),
        STACK,
        Facts(),
    )
    assert [case.holder for case in found] == [HostProcess(SERVER, (8, 9))]


def test_the_same_pid_with_another_birth_is_another_holder() -> None:  # edge-cases.md#24
    again = Process(4711, "python", 2, ("python", "run.py"))
    assert (
        len(
            cases(
                [conflict(HostProcess(SERVER)), conflict(HostProcess(again), port=5001)],
                (),
                STACK,
                Facts(),
            )
        )
        == 2
    )


def test_names_come_first_and_what_has_no_holder_is_a_case_too() -> None:
    taken = NameTaken("app", container("darts"))
    found = cases([conflict(reason=Reason.NO_SUCH_ADDRESS)], [taken], STACK, Facts())
    assert [case.kind for case in found] == [Kind.NAME, Kind.NOBODY]
    assert found[1].holder == Unknown()


def test_what_a_case_is_about_is_asked_by_name() -> None:
    case = only(ForeignContainer(container("darts")))
    assert (project_of(case), container_of(case).name) == ("darts", "other-1")
    other = only(HostProcess(SERVER))
    assert (project_of(other), container_in(other), process_of(other)) == ("", None, SERVER)
    with pytest.raises(ValueError, match="no container"):
        container_of(other)
    with pytest.raises(ValueError, match="no process"):
        process_of(case)
