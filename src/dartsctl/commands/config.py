"""`config`: the resolved Compose model, with every value masked that may be a secret."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.errors import ExitCode
from dartsctl.text.masking import mask_model

if TYPE_CHECKING:
    from dartsctl.config.environment import Environment
    from dartsctl.workflows.deps import Deps


def config(environment: Environment, services: tuple[str, ...], *, deps: Deps) -> ExitCode:
    """Print the model as JSON, which is valid YAML too."""
    screen = deps.screen
    resolved = deps.compose_on(environment).config(services)
    shown = mask_model(resolved.model)
    if screen.as_json:
        screen.document({"ok": True, "exit_code": 0, "model": shown})
    else:
        screen.model(shown)
    for name in resolved.unset_variables:
        screen.warn(f"the variable {name} is not set; Compose reads it as empty")
    return ExitCode.OK
