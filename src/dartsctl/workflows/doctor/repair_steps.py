"""The step that carries out one step of a repair: through the resolution of conflicts, Compose, and the proxy's own reload."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise

from dartsctl.config.environment import Environment
from dartsctl.diagnosis.repair_plan import RepairPlan, RepairStep
from dartsctl.diagnosis.repairs import RepairAction
from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.ports.collisions import NameTaken
from dartsctl.ports.holders import ForeignContainer
from dartsctl.stack import compose_errors
from dartsctl.workflows.deps import Deps
from dartsctl.workflows.up import another_stack, compose_run, report, settle
from dartsctl.workflows.up.preflight import Intent, Preflight, run_preflight
from dartsctl.workflows.up.preview import ResolutionPreview
from dartsctl.workflows.up.settle import Answers

_ONE_SERVICE = 120.0
"""Seconds for one call of Compose: its image is there."""
_WHOLE_STACK = 600.0
"""The same where images may have to be pulled or built, and services wait for each other."""
_WORDS: dict[RepairAction, tuple[str, ...]] = {
    RepairAction.UP: ("up", "--detach"),
    RepairAction.START: ("up", "--detach", "--no-deps"),
    RepairAction.RECREATE: ("up", "--detach", "--force-recreate", "--no-deps"),
    RepairAction.RESTART: ("restart", "--no-deps"),
}


@dataclass(frozen=True, slots=True)
class _Asked:
    """What `obstacles.settle` needs to know."""

    environment: Environment
    intent: Intent
    next_command: str
    answers: Answers
    skip_port_check: bool = False


class Hands:
    """One repair's means. Bindings that move on the way (never production's) count for the steps that follow."""

    def __init__(
        self,
        environment: Environment,
        plain: Environment,
        answers: Answers,
        project: str,
        command: str,
        *,
        deps: Deps,
    ) -> None:
        self.environment = environment
        self._plain = plain
        self._answers = answers
        self._project = project
        self._command = command
        self._deps = deps
        self._intent = Intent()
        self._looked = False

    def do(self, step: RepairStep, plan: RepairPlan) -> str:
        """Do it; in words what came of it. Raises DartsctlError where it fails, KeyboardInterrupt after a signal."""
        if step.action is RepairAction.RELOAD:
            return self._reload(step.service)
        before = None if self._looked else self._look(plan)
        if step.action is RepairAction.FREE:
            return self._free(before or self._look(plan))
        if before and not before.is_clear:
            raise _in_the_way(before)
        return self._compose(step)

    def state_of(self, step: RepairStep) -> str:
        """`; web-1 is created`: how the containers of an interrupted step are now."""
        engine = self._deps.engine()
        try:
            own = [
                one
                for one in engine.containers()
                if step.service and (one.project, one.service) == (self._project, step.service)
            ]
        except DartsctlError:
            return "; how it is now could not be told"
        return "".join(f"; {one.name} is {one.state}" for one in own)

    def _look(self, plan: RepairPlan) -> Preflight:
        """The preflight of all that is to be started. Raises Refused (4) for another stack, and for what `up` would refuse as unsafe."""
        self._looked = True
        self._intent = Intent(
            services=() if any(one.action is RepairAction.UP for one in plan.steps) else plan.starts
        )
        before = run_preflight(self.environment, self._intent, deps=self._deps)
        another_stack.refuse(before, self._command)
        if before.blocking_objections:
            from dartsctl.workflows.up.production_checks import unsafe_error

            raise unsafe_error(before.blocking_objections)
        return before

    def _free(self, before: Preflight) -> str:
        if before.is_clear:
            return "nothing is in the way any more"
        asked = _Asked(self.environment, self._intent, self._command, self._answers_for(before))
        self.environment, after = settle.settle(before, asked, self._plain, deps=self._deps)
        if not after.is_clear:
            raise _in_the_way(after)
        freed = _conflict_lines(before)
        return f"done; it was: {'; '.join(freed)}" if freed else "done"

    def _answers_for(self, before: Preflight) -> Answers:
        """--fix with --yes is the wish to stop all but containers; a policy that is named wins over it. Raises DartsctlError for those."""
        if not self._answers.yes or self._answers.policy not in (None, "ask"):
            return self._answers
        _refuse_foreign_containers(before, self._answers)
        return replace(self._answers, policy="stop")

    def preview(self, plan: RepairPlan) -> ResolutionPreview | None:
        """What would become of the conflicts that `plan` settles; None where there are none. Raises DartsctlError as `do` does."""
        if all(step.action is not RepairAction.FREE for step in plan.steps):
            return None
        before = self._look(plan)
        return settle.preview(before, self._answers_for(before), self._plain)

    def _compose(self, step: RepairStep) -> str:
        words = (*_WORDS[step.action], *([step.service] if step.service else []))
        seconds = _ONE_SERVICE if step.service else _WHOLE_STACK
        ended = compose_run.run(
            self._deps.compose_on(self.environment),
            *words,
            seconds=seconds,
            screen=self._deps.screen,
        )
        if ended.is_late:
            raise DartsctlError(f"it did not end within {seconds:.0f} s")
        if ended.code == 0:
            return "done"
        failure = compose_errors.classify(ended.text)
        where = f" ({failure.endpoint})" if failure.endpoint else ""
        raise DartsctlError(
            f"{failure.sentence}{where}",
            details=(failure.raw,) if failure.raw != failure.sentence else (),
            code=ExitCode.CONFLICT if failure.kind == "port" else ExitCode.FAILED,
        )

    def _reload(self, service: str) -> str:
        engine = self._deps.engine().control()
        if engine is None:
            raise DartsctlError(
                "the proxy of a remote engine is not reloaded from here",
                hint=f"docker compose exec {service} nginx -s reload",
            )
        running = [
            one
            for one in engine.containers()
            if (one.project, one.service, one.state) == (self._project, service, "running")
        ]
        if not running:
            raise DartsctlError(f"{service} does not run")
        for one in running:
            inspected = engine.inspect(one.id)
            argv = inspected.arguments if inspected else ()
            named = next(((word, after) for word, after in pairwise(argv) if word == "-c"), ())
            answer = engine.execute(one.id, ("nginx", *named, "-s", "reload"))
            if answer is None or answer[0] != 0:
                said = [
                    line
                    for line in (answer[2] if answer else "").splitlines()
                    if "[emerg]" in line or "[error]" in line
                ]
                raise DartsctlError(f"{one.name} did not reload", details=tuple(said[-3:]))
        return "done"


def _refuse_foreign_containers(before: Preflight, answers: Answers) -> None:
    """Raise where containers outside this stack are in the way: `--yes` alone agrees to nothing about them."""
    holders = [holder for conflict in before.verdicts.conflicts for holder in conflict.holders]
    foreign = [holder.container for holder in holders if isinstance(holder, ForeignContainer)]
    names = {container.name for container in foreign if container.project != before.stack.project}
    taken = {
        collision.container.name
        for collision in before.collisions
        if isinstance(collision, NameTaken)
    }
    names |= taken - answers.removable
    if names:
        raise DartsctlError(
            f"a person decides about containers outside this stack, or --on-conflict: {', '.join(sorted(names))}",
            details=_lines(before),
            code=ExitCode.CONFLICT,
        )


def _in_the_way(before: Preflight) -> DartsctlError:
    return DartsctlError(
        "something is still in the way", details=_lines(before), code=ExitCode.CONFLICT
    )


def _lines(before: Preflight) -> tuple[str, ...]:
    return (*_conflict_lines(before), *report.collision_lines(before.collisions))


def _conflict_lines(before: Preflight) -> list[str]:
    lines: list[str] = []
    for conflict in report.conflict_texts(before.verdicts.conflicts):
        lines += (conflict.sentence, *conflict.holders)
    return lines
