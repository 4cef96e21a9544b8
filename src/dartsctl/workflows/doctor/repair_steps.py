"""Execute one step of a repair: settle conflicts, call Compose, or reload the proxy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.repairs import RepairAction
from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.ports.collisions import NameTaken
from dartsctl.ports.holders import ForeignContainer
from dartsctl.records import replace
from dartsctl.stack import compose_errors
from dartsctl.workflows.preflight import another_stack, report
from dartsctl.workflows.preflight.inputs import Intent
from dartsctl.workflows.preflight.preflight import Preflight, run_preflight
from dartsctl.workflows.up import compose_run, settle
from dartsctl.workflows.up.deadline import Countdown, decide
from dartsctl.workflows.up.hand_over import handed_over
from dartsctl.workflows.up.reload_proxy import reload_proxy

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.config.environment import Environment
    from dartsctl.diagnosis.repair_plan import RepairPlan, RepairStep
    from dartsctl.stack.containers import Container
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.examine.stack import Examination
    from dartsctl.workflows.up.answers import Answers
    from dartsctl.workflows.up.preview import ResolutionPreview

_SERVICE_SECONDS = 120.0
"""For one service."""
_STACK_SECONDS = 600.0
"""For the whole stack, whose services wait for each other; more if their health checks need it."""
_COMPOSE_WORDS: dict[RepairAction, tuple[str, ...]] = {
    RepairAction.UP: ("up", "--detach"),
    RepairAction.START: ("up", "--detach", "--no-deps"),
    RepairAction.RECREATE: ("up", "--detach", "--force-recreate", "--no-deps"),
    RepairAction.RESTART: ("restart", "--no-deps"),
}
_WITH_IMAGES = (RepairAction.UP, RepairAction.START, RepairAction.RECREATE)
"""Actions that pull or build a missing image first, which has no deadline."""


class RepairExecutor:
    """Executes the steps of one repair. Moved bindings (never production's) stay moved."""

    def __init__(
        self,
        examination: Examination,
        plain: Environment,
        answers: Answers,
        command: str,
        *,
        deps: Deps,
    ) -> None:
        self.environment = examination.request.environment
        """The environment, with the override of what was moved so far."""
        self._plain = plain
        self._answers = answers
        self._project = examination.facts.project
        self._command = command
        self._deps = deps
        self._intent = Intent()
        self._has_preflight = False
        self._stack_seconds = _STACK_SECONDS

    def do(self, step: RepairStep, plan: RepairPlan) -> str:
        """Execute a step and return the result in words.

        Raises DartsctlError if it fails, KeyboardInterrupt after a signal.
        """
        if step.action is RepairAction.RELOAD:
            reload_proxy(self._project, step.service, deps=self._deps)
            return "done"
        if step.action is RepairAction.FREE:
            return self._free(self._preflight(plan))
        if not self._has_preflight:
            preflight = self._preflight(plan)
            if not preflight.is_clear:
                raise _still_blocked(preflight)
        return self._compose(step)

    def preview(self, plan: RepairPlan) -> ResolutionPreview | None:
        """Return what would become of the conflicts that `plan` settles; None if there are none.

        Raises DartsctlError as `do` does.
        """
        if all(step.action is not RepairAction.FREE for step in plan.steps):
            return None
        preflight = self._preflight(plan)
        return settle.preview(preflight, self._answers_for(preflight), self._plain, deps=self._deps)

    def state_of(self, step: RepairStep) -> str:
        """Return the state of an interrupted step's containers: `; web-1 is created`."""
        if not step.service:
            return ""
        try:
            containers = self._containers(step.service, self._deps.engine().containers())
        except DartsctlError:
            return "; its present state is unknown"
        return "".join(f"; {container.name} is {container.state}" for container in containers)

    def _containers(self, service: str, containers: Sequence[Container]) -> list[Container]:
        key = (self._project, service)
        return [
            container for container in containers if (container.project, container.service) == key
        ]

    def _preflight(self, plan: RepairPlan) -> Preflight:
        """Return the preflight of everything that is to be started.

        Raises Refused (4) for another stack, and for what `up` would refuse as unsafe.
        """
        self._has_preflight = True
        self._intent = Intent()
        if not plan.starts_stack:
            self._intent = Intent(services=plan.starts)
        preflight = run_preflight(self.environment, self._intent, deps=self._deps)
        another_stack.refuse(preflight, self._command)
        if preflight.blocking_objections:
            from dartsctl.workflows.preflight.production_checks import unsafe_error

            raise unsafe_error(preflight.blocking_objections)
        limit = decide(preflight.stack, None, deps=self._deps)
        self._stack_seconds = max(_STACK_SECONDS, limit.seconds)
        return preflight

    def _free(self, preflight: Preflight) -> str:
        if preflight.is_clear:
            return "nothing is in the way any more"
        self.environment, after = settle.settle(
            preflight,
            self._plain,
            self._answers_for(preflight),
            intent=self._intent,
            command=self._command,
            deps=self._deps,
        )
        if not after.is_clear:
            raise _still_blocked(after)
        freed = _conflict_lines(preflight)
        if not freed:
            return "done"
        return f"done; it was: {'; '.join(freed)}"

    def _answers_for(self, preflight: Preflight) -> Answers:
        """Return the answers: --yes agrees to stop everything but containers outside the stack.

        A policy wins over it. Raises DartsctlError for such containers.
        """
        if not self._answers.yes or self._answers.policy not in (None, "ask"):
            return self._answers
        _refuse_foreign_containers(preflight, self._answers)
        return replace(self._answers, policy="stop")

    def _compose(self, step: RepairStep) -> str:
        words, seconds = _COMPOSE_WORDS[step.action], self._stack_seconds
        if step.service:
            words, seconds = (*words, step.service), _SERVICE_SECONDS
        with handed_over(self.environment, deps=self._deps) as hand_over:
            hand_over.begin()
            ended = compose_run.run(
                self._deps.compose_on(self.environment),
                *words,
                clock=Countdown(seconds, deps=self._deps, skip_images=step.action in _WITH_IMAGES),
                deps=self._deps,
                on_line=hand_over.follow,
            )
        if ended.is_late:
            raise DartsctlError(f"`docker compose` did not end within {seconds:.0f} s")
        if ended.code == 0:
            return "done"
        raise _compose_error(ended.text)


def _compose_error(output: str) -> DartsctlError:
    """Return the error for what Compose has printed."""
    failure = compose_errors.classify(output)
    message, code = failure.sentence, ExitCode.FAILED
    details: tuple[str, ...] = ()
    if failure.endpoint:
        message += f" ({failure.endpoint})"
    if failure.raw != failure.sentence:
        details = (failure.raw,)
    if failure.kind == "port":
        code = ExitCode.CONFLICT
    return DartsctlError(message, details=details, code=code)


def _refuse_foreign_containers(preflight: Preflight, answers: Answers) -> None:
    """Raise DartsctlError (3) if containers outside this stack are in the way.

    `--yes` alone does not agree to stop them.
    """
    names = set()
    for conflict in preflight.verdicts.conflicts:
        for holder in conflict.holders:
            if isinstance(holder, ForeignContainer):
                container = holder.container
                if container.project != preflight.stack.project:
                    names.add(container.name)
    for collision in preflight.collisions:
        if isinstance(collision, NameTaken) and collision.container.name not in answers.removable:
            names.add(collision.container.name)
    if names:
        raise DartsctlError(
            "only a person or --on-conflict decides about containers outside this stack: "
            f"{', '.join(sorted(names))}",
            details=_lines(preflight),
            code=ExitCode.CONFLICT,
        )


def _still_blocked(preflight: Preflight) -> DartsctlError:
    return DartsctlError(
        "something is still in the way", details=_lines(preflight), code=ExitCode.CONFLICT
    )


def _lines(preflight: Preflight) -> tuple[str, ...]:
    return (*_conflict_lines(preflight), *report.collision_lines(preflight.collisions))


def _conflict_lines(preflight: Preflight) -> list[str]:
    lines: list[str] = []
    for conflict in report.conflict_texts(preflight):
        lines += (conflict.sentence, *conflict.holders)
    return lines
