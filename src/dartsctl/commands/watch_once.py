"""`watch --once`: one full look at each environment, for cron and for the start of the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from dartsctl.alerts.draft import concerns
from dartsctl.diagnosis.findings import Cause
from dartsctl.edges.state.project_work import project_work
from dartsctl.edges.state.silence_book import SilenceBook
from dartsctl.edges.state.watch_lock import running_watch
from dartsctl.edges.state.watch_state import WatchState
from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.records import field, record
from dartsctl.stack.containers import of_project
from dartsctl.text.phrases import local_time
from dartsctl.workflows.watch.event_text import command_label
from dartsctl.workflows.watch.eyes import looks_of
from dartsctl.workflows.watch.json_lines import plain
from dartsctl.workflows.watch.known import Known
from dartsctl.workflows.watch.send_once import send_once

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.alerts.observations import Silence
    from dartsctl.alerts.problem import Problem, Subject
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.look import LookResult
    from dartsctl.workflows.watch.request import WatchRequest

_PAUSE = 3.0
"""Seconds between two looks while something is wrong and may become well."""
_AFTER_A_RESTART = frozenset((Cause.NO_PORTS, Cause.NEVER_STARTED, Cause.STALE_UPSTREAM))
"""What `--once` heals. It does not know whether a container that has ended should run."""
_EVIDENCE = 8
"""Lines of evidence that a person is shown."""


@record
class OnceRequest:
    """What to look at."""

    watches: tuple[WatchRequest, ...]
    only_existing: bool = False
    """Leave out environments without containers."""
    within: float = 0.0
    """Seconds to wait until nothing is wrong: after the start of the machine things take time."""
    sends: bool = False
    """Whether new alerts go to the channels of the settings."""
    dry_run: bool = False


@record(frozen=False)
class _Seen:
    """What one environment looks like."""

    request: WatchRequest
    result: LookResult
    silences: tuple[Silence, ...] = ()
    planned: frozenset[str] = frozenset()
    """Services that were stopped on purpose, as the watch that runs knows."""
    work: str = ""
    """The verb of dartsctl that changes the stack now: whatever is found is planned."""
    notes: list[str] = field(default_factory=list)

    def silence_of(self, problem: Problem) -> Silence | None:
        """Return the silence that keeps a problem from being a finding."""
        for silence in self.silences:
            if concerns(silence, problem.subject):
                return silence
        return None

    @property
    def findings(self) -> list[Problem]:
        """What is wrong, neither planned nor silenced."""
        return [row for row in self.unplanned if self.silence_of(row) is None]

    @property
    def unplanned(self) -> list[Problem]:
        """What is wrong and not planned."""
        if self.work:
            return []
        return [row for row in self.result.problems if not self._is_planned(row.subject)]

    def _is_planned(self, subject: Subject) -> bool:
        return subject.kind == "service" and subject.name in self.planned

    @property
    def code(self) -> ExitCode:
        """0 for healthy, 5 without an engine, else 1."""
        if not self.findings:
            return ExitCode.OK
        if any(row.subject.kind == "engine" for row in self.findings):
            return ExitCode.NO_DOCKER
        return ExitCode.FAILED


def once(request: OnceRequest, *, deps: Deps) -> ExitCode:
    """Look, print what is wrong, and send it where that was asked for.

    Ends with 0 (healthy), 1 (something is wrong) or 5 (the engine does not answer). Silences hold.
    """
    deadline = deps.monotonic() + request.within
    watches = request.watches
    if request.only_existing:
        watches = _existing(watches, deadline, deps)
    rows = [_look_until(watch, deadline, deps, dry_run=request.dry_run) for watch in watches]
    if request.sends and not request.dry_run:
        for row in rows:
            if not row.work:
                row.notes += send_once(row.request, row.result, row.silences, deps=deps)
    code = _code(rows)
    document = {
        "ok": code == ExitCode.OK,
        "exit_code": int(code),
        "environments": [_document(row) for row in rows],
    }
    lines: list[str] = []
    for row in rows:
        lines += _lines(row)
    deps.screen.result(document, lines)
    for row in rows:
        for note in (*row.notes, *row.result.notes):
            deps.screen.note(note)
    if not rows:
        deps.screen.note("no environment of this project has containers")
    return code


def _existing(
    watches: Sequence[WatchRequest], deadline: float, deps: Deps
) -> tuple[WatchRequest, ...]:
    """Return the environments that have containers. Wait for the engine until the deadline.

    Without an engine, all of them: the look says what is wrong with it.
    """
    while True:
        try:
            containers = deps.engine().containers()
        except DartsctlError:
            if deps.monotonic() >= deadline:
                return tuple(watches)
            deps.sleep(_PAUSE)
        else:
            return tuple(watch for watch in watches if of_project(containers, watch.project))


def _look_until(
    request: WatchRequest, deadline: float, deps: Deps, *, dry_run: bool = False
) -> _Seen:
    """Look, again and again until nothing is wrong or the deadline has passed.

    With `heal` one attempt is made at what an engine's restart leaves behind.
    """
    project = request.project
    known = Known()
    known.state = WatchState(deps.state, project).peek().state
    planned: frozenset[str] = frozenset()
    if running_watch(deps.state, project):
        planned = known.state.stopped
    eyes = looks_of(request, known, deps=deps).eyes
    notes: list[str] = []
    may_heal = request.settings.heal and not dry_run
    while True:
        result = eyes.look()
        page = SilenceBook(deps.state, project).read(deps.now())
        seen = _Seen(request, result, page.silences, planned)
        work = project_work(deps.state, project)
        if work and work.goes_on:
            seen.work = work.verb or "up"
            seen.notes.append(
                f"{project} is being changed by `{seen.work}`: what is found is planned"
            )
        if page.problem:
            seen.notes.append(page.problem)
        if may_heal and not seen.work:
            may_heal = False
            healed = _heal(seen, deps)
            if healed:
                notes.append(healed)
                continue
        seen.notes += notes
        if not seen.findings or deps.monotonic() >= deadline:
            return seen
        deps.sleep(_PAUSE)


def _heal(seen: _Seen, deps: Deps) -> str:
    """Repair what an engine's restart leaves behind. Return what was done, empty for nothing."""
    from dartsctl.workflows.watch.heal import heal  # Compose's runs: only `--heal` pays for them

    services = {row.subject.name for row in seen.findings if row.subject.kind == "service"}
    if not services:
        return ""
    try:
        healing = heal(
            seen.request, services, deps=deps, spared=seen.planned, causes=_AFTER_A_RESTART
        )
    except DartsctlError as error:
        return f"not healed: {error.message}"
    return healing.text if healing else ""


