"""What is known of a container with a problem: its error, its health check, its last log lines."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.stack import compose_errors
from dartsctl.workflows.up.outcome import ContainerProblem

if TYPE_CHECKING:
    from dartsctl.diagnosis.inspection import Inspection
    from dartsctl.stack.compose_errors import ComposeFailure
    from dartsctl.workflows.deps import Deps

LOG_LINES = 10
"""Log lines of a container with a problem: enough for the end of a traceback."""


def look_at(container: str, deps: Deps) -> ContainerProblem:
    """Return what the engine says of one container; nothing if it can only be listed."""
    control = deps.engine().control()
    if control is None:
        return ContainerProblem()
    inspected = control.inspect(container)
    engine_error = error = ""
    if inspected:
        deps.screen.masker.learn(inspected.environment)
        engine_error = inspected.facts.error
        error = _failed_health_check(inspected)
    if engine_error:
        error = located(compose_errors.classify(engine_error))
    lines = control.log(container, tail=LOG_LINES) or ()
    return ContainerProblem(error, engine_error, tuple(line.text for line in lines))


def located(failure: ComposeFailure) -> str:
    """Return the sentence of a failure, with the endpoint if there is one."""
    return f"{failure.sentence} ({failure.endpoint})" if failure.endpoint else failure.sentence


def _failed_health_check(inspected: Inspection) -> str:
    """Return the last line of a failed health check; empty for a container that is not unwell."""
    health = inspected.facts.health
    if not inspected.facts.runs or health not in ("unhealthy", "starting"):
        return ""
    output = [line.strip() for line in inspected.check_output.splitlines() if line.strip()]
    if output:
        return f"its health check reports: {output[-1]}"
    return "its health check fails without output" if health == "unhealthy" else ""
