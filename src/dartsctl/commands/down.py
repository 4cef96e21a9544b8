"""`down`: stop a stack and remove its containers and networks. Volumes need a flag and a yes."""

from __future__ import annotations

from itertools import chain

from dartsctl.errors import DartsctlError, ExitCode, Interrupted, Refused, TimedOut
from dartsctl.records import record
from dartsctl.stack.containers import of_project
from dartsctl.workflows.preflight.from_labels import of_another_stack, readable, reason
from dartsctl.workflows.up import compose_run
from dartsctl.workflows.up.deadline import Countdown
from dartsctl.workflows.up.lock_project import locked_project

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from typing import Literal

    from dartsctl.config.environment import Environment
    from dartsctl.edges.engine.compose import Compose
    from dartsctl.edges.engine.protocol import Engine
    from dartsctl.edges.screen.output import Screen
    from dartsctl.stack.containers import Container
    from dartsctl.workflows.deps import Deps

_ON_A_REMOTE_ENGINE = 900.0
"""Seconds for Compose where the containers' own stop timeouts are not known."""


@record
class DownRequest:
    """What `down` is asked to do. `volumes` deletes data, so it needs `yes` too."""

    environment: Environment
    production: Environment | None = None
    """Production, if it is another environment and known: its volumes are kept."""
    volumes: bool = False
    remove_orphans: bool = False
    stop_timeout: int | None = None
    """Seconds that each container gets, instead of its own setting."""
    yes: bool = False
    dry_run: bool = False
    overhead: float = 120.0
    """Seconds for everything but the containers' stop timeouts."""


def down(request: DownRequest, *, deps: Deps) -> ExitCode:
    """Take the stack down.

    Without readable files, Compose removes what has the project's labels. Raises Refused if another
    stack has the project's name, and an error with code 7 if volumes are to be deleted without a
    yes.
    """
    screen = deps.screen
    environment = readable(request.environment, deps=deps)
    if environment.files:  # as it was started: with the networks and volumes of its own
        from dartsctl.workflows.up.remap import with_kept_moves

        environment = with_kept_moves(environment, deps=deps, dry_run=request.dry_run, quiet=True)
    if request.volumes and environment.files:
        _refuse_volumes_of_others(environment, request.production, deps)
    compose, engine = deps.compose_on(environment), deps.engine()
    containers = of_project(engine.containers(), request.environment.project)
    _refuse_another_stack(request, compose if environment.files else None, containers)
    words = _words(request)
    if environment.files_error and request.volumes:
        raise _volumes_unknown(environment.files_error)
    if request.dry_run:
        line = f"would run: {' '.join(compose.argv(*words))}"
        screen.result({"ok": True, "dry_run": True, "exit_code": 0}, [line])
        return ExitCode.OK
    if request.volumes and not request.yes:
        raise DartsctlError(
            f"--volumes deletes the data of {environment.project}",
            hint=environment.command(*words, "--yes"),
            code=ExitCode.ANSWER_NEEDED,
        )
    with locked_project(environment, verb="down", within=request.overhead, deps=deps) as work:
        if work.has_waited:
            containers = of_project(engine.containers(), request.environment.project)
        seconds = time_limit(request, engine, containers)
        _run_compose(words, request, compose, seconds, deps)
    left = _left_running(environment, compose, engine)
    if screen.as_json:
        document = {"ok": True, "exit_code": 0, "project": environment.project}
        screen.document({**document, "left_running": [row.document() for row in left]})
    else:
        _show(left, environment, screen)
    return ExitCode.OK


def _refuse_volumes_of_others(
    environment: Environment, production: Environment | None, deps: Deps
) -> None:
    """Raise Refused for a volume of another project: Compose deletes it by its name alone.

    A volume that production's files name is production's too, whoever made it: the label of the
    project that came first says nothing of the data that is in it now.
    """
    control = deps.engine().control()
    if control is None:
        return
    from dartsctl.stack.compose_model import read_stack

    stack = read_stack(deps.compose_on(environment).config().model)
    shared = _volumes_of(production, deps)
    for name in stack.own_volumes.values():
        owner = control.owner("volume", name)
        if owner is not None and name in shared:
            raise Refused(
                f"`down --volumes` would delete volume {name}, which production's files name too",
                details=("nothing was changed", f"to delete it: docker volume rm {name}"),
                hint=environment.command("down"),
            )
        if owner and owner != environment.project:
            raise Refused(
                f"`down --volumes` would delete volume {name} of project {owner}",
                details=("nothing was changed",),
                hint=environment.command("down"),
            )


def _volumes_of(production: Environment | None, deps: Deps) -> Collection[str]:
    """Return the names of production's volumes. Say so where its files cannot be read."""
    if production is None:
        return ()
    try:
        if production.files_error:
            raise production.files_error
        model = deps.compose_on(production).config().model
    except DartsctlError as error:
        deps.screen.warn(f"which volumes production has is not known: {error.message}")
        return ()
    from dartsctl.stack.compose_model import read_stack

    stack = read_stack(model)
    return {*stack.own_volumes.values(), *stack.external_volumes.values()}


