"""Problems of before that a look could not measure again: not seeing one does not end it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

    from dartsctl.alerts.problem import Problem
    from dartsctl.alerts.state import Episode
    from dartsctl.diagnosis.facts import Facts


def carried_over(
    episodes: Iterable[Episode], facts: Facts, planned: Collection[str], *, has_files: bool
) -> Iterator[Problem]:
    """Yield the problems of open episodes about which this look can say nothing.

    `planned`: the URLs that a look asks, if the site's limits leave the time. `has_files`: whether
    the Compose files say which services there are, or only the containers that exist.
    """
    asked = {http.url for http in facts.http if not http.limited}
    unasked = set(planned) - asked
    for episode in episodes:
        if episode.phase != "pending" and _is_unmeasured(
            episode.problem, facts, unasked, has_files=has_files
        ):
            yield episode.problem


def _is_unmeasured(problem: Problem, facts: Facts, unasked: set[str], *, has_files: bool) -> bool:
    match problem.subject.kind:
        case "certificate":
            return _is_unread(problem.subject.name, facts)
        case "service" | "site":
            name = problem.subject.name
            if name and not has_files and name not in facts.services:
                return True
            requests = problem.data.get("requests")
            if not isinstance(requests, list | tuple) or not requests:
                return False
            return not unasked.isdisjoint(requests)
    return False


def _is_unread(where: str, facts: Facts) -> bool:
    """Whether a certificate that the proxy showed at a URL was not shown this time."""
    if "://" not in where:
        return False
    return not any(row.is_served and row.where == where for row in facts.certificate_ends)
