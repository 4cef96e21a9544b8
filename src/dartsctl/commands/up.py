"""`up`: preflight, Compose's own `up`, health with a deadline, and the bindings looked at once more.

On any conflict nothing is done. When `up` fails or is interrupted, what this attempt created is removed again, and nothing else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from dartsctl import compose_errors, health
from dartsctl.bindings import Endpoint
from dartsctl.commands import report
from dartsctl.commands.preflight import Intent, Preflight, engine_at, look, verdict
from dartsctl.commands.host import Host
from dartsctl.conflicts import Verdict
from dartsctl.containers import Container
from dartsctl.edges.docker import Compose
from dartsctl.edges.engine import EngineApi
from dartsctl.edges.output import Screen
from dartsctl.environment import Environment
from dartsctl.errors import DartsctlError, ExitCode, Interrupted, Refused


@dataclass(frozen=True, slots=True)
class UpRequest:
    """What `up` was asked for. `compose_flags` go to Compose as they are."""

    environment: Environment
    intent: Intent
    compose_flags: tuple[str, ...] = ()
    deadline: float = 120.0
    """Seconds for everything after the preflight."""
    dry_run: bool = False
    skip_port_check: bool = False
    next_command: str = "dartsctl check"
    restart: bool = False
    """Stop and start the containers that are there, instead of `up`; nothing is created, so nothing is undone."""


def up(request: UpRequest, *, compose: Compose, screen: Screen, clock: Callable[[], float] = time.monotonic) -> ExitCode:
    """Bring the stack up. Ends with 0, 3 (conflicts, nothing done), 4 (another stack's project), 6 (up, not healthy or bindings missing)."""
    before = look(request.environment, request.intent, compose=compose, host=Host())
    refuse_obstacles(before, request, screen)
    if request.dry_run:
        screen.result({**report.document(before), "dry_run": True}, [f"would run: {' '.join(compose.argv(*_words(request)))}"])
        return ExitCode.OK
    deadline = clock() + request.deadline
    engine = engine_at(before.engine.endpoint)
    attempt = _Attempt(before, engine)
    failure = _run_compose(request, compose, screen, attempt)
    if failure:
        explain(failure, request, compose, screen)
    state = _wait(before, engine, screen, deadline=deadline, clock=clock)
    missing = missing_bindings(before, engine.containers())
    return _report(before, state, missing, engine, screen)


def refuse_obstacles(preflight: Preflight, request: UpRequest, screen: Screen) -> None:
    """Raises when the preflight found anything in the way; what is merely uncertain is told and tried."""
    for notice in preflight.notices:
        if notice.code in ("uncertain", "became-ephemeral", "shared-network", "replicas-fixed-port"):
            screen.warn(f"{notice.service}: {notice.sentence}")
    if preflight.project_taken:
        raise Refused(
            report.collision_lines([preflight.project_taken])[0],
            hint=f"give this stack a name of its own (project = ... in dartsctl.toml), or name it on purpose: --project {preflight.stack.project}",
        )
    if preflight.is_clear or (request.skip_port_check and not preflight.collisions):
        return
    if screen.as_json:
        screen.document({**report.document(preflight), "exit_code": int(verdict(preflight))})
        raise Silent(ExitCode.CONFLICT)
    conflicts = preflight.answer.conflicts
    details = (*report.conflict_lines(conflicts), *report.collision_lines(preflight.collisions))
    services = len({conflict.binding.service for conflict in conflicts}) + len(preflight.collisions)
    raise DartsctlError(
        f"{services} service{'s' if services > 1 else ''} of {preflight.stack.project} cannot start; nothing was changed",
        details=details,
        hint=f"free what is named above, then: {request.next_command}",
        code=ExitCode.CONFLICT,
    )


class Silent(DartsctlError):
    """The document has been written already; only the exit code is left."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__("", code=code)


class _Attempt:
    """What was there before this `up`, so that an undo takes away only what it made."""

    def __init__(self, before: Preflight, engine: object) -> None:
        self._stack = before.stack
        self._engine = engine if isinstance(engine, EngineApi) else None
        self._known = {one.id for one in before.containers}
        self._had_services = {one.service for one in before.containers if one.project == before.stack.project}
        self._networks = [
            network.name
            for network in before.stack.networks.values()
            if self._engine and not network.external and self._engine.network(network.name) is None
        ]

    def undo(self) -> tuple[Container, ...]:
        """Remove the containers of services that had none before, and the networks that this attempt made. A service whose container was
        replaced keeps the new one: the old one is gone already, and the new one's State.Error tells why. Never a volume."""
        if self._engine is None:
            return ()
        made = [
            one
            for one in self._engine.containers()
            if one.project == self._stack.project and one.id not in self._known and one.service not in self._had_services
        ]
        for one in made:
            self._engine.remove_container(one.id)
        for name in self._networks:
            self._engine.remove_network(name)
        return tuple(made)


def _words(request: UpRequest) -> list[str]:
    if request.restart:
        return ["restart", *request.compose_flags, *request.intent.services]
    words = ["up", "--detach", *request.compose_flags]
    if request.intent.force_recreate:
        words.append("--force-recreate")
    if request.intent.remove_orphans:
        words.append("--remove-orphans")
    for name, replicas in request.intent.scales:
        words += ["--scale", f"{name}={replicas}"]
    return [*words, *request.intent.services]


def _run_compose(request: UpRequest, compose: Compose, screen: Screen, attempt: _Attempt) -> compose_errors.Failure | None:
    """Compose's `up`, its progress shown; None when it ended well or only the deadline ended it. Raises Interrupted after the undo."""
    stream = compose.stream(*_words(request))
    late = threading.Event()

    def stop() -> None:
        late.set()
        stream.interrupt()

    timer = threading.Timer(request.deadline, stop)
    timer.daemon = True
    timer.start()
    lines: list[str] = []
    with stream.taking_signals() as signals:
        for line in compose.masked_lines(stream):
            lines.append(line)
            if line.strip():
                screen.progress(line)
        code = stream.wait()
    timer.cancel()
    if signals:
        removed = attempt.undo()
        raise Interrupted(f"interrupted; removed what this attempt had made ({_names(removed)})", hint=request.next_command)
    if code == 0 or late.is_set():
        return None
    failure = compose_errors.classify("\n".join(lines))
    if failure.kind == "unhealthy":
        return None  # everything is there: the health check tells which service and why
    removed = attempt.undo()
    screen.note(f"removed what this attempt had made: {_names(removed)}")
    return failure


def _names(containers: Sequence[Container]) -> str:
    return ", ".join(one.name for one in containers) or "nothing"


def explain(failure: compose_errors.Failure, request: UpRequest, compose: Compose, screen: Screen) -> None:
    """Raise the error that a failed `up` means: where a port was taken in between, the conflict with its holder."""
    if failure.kind in ("port", "address"):
        now = look(request.environment, replace(request.intent, ask_engine=True), compose=compose, host=Host())
        if now.answer.conflicts:
            screen.note("a port was taken between the check and the start")
            refuse_obstacles(now, request, screen)
        where = f" {failure.endpoint}" if failure.endpoint else ""
        raise DartsctlError(
            f"the engine could not bind{where}: {failure.sentence}",
            details=(failure.raw,),
            hint=request.next_command,
            code=ExitCode.CONFLICT,
        )
    codes = {"engine": ExitCode.NO_DOCKER, "name": ExitCode.CONFLICT}
    hints = {
        "image": "build or pull it: add --build or --pull always",
        "engine": "docker info",
        "network": "create it: docker network create NAME",
        "paused": "docker compose unpause",
    }
    raise DartsctlError(
        f"`up` failed: {failure.sentence}",
        details=(failure.raw,) if failure.raw != failure.sentence else (),
        hint=hints.get(failure.kind, request.next_command),
        code=codes.get(failure.kind, ExitCode.FAILED),
    )


def _wait(before: Preflight, engine: object, screen: Screen, *, deadline: float, clock: Callable[[], float]) -> health.Health:
    def read() -> health.Health:
        return health.assess(before.stack, engine.containers())  # type: ignore[attr-defined]  # EngineApi or RemoteEngine

    def tell(now: health.Health) -> None:
        if now.waiting_for:
            screen.progress("waiting for " + ", ".join(f"{one.service} ({one.condition.value})" for one in now.waiting_for))

    return health.wait(read, deadline=deadline, clock=clock, sleep=time.sleep, on_change=tell)


def missing_bindings(before: Preflight, containers: Sequence[Container]) -> list[tuple[str, Endpoint]]:
    """Fixed bindings that the engine does not list although `up` ended well: it may report Running and have bound nothing (EDGE 33)."""
    listed: dict[str, set[Endpoint]] = {}
    running = set()
    for one in containers:
        if one.project == before.stack.project and one.holds_ports:
            listed.setdefault(one.service, set()).update(one.published)
            running.add(one.service)
    return [
        (finding.binding.service, endpoint)
        for finding in before.answer.findings
        if finding.verdict is not Verdict.UNCERTAIN and not finding.binding.is_range and finding.binding.service in running
        for endpoint in finding.binding.endpoints(finding.binding.first)
        if endpoint not in listed.get(finding.binding.service, set())
    ]


def _report(before: Preflight, state: health.Health, missing: Sequence[tuple[str, Endpoint]], engine: object, screen: Screen) -> ExitCode:
    good = state.is_ready and not missing
    code = ExitCode.OK if good else ExitCode.NOT_HEALTHY
    lost = [{"service": service, "address": one.address, "port": one.port, "protocol": one.protocol} for service, one in missing]
    document = {
        "ok": good,
        "exit_code": int(code),
        "project": before.stack.project,
        "services": [
            {"service": one.service, "container": one.container, "condition": one.condition.value, "detail": one.detail}
            for one in state.services
        ],
        "missing_bindings": lost,
    }
    if screen.as_json:
        screen.document(document)
        return code
    for one in state.waiting_for:
        screen.warn(f"{one.service} is {one.condition.value}: {one.detail}{_error_of(one, before, engine)}")
    for service, endpoint in missing:
        screen.warn(f"{service} runs without its port {endpoint}: recreate it: docker compose up -d --force-recreate {service}")
    if good:
        screen.note(f"{before.stack.project} is up: {len(state.services)} containers ready")
        return code
    services = " ".join(dict.fromkeys(one.service for one in state.waiting_for))
    raise DartsctlError(
        f"{before.stack.project} is up, but not healthy", hint=f"dartsctl {before.environment.name} logs {services}".rstrip(), code=code
    )


def _error_of(one: health.ServiceHealth, before: Preflight, engine: object) -> str:
    """State.Error of a container that never started: `docker logs` is empty then (EDGE 32)."""
    if not one.container or not isinstance(engine, EngineApi) or one.condition is not health.Condition.FAILED:
        return ""
    text = str(engine.state(one.container).get("Error", ""))
    return f" ({text})" if text else ""
