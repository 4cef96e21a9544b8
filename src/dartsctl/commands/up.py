"""`up` and `restart`: preflight, Compose, then a postflight with a deadline.

On a conflict nothing is done. If `up` fails or is interrupted, what it created is removed, and
nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.errors import Advice, DartsctlError, DockerUnavailable, ExitCode, Refused
from dartsctl.ports import drift
from dartsctl.records import field, record, replace
from dartsctl.stack import compose_errors
from dartsctl.stack.containers import of_project, of_services
from dartsctl.stack.waits import SETTLING_TIME, SHORTEST_DEADLINE
from dartsctl.workflows.preflight import another_stack, report
from dartsctl.workflows.preflight.preflight import Preflight, run_preflight, without_shared
from dartsctl.workflows.up import compose_failure, compose_run, outcome, postflight, refusal
from dartsctl.workflows.up.answers import Answers
from dartsctl.workflows.up.deadline import StartClock, decide
from dartsctl.workflows.up.dependency_failure import dependency_failure
from dartsctl.workflows.up.hand_over import handed_over
from dartsctl.workflows.up.lock_project import locked_project
from dartsctl.workflows.up.refresh_guards import refresh_guards
from dartsctl.workflows.up.remap import book_of, pin, with_kept_moves
from dartsctl.workflows.up.undo import Attempt, UndoResult, undone_when_interrupted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.config.environment import Environment
    from dartsctl.edges.screen.output import Screen
    from dartsctl.ports.allocation import Allocation
    from dartsctl.stack.compose_errors import ComposeFailure
    from dartsctl.stack.containers import Container
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.preflight.inputs import Intent
    from dartsctl.workflows.up.hand_over import HandOver
    from dartsctl.workflows.up.preview import ResolutionPreview


@record
class UpRequest:
    """What `up` or `restart` is asked to do."""

    environment: Environment
    intent: Intent
    next_command: str
    compose_flags: tuple[str, ...] = ()
    """Passed to Compose as they are."""
    wait_timeout: float | None = None
    """Seconds until the stack must be healthy. None: as long as its health checks allow."""
    settling_time: float = SETTLING_TIME
    """Seconds that a container without a health check must have run; 0: it is not waited for."""
    proxy: str = ""
    """The service that is the reverse proxy, if the settings name it."""
    allocation: Allocation | None = None
    """Production's documented ports, None without settings."""
    refuse_production_ports: bool = False
    """Whether another environment that publishes one of them is refused, not only warned about."""
    answers: Answers = field(default_factory=Answers)
    dry_run: bool = False
    skip_port_check: bool = False
    reset_ports: bool = False
    """Forget the moves of ports and container names, and use those of the Compose files."""
    restart: bool = False
    """Restart the existing containers instead. Nothing is created, so nothing is undone."""

    @property
    def verb(self) -> str:
        """What a person calls it."""
        return "restart" if self.restart else "up"


def up(request: UpRequest, *, deps: Deps) -> ExitCode:
    """Bring the stack up, after any other dartsctl that is changing it.

    Ends with 0, 3 (conflicts, nothing done), 4 (another stack's project, unsafe production) or 6
    (up, but not healthy, or bindings are missing).
    """
    if request.dry_run:
        return _preview(request, deps)
    within = request.wait_timeout or SHORTEST_DEADLINE
    with locked_project(
        request.environment,
        verb=request.verb,
        services=request.intent.services,
        within=within,
        deps=deps,
    ) as work:
        code = _bring_up(request, deps)
        work.succeeded = code == ExitCode.OK
    return code


def _preview(request: UpRequest, deps: Deps) -> ExitCode:
    """Show what `up` would do."""
    screen = deps.screen
    plain = request.environment
    request, before = _preflight(request, deps)
    preview = None
    if not before.is_clear:
        from dartsctl.workflows.up import settle

        preview = settle.preview(before, request.answers, plain, deps=deps)
    _refuse_conflicts(before, request, plain, deps, preview=preview)
    words = deps.compose_on(request.environment).argv(*_words(request))
    document = {**report.document(before), "exit_code": 0, "dry_run": True}
    limit = decide(before.stack, request.wait_timeout, deps=deps)
    document |= {"health_deadline": limit.document()}
    screen.result(document, [f"would run: {' '.join(words)}", limit.sentence])
    return ExitCode.OK


def _bring_up(request: UpRequest, deps: Deps) -> ExitCode:
    plain = request.environment
    request, before = _preflight(request, deps)
    if not before.is_clear and not request.skip_port_check:
        environment, before = _settle(before, plain, request, deps)
        request = replace(request, environment=environment)
    if before.is_clear or request.skip_port_check:
        pinned = pin(before, plain, deps=deps)
        if pinned:
            request = replace(request, environment=pinned)
            before = run_preflight(pinned, request.intent, deps=deps)
    _refuse_conflicts(before, request, plain, deps)
    _forget_moves(request, plain, deps)
    return _start(request, before, plain, deps)


