"""The episodes: state, observation and time in; state and messages out. A pure function."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.clock import forget, next_due, resume, shift
from dartsctl.alerts.draft import draft_of
from dartsctl.alerts.exits import container_exited
from dartsctl.alerts.looks import look
from dartsctl.alerts.observations import (
    Acknowledged,
    ClockJumped,
    Exited,
    Looked,
    Silenced,
    Started,
    Tick,
    WorkBegan,
    WorkEnded,
)
from dartsctl.alerts.opening import open_due
from dartsctl.alerts.planned import begin_work, end_work, note_start
from dartsctl.alerts.reminders import remind
from dartsctl.alerts.silencing import acknowledge, catch_up, silence
from dartsctl.alerts.storm import calm
from dartsctl.records import replace

if TYPE_CHECKING:
    from dartsctl.alerts.draft import Draft
    from dartsctl.alerts.observations import Observation
    from dartsctl.alerts.rules import Rules
    from dartsctl.alerts.state import Message, State


def step(
    state: State, observation: Observation, now: float, rules: Rules
) -> tuple[State, tuple[Message, ...]]:
    """Return the state after an observation at `now` (Unix time), and what to send.

    An observation that comes late counts as one of the latest time. What has to be done about all
    episodes is done only when it is due, so that a flood of events costs little.
    """
    if isinstance(observation, ClockJumped):
        state = shift(state, observation.seconds)
    now = max(now, state.now)
    was_away = bool(state.now) and now - state.now > rules.away_after
    if _is_no_news(observation, state) and not was_away and now < state.due:
        return replace(state, now=now), ()
    draft = draft_of(state, now, rules)
    if was_away:
        resume(draft)
    _observe(draft, observation)
    if draft.now >= draft.due:
        _advance(draft)
    calm(draft)
    after = replace(
        draft.state,
        episodes=draft.episodes,
        recent=draft.recent,
        followed=draft.followed,
        now=now,
        due=draft.due,
    )
    return after, tuple(draft.messages)


def _is_no_news(observation: Observation, state: State) -> bool:
    """Whether an observation changes nothing but the time."""
    match observation:
        case Tick():
            return True
        case Started(service):
            return service not in state.stopped
    return False


def _observe(draft: Draft, observation: Observation) -> None:
    match observation:
        case Looked():
            look(draft, observation)
        case Exited():
            container_exited(draft, observation)
        case Started(service):
            note_start(draft, service)
        case WorkBegan():
            begin_work(draft, observation)
        case WorkEnded():
            end_work(draft)
        case Silenced(silences):
            silence(draft, silences)
        case Acknowledged(episode):
            acknowledge(draft, episode)
        case ClockJumped() | Tick():
            pass


def _advance(draft: Draft) -> None:
    """Do what time has made due."""
    open_due(draft)
    catch_up(draft)
    remind(draft)
    forget(draft)
    draft.due = next_due(draft)
