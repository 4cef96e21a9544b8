"""How `up` is refused: what is counted, and what is to be done."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from dartsctl.edges.screen.output import Screen
from dartsctl.errors import Advice, DartsctlError
from dartsctl.ports.availability import Reason
from dartsctl.ports.collisions import Collision, NameTaken, Paused
from dartsctl.ports.holders import ForeignContainer, Holder, HostProcess, RivalBinding
from dartsctl.ports.shared import SharedResource
from dartsctl.records import replace
from dartsctl.stack.model import PortEntry, Service, Stack
from dartsctl.stack.port_origins import trace
from dartsctl.workflows.up.answers import Answers
from dartsctl.workflows.up.refusal import refuse_conflicts
from fakes.conflict_cases import SERVER, conflict, container
from fakes.kernel import container as compose_container
from fakes.preflights import preflight

if TYPE_CHECKING:
    from dartsctl.ports.conflicts import Conflict
    from dartsctl.workflows.preflight.preflight import Preflight


def refused(facts: Preflight) -> DartsctlError:
    with pytest.raises(DartsctlError) as caught:
        refuse_conflicts(facts, Answers(), command="dartsctl dev up web", screen=Screen())
    return caught.value


def test_services_are_counted_not_what_is_in_their_way() -> None:
    holder = HostProcess(SERVER)
    twice = (conflict(holder), conflict(holder, port=5001))
    collisions = (
        NameTaken("app", container()),
        Paused(compose_container("darts-dev", "app", state="paused")),
    )
    assert refused(preflight(*twice, collisions=collisions)).message == (
        "1 service of darts-dev cannot start; nothing was changed"
    )


def test_a_service_that_lacks_only_its_name_is_counted_too() -> None:
    facts = preflight(conflict(HostProcess(SERVER)), collisions=(NameTaken("db", container()),))
    error = refused(facts)
    assert error.message == "2 services of darts-dev cannot start; nothing was changed"
    assert error.hint == "dartsctl dev up web"


DEV = ForeignContainer(container("shop-dev"))
OTHERS = {"shop-dev": "dev", "shop-staging": "staging", "shop": "prod"}


@pytest.mark.parametrize(
    ("holders", "taken", "hint"),
    [
        ((DEV,), (NameTaken("db", container("shop-dev")),), "dartsctl dev down"),
        (
            (),
            (SharedResource("subnet", "back", "10.0.0.0/24", (), "shop-dev"),),
            "dartsctl dev down",
        ),
        ((ForeignContainer(container("shop")),), (), "dartsctl dev up web"),
        ((ForeignContainer(container("blog")),), (), "dartsctl dev up web"),
        ((DEV, HostProcess(SERVER)), (), "dartsctl dev up web"),
        ((DEV,), (NameTaken("db", container("shop-staging")),), "dartsctl dev up web"),
        ((DEV,), (Paused(container("x")),), "dartsctl dev up web"),
    ],
    ids=["dev", "its subnet", "prod", "a stranger", "a server too", "two stacks", "paused"],
)
def test_another_environment_of_the_user_that_alone_is_in_the_way_is_taken_down(
    holders: tuple[Holder, ...], taken: tuple[Collision, ...], hint: str
) -> None:
    facts = preflight(*map(conflict, holders), collisions=taken, services=("app",))
    typed = replace(
        facts.environment,
        siblings=OTHERS,
        project="mine",
        project_named=True,
        typed_profiles=("x",),
    )
    error = refused(replace(facts, environment=typed))
    assert error.hint == hint
    ways = "take that stack down, then start this one again"
    assert (ways in error.details) is (hint == "dartsctl dev down")


def rival(port: int = 5000) -> Conflict:
    own = conflict(port=port)
    return replace(own, reason=Reason.SAME_STACK, holders=(RivalBinding.of(own.binding),))


def test_a_conflict_within_the_stack_is_no_port_that_somebody_could_free() -> None:
    entry = PortEntry(80, "tcp", "5000", "127.0.0.1")
    doubled = Service("app", ports=(entry, PortEntry(80, "tcp", "5000")))
    stack = Stack("darts-dev", {"app": doubled}, {})
    file = Path("/src/compose.yml")
    facts = preflight(rival(), stack=stack, port_origins=trace(stack, (file,), ()))
    error = refused(facts)
    assert error.details[1:] == (
        "  wanted by service app: 127.0.0.1:5000:80 [/src/compose.yml]",
        "  wanted by service app: 5000:80 [/src/compose.yml]",
        "keep only one of these `ports` of app, in /src/compose.yml",
    )
    assert isinstance(error.hint, Advice)
    assert error.hint == "change `ports` in /src/compose.yml, then `dartsctl dev up web`"


def test_beside_a_holder_the_files_have_to_change_too() -> None:
    facts = preflight(rival(), conflict(HostProcess(SERVER), port=5001))
    error = refused(facts)
    assert error.details[-1] == (
        "change the files, free what else is named above, then start it again"
    )
    assert error.hint == "dartsctl dev up web"