def _preflight(request: UpRequest, deps: Deps) -> tuple[UpRequest, Preflight]:
    """Return the preflight, and the request with the moves of earlier runs.

    Raises what no settling of conflicts can change.
    """
    plain, screen = request.environment, deps.screen
    if plain.files_error:
        return _restart_by_labels(request, plain.files_error, deps)
    if not request.reset_ports:
        environment = with_kept_moves(plain, deps=deps, dry_run=request.dry_run)
        request = replace(request, environment=environment)
    try:
        before = run_preflight(request.environment, request.intent, deps=deps)
    except DartsctlError as error:
        if not request.restart or isinstance(error, DockerUnavailable):
            raise
        return _restart_by_labels(replace(request, environment=plain), error, deps)
    if request.restart:  # what the containers share, they share already
        before = without_shared(before)
    another_stack.refuse_unless_copy(before, request.next_command)
    _check_production_ports(before, request, screen)
    if not request.dry_run:
        refresh_guards(before, request.intent, request.allocation, deps=deps)
    _refuse_empty_restart(before, request)
    refusal.refuse_unsafe(before, screen)
    refusal.refuse_unmet_needs(before, _start_command(request), screen)
    refusal.warn_of_unneeded_removals(before, request.answers, screen)
    return request, before


def _start_command(request: UpRequest) -> str:
    """Return what starts the stack: what is missing for `restart` is missing for `up`."""
    return request.environment.command("up") if request.restart else request.next_command


def _restart_by_labels(
    request: UpRequest, error: DartsctlError, deps: Deps
) -> tuple[UpRequest, Preflight]:
    """Return the preflight of a restart without readable files: nothing is created.

    Raises `error` if nothing runs.
    """
    from dartsctl.workflows.preflight.from_labels import by_labels, of_another_stack
    from dartsctl.workflows.preflight.labelled_stack import preflight_by_labels

    plain = request.environment
    request = replace(request, environment=by_labels(plain, error, deps=deps))
    own = of_project(deps.engine().containers(), request.environment.project)
    others = of_another_stack(own, plain)
    another_stack.refuse_to_touch(others, plain, "restart", effect="restart")
    before = preflight_by_labels(plain, request.environment, deps=deps)
    _refuse_empty_restart(before, request)
    return request, before


def _settle(
    before: Preflight, plain: Environment, request: UpRequest, deps: Deps
) -> tuple[Environment, Preflight]:
    from dartsctl.workflows.up import settle

    return settle.settle(
        before,
        plain,
        request.answers,
        intent=request.intent,
        command=request.next_command,
        deps=deps,
    )


def _refuse_conflicts(
    before: Preflight,
    request: UpRequest,
    plain: Environment,
    deps: Deps,
    *,
    undone: Sequence[str] = (),
    preview: ResolutionPreview | None = None,
) -> None:
    beside: tuple[str, ...] = ()
    if not before.is_clear and preview is None and not request.restart:
        from dartsctl.workflows.up import settle

        beside = settle.way_beside(before, request.answers, plain, deps=deps)
    refusal.refuse_conflicts(
        before,
        request.answers,
        command=request.next_command,
        screen=deps.screen,
        skip_port_check=request.skip_port_check,
        undone=undone,
        beside=beside,
        preview=preview,
    )


def _start(request: UpRequest, before: Preflight, plain: Environment, deps: Deps) -> ExitCode:
    """Run Compose and the postflight. If a port was taken meanwhile, settle that, once."""
    screen = deps.screen
    clock = _clock(request, before, deps)
    attempt = Attempt(before, deps)
    with (
        handed_over(plain, deps=deps) as hand_over,
        undone_when_interrupted(attempt, request.next_command, screen),
    ):
        hand_over.begin()
        failure, undone = _run_compose(request, attempt, clock, hand_over, deps)
        if failure and failure.kind == "port":
            request, before = _settle_again(request, before, plain, undone, deps)
            clock = _clock(request, before, deps)  # a person may have taken time
            failure, undone = _run_compose(request, attempt, clock, hand_over, deps)
        if failure:
            raise compose_failure.compose_error(
                failure,
                request.environment.project,
                undone.lines if screen.as_json else (),
                next_command=request.next_command,
            )
        check = postflight.Postflight(
            before,
            deps.compose_on(request.environment),
            deps=deps,
            clock=clock,
            settling_time=request.settling_time,
            proxy=request.proxy,
            scales=_scales(request),
            on_line=attempt.follow,
        )
        ended = check.check()
    if screen.as_json or screen.verbose or not ended.is_good:  # else nobody asks for the deadline
        is_late = not ended.is_good and deps.monotonic() >= clock.until
        ended = replace(ended, deadline=clock.limit, is_late=is_late)
    return outcome.report(before, ended, screen)


