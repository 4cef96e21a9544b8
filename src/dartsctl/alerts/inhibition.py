"""Which problems follow from others: a root cause mutes its dependents."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from dartsctl.alerts.problem import Subject
    from dartsctl.alerts.state import Episode


def roots_of(episodes: Iterable[Episode]) -> dict[Subject, Subject]:
    """Return every subject that follows from another one, with the root that it follows from.

    A root is in nobody's `affected`. Where all are in a circle the earliest counts as the root, so
    that somebody speaks.
    """
    affected: dict[Subject, tuple[Subject, ...]] = {}
    began: dict[Subject, float] = {}
    for episode in episodes:
        if episode.problem.affected:
            affected[episode.subject] = episode.problem.affected
            began[episode.subject] = episode.began
    roots: dict[Subject, Subject] = {}
    if not affected:
        return roots
    dependents: set[Subject] = set()
    for subject, followers in affected.items():
        dependents.update(follower for follower in followers if follower != subject)
    in_order = sorted(
        affected, key=lambda subject: (subject in dependents, began[subject], subject)
    )
    for subject in in_order:
        if subject not in roots:
            _mark(subject, affected, roots)
    return roots


def _mark(
    root: Subject, affected: Mapping[Subject, tuple[Subject, ...]], roots: dict[Subject, Subject]
) -> None:
    """Mark everything that follows from `root`, over several steps."""
    waiting = [root]
    while waiting:
        for follower in affected.get(waiting.pop(), ()):
            if follower != root and follower not in roots:
                roots[follower] = root
                waiting.append(follower)
