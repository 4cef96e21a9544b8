"""How the causes of problems relate: which says more about a container that has just ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.records import replace

if TYPE_CHECKING:
    from dartsctl.alerts.problem import Problem
    from dartsctl.alerts.state import Episode

CRASH_LOOP = "crash-loop"
OF_AN_EXIT = frozenset(("app-exited", "proxy-down"))
"""Causes that say that a container has ended, and not why."""
OF_A_START = frozenset(
    (
        "unhealthy",
        "no-answer",
        "closes-early",
        "no-live-upstreams",
        "invalid-answer",
        "upstream-errors",
        "unknown",
    )
)
"""What a look sees of a container that is starting again: no reason why it ended."""
NEVER_STARTED = "never-started"
HELD_PORT = frozenset(("port-squatter", "other-container", "entry-port-taken"))
"""Somebody has a port that a service publishes."""
NOT_BY_A_STOP = frozenset((NEVER_STARTED, CRASH_LOOP, *HELD_PORT))
"""Causes that a service does not have after a stop on purpose."""
_SIGNALS = 128
"""Higher exit codes are by convention those of signals."""
_START = 60.0
"""Seconds after an exit in which a container may still be starting."""
_LOOP = 120.0
"""Seconds: three exits within them are a crash loop."""


def is_loop(exits: tuple[float, ...], within: float) -> bool:
    """Whether these exits are a crash loop: two within `within` seconds, or three in a while."""
    if len(exits) > 1 and exits[-1] - exits[-2] <= within:
        return True
    return len(exits) > 2 and exits[-1] - exits[-3] <= _LOOP


def in_words_of_events(problem: Problem, known: Episode) -> Problem:
    """Return what a look sees of an end by a signal, in the words of the engine's events.

    They know whether somebody asked the engine for it, which no look can tell.
    """
    before = known.problem
    code = problem.data.get("exit_code")
    if not known.exits or problem.cause not in OF_AN_EXIT or problem.cause != before.cause:
        return problem
    if not isinstance(code, int) or code <= _SIGNALS or code != before.data.get("exit_code"):
        return problem
    return replace(problem, sentence=before.sentence)


def says_more(problem: Problem, known: Episode, now: float) -> bool:
    """Whether a look's problem explains more than what is known of an exit."""
    if not known.exits:
        return True
    since_exit = now - known.exits[-1]
    if problem.cause in OF_A_START:
        return since_exit >= _START
    if known.problem.cause == CRASH_LOOP and problem.cause in OF_AN_EXIT:
        return since_exit >= _LOOP
    return True
