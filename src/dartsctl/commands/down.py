"""`down`: stop a stack and remove its containers and networks; its volumes only where that was asked for by name and confirmed."""

from __future__ import annotations

from dataclasses import dataclass

from dartsctl.config.environment import Environment
from dartsctl.edges.engine.compose import Compose
from dartsctl.edges.engine.protocol import Engine
from dartsctl.errors import DartsctlError, ExitCode, Interrupted, Refused, TimedOut
from dartsctl.ports import collisions
from dartsctl.stack import compose_errors
from dartsctl.workflows.deps import Deps
from dartsctl.workflows.up import compose_run
from dartsctl.workflows.up.another_stack import with_project
from dartsctl.workflows.up.lock_project import locked_project

_ON_A_REMOTE_ENGINE = 900.0


@dataclass(frozen=True, slots=True)
class DownRequest:
    """What `down` was asked for. `volumes` deletes data, so it needs `yes` too."""

    environment: Environment
    volumes: bool = False
    remove_orphans: bool = False
    stop_timeout: int | None = None
    yes: bool = False
    dry_run: bool = False
    overhead: float = 120.0
    """Seconds for everything but the containers' own grace."""


def down(request: DownRequest, *, deps: Deps) -> ExitCode:
    """Take the stack down.

    Raises Refused where another stack has the project's name, and with code 7 where volumes are to go and nobody has said yes.
    """
    screen, compose = deps.screen, deps.compose_on(request.environment)
    _refuse_another_stack(request, compose, deps.engine())
    words = _words(request)
    if request.dry_run:
        screen.result(
            {"ok": True, "dry_run": True, "exit_code": 0},
            [f"would run: {' '.join(compose.argv(*words))}"],
        )
        return ExitCode.OK
    if request.volumes and not request.yes:
        raise DartsctlError(
            f"--volumes deletes the data of {request.environment.project}",
            hint="add --yes if that is meant",
            code=ExitCode.ANSWER_NEEDED,
        )
    with locked_project(request.environment, within=request.overhead, deps=deps):
        _run_compose(words, request, compose, deps)
    if screen.as_json:
        screen.document({"ok": True, "exit_code": 0, "project": request.environment.project})
    else:
        screen.note(f"{request.environment.project} is down")
    return ExitCode.OK


def _refuse_another_stack(request: DownRequest, compose: Compose, engine: Engine) -> None:
    """Compose takes down what has the project's name, whichever files it was made from. Naming the project is that wish."""
    environment = request.environment
    if environment.project_named:
        return
    containers = [one for one in engine.containers() if one.project == environment.project]
    others = collisions.of_other_files(containers, [str(file) for file in environment.files])
    if others and not request.remove_orphans:
        services = compose.all_services()
        others = tuple(one for one in others if one.service in services)
    if others:
        raise Refused(
            f"project name {environment.project} belongs to another stack, from {', '.join(others[0].own_config_files)}: "
            f"`down` would remove {', '.join(one.name for one in others)}",
            details=(
                "nothing was changed",
                f"to take it down on purpose: {with_project(f'dartsctl {environment.name} down', others[0].project)}",
            ),
            hint=f"dartsctl {environment.name} ps",
        )


def deadline(request: DownRequest, engine: Engine) -> float:
    """Return how long Compose may take: it may stop one container after the other, each with its own grace."""
    control = engine.control()
    if control is None:
        return _ON_A_REMOTE_ENGINE
    own = [
        container
        for container in control.containers()
        if container.project == request.environment.project
    ]
    if request.stop_timeout is not None:
        return request.overhead + request.stop_timeout * len(own)
    return request.overhead + sum(control.stop_timeout(container.id) for container in own)


def _words(request: DownRequest) -> list[str]:
    words = ["down"]
    if request.volumes:
        words.append("--volumes")
    if request.remove_orphans:
        words.append("--remove-orphans")
    if request.stop_timeout is not None:
        words += ["--timeout", str(request.stop_timeout)]
    return words


def _run_compose(words: list[str], request: DownRequest, compose: Compose, deps: Deps) -> None:
    name, seconds = request.environment.name, deadline(request, deps.engine())
    try:
        ended = compose_run.run(compose, *words, seconds=seconds, screen=deps.screen)
    except KeyboardInterrupt:
        raise Interrupted(
            "interrupted; part of the stack may still run", hint=f"dartsctl {name} ps"
        ) from None
    if ended.is_late and ended.code != 0:
        raise TimedOut(
            f"`down` did not end within {seconds:.0f} s; part of the stack may still run",
            hint=f"dartsctl {name} down --timeout 0",
        )
    if ended.code != 0:
        failure = compose_errors.classify(ended.text)
        raise DartsctlError(
            f"`down` failed: {failure.sentence}",
            hint="docker info",
            code=ExitCode.NO_DOCKER if failure.kind == "engine" else ExitCode.FAILED,
        )
