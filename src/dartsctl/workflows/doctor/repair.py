"""The step behind `doctor --fix`: the plan is shown, carried out one step after the other, and what came of it is looked at (DESIGN 7)."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from dartsctl.config.environment import Environment
from dartsctl.diagnosis import repair_plan
from dartsctl.diagnosis.facts import Facts
from dartsctl.diagnosis.findings import Cause, Diagnosis
from dartsctl.diagnosis.incident import Afterwards, Event, Report
from dartsctl.diagnosis.repair_plan import RepairPlan, RepairStep
from dartsctl.diagnosis.repairs import RepairAction
from dartsctl.edges.screen.output import Screen
from dartsctl.edges.state.history import History
from dartsctl.edges.state.incident_file import IncidentFile
from dartsctl.errors import DartsctlError, ExitCode, Interrupted
from dartsctl.workflows.deps import Deps
from dartsctl.workflows.doctor.repair_steps import Hands
from dartsctl.workflows.up.compose_run import interruptible
from dartsctl.workflows.up.lock_project import locked_project
from dartsctl.workflows.up.preview import ResolutionPreview
from dartsctl.workflows.up.settle import Answers

_HOPELESS = frozenset(
    {Cause.APP_EXITED, Cause.NEVER_STARTED, Cause.OUT_OF_MEMORY, Cause.PROXY_CANNOT_START}
)
_HOPELESS_LOOKS = 3
"""Looks in a row after which a service that has ended again is not waited for."""
_BETWEEN_LOOKS = 0.5


class Examined(Protocol):
    """What a look at the stack has found."""

    @property
    def facts(self) -> Facts: ...

    @property
    def diagnosis(self) -> Diagnosis: ...


@dataclass(frozen=True, slots=True)
class RepairRequest:
    """What `doctor --fix` was asked for. `environment` is with its moves, `plain` without."""

    environment: Environment
    plain: Environment
    answers: Answers
    yes: bool = False
    dry_run: bool = False
    deadline: float = 120.0
    """Seconds for the verification."""
    report: Path | None = None
    document: Mapping[str, Any] | None = None
    """The diagnosis as `doctor --json` shows it."""


def repair(
    request: RepairRequest,
    examined: Examined,
    *,
    look_again: Callable[[Environment], Examined],
    deps: Deps,
) -> ExitCode:
    """Repair what was found. Ends with 0 (healthy, verified), 1 (something is left), 3, 4, 5 as elsewhere, 7 (a "no"), 130 (interrupted).

    Raises DartsctlError: with code 7 where nobody is there to agree, before anything is done; where the report's file cannot be made.
    """
    facts, diagnosis, screen = examined.facts, examined.diagnosis, deps.screen
    plan = repair_plan.make_plan(diagnosis.findings, facts)
    command = f"{facts.commands.doctor} --fix"
    _show(plan, diagnosis, screen)
    if (
        plan.steps
        and not request.dry_run
        and not request.yes
        and (screen.as_json or not deps.prompts.interactive)
    ):
        raise DartsctlError(
            "the plan needs a yes, and nobody is there to give it",
            hint=f"{command} --yes",
            code=ExitCode.ANSWER_NEEDED,
        )
    file = (
        IncidentFile(request.report)
        if request.report and not diagnosis.healthy and not request.dry_run
        else None
    )
    answers = replace(request.answers, yes=request.yes)
    hands = Hands(
        request.environment,
        request.plain,
        answers,
        facts.project,
        command,
        deps=deps,
    )
    work = _Work(request, plan, hands, facts, deps=deps)
    code, after = ExitCode.OK, Afterwards.of(facts, diagnosis)
    work.preview = _preview(hands, plan, screen) if request.dry_run else None
    if plan.steps and not request.dry_run:
        code, after = work.do_all(diagnosis, look_again)
    report = None
    if file:
        text = Report(screen.masker.line).markdown(
            facts, diagnosis, work.timeline, after if work.timeline else None
        )
        report = _write(file, text, screen)
    code = code if code in _OWN_CODES else _code(after, diagnosis)
    return _end(request, plan, work, after, code, command, report, screen)


def _preview(hands: Hands, plan: RepairPlan, screen: Screen) -> ResolutionPreview | None:
    """What freeing the ports would stop, shown."""
    try:
        preview = hands.preview(plan)
    except DartsctlError as error:
        screen.warn(error.message)
        return None
    for line in preview.lines if preview else ():
        screen.note(line)
    return preview


def write_report(path: Path, examined: Examined, screen: Screen) -> None:
    """The incident report of a diagnosis alone; none of a healthy stack. Raises DartsctlError where no file can be made."""
    if not examined.diagnosis.healthy:
        _write(
            IncidentFile(path),
            Report(screen.masker.line).markdown(examined.facts, examined.diagnosis),
            screen,
        )


def _write(file: IncidentFile, text: str, screen: Screen) -> Path | None:
    """A report that cannot be written must not hide what has been repaired."""
    try:
        file.write(text)
    except DartsctlError as error:
        screen.warn(error.message)
        return None
    screen.note(f"the report is in {file.path}")
    return file.path


_OWN_CODES = (
    ExitCode.CONFLICT,
    ExitCode.REFUSED,
    ExitCode.NO_DOCKER,
    ExitCode.ANSWER_NEEDED,
    ExitCode.INTERRUPTED,
)


def _code(after: Afterwards, diagnosis: Diagnosis) -> ExitCode:
    if after.is_healthy:
        return ExitCode.OK
    return (
        ExitCode.NO_DOCKER
        if any(one.cause is Cause.ENGINE_DOWN for one in diagnosis.findings)
        else ExitCode.FAILED
    )


class _Work:
    """The plan on its way: every step's result is kept, whatever happens."""

    def __init__(
        self,
        request: RepairRequest,
        plan: RepairPlan,
        hands: Hands,
        facts: Facts,
        *,
        deps: Deps,
    ) -> None:
        self._request = request
        self._plan = plan
        self._hands = hands
        self._facts = facts
        self._deps = deps
        self._prompts = deps.prompts
        self._screen = screen = deps.screen
        self._clock = deps.now
        self._history = History(deps.state, warn=screen.warn, masker=screen.masker)
        self.preview: ResolutionPreview | None = None
        """What freeing the ports would do, on a dry run."""
        self.timeline: list[Event] = []
        self.done: list[tuple[RepairStep, Event]] = []

    def do_all(
        self, diagnosis: Diagnosis, look_again: Callable[[Environment], Examined]
    ) -> tuple[ExitCode, Afterwards]:
        """Every step, then the last look. The timeline begins with what was found, and ends with it, or with an interruption."""
        for finding in diagnosis.findings:
            self.timeline.append(Event(self._facts.now, "found", finding.sentence, is_good=False))
        request = self._request
        with (
            locked_project(request.environment, within=request.deadline, deps=self._deps),
            interruptible(),
        ):
            try:
                code = self._carry_out()
                return code, self._verify(look_again)
            except (KeyboardInterrupt, Interrupted):
                self._leave("interrupted")
                return ExitCode.INTERRUPTED, Afterwards(
                    left=("interrupted: how it is now was not looked at",)
                )

    def _carry_out(self) -> ExitCode:
        """Every step, as far as it is agreed to; the code of the first that failed. A service that does not start keeps no other from it."""
        code = ExitCode.OK
        stopped = ""
        for step in self._plan.steps:
            if stopped:
                break
            try:
                result = self._one(step)
            except DartsctlError as error:
                code = code or error.code
                if isinstance(error, Interrupted):
                    raise
                ends = step.action in (RepairAction.FREE, RepairAction.UP) or error.code in (
                    ExitCode.REFUSED,
                    ExitCode.ANSWER_NEEDED,
                    ExitCode.NO_DOCKER,
                )
                stopped = "the step before failed" if ends else ""
                continue
            if not result:
                code, stopped = ExitCode.ANSWER_NEEDED, "not agreed to"
        self._leave(stopped)
        return code

    def _leave(self, why: str) -> None:
        """The steps that have not been come to are told as well."""
        for step in self._plan.steps[len(self.done) :]:
            self._record(step, self._clock(), f"not done: {why}", is_good=False)

    def _one(self, step: RepairStep) -> bool:
        """Whether it was agreed to, and done. Raises what it failed with, after it has been recorded."""
        asks_itself = step.action is RepairAction.FREE  # each holder has choices of its own
        if (
            not self._request.yes
            and not asks_itself
            and not self._prompts.confirm(f"{step.line}: {step.reason}. Do it?", flags="add --yes")
        ):
            self._record(step, self._clock(), "not done: the answer was no", is_good=False)
            return False
        began = self._clock()
        self._screen.note(f"{step.line}: {step.reason}")
        try:
            result = self._hands.do(step, self._plan)
        except (KeyboardInterrupt, Interrupted):
            self._record(step, began, f"interrupted{self._hands.state_of(step)}", is_good=False)
            raise
        except DartsctlError as error:
            self._record(
                step, began, f"failed: {'; '.join((error.message, *error.details))}", is_good=False
            )
            self._screen.warn(f"{step.line}: {error.message}")
            for line in error.details:
                self._screen.warn(line)
            raise
        self._record(step, began, result)
        return True

    def _verify(self, look_again: Callable[[Environment], Examined]) -> Afterwards:
        """Look until all that the plan was made for is gone, or the deadline has passed, or a service has ended again."""
        began = self._clock()
        until = time.monotonic() + self._request.deadline
        known = {(one.finding.cause, one.finding.service) for one in self._plan.by_hand}
        worked = any(event.is_good for _, event in self.done)
        vain, told = 0, ""
        while True:
            now = look_again(self._hands.environment)
            left = [one for one in now.diagnosis.findings if (one.cause, one.service) not in known]
            young = repair_plan.settling(self._plan, now.facts)
            waited_for = bool(left or young) or (
                not now.diagnosis.findings and bool(now.diagnosis.symptoms)
            )
            vain = vain + 1 if any(one.cause in _HOPELESS for one in left) else 0
            if not worked or not waited_for or vain >= _HOPELESS_LOOKS or time.monotonic() >= until:
                break
            line = (
                "waiting: "
                + (
                    *(one.sentence for one in left),
                    *now.diagnosis.symptoms,
                    f"{', '.join(young)} has just been started",
                )[0]
            )
            if line != told:
                self._screen.progress(line)
            told = line
            time.sleep(_BETWEEN_LOOKS)
        after = Afterwards.of(now.facts, now.diagnosis)
        result = (
            f"healthy: {', '.join(after.answers)}"
            if after.is_healthy
            else f"still wrong: {'; '.join(after.left)}"
        )
        self.timeline.append(
            Event(
                self._clock(),
                "verify, directly and through the proxy",
                result,
                after.is_healthy,
                self._clock() - began,
            )
        )
        return after

    def _record(self, step: RepairStep, began: float, result: str, *, is_good: bool = True) -> None:
        event = Event(began, step.line, result, is_good, self._clock() - began)
        self.timeline.append(event)
        self.done.append((step, event))
        self._history.add(
            f"repair-{step.action.value}",
            step.service or self._facts.project,
            step.reason,
            result=result,
        )


