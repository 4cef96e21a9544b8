"""`down`: stop a stack and remove its containers and networks; its volumes only where that was asked for by name and confirmed."""

from __future__ import annotations

from dataclasses import dataclass

from dartsctl import compose_errors
from dartsctl.edges.docker import Compose
from dartsctl.edges.output import Screen
from dartsctl.environment import Environment
from dartsctl.errors import DartsctlError, ExitCode, Interrupted


@dataclass(frozen=True, slots=True)
class DownRequest:
    """What `down` was asked for. `volumes` deletes data, so it needs `yes` too."""

    environment: Environment
    volumes: bool = False
    remove_orphans: bool = False
    stop_timeout: int | None = None
    yes: bool = False
    dry_run: bool = False


def down(request: DownRequest, *, compose: Compose, screen: Screen) -> ExitCode:
    """Take the stack down. Raises with code 7 where volumes are to go and nobody has said yes."""
    words = _words(request)
    if request.dry_run:
        screen.result({"ok": True, "dry_run": True, "exit_code": 0}, [f"would run: {' '.join(compose.argv(*words))}"])
        return ExitCode.OK
    if request.volumes and not request.yes:
        raise DartsctlError(
            f"--volumes deletes the data of {request.environment.project}", hint="add --yes if that is meant", code=ExitCode.ANSWER_NEEDED
        )
    _run_compose(words, request, compose, screen)
    if screen.as_json:
        screen.document({"ok": True, "exit_code": 0, "project": request.environment.project})
    else:
        screen.note(f"{request.environment.project} is down")
    return ExitCode.OK


def _words(request: DownRequest) -> list[str]:
    words = ["down"]
    if request.volumes:
        words.append("--volumes")
    if request.remove_orphans:
        words.append("--remove-orphans")
    if request.stop_timeout is not None:
        words += ["--timeout", str(request.stop_timeout)]
    return words


def _run_compose(words: list[str], request: DownRequest, compose: Compose, screen: Screen) -> None:
    stream = compose.stream(*words)
    lines = []
    with stream.taking_signals() as signals:
        for line in compose.masked_lines(stream):
            lines.append(line)
            if line.strip():
                screen.progress(line)
        code = stream.wait()
    if signals:
        raise Interrupted("interrupted; part of the stack may still run", hint=f"dartsctl {request.environment.name} ps")
    if code != 0:
        failure = compose_errors.classify("\n".join(lines))
        raise DartsctlError(
            f"`down` failed: {failure.sentence}", hint="docker info", code=ExitCode.NO_DOCKER if failure.kind == "engine" else ExitCode.FAILED
        )
