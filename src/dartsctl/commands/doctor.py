"""`doctor`: from a 502 to its cause. Reads only; what repairs it is another step."""

from __future__ import annotations

from dataclasses import dataclass, replace

from dartsctl.config.environment import Environment
from dartsctl.diagnosis.diagnose import diagnose
from dartsctl.diagnosis.facts import Facts
from dartsctl.diagnosis.findings import Cause, Diagnosis
from dartsctl.edges.screen.output import Screen
from dartsctl.errors import ExitCode
from dartsctl.workflows.deps import Deps
from dartsctl.workflows.doctor import report
from dartsctl.workflows.doctor.examine import ExamineRequest, examine
from dartsctl.workflows.up.remap import with_kept_moves


@dataclass(frozen=True, slots=True)
class Examined:
    """What was measured, and what it means. `request` is as it was carried out: ports that have moved included."""

    request: ExamineRequest
    facts: Facts
    diagnosis: Diagnosis

    @property
    def code(self) -> ExitCode:
        """0 healthy, 1 something is wrong, 5 the engine does not answer."""
        if self.diagnosis.healthy:
            return ExitCode.OK
        engine_down = any(one.cause is Cause.ENGINE_DOWN for one in self.diagnosis.findings)
        return ExitCode.NO_DOCKER if engine_down else ExitCode.FAILED


def doctor(request: ExamineRequest, *, deps: Deps, dry_run: bool = False) -> Examined:
    """Look at a stack and find what is wrong with it. Raises DartsctlError where its files cannot be read."""
    environment = with_kept_moves(request.environment, deps=deps, dry_run=dry_run)
    return look_at(request, environment, deps=deps)


def look_at(request: ExamineRequest, environment: Environment, *, deps: Deps) -> Examined:
    """The same with `environment` as it is: after a repair, which may have moved ports."""
    made = replace(request, environment=environment)
    facts = examine(made, deps=deps)
    return Examined(made, facts, diagnose(facts))


def tell(examined: Examined, screen: Screen) -> ExitCode:
    """Each finding as a tree that ends with its cause and what repairs it; with --json one document."""
    facts, diagnosis = examined.facts, examined.diagnosis
    if screen.as_json:
        screen.document({**report.document(facts, diagnosis), "exit_code": int(examined.code)})
        return examined.code
    for one in diagnosis.findings:
        screen.tree(report.headline(one), report.tree(one), one.sentence, one.command)
    for line in facts.unknown:
        screen.note(f"not looked at: {line}")
    if abs(facts.engine.skew) > 1:
        screen.warn(
            f"the engine's clock is {facts.engine.skew:+.0f} s from ours; times here are the engine's"
        )
    if diagnosis.healthy:
        asked = len(facts.http)
        screen.note(
            f"{facts.project} is healthy: {len(facts.services)} services, {asked} request{'' if asked == 1 else 's'} answered"
        )
    return examined.code
