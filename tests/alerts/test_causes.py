"""Which words are kept of an end: those that know more."""

from __future__ import annotations

import pytest

from dartsctl.alerts.causes import in_words_of_events
from dartsctl.alerts.state import Episode
from dartsctl.records import replace
from fakes.alerting import START, a_problem

EVENT = replace(
    a_problem("app", "app-exited", sentence="app ended, and nobody stopped it"),
    data={"exit_code": 137},
)
LOOK = replace(EVENT, sentence="app has ended with exit code 137: killed")


def words(code: int = 137, cause: str = "app-exited", exits: tuple[float, ...] = (START,)) -> str:
    known = Episode("1", EVENT, START, exits=exits)
    return in_words_of_events(replace(LOOK, cause=cause, data={"exit_code": code}), known).sentence


def test_the_events_know_whether_a_signal_came_from_the_engine() -> None:
    assert words() == EVENT.sentence


@pytest.mark.parametrize("code", [143, 127])
def test_another_exit_has_other_words(code: int) -> None:
    assert words(code) == LOOK.sentence


def test_a_look_that_knows_the_cause_or_saw_no_event_has_its_own() -> None:
    assert words(cause="out-of-memory") == LOOK.sentence
    assert words(exits=()) == LOOK.sentence