def _show(plan: RepairPlan, diagnosis: Diagnosis, screen: Screen) -> None:
    if diagnosis.healthy:
        screen.note("nothing to repair")
    screen.table(
        ("STEP", "WHAT", "WHY"),
        [(str(number), step.line, step.reason) for number, step in enumerate(plan.steps, 1)],
    )
    for one in plan.by_hand:
        screen.warn(one.line)


def _end(
    request: RepairRequest,
    plan: RepairPlan,
    work: _Work,
    after: Afterwards,
    code: ExitCode,
    command: str,
    report: Path | None,
    screen: Screen,
) -> ExitCode:
    """The timeline, and what is left; with --json one document. Raises DartsctlError for people where not all is well."""
    if screen.as_json:
        more = {"free_ports": work.preview.document()} if work.preview else {}
        screen.document({**_document(request, plan, work, after, code, report), **more})
        return code
    screen.table(("WHEN", "WHAT", "RESULT"), [event.cells for event in work.timeline])
    if code is ExitCode.OK:
        if work.timeline:
            screen.note("repaired and verified")
        return code
    if request.dry_run:
        return code
    raise DartsctlError(
        _failure(code, after), details=after.left, hint=_hint(plan, code, command), code=code
    )


def _hint(plan: RepairPlan, code: ExitCode, command: str) -> str:
    if code in (ExitCode.CONFLICT, ExitCode.REFUSED):
        return f"put right what is named above, then: {command}"
    if code in (ExitCode.ANSWER_NEEDED, ExitCode.INTERRUPTED) or not plan.by_hand:
        return command if code is not ExitCode.FAILED else command.removesuffix(" --fix")
    return plan.by_hand[0].finding.command


