"""What is said about a preflight: every conflict with its holders, every collision."""

from __future__ import annotations

import pytest

from dartsctl.ports.collisions import NameTaken
from dartsctl.ports.holders import ForeignContainer, HostProcess, OwnContainer
from dartsctl.stack.containers import Container
from dartsctl.workflows.preflight.report import collision_line, conflict_texts
from fakes.conflict_cases import SERVER, conflict, container
from fakes.kernel import container as compose_container
from fakes.preflights import preflight


def test_each_of_two_services_that_want_the_ports_of_one_holder_names_it() -> None:
    holder = HostProcess(SERVER, evidence="listens on 127.0.0.1:5000/tcp")
    first, second = conflict_texts(
        preflight(conflict(holder, service="app"), conflict(holder, service="api", port=5001))
    )
    assert first.holders == second.holders == (holder.line,)
    assert "pid 4711" in first.holders[0]


def test_a_binding_with_several_holders_names_all_of_them() -> None:
    foreign, own = ForeignContainer(container()), OwnContainer(container("darts-dev", "mine"))
    (text,) = conflict_texts(preflight(conflict(foreign, own)))
    assert text.holders == (foreign.line, own.line)


def test_replicas_whose_conflicts_read_the_same_are_one_conflict_with_the_holders_of_all() -> None:
    foreign, own = ForeignContainer(container()), OwnContainer(container("darts-dev", "mine"))
    (text,) = conflict_texts(
        preflight(conflict(foreign), conflict(foreign, replica=2), conflict(own, replica=3))
    )
    assert text.holders == (foreign.line, own.line)


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ("Up 2 hours", "running, up 2 hours"),
        ("Exited (0) 3 minutes ago", "exited (0) 3 minutes ago"),
        ("", "running"),
    ],
)
def test_a_taken_name_is_told_with_the_service_and_the_container(status: str, shown: str) -> None:
    state = "exited" if "Exited" in status else "running"
    holder = compose_container("case-main", "db", name="case-notes", state=state, status=status)
    assert collision_line(NameTaken("pg", holder)) == (
        "service pg wants the container name case-notes, which container "
        f"{holder.short_id} of project case-main (service db) has ({shown})"
    )


def test_a_taken_name_of_a_container_without_a_project() -> None:
    loose = Container("0123456789abcdef", "case-notes", "busybox", "running", "Up 5 seconds")
    assert collision_line(NameTaken("pg", loose)) == (
        "service pg wants the container name case-notes, which container 0123456789ab has"
        " (running, up 5 seconds)"
    )
