"""The episodes: state, observation and time in; state and messages out. A pure function."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from dartsctl.alerts.observations import Looked
from dartsctl.alerts.state import Episode, Message

if TYPE_CHECKING:
    from dartsctl.alerts.observations import Observation
    from dartsctl.alerts.problem import Subject
    from dartsctl.alerts.rules import Rules
    from dartsctl.alerts.state import State


def step(
    state: State, observation: Observation, now: float, rules: Rules
) -> tuple[State, tuple[Message, ...]]:
    """Return the state after an observation at `now` (Unix time), and what to send."""
    episodes = dict(state.episodes)
    messages: list[Message] = []
    if isinstance(observation, Looked):
        _look(episodes, observation, now)
    for subject, episode in list(episodes.items()):
        _advance(episodes, subject, episode, now=now, rules=rules, messages=messages)
    return replace(state, episodes=episodes), tuple(messages)


def _look(episodes: dict[Subject, Episode], look: Looked, now: float) -> None:
    problems = {problem.subject: problem for problem in look.problems}
    for subject, problem in problems.items():
        known = episodes.get(subject)
        if known is None:
            began = problem.since or now
            episodes[subject] = Episode(f"{subject}@{began:.0f}", problem, began)
            continue
        phase = "open" if known.phase == "closing" else known.phase
        episodes[subject] = replace(known, problem=problem, phase=phase, good_since=None)
    for subject, episode in list(episodes.items()):
        if subject in problems or subject.kind not in look.covers:
            continue
        if episode.phase == "pending":
            del episodes[subject]
        elif episode.phase == "open":
            episodes[subject] = replace(episode, phase="closing", good_since=now)


def _advance(
    episodes: dict[Subject, Episode],
    subject: Subject,
    episode: Episode,
    *,
    now: float,
    rules: Rules,
    messages: list[Message],
) -> None:
    if episode.phase == "pending" and now - episode.began >= rules.open_after:
        episodes[subject] = replace(episode, phase="open", opened=now)
        messages.append(Message("opened", episodes[subject], now))
    if episode.phase == "closing" and now - (episode.good_since or now) >= rules.close_after:
        del episodes[subject]
        messages.append(Message("recovered", episode, now))
