"""`up`: preflight, Compose's own `up`, health with a deadline, and the bindings looked at once more.

On any conflict nothing is done. When `up` fails or is interrupted, what this attempt created is removed again, and nothing else.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

from dartsctl import compose_errors, lint
from dartsctl.allocation import Allocation
from dartsctl.commands import postflight, report
from dartsctl.commands.attempt import Attempt, names, undone_when_interrupted
from dartsctl.commands.host import Host
from dartsctl.commands.preflight import Intent, Preflight, engine_at, look, verdict
from dartsctl.edges.docker import Compose
from dartsctl.edges.output import Screen
from dartsctl.environment import Environment
from dartsctl.errors import DartsctlError, ExitCode, Refused


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
    allocation: Allocation | None = None
    """Production's ports, for a stack that is not production's own."""
    production_ports: str = "warn"
    """What to do when it publishes one of them: warn or refuse ("remap" warns: moving bindings is the resolution's work)."""
    restart: bool = False
    """Stop and start the containers that are there, instead of `up`; nothing is created, so nothing is undone."""


def up(request: UpRequest, *, compose: Compose, screen: Screen, clock: Callable[[], float] = time.monotonic) -> ExitCode:
    """Bring the stack up. Ends with 0, 3 (conflicts, nothing done), 4 (another stack's project), 6 (up, not healthy or bindings missing)."""
    before = look(request.environment, request.intent, compose=compose, host=Host())
    _mind_production_ports(before, request, screen)
    _refuse_empty_restart(before, request)
    refuse_obstacles(before, request, screen)
    if request.dry_run:
        screen.result({**report.document(before), "exit_code": 0, "dry_run": True}, [f"would run: {' '.join(compose.argv(*_words(request)))}"])
        return ExitCode.OK
    deadline = clock() + request.deadline
    engine = engine_at(before.engine.endpoint)
    attempt = Attempt(before, engine)
    with undone_when_interrupted(attempt, request.next_command):
        failure = _run_compose(request, compose, screen, attempt)
        if failure:
            explain(failure, request, compose, screen)
        state = postflight.wait(before, engine, screen, deadline=deadline, clock=clock)
    missing = postflight.missing_bindings(before, engine.containers())
    return postflight.report(before, state, missing, engine, screen)


def _mind_production_ports(preflight: Preflight, request: UpRequest, screen: Screen) -> None:
    """A stack beside production that publishes one of its ports keeps production from starting (DESIGN 3, `production_ports`)."""
    if request.allocation is None or request.environment.is_production:
        return
    notices = lint.dev_on_production_ports(preflight.stack, request.allocation)
    for notice in notices:
        screen.warn(f"{notice.service}: {notice.sentence}")
    if notices and request.production_ports == "refuse":
        raise Refused(
            f'{preflight.stack.project} publishes production ports, and [{request.environment.name}] production_ports is "refuse"',
            details=tuple(f"{notice.service}: {notice.sentence}" for notice in notices),
            hint="give these services other host ports in the Compose file",
        )


def _refuse_empty_restart(preflight: Preflight, request: UpRequest) -> None:
    """Compose calls a restart of nothing a success."""
    project, services = preflight.stack.project, preflight.stack.services
    if request.restart and not any(one.project == project and one.service in services for one in preflight.containers):
        raise DartsctlError(f"{project} has no containers to restart", hint=f"dartsctl {request.environment.name} up")


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
        raise Reported(ExitCode.CONFLICT)
    conflicts = preflight.answer.conflicts
    details = (*report.conflict_lines(conflicts), *report.collision_lines(preflight.collisions))
    services = len({conflict.binding.service for conflict in conflicts}) + len(preflight.collisions)
    raise DartsctlError(
        f"{services} service{'s' if services > 1 else ''} of {preflight.stack.project} cannot start; nothing was changed",
        details=details,
        hint=f"free what is named above, then: {request.next_command}",
        code=ExitCode.CONFLICT,
    )


class Reported(DartsctlError):
    """The JSON document has been written already; only the exit code is left."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__("", code=code)


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


def _run_compose(request: UpRequest, compose: Compose, screen: Screen, attempt: Attempt) -> compose_errors.Failure | None:
    """Compose's `up`, its progress shown; None when it ended well or only the deadline ended it. Raises KeyboardInterrupt."""
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
            attempt.saw(line)
            if line.strip():
                screen.progress(line)
        code = stream.wait()
    timer.cancel()
    if signals:
        raise KeyboardInterrupt
    if code == 0 or late.is_set():
        return None
    failure = compose_errors.classify("\n".join(lines))
    if failure.kind == "unhealthy":
        return None  # everything is there: the health check tells which service and why
    removed = attempt.undo()
    screen.note(f"removed what this attempt had made: {names(removed)}")
    return failure


def explain(failure: compose_errors.Failure, request: UpRequest, compose: Compose, screen: Screen) -> None:
    """Raise the error that a failed `up` means: where a port was taken in between, the conflict with its holder."""
    if failure.kind in ("port", "address"):
        now = look(request.environment, request.intent, compose=compose, host=Host())
        if now.answer.conflicts:
            if not request.skip_port_check:
                screen.note("a port was taken between the check and the start")
            refuse_obstacles(now, replace(request, skip_port_check=False), screen)
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
