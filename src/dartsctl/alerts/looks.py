"""What a look changes: problems that it sees, and those that it no longer sees."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.bounds import bounded
from dartsctl.alerts.causes import in_words_of_events, says_more
from dartsctl.alerts.draft import MOST_EPISODES, MOST_FOLLOWED, with_affected
from dartsctl.alerts.inhibition import roots_of
from dartsctl.alerts.planned import is_by_a_stop, is_in_work, is_stopped
from dartsctl.alerts.returns import close_after, fail_again, note_flapping
from dartsctl.alerts.state import SAME_CAUSE, Episode, Recovery
from dartsctl.records import replace
from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from dartsctl.alerts.draft import Draft
    from dartsctl.alerts.observations import Looked
    from dartsctl.alerts.problem import Problem, Subject


_NUMBERS = regex(r"[0-9]+(?: (?:s|min|h|d)\b)?")
"""Counts and lengths of time, which change with every look."""


def look(draft: Draft, looked: Looked) -> None:
    """Take over what a look has seen."""
    problems, planned = _sort(draft, looked)
    for problem in problems.values():
        _see(draft, problem)
        episode = draft.episodes.get(problem.subject)
        if episode is not None and episode.opened is not None:
            _follow(draft, problem)
    follows = roots_of(episode for episode in draft.episodes.values() if episode.phase != "closing")
    for subject, known in list(draft.episodes.items()):
        if subject in problems or subject in planned or subject.kind not in looked.covers:
            continue
        if subject in follows:  # it is folded into its root, and may be as bad as before
            continue
        _see_nothing(draft, known)
    draft.hurry(draft.now)


def _sort(draft: Draft, looked: Looked) -> tuple[dict[Subject, Problem], set[Subject]]:
    """Return the problems by subject, and the subjects about which a look says nothing now."""
    problems: dict[Subject, Problem] = {}
    planned: set[Subject] = set()
    for problem in looked.problems[: 2 * MOST_EPISODES]:
        subject = problem.subject
        if is_by_a_stop(draft, problem):
            _excuse(draft, problem)
            planned.update(problem.affected)
        elif is_in_work(draft, subject):
            _excuse(draft, problem)
            planned.update((subject, *problem.affected))
        elif subject not in problems or _is_worse(problem, problems[subject]):
            problems[subject] = bounded(problem, draft.now)
    return problems, planned


def _follow(draft: Draft, problem: Problem) -> None:
    """Remember what follows from a problem: it may need some time after its root is well."""
    for subject in problem.affected:
        if subject in draft.followed or len(draft.followed) < MOST_FOLLOWED:
            draft.followed[subject] = draft.now


def _excuse(draft: Draft, problem: Problem) -> None:
    """Forget suspicions that a planned stop explains: its own, and those of its dependents."""
    _follow(draft, problem)
    for subject in (problem.subject, *problem.affected):
        episode = draft.episodes.get(subject)
        if episode is not None and episode.phase == "pending":
            del draft.episodes[subject]


def _is_worse(problem: Problem, other: Problem) -> bool:
    return problem.severity == "critical" and other.severity != "critical"


def _see(draft: Draft, problem: Problem) -> None:
    known = draft.episodes.get(problem.subject)
    if known is None:
        _suspect(draft, problem)
        return
    problem = in_words_of_events(problem, known)
    if known.phase == "pending":
        _see_suspected(draft, known, problem)
    else:
        _see_open(draft, known, problem)


def _suspect(draft: Draft, problem: Problem) -> None:
    if len(draft.episodes) >= MOST_EPISODES:
        return
    episode = Episode(
        draft.new_id(problem.subject),
        problem,
        began=problem.since or draft.now,
        seen=draft.now,
        understood=draft.rules.open_after <= 0,
    )
    draft.put(episode)


def _see_suspected(draft: Draft, known: Episode, problem: Problem) -> None:
    if known.exits and not says_more(problem, known, draft.now):
        draft.put(with_affected(known, problem))
        return
    lasted = draft.now - known.seen >= draft.rules.open_after
    understood = bool(known.exits) or lasted
    draft.put(replace(known, problem=problem, understood=understood))


def _see_open(draft: Draft, known: Episode, problem: Problem) -> None:
    returns = known.returns
    episode, note = fail_again(draft, known), ""
    if episode.returns > returns:
        episode, note = note_flapping(draft, episode)
    is_news = bool(note)
    if problem.cause == known.problem.cause:
        is_news = is_news or (problem.severity == "critical" and not known.was_critical)
        changed = _has_other_words(draft, known, problem)
        episode = _with(episode, problem)
    elif _is_other_cause(draft, episode, problem):
        is_news = changed = True
        episode = _with(episode, problem)
    else:
        changed = False
        episode = _wait_for_cause(draft, with_affected(episode, problem), problem)
    if is_news or changed:
        episode = _update(draft, episode, note, is_news=is_news)
    draft.put(episode)


def _has_other_words(draft: Draft, known: Episode, problem: Problem) -> bool:
    """Whether the sentence has changed in more than its numbers, and not only for a moment."""
    if draft.now - known.updated < draft.rules.rewording_after:
        return False
    return _NUMBERS.sub("#", problem.sentence) != _NUMBERS.sub("#", known.shown)


def _with(episode: Episode, problem: Problem) -> Episode:
    return replace(episode, problem=problem, understood=True, other_cause="", other_since=None)


def _is_other_cause(draft: Draft, episode: Episode, problem: Problem) -> bool:
    """Whether looks see another cause for long enough, or the first one that is known."""
    if not says_more(problem, episode, draft.now):
        return False
    if not episode.understood:
        return True
    since = episode.other_since
    if episode.other_cause != problem.cause or since is None:
        return draft.rules.change_after <= 0
    return draft.now - since >= draft.rules.change_after


def _wait_for_cause(draft: Draft, episode: Episode, problem: Problem) -> Episode:
    if episode.other_cause == problem.cause or not says_more(problem, episode, draft.now):
        return episode
    return replace(episode, other_cause=problem.cause, other_since=draft.now)


def _update(draft: Draft, episode: Episode, note: str, *, is_news: bool) -> Episode:
    muted = ""
    if not is_news:
        muted = SAME_CAUSE
    elif draft.follows(episode.subject):
        muted = "it follows from another problem"
    return draft.emit("updated", episode, note=note, muted=muted)


def _see_nothing(draft: Draft, episode: Episode) -> None:
    """Go on to the recovery of a subject that a look finds in order."""
    if episode.phase == "pending":
        if not episode.exits:
            del draft.episodes[episode.subject]
        return
    good_since = episode.good_since
    if episode.phase == "open" or good_since is None:
        good_since = draft.now
        episode = replace(
            episode, phase="closing", good_since=good_since, other_cause="", other_since=None
        )
        draft.put(episode)
    if draft.now - good_since >= close_after(episode, draft.rules):
        _recover(draft, episode)


def _recover(draft: Draft, episode: Episode) -> None:
    del draft.episodes[episode.subject]
    note = ""
    if is_stopped(draft, episode.subject):
        note = "it was stopped on purpose"
    draft.emit("recovered", episode, note=note)
    owed = episode.sent is not None and draft.silence_of(episode.subject) is not None
    if owed or not note:
        draft.recent[episode.subject] = Recovery(episode, draft.now, owed)
        draft.forget_oldest()
