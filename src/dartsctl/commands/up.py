"""`up`: preflight, Compose's own `up`, health with a deadline, and the bindings looked at once more.

On any conflict nothing is done. When `up` fails or is interrupted, what this attempt created is removed again, and nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from dartsctl.config.environment import Environment
from dartsctl.edges.screen.output import Screen
from dartsctl.errors import DartsctlError, ExitCode, Refused
from dartsctl.ports import lint
from dartsctl.ports.allocation import Allocation
from dartsctl.stack import compose_errors
from dartsctl.stack.compose_errors import ComposeFailure
from dartsctl.workflows.deps import Deps
from dartsctl.workflows.up import another_stack, compose_run, postflight, report, settle
from dartsctl.workflows.up.lock_project import locked_project
from dartsctl.workflows.up.preflight import Intent, Preflight, run_preflight
from dartsctl.workflows.up.refresh_guards import refresh_guards
from dartsctl.workflows.up.remap import book_of, pin, with_kept_moves
from dartsctl.workflows.up.undo import Attempt, UndoResult, undone_when_interrupted


@dataclass(frozen=True, slots=True)
class UpRequest:
    """What `up` was asked for. `compose_flags` go to Compose as they are."""

    environment: Environment
    intent: Intent
    compose_flags: tuple[str, ...] = ()
    wait_timeout: float = 120.0
    """Seconds for everything after the preflight."""
    dry_run: bool = False
    skip_port_check: bool = False
    next_command: str = "dartsctl check"
    allocation: Allocation | None = None
    """Production's ports, for a stack that is not production's own."""
    production_ports: str = "warn"
    """What to do when it publishes one of them: warn or refuse ("remap" warns: moving bindings is the resolution's work)."""
    answers: settle.Answers = field(default_factory=settle.Answers)
    reset_ports: bool = False
    """Forget where ports and container names have moved to; the files' own count again."""
    restart: bool = False
    """Stop and start the containers that are there, instead of `up`; nothing is created, so nothing is undone."""


def up(request: UpRequest, *, deps: Deps) -> ExitCode:
    """Bring the stack up, after any other dartsctl that is changing it.

    Ends with 0, 3 (conflicts, nothing done), 4 (another stack's project, an unsafe production), 6 (up, not healthy or bindings missing).
    """
    if request.dry_run:
        return _bring_up(request, deps)
    with locked_project(request.environment, within=request.wait_timeout, deps=deps):
        return _bring_up(request, deps)


def _bring_up(request: UpRequest, deps: Deps) -> ExitCode:
    plain, screen = request.environment, deps.screen
    environment = (
        plain if request.reset_ports else with_kept_moves(plain, deps=deps, dry_run=request.dry_run)
    )
    request = replace(request, environment=environment)
    before = run_preflight(environment, request.intent, deps=deps)
    another_stack.refuse_unless_copy(before, request.next_command)
    _mind_production_ports(before, request, screen)
    if not request.dry_run:
        refresh_guards(before, request.intent, request.allocation, deps=deps)
        _forget_moves(request, plain, deps)
    _refuse_empty_restart(before, request)
    settle.refuse_unsafe(before, screen)
    settle.warn_of_unneeded_removals(before, request.answers, screen)
    if not before.is_clear and not request.skip_port_check and not request.dry_run:
        environment, before = settle.settle(before, request, plain, deps=deps)
        request = replace(request, environment=environment)
    may_start = before.is_clear or request.skip_port_check
    if may_start and not request.dry_run and (pinned := pin(before, plain, deps=deps)):
        request = replace(request, environment=pinned)
        before = run_preflight(pinned, request.intent, deps=deps)
    preview = (
        settle.preview(before, request.answers, plain)
        if request.dry_run and not before.is_clear
        else None
    )
    settle.refuse(before, request, screen, preview=preview)
    if request.dry_run:
        words = " ".join(deps.compose_on(request.environment).argv(*_words(request)))
        screen.result(
            {**report.document(before), "exit_code": 0, "dry_run": True}, [f"would run: {words}"]
        )
        return ExitCode.OK
    return _start(request, before, plain, deps)


def _start(request: UpRequest, before: Preflight, plain: Environment, deps: Deps) -> ExitCode:
    """Compose's `up`, and what follows. A port that was taken since the preflight leads to the same choices, once."""
    screen = deps.screen
    deadline = deps.monotonic() + request.wait_timeout
    attempt = Attempt(before, deps)
    with undone_when_interrupted(attempt, request.next_command, screen):
        failure, undone = _run_compose(request, attempt, deps)
        if failure and failure.kind == "port":
            now = run_preflight(request.environment, request.intent, deps=deps)
            if not request.skip_port_check:
                screen.note("a port was taken between the check and the start")
            if not now.is_clear:  # else it is free again by now
                environment, before = settle.settle(now, request, plain, deps=deps)
                request = replace(request, environment=environment)
                settle.refuse(
                    before, replace(request, skip_port_check=False), screen, undone=undone.lines
                )
            deadline = deps.monotonic() + request.wait_timeout  # a person may have taken their time
            failure, undone = _run_compose(request, attempt, deps)
        if failure:
            explain(failure, request, undone.lines if screen.as_json else ())
        after = postflight.Postflight(
            before,
            deps.compose_on(request.environment),
            deps=deps,
            deadline=deadline,
            scales=_scales(request),
            on_line=attempt.follow,
        )
        outcome = after.check()
    return postflight.report(before, outcome, screen)


def _forget_moves(request: UpRequest, plain: Environment, deps: Deps) -> None:
    """Forget the moves that this `up` does not use: reset, or overtaken by an edit of the files."""
    is_unused = request.environment == plain and not plain.is_production
    if is_unused and book_of(plain, deps).forget() and request.reset_ports:
        deps.screen.note("restored the ports and names from the Compose files")


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
    if request.restart and not any(
        one.project == project and one.service in services for one in preflight.containers
    ):
        raise DartsctlError(
            f"{project} has no containers to restart",
            hint=f"dartsctl {request.environment.name} up",
        )


def _words(request: UpRequest) -> list[str]:
    if request.restart:
        return ["restart", *request.compose_flags, *request.intent.services]
    words = ["up", "--detach", *request.compose_flags]
    if request.intent.force_recreate:
        words.append("--force-recreate")
    if request.intent.remove_orphans:
        words.append("--remove-orphans")
    return [*words, *_scales(request), *request.intent.services]


def _scales(request: UpRequest) -> list[str]:
    return [
        word
        for name, replicas in request.intent.scales
        for word in ("--scale", f"{name}={replicas}")
    ]


def _run_compose(
    request: UpRequest, attempt: Attempt, deps: Deps
) -> tuple[ComposeFailure | None, UndoResult]:
    """Compose's `up`, its progress shown: no failure when it ended well or only the deadline ended it, else what was undone for it too.

    Raises KeyboardInterrupt.
    """
    screen, compose = deps.screen, deps.compose_on(request.environment)
    ended = compose_run.run(
        compose,
        *_words(request),
        seconds=request.wait_timeout,
        screen=screen,
        on_line=attempt.follow,
    )
    if ended.code == 0 or ended.is_late:
        return None, UndoResult()
    failure = compose_errors.classify(ended.text)
    if failure.kind == "unhealthy":
        return (
            None,
            UndoResult(),
        )  # everything is there: the health check tells which service and why
    undone = attempt.undo()
    screen.note(f"removed what this attempt had made: {undone.removed}")
    undone.show(screen)
    return failure, undone


def explain(failure: ComposeFailure, request: UpRequest, undone: tuple[str, ...] = ()) -> None:
    """Raise the error that a failed `up` means, in the engine's own words where they say more; `undone` are further lines of details."""
    if failure.kind in ("port", "address"):
        where = f" {failure.endpoint}" if failure.endpoint else ""
        raise DartsctlError(
            f"the engine could not bind{where}: {failure.sentence}",
            details=(failure.raw, *undone),
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
        details=(*((failure.raw,) if failure.raw != failure.sentence else ()), *undone),
        hint=hints.get(failure.kind, request.next_command),
        code=codes.get(failure.kind, ExitCode.FAILED),
    )
