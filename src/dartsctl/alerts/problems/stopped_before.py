"""A service that had ended before the watch began: whether somebody stopped it is unknown."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.causes import OF_AN_EXIT
from dartsctl.diagnosis.trouble import exit_words
from dartsctl.records import replace

if TYPE_CHECKING:
    from dartsctl.alerts.problem import Problem
    from dartsctl.alerts.state import Episode
    from dartsctl.diagnosis.facts import ContainerFacts, Facts

_STOPPED = (0, 130, 137, 143)
"""Exit codes of a container that somebody stopped."""
_ON_FAILURE = "on-failure"


def was_stopped(container: ContainerFacts) -> bool:
    """Whether a container has ended as by a stop."""
    is_clean = not container.error and not container.oom_killed
    return container.state == "exited" and is_clean and container.exit_code in _STOPPED


def excused(problem: Problem, facts: Facts, began: float | None, known: Episode | None) -> Problem:
    """Return a warning for a service that was already stopped when the watch began.

    `began`: by our clock; None: unknown. `known`: its episode. What was seen to fail is no warning.
    """
    if began is None or problem.cause not in OF_AN_EXIT:
        return problem
    if known is not None and (known.exits or known.problem.severity == "critical"):
        return problem
    service = facts.services.get(problem.subject.name)
    for container in service.containers if service else ():
        if container.name == problem.data.get("container") and _ended_before(
            container, began + facts.engine.skew
        ):
            sentence = (
                f"{container.service} was already stopped when the watch began, "
                f"with {exit_words(container.exit_code)}"
            )
            return replace(problem, severity="warning", sentence=sentence)
    return problem


def _ended_before(container: ContainerFacts, began: float) -> bool:
    """Whether it ended as by a stop, and not after too many attempts to start it again."""
    if not was_stopped(container) or not container.finished or container.finished >= began:
        return False
    return container.exit_code == 0 or not container.restart_policy.startswith(_ON_FAILURE)
