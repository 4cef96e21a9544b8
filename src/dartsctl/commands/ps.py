"""`ps`: the containers of a stack with what they really publish, also those that never started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.errors import ExitCode
from dartsctl.stack.containers import Container, of_project, of_services

if TYPE_CHECKING:
    from dartsctl.config.environment import Environment
    from dartsctl.edges.engine.protocol import Engine
    from dartsctl.text.masker import Masker
    from dartsctl.workflows.deps import Deps


def ps(environment: Environment, services: tuple[str, ...], *, deps: Deps) -> ExitCode:
    """List the containers.

    Raises the error about the Compose files if they are missing and the project has no containers.
    `docker compose ps` hides containers that never started; they are listed here with their
    State.Error (edge-cases.md#32).
    """
    engine, screen = deps.engine(), deps.screen
    if environment.files_error:
        from dartsctl.workflows.preflight.from_labels import by_labels

        environment = by_labels(environment, environment.files_error, deps=deps)
    containers = _containers(environment, services, engine)
    errors = {container.id: _error(container, engine, screen.masker) for container in containers}
    if screen.as_json:
        documents = [_document(container, errors[container.id]) for container in containers]
        project = environment.project
        screen.document({"ok": True, "exit_code": 0, "project": project, "containers": documents})
        return ExitCode.OK
    if not containers:
        whose = f" of {', '.join(services)}" if services else ""
        command = environment.command("up")
        screen.note(f"{environment.project} has no containers{whose}; to start it: {command}")
    screen.table(
        ("SERVICE", "CONTAINER", "STATE", "PORTS", "STATUS"),
        [_row(container, errors[container.id]) for container in containers],
    )
    return ExitCode.OK


def _containers(
    environment: Environment, services: tuple[str, ...], engine: Engine
) -> list[Container]:
    """Return the project's containers, of all services if none is named, sorted."""
    own = of_project(engine.containers(), environment.project)
    own = [container for container in own if not container.is_one_off]
    if services:
        own = of_services(own, environment.project, services)
    return sorted(own, key=lambda container: (container.service, container.number))


def _error(container: Container, engine: Engine, masker: Masker) -> str:
    control = engine.control()
    if container.holds_ports or control is None:
        return ""
    inspected = control.inspect(container.id)
    if inspected is None:
        return ""
    masker.learn(inspected.environment)
    return inspected.facts.error


def _row(container: Container, error: str) -> tuple[str, str, str, str, str]:
    ports = ", ".join(str(endpoint) for endpoint in sorted(container.published)) or "-"
    status = f"{container.status}: {error}" if error else container.status
    return container.service, container.name, container.state, ports, status


def _document(container: Container, error: str) -> dict[str, object]:
    return {
        "service": container.service,
        "container": container.name,
        "id": container.short_id,
        "image": container.image,
        "state": container.state,
        "status": container.status,
        "error": error,
        "ports": [
            {"address": endpoint.address, "port": endpoint.port, "protocol": endpoint.protocol}
            for endpoint in sorted(container.published)
        ],
    }
