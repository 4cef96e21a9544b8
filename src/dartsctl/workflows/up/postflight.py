"""After `up` and `restart`: wait until every service is healthy, then look whether what was wanted is really bound, and mend it once."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from dartsctl.edges.engine.compose import Compose
from dartsctl.edges.screen.output import Screen
from dartsctl.errors import DartsctlError, ExitCode, NotHealthy
from dartsctl.ports import missing_bindings
from dartsctl.ports.conflicts import Verdict
from dartsctl.ports.missing_bindings import MissingBinding, MissingKind
from dartsctl.stack import compose_errors, health
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import Container
from dartsctl.workflows.deps import Deps
from dartsctl.workflows.up import compose_run
from dartsctl.workflows.up.preflight import Preflight

if TYPE_CHECKING:
    from dartsctl.diagnosis.inspection import Inspection

LOG_LINES = 10
"""Of a container that is not well: enough for a traceback's end."""
_SECOND_LOOK = 0.3
"""Seconds after which a loss is looked for again: a container that restarts in between two questions has lost nothing."""


@dataclass(frozen=True, slots=True)
class ContainerProblem:
    """What is known of one container that is not well: its error in plain words, the engine's own words, its last log lines."""

    error: str = ""
    engine_error: str = ""
    log: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UpOutcome:
    """How an `up` ended: health, what running containers lack, the services that were recreated for it, and why that failed."""

    health: health.Health
    losses: tuple[MissingBinding, ...] = ()
    recreated: tuple[str, ...] = ()
    failure: str = ""
    problems: Mapping[str, ContainerProblem] = field(default_factory=dict)
    """By container name."""

    @property
    def is_good(self) -> bool:
        return self.health.is_ready and not self.losses and not self.failure


