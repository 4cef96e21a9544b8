"""What is said about a preflight: every conflict with its holders, every collision."""

from __future__ import annotations

import pytest

from dartsctl.errors import Refused
from dartsctl.ports.collisions import NameTaken
from dartsctl.ports.holders import ForeignContainer, HostProcess, OwnContainer
from dartsctl.records import replace
from dartsctl.stack.containers import Container
from dartsctl.stack.convergence import Convergence
from dartsctl.stack.same_stack import SameStack
from dartsctl.workflows.preflight import another_stack, orphans
from dartsctl.workflows.preflight.report import collision_line, conflict_texts
from fakes.conflict_cases import SERVER, conflict, container
from fakes.kernel import container as compose_container
from fakes.preflights import ENVIRONMENT, preflight


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


# --- what is typed next -------------------------------------------------------------------------

COPY = SameStack("other", (compose_container("other", "app", name="shared"),), "names", ("shared",))
NAMED = NameTaken("app", COPY.containers[0])


def test_a_copy_that_is_in_the_way_hides_no_taken_name_and_the_next_command_keeps_the_service() -> (
    None
):
    environment = replace(ENVIRONMENT, has_copies=True)
    facts = preflight(services=("app",), collisions=(COPY, NAMED), environment=environment)
    with pytest.raises(Refused) as caught:
        another_stack.refuse(replace(facts, services=("app",)), "dartsctl dev up app")
    assert caught.value.hint == "dartsctl dev up app --on-conflict remap"
    assert collision_line(NAMED) in caught.value.details
    assert caught.value.message not in caught.value.details


def test_orphans_of_files_without_settings_have_no_up_that_could_be_typed() -> None:
    orphan = compose_container("darts-dev", "old", files="/src/compose.yml")
    held = conflict(ForeignContainer(orphan))
    facts = preflight(held, convergence=Convergence((), (), (), (), (orphan,)))
    assert orphans.next_command(facts) == "dartsctl dev up --remove-orphans"
    typed = replace(facts, services=("app",))
    assert orphans.next_command(typed) == "dartsctl dev up app --remove-orphans"
    adhoc = replace(ENVIRONMENT, name="adhoc", project_named=True)
    assert orphans.next_command(replace(facts, environment=adhoc)) == ""