def _settle_again(
    request: UpRequest, before: Preflight, plain: Environment, undone: UndoResult, deps: Deps
) -> tuple[UpRequest, Preflight]:
    """Settle the conflict about a port that was taken after the preflight.

    Raises if the conflict stays. The port may also be free again: then nothing changes.
    """
    now = run_preflight(request.environment, request.intent, deps=deps)
    if not request.skip_port_check:
        deps.screen.note("a port was taken after the preflight")
    if now.is_clear:
        return request, before
    environment, now = _settle(now, plain, request, deps)
    request = replace(request, environment=environment)
    checked = replace(request, skip_port_check=False)
    _refuse_conflicts(now, checked, plain, deps, undone=undone.lines)
    return request, now


def _forget_moves(request: UpRequest, plain: Environment, deps: Deps) -> None:
    """Forget moves that this `up` does not use: after a reset, or an edit of the files."""
    is_unused = request.environment == plain and not plain.is_production and not request.restart
    if is_unused and book_of(plain, deps).forget() and request.reset_ports:
        deps.screen.note("restored the ports and names from the Compose files")


def _check_production_ports(preflight: Preflight, request: UpRequest, screen: Screen) -> None:
    """Warn of production's ports in another stack, or refuse them: they keep it from starting."""
    if request.allocation is None or request.environment.is_production:
        return
    notices = drift.dev_on_production_ports(preflight.stack, request.allocation)
    lines = [notice.line for notice in notices]
    for line in lines:
        screen.warn(line)
    if lines and request.refuse_production_ports:
        name = request.environment.name
        raise Refused(
            f"{preflight.stack.project} publishes production ports,"
            f' and production_ports is "refuse" in [{name}]',
            details=tuple(lines),
            hint=Advice("give these services other host ports in the Compose file"),
        )


def _refuse_empty_restart(preflight: Preflight, request: UpRequest) -> None:
    """Raise if there is nothing to restart: Compose calls that a success."""
    project, services = preflight.stack.project, preflight.stack.services
    if not request.restart or not services:
        return
    if of_services(preflight.containers, project, services):
        return
    command = request.environment.command("up")
    raise DartsctlError(f"{project} has no containers to restart", hint=command)


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
    words = []
    for service, replicas in request.intent.scales:
        words += ["--scale", f"{service}={replicas}"]
    return words


def _clock(request: UpRequest, before: Preflight, deps: Deps) -> StartClock:
    stopping: Sequence[Container] = before.convergence.released
    if request.restart:
        stopping = of_services(before.containers, before.stack.project, before.stack.services)
    return StartClock(
        before.stack,
        request.wait_timeout,
        deps=deps,
        is_restart=request.restart,
        stopping=stopping,
    )


def _run_compose(
    request: UpRequest, attempt: Attempt, clock: StartClock, hand_over: HandOver, deps: Deps
) -> tuple[ComposeFailure | None, UndoResult]:
    """Run Compose's `up`. Return its failure, if there is one, and what was undone for it.

    A deadline is no failure, nor is an unhealthy service: the postflight reports both. Raises
    DartsctlError for another failure of a service that others wait for, and KeyboardInterrupt.
    """

    def follow(line: str) -> None:
        hand_over.follow(line)
        attempt.follow(line)

    result = compose_run.run(
        deps.compose_on(request.environment),
        *_words(request),
        clock=clock,
        deps=deps,
        built=clock.built,
        on_line=follow,
        meanwhile=postflight.load,
    )
    if result.code == 0 or result.is_late:
        return None, UndoResult()
    failure = compose_errors.classify(result.text)
    dependency = dependency_failure(result.text, clock.stack, deps)
    if failure.kind == "unhealthy" and (dependency is None or dependency.keeps):
        return None, UndoResult()
    if failure.kind == "container-address":
        failure = _with_address_holders(failure, attempt, deps)
    undone = attempt.undo()
    deps.screen.note(f"removed what this `up` had created: {undone.removed}")
    undone.show(deps.screen)
    if dependency and not dependency.keeps:
        raise DartsctlError(
            f"`up` failed: {dependency.sentence}",
            details=(*dependency.details, *(undone.lines if deps.screen.as_json else ())),
            hint=dependency.hint or request.next_command,
        )
    return failure, undone


def _with_address_holders(failure: ComposeFailure, attempt: Attempt, deps: Deps) -> ComposeFailure:
    """Say who has the fixed addresses, while the containers that have them are still there."""
    from dartsctl.workflows.preflight.fixed_addresses import holders_now

    lines = [taken.sentence for taken in holders_now(attempt.stack, deps=deps)]
    return replace(failure, sentence="; ".join(lines)) if lines else failure
