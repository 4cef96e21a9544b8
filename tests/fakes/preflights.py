"""A preflight with recorded facts, for what is said about it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dartsctl.config.environment import Environment
from dartsctl.ports.conflicts import BindingVerdict, Conflict, PortVerdicts, Verdict
from dartsctl.stack.convergence import Convergence
from dartsctl.stack.engine_rules import EngineRules
from dartsctl.stack.model import Service, Stack
from dartsctl.workflows.preflight.preflight import Preflight

ENVIRONMENT = Environment(
    name="dev",
    files=(Path("/src/compose.yml"),),
    env_files=(),
    project="darts-dev",
    profiles=(),
    directory=Path("/src"),
)


def preflight(*conflicts: Conflict, services: tuple[str, ...] = (), **more: Any) -> Preflight:
    """Return a preflight of a stack with these conflicts, and with `services`."""
    names = {conflict.binding.service: None for conflict in conflicts} | dict.fromkeys(services)
    facts: dict[str, Any] = {
        "environment": ENVIRONMENT,
        "engine": EngineRules("28.5.2"),
        "stack": Stack("darts-dev", {name: Service(name) for name in names}, {}),
        "containers": (),
        "convergence": Convergence((), (), (), ()),
        "verdicts": PortVerdicts(tuple(map(_verdict, conflicts))),
        "collisions": (),
        "notices": (),
        "files": ENVIRONMENT.files,
    }
    return Preflight(**facts | more)


def _verdict(conflict: Conflict) -> BindingVerdict:
    return BindingVerdict(conflict.binding, Verdict.CONFLICT, conflict=conflict)
