"""Why Compose did not start a service: another one that it waits for is not as it should be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.errors import Advice
from dartsctl.records import record
from dartsctl.stack.containers import of_services
from dartsctl.stack.failed_dependency import parse_failed_dependency
from dartsctl.stack.model import COMPLETED, HEALTHY
from dartsctl.workflows.up.outcome import log_lines
from dartsctl.workflows.up.problems import look_at

if TYPE_CHECKING:
    from dartsctl.stack.model import Stack
    from dartsctl.workflows.deps import Deps


@record
class DependencyFailure:
    """The failure in words.

    With `keeps` nothing is undone: the containers run, and the postflight says what is wrong.
    """

    sentence: str = ""
    details: tuple[str, ...] = ()
    hint: str = ""
    keeps: bool = False


def dependency_failure(output: str, stack: Stack, deps: Deps) -> DependencyFailure | None:
    """Return what Compose's `output` says about a dependency, None if it is about something else.

    To be called before anything is undone: it reads the log of the container.
    """
    failed = parse_failed_dependency(output)
    if failed is None:
        return None
    if failed.fault in ("unhealthy", "exited"):
        return DependencyFailure(keeps=True)
    own = of_services(deps.engine().containers(), stack.project, stack.services)
    if failed.fault == "unchecked":
        named = [container.service for container in own if container.name == failed.name]
        name = named[0] if named else failed.name
        return DependencyFailure(
            f"{_waiting(name, HEALTHY, stack)} for {name} to be healthy, and {name} has no health"
            " check",
            hint=Advice(
                f"give {name} a healthcheck, or depend on it with condition: service_started"
            ),
        )
    problems = {
        container.name: look_at(container.name, deps)
        for container in own
        if container.service == failed.name
    }
    return DependencyFailure(
        f"{_waiting(failed.name, COMPLETED, stack)} for {failed.name} to end well, and it ended"
        f" with exit code {failed.code}",
        details=log_lines(problems),
    )


def _waiting(name: str, condition: str, stack: Stack) -> str:
    """Return who waits for a service: `web waits`, `web, app wait`."""
    waiting = [
        service.name
        for service in stack.services.values()
        if service.conditions.get(name) == condition
    ]
    if not waiting:
        return "a service waits"
    return f"{', '.join(waiting)} {'waits' if len(waiting) == 1 else 'wait'}"
