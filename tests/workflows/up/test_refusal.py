"""How `up` is refused: what is counted, and what is to be done."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from dartsctl.edges.screen.output import Screen
from dartsctl.errors import DartsctlError
from dartsctl.ports.collisions import NameTaken, Paused
from dartsctl.ports.holders import HostProcess
from dartsctl.workflows.up.answers import Answers
from dartsctl.workflows.up.refusal import refuse_conflicts
from fakes.conflict_cases import SERVER, conflict, container
from fakes.kernel import container as compose_container
from fakes.preflights import preflight

if TYPE_CHECKING:
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
