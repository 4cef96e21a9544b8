"""How an `up` or `restart` ended: the values, in words, and as JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.errors import DartsctlError, ExitCode, NotHealthy, TimedOut
from dartsctl.records import field, record
from dartsctl.stack.health import Condition
from dartsctl.text.phrases import exact_duration
from dartsctl.workflows.up.proxy_outcome import ProxyOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dartsctl.edges.screen.output import Screen
    from dartsctl.ports.missing_bindings import MissingBinding
    from dartsctl.stack.bindings import Endpoint
    from dartsctl.stack.health import ContainerHealth, StackHealth
    from dartsctl.stack.health_deadline import HealthDeadline
    from dartsctl.workflows.preflight.preflight import Preflight
    from dartsctl.workflows.up.proxy_outcome import BadLocation


@record
class ContainerProblem:
    """What is known of a container with a problem.

    `error` is in plain words, `engine_error` as the engine says it, `log` the last log lines.
    """

    error: str = ""
    engine_error: str = ""
    log: tuple[str, ...] = ()


@record
class UpOutcome:
    """How an `up` ended.

    `recreated` are the services that were recreated because something was missing, `failure` says
    why that failed.
    """

    health: StackHealth
    missing: tuple[MissingBinding, ...] = ()
    recreated: tuple[str, ...] = ()
    failure: str = ""
    problems: Mapping[str, ContainerProblem] = field(default_factory=dict)
    """By container name."""
    proxy: ProxyOutcome = field(default_factory=ProxyOutcome)
    urls: tuple[str, ...] = ()
    """Where the stack answers http, its proxy first."""
    places: tuple[str, ...] = ()
    """Its other published tcp ports: `localhost:5432`."""
    deadline: HealthDeadline | None = None
    is_late: bool = False
    """Whether the deadline had passed when it ended."""

    @property
    def is_good(self) -> bool:
        is_complete = not self.missing and not self.failure
        return self.health.is_ready and is_complete and self.proxy.is_good

    def problem_of(self, container: str) -> ContainerProblem:
        return self.problems.get(container, ContainerProblem())


def report(before: Preflight, outcome: UpOutcome, screen: Screen) -> ExitCode:
    """Show how the stack is.

    If something is missing, raise NotHealthy (6) after showing it, or TimedOut (124) if not all
    containers were created in time. With --json return the code.
    """
    code = ExitCode.OK if outcome.is_good else failure_of(before, outcome).code
    if screen.as_json:
        screen.document(_document(before, outcome, code))
        return code
    state = outcome.health
    for service in state.waiting_for:
        error = outcome.problem_of(service.container).error
        because = f" ({error})" if error else ""
        condition = service.condition.value.replace("-", " ")
        screen.warn(f"{state.name_of(service)} is {condition}: {service.detail}{because}")
    for binding in outcome.missing:
        screen.warn(f"{binding.service} {binding.sentence}")
    _show_proxy(outcome.proxy, screen)
    if outcome.is_good:
        screen.note(f"{before.stack.project} is up: {state.summary}")
        for place in (*outcome.urls, *outcome.places):
            screen.note(f"  {place}")
        return code
    if outcome.failure:
        screen.warn(f"{', '.join(outcome.recreated)} could not be recreated: {outcome.failure}")
    raise failure_of(before, outcome)


def failure_of(before: Preflight, outcome: UpOutcome) -> DartsctlError:
    """Return the error for a stack that is not as it should be: how far it has come, and why."""
    project, environment = before.stack.project, before.environment
    waiting = outcome.health.waiting_for
    absent = _services(waiting, Condition.MISSING)
    unstarted = _services(waiting, Condition.NOT_STARTED)
    unwell = [each.service for each in waiting if each.service not in unstarted]
    unwell += [binding.service for binding in outcome.missing]
    services = dict.fromkeys(unwell or outcome.recreated)
    hint = environment.command("logs", *services)
    details = log_lines(outcome.problems)
    within = ""
    if outcome.is_late and outcome.deadline:
        details = (outcome.deadline.sentence, *details)
        within = f" within {exact_duration(outcome.deadline.seconds)}"
    if absent and outcome.is_late:
        message = f"{project} did not start in time: no container for {', '.join(absent)}"
        return TimedOut(message, details=details, hint=environment.command("up"))
    if unstarted:
        verb = "was" if len(unstarted) == 1 else "were"
        message = f"{project} is only partly up: {', '.join(unstarted)} {verb} not started{within}"
        rest = f"`{environment.command('up')}` starts the rest, `{environment.command('down')}`"
        return NotHealthy(message, details=(*details, f"{rest} removes everything"), hint=hint)
    message = f"{project} is up, but not healthy"
    if not services:
        message = f"{project} is up, but does not answer"
    if not services or _runs_unheard(outcome):
        hint = environment.doctor_command()
    return NotHealthy(f"{message}{within}", details=details, hint=hint)


def _runs_unheard(outcome: UpOutcome) -> bool:
    """Return whether all that is missing is a listener: a log says less about that than doctor."""
    if outcome.missing or outcome.failure:
        return False
    return all(container.is_unheard for container in outcome.health.waiting_for)


def _show_proxy(proxy: ProxyOutcome, screen: Screen) -> None:
    for location in proxy.failing:
        screen.warn(location.sentence)
    for location in proxy.elsewhere:
        screen.warn(f"{location.sentence}, which this `up` has not started")
    for sentence in proxy.unchecked:
        screen.note(sentence)


def log_lines(problems: Mapping[str, ContainerProblem]) -> tuple[str, ...]:
    """Return the last log lines of each container below its name."""
    lines: list[str] = []
    for name, problem in problems.items():
        if problem.log:
            lines.append(f"last log lines of {name}:")
            lines += [f"  {line}" for line in problem.log]
    return tuple(lines)


def _services(containers: Sequence[ContainerHealth], condition: Condition) -> list[str]:
    named = [container.service for container in containers if container.condition is condition]
    return list(dict.fromkeys(named))


def _document(before: Preflight, outcome: UpOutcome, code: ExitCode) -> dict[str, object]:
    missing_bindings: list[dict[str, object]] = []
    without_network: list[str] = []
    for binding in outcome.missing:
        if binding.endpoint:
            missing_bindings.append(_missing_binding(binding, binding.endpoint))
        else:
            without_network.append(binding.container)
    return {
        "ok": code is ExitCode.OK,
        "exit_code": int(code),
        "project": before.stack.project,
        "services": [
            _service(service, outcome.problem_of(service.container))
            for service in outcome.health.containers
        ],
        "missing_bindings": missing_bindings,
        "without_network": without_network,
        "recreated": list(outcome.recreated),
        "recreation_error": outcome.failure,
        "urls": list(outcome.urls),
        "places": list(outcome.places),
        "bad_locations": [
            _bad_location(location, is_failure=True) for location in outcome.proxy.failing
        ]
        + [_bad_location(location, is_failure=False) for location in outcome.proxy.elsewhere],
        "unchecked": list(outcome.proxy.unchecked),
        "late": outcome.is_late,
        "health_deadline": outcome.deadline.document() if outcome.deadline else None,
    }


def _bad_location(location: BadLocation, *, is_failure: bool) -> dict[str, object]:
    return {
        "url": location.url,
        "host": location.host,
        "answer": location.answer,
        "service": location.service,
        "target": location.target,
        "failure": is_failure,
    }


def _service(service: ContainerHealth, problem: ContainerProblem) -> dict[str, object]:
    return {
        "service": service.service,
        "container": service.container,
        "condition": service.condition.value,
        "detail": service.detail,
        "restarts": service.restarts,
        "error": problem.error,
        "engine_error": problem.engine_error,
        "log": list(problem.log),
    }


def _missing_binding(binding: MissingBinding, endpoint: Endpoint) -> dict[str, object]:
    return {
        "service": binding.service,
        "container": binding.container,
        "address": endpoint.address,
        "port": endpoint.port,
        "protocol": endpoint.protocol,
        "reason": binding.kind.value,
        "pids": list(binding.pids),
    }
