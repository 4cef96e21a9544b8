"""A full look: doctor's examination of the stack, and what only `watch` checks. Never raises."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dartsctl.alerts.problem import Problem, Subject
from dartsctl.alerts.problems.never_answered import never_answered
from dartsctl.alerts.problems.of_finding import problems_of
from dartsctl.alerts.problems.of_stranger import joined
from dartsctl.alerts.problems.stopped_before import excused, was_stopped
from dartsctl.alerts.problems.unmeasured import carried_over
from dartsctl.diagnosis.findings import Cause
from dartsctl.errors import Advice, DartsctlError, DockerUnavailable, Refused
from dartsctl.ports.attribution import Attribution
from dartsctl.ports.strangers import Lookout, wanted_ports
from dartsctl.records import field, record, replace
from dartsctl.workflows.examine.stack import examine
from dartsctl.workflows.preflight.from_labels import reason
from dartsctl.workflows.up.remap import as_it_runs
from dartsctl.workflows.watch.build_view import port_views, service_views
from dartsctl.workflows.watch.checks.all_checks import CHECKS
from dartsctl.workflows.watch.checks.base import CheckRules, Examined
from dartsctl.workflows.watch.signals import Seen
from dartsctl.workflows.watch.users_errors import unexplained

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.alerts.problem import Kind
    from dartsctl.diagnosis.facts import Facts
    from dartsctl.ports.strangers import Occupation
    from dartsctl.text.masker import Masker
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.examine.probes import ExamineRequest
    from dartsctl.workflows.examine.stack import Examination
    from dartsctl.workflows.preflight.preflight import Preflight
    from dartsctl.workflows.watch.known import Known

ANOTHER_STACK = "another-stack"
FILES_UNREADABLE = "files-unreadable"
LOOK_FAILED = "look-failed"
_OF_DOCTOR: frozenset[Kind] = frozenset(("service", "site", "engine", "port", "certificate"))


@record
class LookResult:
    """What a full look has seen. `covers`: the kinds of subjects that it could look at."""

    problems: tuple[Problem, ...] = ()
    covers: frozenset[Kind] = frozenset()
    seen: Seen = field(default_factory=Seen)
    notes: tuple[str, ...] = ()
    pause: float = 0.0
    """Seconds for which the site's own limits want no more requests."""
    examined: Examined | None = None
    """None if the stack could not be examined."""


def look(request: ExamineRequest, rules: CheckRules, known: Known, *, deps: Deps) -> LookResult:
    """Return what is wrong with the stack now, by root cause. `known` learns what was seen.

    It binds no port, and says nothing on the screen.
    """
    quiet = replace(deps, screen=deps.screen.silent(), host=lambda: deps.host().reading_only())
    try:
        result = _look(request, rules, known, quiet)
    except DartsctlError as error:
        result = _failed(error)
    except Exception as error:
        problem = Problem(
            Subject("site"),
            LOOK_FAILED,
            f"the stack could not be examined: {type(error).__name__}",
            request.commands.doctor,
            severity="warning",
        )
        result = LookResult((problem,))
    return masked(result, deps.screen.masker)


def _look(request: ExamineRequest, rules: CheckRules, known: Known, deps: Deps) -> LookResult:
    subjects = frozenset(known.state.episodes)
    environment = as_it_runs(request.environment, deps=deps, dry_run=True, quiet=True)
    examination = examine(replace(request, environment=environment), deps=deps)
    known.learn(examination)
    facts, preflight = examination.facts, examination.preflight
    if preflight is None:
        problems = problems_of(examination.diagnosis.findings, facts)
        return LookResult(problems, frozenset(("engine",)), Seen(engine=""))
    examined = Examined(
        facts,
        preflight.stack,
        examination,
        rules,
        deps,
        is_down=is_down_on_purpose(facts, subjects),
        occupations=occupations(preflight, rules, deps),
        was_full=Subject("disk") in subjects,
    )
    more, kinds, notes = _run_checks(examined)
    problems = (*_doctors(examined, known), *more, *_as_before(examined, known))
    return LookResult(
        one_each(problems),
        _OF_DOCTOR | kinds,
        Seen(
            engine=facts.engine.version,
            services=service_views(facts),
            ports=port_views(examined.occupations),
        ),
        notes=notes,
        pause=facts.pause,
        examined=examined,
    )


def _doctors(examined: Examined, known: Known) -> tuple[Problem, ...]:
    """Return what doctor finds, and the users' errors that this does not explain."""
    examination = examined.examination
    problems = _about_files(examination)
    if not examined.is_down:
        problems += _findings(examined, known)
        deps = examined.deps
        problems += unexplained(known, examination, deps.now(), deps.screen.masker)
    return problems


