"""The errors of the users' requests that no finding of doctor explains, as problems."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.upstream_errors import CAUSE

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.alerts.problem import Problem
    from dartsctl.alerts.state import State
    from dartsctl.text.masker import Masker
    from dartsctl.workflows.examine.stack import Examination
    from dartsctl.workflows.watch.known import Known

_SHOWN = 300
"""Characters of a line that are shown."""


def unexplained(
    known: Known, examination: Examination, now: float, masker: Masker
) -> tuple[Problem, ...]:
    """Return a problem for each service with many errors, unless its trouble is known already.

    Errors of a known trouble count no longer: they are no trouble of their own when it ends.
    """
    errors = known.upstream_errors
    explained = {*_by_findings(examination), *_by_episodes(known.state)}
    problems = []
    for service in errors.services():
        if service in explained or known.is_planned(service):
            errors.forget(service)
            continue
        problem = errors.problem(
            service,
            now,
            command=examination.facts.commands.doctor,
            shown=lambda line: masker.line(line)[:_SHOWN],
        )
        if problem:
            problems.append(problem)
    return tuple(problems)


def _by_findings(examination: Examination) -> Iterator[str]:
    """Yield the services whose failing requests doctor has a cause for."""
    facts = examination.facts
    for finding in examination.diagnosis.findings:
        if finding.is_aside or finding.harmless:
            continue
        yield finding.service
        followers = finding.data.get("followed_by", ())
        if isinstance(followers, list):
            yield from followers
        for http in facts.failed_requests:
            if http.url in finding.requests:
                yield from facts.services_behind(http)


def _by_episodes(state: State) -> Iterator[str]:
    """Yield the services that an episode with a cause of its own is about."""
    for subject, episode in state.episodes.items():
        if episode.problem.cause == CAUSE:
            continue
        for each in (subject, *episode.problem.affected):
            if each.kind == "service":
                yield each.name
