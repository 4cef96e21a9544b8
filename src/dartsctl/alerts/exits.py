"""Containers that end: planned ones, sudden ones, and crash loops."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.bounds import bounded
from dartsctl.alerts.causes import CRASH_LOOP, OF_A_START, OF_AN_EXIT, is_loop
from dartsctl.alerts.draft import MOST_EPISODES
from dartsctl.alerts.planned import is_in_work, note_start, note_stop
from dartsctl.alerts.problem import Problem, Subject
from dartsctl.alerts.returns import fail_again, note_flapping
from dartsctl.alerts.state import Episode
from dartsctl.records import replace
from dartsctl.text.phrases import duration

if TYPE_CHECKING:
    from dartsctl.alerts.draft import Draft
    from dartsctl.alerts.observations import Exited

_KEPT = 10
"""Times of exits that are kept."""


def container_exited(draft: Draft, exited: Exited) -> None:
    """Suspect a service whose container has ended and nobody had planned it."""
    subject = Subject("service", exited.service)
    if exited.planned:
        note_stop(draft, exited.service)
        return
    if is_in_work(draft, subject):
        return
    if exited.comes_back and draft.now < draft.settles_at(subject):
        return  # by itself no news: a look sees whether it stays bad after its root
    note_start(draft, exited.service)
    known = draft.episodes.get(subject)
    problem = bounded(exited.problem, draft.now)
    if problem.subject != subject:
        problem = replace(problem, subject=subject)
    if known is None:
        _suspect(draft, problem, comes_back=exited.comes_back)
    elif known.phase == "pending":
        _suspect_again(draft, known, problem, comes_back=exited.comes_back)
    else:
        _end_again(draft, known, problem)


def _suspect(draft: Draft, problem: Problem, *, comes_back: bool) -> None:
    if len(draft.episodes) >= MOST_EPISODES:
        return
    episode = Episode(
        draft.new_id(problem.subject),
        problem,
        began=problem.since or draft.now,
        seen=draft.now,
        exits=(draft.now,),
        comes_back=comes_back,
    )
    draft.put(episode)
    draft.hurry(draft.now + draft.rules.understand_within)


def _suspect_again(draft: Draft, known: Episode, problem: Problem, *, comes_back: bool) -> None:
    """Count an exit of a service that is suspected already, by an exit or by looks."""
    exits = (*known.exits, draft.now)[-_KEPT:]
    count, seen = known.count + 1, known.seen
    if not known.exits:
        count, seen = known.count, draft.now
        draft.hurry(draft.now + draft.rules.understand_within)
    if known.exits and known.understood and known.problem.cause not in OF_AN_EXIT:
        problem = known.problem
    elif is_loop(exits, draft.rules.understand_within):
        problem = _looping(problem, exits)
    draft.put(
        replace(
            known,
            problem=replace(problem, affected=known.problem.affected),
            seen=seen,
            count=count,
            exits=exits,
            comes_back=comes_back or known.comes_back,
            understood=bool(known.exits) and known.understood,
        )
    )


def _end_again(draft: Draft, known: Episode, problem: Problem) -> None:
    """Count an exit of a service whose alert is open; tell it if it is another cause."""
    exits = (*known.exits, draft.now)[-_KEPT:]
    returns = known.returns
    episode = fail_again(draft, known)
    if episode.returns == returns:
        episode = replace(episode, count=episode.count + 1)
    episode = replace(episode, exits=exits)
    note = ""
    if episode.returns > returns:
        episode, note = note_flapping(draft, episode)
    if is_loop(exits, draft.rules.understand_within):
        problem = _looping(problem, exits)
    old = known.problem.cause
    is_news = old in OF_A_START or (old in OF_AN_EXIT and problem.cause not in OF_AN_EXIT)
    if is_news or (old == problem.cause and not known.understood):
        problem = replace(problem, affected=known.problem.affected)
        episode = replace(episode, problem=problem, other_cause="", other_since=None)
    if note or (is_news and old != problem.cause):
        episode = draft.emit("updated", episode, note=note, muted=_muted(draft, episode))
    draft.put(episode)


def _muted(draft: Draft, episode: Episode) -> str:
    if draft.follows(episode.subject):
        return "it follows from another problem"
    return ""


def _looping(problem: Problem, exits: tuple[float, ...]) -> Problem:
    """Return the problem as a crash loop, unless it names why the container ends."""
    if problem.cause not in OF_AN_EXIT:
        return problem
    span = duration(max(exits[-1] - exits[0], 1.0))
    sentence = f"{problem.sentence}, {len(exits)} times within {span}"
    return replace(problem, cause=CRASH_LOOP, sentence=sentence)