def _findings(examined: Examined, known: Known) -> tuple[Problem, ...]:
    """Return what doctor finds, as far as it is known to have been better before."""
    facts, episodes = examined.facts, known.state.episodes
    answered = known.answered
    findings = [
        finding
        for finding in examined.examination.diagnosis.findings
        if not never_answered(finding, facts, answered)
    ]
    problems: list[Problem] = []
    for problem in problems_of(findings, facts):
        episode = episodes.get(problem.subject)
        problems.append(excused(problem, facts, known.began, episode))
    return tuple(problems)


def _as_before(examined: Examined, known: Known) -> tuple[Problem, ...]:
    """Return the problems of open episodes that could not be measured this time."""
    examination = examined.examination
    urls: list[str] = []
    if not examined.is_down:
        urls = [asked.url for asked in examination.requests]
    episodes = known.state.episodes.values()
    has_files = examination.files_error is None
    return tuple(carried_over(episodes, examined.facts, urls, has_files=has_files))


def occupations(preflight: Preflight, rules: CheckRules, deps: Deps) -> tuple[Occupation, ...]:
    """Return who is on production's ports, by the kernel's socket table."""
    if not preflight.environment.is_production or not preflight.engine.is_here:
        return ()
    wanted = wanted_ports(preflight.stack, preflight.engine, rules.documented)
    host = deps.host()
    numbers = {port.port for port in wanted}
    host.read_ahead(numbers)
    attribution = Attribution(
        preflight.stack, preflight.containers, host, reservations=host.reservations
    )
    own = [row.process for row in host.reservations() if row.project == preflight.stack.project]
    lookout = Lookout(
        preflight.stack,
        preflight.engine,
        preflight.containers,
        attribution,
        own_pids=frozenset((os.getpid(), *own)),
    )
    return lookout.occupations(wanted, {port: host.listeners(port) for port in numbers})


def _run_checks(
    examined: Examined,
) -> tuple[list[Problem], frozenset[Kind], tuple[str, ...]]:
    """Return the problems, the kinds that could be checked, and why others could not."""
    problems: list[Problem] = []
    kinds: set[Kind] = set()
    notes: list[str] = []
    for check in CHECKS:
        try:
            result = check.check(examined)
            if result is not None:
                problems += result
                kinds |= check.COVERS
        except DartsctlError as error:
            notes.append(error.message)
    return problems, frozenset(kinds), tuple(notes)


def is_down_on_purpose(facts: Facts, subjects: frozenset[Subject]) -> bool:
    """Whether nothing of the stack is meant to run: it was never up, is gone, or was stopped.

    What an episode is about has failed, and was not stopped. Without episodes, a stack of which
    every container ended as by a stop was stopped before `watch` began.
    """
    if not facts.has_containers:
        return True
    if any(subject.kind == "service" for subject in subjects):
        return False
    return all(
        was_stopped(container)
        for service in facts.services.values()
        for container in service.containers
    )


def _about_files(examination: Examination) -> tuple[Problem, ...]:
    """Return the problem of Compose files that cannot be read: the labels say what the stack is."""
    error = examination.files_error
    if error is None:
        return ()
    sentence = f"the Compose files cannot be read: {reason(error)}"
    evidence = ("what runs is examined by its containers' labels", *error.details)
    return (
        Problem(
            Subject("site"),
            FILES_UNREADABLE,
            sentence,
            error.hint,
            severity="warning",
            evidence=evidence,
        ),
    )


def _failed(error: DartsctlError) -> LookResult:
    """Return what an error of the examination says."""
    if isinstance(error, DockerUnavailable):
        problem = Problem(Subject("engine"), Cause.ENGINE_DOWN.value, error.message, error.hint)
        return LookResult((problem,), frozenset(("engine",)), Seen(engine=""))
    cause = FILES_UNREADABLE
    if isinstance(error, Refused):
        cause = ANOTHER_STACK
    problem = Problem(
        Subject("site"),
        cause,
        error.message,
        error.hint,
        severity="warning",
        evidence=error.details,
    )
    return LookResult((problem,), frozenset(("site", "engine")))


def one_each(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Return the first problem of each subject; a start that failed for a port is the port's."""
    first: dict[Subject, Problem] = {}
    for problem in problems:
        first.setdefault(problem.subject, problem)
    return joined(tuple(first.values()))


def masked(result: LookResult, masker: Masker) -> LookResult:
    """Return the result without secrets."""
    problems = tuple(_masked_problem(problem, masker) for problem in result.problems)
    return replace(result, problems=problems)


def _masked_problem(problem: Problem, masker: Masker) -> Problem:
    return replace(
        problem,
        sentence=masker.line(problem.sentence),
        command=_masked_command(problem.command, masker),
        evidence=tuple(map(masker.line, problem.evidence)),
        data=masker.document(problem.data),
    )


def _masked_command(command: str, masker: Masker) -> str:
    """Return the same kind of text: a command stays one, an Advice too."""
    text = masker.line(command)
    if isinstance(command, Advice):
        return Advice(text)
    return text
