"""`ps`: the containers of a stack, those that never started included, with what they really publish."""

from __future__ import annotations

from dartsctl.config.environment import Environment
from dartsctl.edges.engine.protocol import Engine
from dartsctl.errors import ExitCode
from dartsctl.stack.containers import Container
from dartsctl.text.masker import Masker
from dartsctl.workflows.deps import Deps


def ps(environment: Environment, services: tuple[str, ...], *, deps: Deps) -> ExitCode:
    """List them. `docker compose ps` hides what was created and never started; State.Error is shown here (edge-cases.md#32)."""
    engine, screen = deps.engine(), deps.screen
    own = [
        one
        for one in engine.containers()
        if one.project == environment.project
        and not one.is_one_off
        and (not services or one.service in services)
    ]
    own.sort(key=lambda one: (one.service, one.number))
    errors = {one.id: _error(one, engine, screen.masker) for one in own}
    if screen.as_json:
        screen.document(
            {
                "ok": True,
                "exit_code": 0,
                "project": environment.project,
                "containers": [_document(one, errors[one.id]) for one in own],
            }
        )
        return ExitCode.OK
    if not own:
        whose = f" of {', '.join(services)}" if services else ""
        screen.note(
            f"{environment.project} has no containers{whose}; start it: dartsctl {environment.name} up"
        )
    screen.table(
        ("SERVICE", "CONTAINER", "STATE", "PORTS", "STATUS"),
        [
            (
                one.service,
                one.name,
                one.state,
                _ports(one),
                one.status + (f": {errors[one.id]}" if errors[one.id] else ""),
            )
            for one in own
        ],
    )
    return ExitCode.OK


def _error(one: Container, engine: Engine, masker: Masker) -> str:
    control = engine.control()
    if one.holds_ports or control is None:
        return ""
    inspected = control.inspect(one.id)
    if inspected is None:
        return ""
    masker.learn(inspected.environment)
    return inspected.facts.error


def _ports(one: Container) -> str:
    return ", ".join(str(endpoint) for endpoint in sorted(one.published)) or "-"


def _document(one: Container, error: str) -> dict[str, object]:
    return {
        "service": one.service,
        "container": one.name,
        "id": one.id[:12],
        "image": one.image,
        "state": one.state,
        "status": one.status,
        "error": error,
        "ports": [
            {"address": place.address, "port": place.port, "protocol": place.protocol}
            for place in sorted(one.published)
        ],
    }