def _code(rows: Sequence[_Seen]) -> ExitCode:
    codes = {row.code for row in rows}
    for code in (ExitCode.NO_DOCKER, ExitCode.FAILED):
        if code in codes:
            return code
    return ExitCode.OK


def _lines(row: _Seen) -> list[str]:
    name = row.request.environment.name
    count = len(row.findings)
    if not count and row.unplanned:
        lines = [f"{name}: what is wrong is silenced"]
    elif not count:
        lines = [f"{name}: nothing is wrong"]
    elif count == 1:
        lines = [f"{name}: 1 problem"]
    else:
        lines = [f"{name}: {count} problems"]
    for problem in row.unplanned:
        silence = row.silence_of(problem)
        if silence:
            lines.append(f"  silenced until {local_time(silence.until)}: {problem.sentence}")
            continue
        lines.append(f"  {problem.sentence}")
        lines += [f"    {line}" for line in problem.evidence[:_EVIDENCE]]
        if problem.command:
            lines.append(f"    {command_label(problem.command)}: {problem.command}")
    return lines


def _document(row: _Seen) -> dict[str, Any]:
    return {
        "environment": row.request.environment.name,
        "project": row.request.project,
        "exit_code": int(row.code),
        "findings": [_finding(problem, row.silence_of(problem)) for problem in row.unplanned],
        "notes": [*row.notes, *row.result.notes],
    }


def _finding(problem: Problem, silence: Silence | None) -> dict[str, Any]:
    until = None
    if silence:
        until = local_time(silence.until)
    return {
        "subject": {"kind": problem.subject.kind, "name": problem.subject.name},
        "cause": problem.cause,
        "severity": problem.severity,
        "sentence": problem.sentence,
        "command": problem.command,
        "command_kind": command_label(problem.command),
        "evidence": list(problem.evidence),
        "data": plain(problem.data),
        "silenced_until": until,
    }