def _failure(code: ExitCode, after: Afterwards) -> str:
    if code is ExitCode.INTERRUPTED:
        return "interrupted; what has been done is in the table above"
    if after.is_healthy:
        return "all is well now, though not every step was done"
    return f"{len(after.left)} thing{'s are' if len(after.left) > 1 else ' is'} still wrong"


def _document(
    request: RepairRequest,
    plan: RepairPlan,
    work: _Work,
    after: Afterwards,
    code: ExitCode,
    report: Path | None,
) -> dict[str, Any]:
    return {
        "ok": code is ExitCode.OK,
        "exit_code": int(code),
        "dry_run": request.dry_run,
        "diagnosis": dict(request.document or {}),
        "plan": [
            {
                "action": one.action.value,
                "service": one.service,
                "what": one.line,
                "why": one.reason,
            }
            for one in plan.steps
        ],
        "by_hand": [
            {"problem": one.finding.sentence, "command": one.finding.command}
            for one in plan.by_hand
        ],
        "steps": [
            {
                "action": step.action.value,
                "service": step.service,
                "when": event.when,
                "seconds": event.seconds,
                "ok": event.is_good,
                "result": event.result,
            }
            for step, event in work.done
        ],
        "verification": {
            "healthy": after.is_healthy,
            "answers": list(after.answers),
            "left": list(after.left),
        },
        "report": str(report) if report else None,
    }