@record
class _LeftRunning:
    """A container of the project that Compose's `down` leaves alone, and why.

    `flag` of `down` takes it too, empty where none is meant to.
    """

    container: Container
    reason: Literal["orphan", "profile", "other-files", "unknown"]
    sentence: str
    flag: tuple[str, ...] = ()

    def document(self) -> dict[str, object]:
        from dartsctl.ports.holders.wording import container_document

        return {**container_document(self.container), "reason": self.reason}


def _left_running(
    environment: Environment, compose: Compose, engine: Engine
) -> tuple[_LeftRunning, ...]:
    """Return what still runs under the project's name."""
    containers = of_project(engine.containers(), environment.project)
    running = [container for container in containers if container.holds_ports]
    if not running:
        return ()
    from dartsctl.workflows.preflight import orphans

    own, others = orphans.split(running, list(map(str, environment.files)))
    services = orphans.services_of_files(compose)
    profiles = compose.profiles() if services else {}
    left = [_left(container, services, profiles) for container in own]
    for container in others:
        sentence = f"it is of another stack with this project name, in {container.working_dir}"
        left.append(_LeftRunning(container, "other-files", sentence))
    return tuple(left)


def _left(
    container: Container,
    services: frozenset[str] | None,
    profiles: Mapping[str, tuple[str, ...]],
) -> _LeftRunning:
    service = container.service
    own_profiles = profiles.get(service, ())
    if services is not None and service not in services:
        sentence = f"an orphan of this project, service {service} is not in its Compose files"
        return _LeftRunning(container, "orphan", sentence, ("--remove-orphans",))
    if own_profiles:
        sentence = f"its service {service} is behind the profile {' or '.join(own_profiles)}"
        return _LeftRunning(container, "profile", sentence, ("--profile", own_profiles[0]))
    return _LeftRunning(container, "unknown", "Compose left it alone")


def _show(left: Sequence[_LeftRunning], environment: Environment, screen: Screen) -> None:
    for row in left:
        screen.warn(f"{row.container.name} still runs: {row.sentence}")
    names = ", ".join(row.container.name for row in left)
    exception = f", except for {names}" if left else ""
    screen.note(f"{environment.project} is down{exception}")
    flags = dict.fromkeys(row.flag for row in left)
    if words := list(chain.from_iterable(flags)):
        screen.note(f"next: {environment.command('down', *words)}")


def _volumes_unknown(error: DartsctlError) -> DartsctlError:
    """Return the error for `--volumes` without files: these say which volumes are external."""
    return DartsctlError(
        f"--volumes needs the stack's files: {reason(error)}",
        details=error.details,
        hint=error.hint,
        code=error.code,
    )


def _refuse_another_stack(
    request: DownRequest, compose: Compose | None, containers: Sequence[Container]
) -> None:
    """Raise Refused for containers from other files: Compose goes by the project name alone.

    Without a `compose` for the files, it would remove every container of the project.
    """
    environment = request.environment
    others = of_another_stack(containers, environment)
    if others and compose and not request.remove_orphans:
        services = compose.all_services()
        others = tuple(container for container in others if container.service in services)
    if others:
        from dartsctl.workflows.preflight.another_stack import refuse_to_touch

        refuse_to_touch(others, environment, "down", effect="remove")


def time_limit(request: DownRequest, engine: Engine, containers: Sequence[Container]) -> float:
    """Return the seconds that Compose may take: it may stop one container after the other."""
    control = engine.control()
    if control is None:
        return _ON_A_REMOTE_ENGINE
    if request.stop_timeout is not None:
        return request.overhead + request.stop_timeout * len(containers)
    return request.overhead + sum(control.stop_timeout(each.id) for each in containers)


def _words(request: DownRequest) -> list[str]:
    words = ["down"]
    if request.volumes:
        words.append("--volumes")
    if request.remove_orphans:
        words.append("--remove-orphans")
    if request.stop_timeout is not None:
        words += ["--timeout", str(request.stop_timeout)]
    return words


def _run_compose(
    words: list[str], request: DownRequest, compose: Compose, seconds: float, deps: Deps
) -> None:
    environment = request.environment
    try:
        clock = Countdown(seconds, deps=deps)
        result = compose_run.run(compose, *words, clock=clock, deps=deps)
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted; part of the stack may still run", hint=environment.command("ps")
        ) from None
    if result.code == 0:
        return
    if result.is_late:
        raise TimedOut(
            f"`down` did not end within {seconds:.0f} s; part of the stack may still run",
            hint=environment.command("down", "--timeout", "0"),
        )
    from dartsctl.stack import compose_errors

    failure = compose_errors.classify(result.text)
    raise DartsctlError(
        f"`down` failed: {failure.sentence}",
        hint="docker info",
        code=ExitCode.NO_DOCKER if failure.kind == "engine" else ExitCode.FAILED,
    )
