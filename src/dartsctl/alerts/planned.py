"""What is planned: verbs of dartsctl that change the stack, and stops on purpose."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.causes import NEVER_STARTED, NOT_BY_A_STOP
from dartsctl.alerts.state import Work
from dartsctl.records import replace

if TYPE_CHECKING:
    from dartsctl.alerts.draft import Draft
    from dartsctl.alerts.observations import WorkBegan
    from dartsctl.alerts.problem import Problem, Subject

_MOST_STOPPED = 1000
_STOPS_FOR_GOOD = "down"
"""The verb after which services stay stopped; the others want them to run."""


def begin_work(draft: Draft, began: WorkBegan) -> None:
    """Forget what was only suspected of the services that the verb changes."""
    work = Work(began.verb, began.services)
    stopped = draft.state.stopped
    if began.verb != _STOPS_FOR_GOOD:
        stopped = stopped - began.services
        if not began.services:
            stopped = frozenset()
    draft.state = replace(draft.state, work=work, stopped=stopped)
    for subject, episode in list(draft.episodes.items()):
        if episode.phase == "pending" and _concerns(work, subject):
            del draft.episodes[subject]


def end_work(draft: Draft) -> None:
    """From now on, what looks see is no longer planned."""
    work = draft.state.work
    if work is not None and work.ended is None:
        draft.state = replace(draft.state, work=replace(work, ended=draft.now))


def is_in_work(draft: Draft, subject: Subject) -> bool:
    """Whether a verb of dartsctl changes the subject now, or has just done so."""
    work = draft.state.work
    if work is None or not _concerns(work, subject):
        return False
    return work.ended is None or draft.now - work.ended < draft.rules.settle_after


def is_stopped(draft: Draft, subject: Subject) -> bool:
    """Whether the subject is a service that was stopped on purpose."""
    return subject.kind == "service" and subject.name in draft.state.stopped


def is_by_a_stop(draft: Draft, problem: Problem) -> bool:
    """Whether a look's problem is no more than that a service was stopped on purpose."""
    if not is_stopped(draft, problem.subject):
        return False
    if problem.cause == NEVER_STARTED:  # removed as well; with a container it is wanted again
        return not problem.data.get("container")
    return problem.cause not in NOT_BY_A_STOP


def note_stop(draft: Draft, service: str) -> None:
    """Remember that a service was stopped on purpose."""
    stopped = draft.state.stopped
    if service not in stopped and len(stopped) < _MOST_STOPPED:
        draft.state = replace(draft.state, stopped=stopped | {service})


def note_start(draft: Draft, service: str) -> None:
    """Remember that a service is wanted again."""
    stopped = draft.state.stopped
    if service in stopped:
        draft.state = replace(draft.state, stopped=stopped - {service})


def _concerns(work: Work, subject: Subject) -> bool:
    if subject.kind == "service":
        return not work.services or subject.name in work.services
    return subject.kind == "site"