class Postflight:
    """One stack after its `up`; `scales` are the words that Compose needs to keep the number of replicas."""

    def __init__(
        self,
        before: Preflight,
        compose: Compose,
        *,
        deps: Deps,
        deadline: float,
        scales: Sequence[str] = (),
        on_line: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._before = before
        self._deps = deps
        self._engine = deps.engine()
        self._compose = compose
        self._screen = deps.screen
        self._deadline = deadline
        self._clock = deps.monotonic
        self._scales = tuple(scales)
        self._on_line = on_line
        self._wanted = _fixed_endpoints(before)

    def check(self) -> UpOutcome:
        """Mend what has lost its ports or networks, once; wait for health until the deadline; look again. Raises KeyboardInterrupt."""
        lost = self.losses()
        recreated: tuple[str, ...] = ()
        failure = ""
        if lost and self._clock() < self._deadline:
            recreated = tuple(dict.fromkeys(one.service for one in lost))
            failure = self._recreate(lost, recreated)
        state = self._wait()
        found = self.losses()
        names = {
            *(one.container for one in state.waiting_for if one.container),
            *(one.container for one in found),
        }
        return UpOutcome(
            state, found, recreated, failure, {name: self._problem(name) for name in sorted(names)}
        )

    def losses(self) -> tuple[MissingBinding, ...]:
        """What running containers of the stack lack, seen twice: once more a moment later."""
        first = self._losses_now()
        if not first:
            return ()
        self._deps.sleep(_SECOND_LOOK)
        again = self._losses_now()
        return tuple(one for one in first if one in again)

    def _losses_now(self) -> tuple[MissingBinding, ...]:
        running = [
            one
            for one in self._own()
            if one.state == "running"
            and not (health.may_be_looping(one) and self._restarts_of(one))
        ]
        return (
            *missing_bindings.unlisted(self._wanted, running),
            *self._unheard(running),
            *self._without_network(running),
        )

    def _unheard(self, running: Sequence[Container]) -> tuple[MissingBinding, ...]:
        """What the kernel's table lacks: of an engine on this host with its userland proxy, and only where one of its ports is heard here at all.

        The socket of an engine elsewhere may have been forwarded here; then none of its ports are.
        """
        engine = self._before.engine
        if engine.kind != "local" or not engine.userland_proxy or sys.platform != "linux":
            return ()
        published = {
            endpoint
            for one in self._engine.containers()
            if one.holds_ports
            for endpoint in one.published
        }
        host = self._deps.host()
        try:
            host.read_ahead({endpoint.port for endpoint in published})
        except DartsctlError as error:
            self._screen.detail(
                f"whether published ports are listened on was not looked at: {error.message}"
            )
            return ()
        rows = [
            row
            for port in {endpoint.port for endpoint in published}
            for row in host.listeners(port)
        ]

        def is_engines(pid: int) -> bool:
            process = host.describe(pid)
            return process is None or host.is_forwarder(process)

        if not any(
            row.overlaps(endpoint) and (not row.pids or any(map(is_engines, row.pids)))
            for row in rows
            for endpoint in published
        ):
            return ()
        return missing_bindings.unheard(self._wanted, running, rows, is_engines=is_engines)

    def _without_network(self, running: Sequence[Container]) -> tuple[MissingBinding, ...]:
        control = self._engine.control()
        if control is None:
            return ()
        described = [(container, control.inspect(container.id)) for container in running]
        return tuple(
            MissingBinding(one.service, one.name, MissingKind.NO_NETWORK)
            for one, inspected in described
            if inspected and inspected.facts.runs and not inspected.has_network
        )

    def _recreate(self, lost: Sequence[MissingBinding], services: Sequence[str]) -> str:
        """Why it failed, empty where it did not."""
        for one in lost:
            self._screen.warn(f"{one.service} {one.sentence}")
        self._screen.note(f"recreating {', '.join(services)}")
        words = ("up", "--detach", "--force-recreate", "--no-deps", *self._scales, *services)
        ended = compose_run.run(
            self._compose,
            *words,
            seconds=max(1.0, self._deadline - self._clock()),
            screen=self._screen,
            on_line=self._on_line,
        )
        if ended.code == 0:
            return ""
        failure = compose_errors.classify(ended.text)
        return _located(failure) if not ended.is_late else "it was not recreated in time"

    def _wait(self) -> health.Health:
        told = ""

        def tell(now: health.Health) -> None:
            nonlocal told
            line = "waiting for " + ", ".join(
                f"{one.service} ({one.condition.value})" for one in now.waiting_for
            )
            if now.waiting_for and line != told:
                self._screen.progress(line)
            told = line

        loops = health.CrashLoops()
        return health.wait(
            lambda: loops.judge(self._health()),
            deadline=self._deadline,
            clock=self._clock,
            sleep=self._deps.sleep,
            on_change=tell,
        )

    def _health(self) -> health.Health:
        own = self._own()
        return health.assess(
            self._before.stack,
            own,
            {one.id: self._restarts_of(one) for one in own if health.may_be_looping(one)},
        )

    def _own(self) -> list[Container]:
        stack = self._before.stack
        return [
            one
            for one in self._engine.containers()
            if one.project == stack.project and one.service in stack.services and not one.is_one_off
        ]

    def _restarts_of(self, container: Container) -> int:
        control = self._engine.control()
        inspected = control.inspect(container.id) if control else None
        return inspected.facts.restart_count if inspected else 0

    def _problem(self, container: str) -> ContainerProblem:
        control = self._engine.control()
        if control is None:
            return ContainerProblem()
        inspected = control.inspect(container)
        if inspected:
            self._screen.masker.learn(inspected.environment)
        raw = inspected.facts.error if inspected else ""
        error = _located(compose_errors.classify(raw)) if raw else _health_check_said(inspected)
        lines = control.log(container, tail=LOG_LINES) or ()
        return ContainerProblem(error, raw, tuple(line.text for line in lines))


def _fixed_endpoints(before: Preflight) -> dict[str, list[Endpoint]]:
    """What each service must have bound: its fixed ports, without what was uncertain before."""
    wanted: dict[str, list[Endpoint]] = {}
    for one in before.verdicts.bindings:
        if one.verdict is not Verdict.UNCERTAIN and not one.binding.is_range:
            endpoints = (
                endpoint for port in one.binding.numbers for endpoint in one.binding.endpoints(port)
            )
            wanted.setdefault(one.binding.service, []).extend(endpoints)
    return wanted


def _located(failure: compose_errors.Failure) -> str:
    return f"{failure.sentence} ({failure.endpoint})" if failure.endpoint else failure.sentence


def _health_check_said(inspected: Inspection | None) -> str:
    """The last line of a failed health check, where the container is unhealthy."""
    if inspected is None or inspected.facts.health != "unhealthy":
        return ""
    output = [line.strip() for line in inspected.check_output.splitlines() if line.strip()]
    return (
        f"its health check says: {output[-1]}"
        if output
        else "its health check fails and says nothing"
    )


def report(before: Preflight, outcome: UpOutcome, screen: Screen) -> ExitCode:
    """Say how the stack is. Raises NotHealthy (6) where something is missing, after it has said what; with --json returns the code."""
    code = ExitCode.OK if outcome.is_good else ExitCode.NOT_HEALTHY
    if screen.as_json:
        screen.document(_document(before, outcome, code))
        return code
    state = outcome.health
    for one in state.waiting_for:
        error = outcome.problems.get(one.container, ContainerProblem()).error
        screen.warn(
            f"{one.service} is {one.condition.value}: {one.detail}{f' ({error})' if error else ''}"
        )
    for loss in outcome.losses:
        screen.warn(f"{loss.service} {loss.sentence}")
    if outcome.is_good:
        count = len(state.services)
        screen.note(
            f"{before.stack.project} is up: {count} container{'' if count == 1 else 's'} ready"
        )
        return code
    if outcome.failure:
        screen.warn(f"{', '.join(outcome.recreated)} could not be recreated: {outcome.failure}")
    unwell = dict.fromkeys(
        [*(one.service for one in state.waiting_for), *(one.service for one in outcome.losses)]
    )
    raise NotHealthy(
        f"{before.stack.project} is up, but not healthy",
        details=_log_lines(outcome.problems),
        hint=f"dartsctl {before.environment.name} logs {' '.join(unwell or outcome.recreated)}",
    )


def _log_lines(problems: Mapping[str, ContainerProblem]) -> tuple[str, ...]:
    found: list[str] = []
    for name, problem in problems.items():
        if problem.log:
            found += [f"the end of {name}'s log:", *(f"  {line}" for line in problem.log)]
    return tuple(found)


def _document(before: Preflight, outcome: UpOutcome, code: ExitCode) -> dict[str, object]:
    return {
        "ok": code is ExitCode.OK,
        "exit_code": int(code),
        "project": before.stack.project,
        "services": [
            _service(one, outcome.problems.get(one.container, ContainerProblem()))
            for one in outcome.health.services
        ],
        "missing_bindings": [_loss(one) for one in outcome.losses if one.endpoint],
        "without_network": [
            one.container for one in outcome.losses if one.kind is MissingKind.NO_NETWORK
        ],
        "recreated": list(outcome.recreated),
        "recreation_error": outcome.failure,
    }


def _service(one: health.ServiceHealth, problem: ContainerProblem) -> dict[str, object]:
    return {
        "service": one.service,
        "container": one.container,
        "condition": one.condition.value,
        "detail": one.detail,
        "restarts": one.restarts,
        "error": problem.error,
        "engine_error": problem.engine_error,
        "log": list(problem.log),
    }


def _loss(one: MissingBinding) -> dict[str, object]:
    where = one.endpoint
    shown = (
        {"address": where.address, "port": where.port, "protocol": where.protocol} if where else {}
    )
    return {
        "service": one.service,
        "container": one.container,
        **shown,
        "reason": one.kind.value,
        "pids": list(one.pids),
    }
