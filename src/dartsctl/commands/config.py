"""`config`: the resolved Compose model, with every value masked that may be a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.edges.engine.compose_refusals import MissingVariable
from dartsctl.errors import ExitCode
from dartsctl.ports.unmet_needs import NothingToStart
from dartsctl.text.masking import mask_model
from dartsctl.workflows.preflight.inputs import needed_env_file

if TYPE_CHECKING:
    from dartsctl.config.environment import Environment
    from dartsctl.workflows.deps import Deps


def config(environment: Environment, services: tuple[str, ...], *, deps: Deps) -> ExitCode:
    """Print the model as JSON, which is valid YAML too."""
    screen = deps.screen
    compose = deps.compose_on(environment)
    try:
        resolved = compose.config(services)
    except MissingVariable as error:
        raise needed_env_file(error, environment, compose, deps.environ) from error
    shown = mask_model(resolved.model)
    if screen.as_json:
        screen.document({"ok": True, "exit_code": 0, "model": shown})
    else:
        screen.model(shown)
    if not resolved.model.get("services"):
        screen.warn(NothingToStart(compose.profiles(), environment.profiles).line)
    for name in resolved.unset_variables:
        screen.warn(f"the variable {name} is not set; Compose reads it as empty")
    return ExitCode.OK
