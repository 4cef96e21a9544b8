"""Carry out the steps of a repair, verify the result, and record what happened."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from dartsctl.diagnosis.incident import Afterwards, Event
from dartsctl.diagnosis.repairs import RepairAction
from dartsctl.edges.state.history import History
from dartsctl.errors import Advice, DartsctlError, ExitCode, Interrupted
from dartsctl.records import record, replace
from dartsctl.stack.health_deadline import HealthDeadline
from dartsctl.workflows.doctor.verify import verify
from dartsctl.workflows.examine.stack import Examination, examine
from dartsctl.workflows.up.compose_run import interruptible
from dartsctl.workflows.up.deadline import decide
from dartsctl.workflows.up.lock_project import locked_project

if TYPE_CHECKING:
    from dartsctl.diagnosis.repair_plan import RepairPlan, RepairStep
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.doctor.repair_steps import RepairExecutor
    from dartsctl.workflows.up.answers import Answers

_FINAL_CODES = (
    ExitCode.CONFLICT,
    ExitCode.REFUSED,
    ExitCode.NO_DOCKER,
    ExitCode.ANSWER_NEEDED,
    ExitCode.INTERRUPTED,
)
"""Codes of a step that the verification does not change."""
_ENDING_CODES = (ExitCode.REFUSED, ExitCode.ANSWER_NEEDED, ExitCode.NO_DOCKER)
"""Codes of a step after which no other step can succeed."""


@record
class RepairOutcome:
    """What a repair has done, and how the stack is now."""

    plan: RepairPlan
    code: ExitCode
    after: Afterwards
    timeline: tuple[Event, ...] = ()
    steps: tuple[tuple[RepairStep, Event], ...] = ()
    """Every step of the plan with what came of it, not done ones too."""

    @classmethod
    def nothing_done(cls, plan: RepairPlan, examination: Examination) -> RepairOutcome:
        """Return the outcome of a repair without steps, or of a dry run."""
        after = Afterwards.of(examination.facts, examination.diagnosis)
        if not after.left:  # what lies beside an incident is all that is wrong
            after = replace(after, left=after.beside, beside=())
        return cls(plan, _code(after, examination), after)


class RepairRun:
    """One repair. Every step's result is recorded, whatever happens."""

    def __init__(
        self,
        plan: RepairPlan,
        examination: Examination,
        executor: RepairExecutor,
        answers: Answers,
        *,
        deps: Deps,
        verb: str = "doctor --fix",
    ) -> None:
        """`verb`: who repairs, as other runs of dartsctl and the history name it."""
        self._verb = verb
        self._plan = plan
        self._examination = examination
        self._executor = executor
        self._answers = answers
        self._deps = deps
        self._screen = deps.screen
        self._history = History(deps.state, warn=deps.screen.warn, masker=deps.screen.masker)
        self._timeline = [
            Event(examination.facts.now, "found", finding.sentence, is_good=False)
            for finding in examination.diagnosis.findings
        ]
        self._done: list[tuple[RepairStep, Event]] = []

    def carry_out(self) -> RepairOutcome:
        """Do every step and verify. The timeline ends with the verification or an interruption."""
        environment = self._examination.request.environment
        deadline = self._answers.wait_timeout
        with (
            locked_project(environment, verb=self._verb, within=deadline, deps=self._deps) as work,
            interruptible(),
        ):
            try:
                code = self._do_all()
                after = self._verify()
            except (KeyboardInterrupt, Interrupted):
                self._skip_rest("interrupted")
                code = ExitCode.INTERRUPTED
                after = Afterwards(left=("interrupted: the present state was not checked",))
            work.succeeded = after.is_healthy
        return RepairOutcome(
            plan=self._plan,
            code=code if code in _FINAL_CODES else _code(after, self._examination),
            after=after,
            timeline=tuple(self._timeline),
            steps=tuple(self._done),
        )

    def _do_all(self) -> ExitCode:
        """Do the steps as far as they are agreed to; return the code of the first that failed.

        The other services are started even if one does not start.
        """
        code = ExitCode.OK
        for step in self._plan.steps:
            try:
                if not self._is_agreed(step):
                    self._record(
                        step, self._deps.now(), "not done: the answer was no", is_good=False
                    )
                    self._skip_rest("not agreed to")
                    return ExitCode.ANSWER_NEEDED
                self._do(step)
            except Interrupted:
                raise
            except DartsctlError as error:
                code = code or error.code
                is_required = step.action in (RepairAction.FREE, RepairAction.UP)
                if is_required or error.code in _ENDING_CODES:
                    self._skip_rest("the step before failed")
                    return code
        return code

    def _is_agreed(self, step: RepairStep) -> bool:
        """Whether a step may be done. FREE asks itself: each holder has its own choices."""
        if self._answers.yes or step.action is RepairAction.FREE:
            return True
        question = f"{step.line}: {step.reason}. Do it?"
        return self._deps.prompts.confirm(question, flags=Advice("add --yes"))

    def _do(self, step: RepairStep) -> None:
        """Do one step and record it. Raises what it failed with."""
        began = self._deps.now()
        self._screen.note(f"{step.line}: {step.reason}")
        try:
            result = self._executor.do(step, self._plan)
        except (KeyboardInterrupt, Interrupted):
            state = self._executor.state_of(step)
            self._record(step, began, f"interrupted{state}", is_good=False)
            raise
        except DartsctlError as error:
            reason = "; ".join((error.message, *error.details))
            self._record(step, began, f"failed: {reason}", is_good=False)
            self._screen.warn(f"{step.line}: {error.message}")
            for line in error.details:
                self._screen.warn(line)
            raise
        self._record(step, began, result)

    def _skip_rest(self, reason: str) -> None:
        """Record the steps that were not reached."""
        for step in self._plan.steps[len(self._done) :]:
            self._record(step, self._deps.now(), f"not done: {reason}", is_good=False)

    def _verify(self) -> Afterwards:
        began = self._deps.now()
        request = replace(self._examination.request, environment=self._executor.environment)
        after = verify(
            partial(examine, request, deps=self._deps),
            self._plan,
            limit=self._limit(),
            has_worked=any(event.is_good for _, event in self._done),
            deps=self._deps,
        )
        result = f"still wrong: {'; '.join(after.left)}"
        if after.is_healthy:
            result = f"healthy: {', '.join(after.answers)}"
        what = "verify, directly and through the proxy"
        seconds = self._deps.now() - began
        self._timeline.append(
            Event(self._deps.now(), what, result, is_good=after.is_healthy, seconds=seconds)
        )
        return after

    def _limit(self) -> HealthDeadline:
        """Return how long the services may need to become healthy again."""
        stack = self._examination.stack
        if stack is None:
            return HealthDeadline()
        return decide(stack, self._answers.health_timeout, deps=self._deps)

    def _record(self, step: RepairStep, began: float, result: str, *, is_good: bool = True) -> None:
        event = Event(began, step.line, result, is_good=is_good, seconds=self._deps.now() - began)
        self._timeline.append(event)
        self._done.append((step, event))
        self._history.add(
            f"repair-{step.action.value}",
            step.service or self._examination.facts.project,
            step.reason,
            result=result,
            verb=self._verb,
        )


def _code(after: Afterwards, examination: Examination) -> ExitCode:
    if after.is_healthy:
        return ExitCode.OK
    return examination.failure_code
