"""Build the dependencies of a verb from the common options: the only place where they are chosen."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dartsctl.cli.options import compose_on, prompts_of

if TYPE_CHECKING:
    from dartsctl.cli.options import Common
    from dartsctl.edges.engine.protocol import Engine
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.host import Host


def deps_of(common: Common) -> Deps:
    """Return the real dependencies. Raises UsageError where no state folder can be named."""
    from dartsctl.edges.state.folder import state_folder
    from dartsctl.workflows.deps import Deps

    return Deps(
        environ=os.environ,
        state=state_folder(),
        screen=common.screen(),
        prompts=prompts_of(common),
        compose_on=compose_on,
        engine=_engine,
        host=_host,
    )


def _engine() -> Engine:
    from dartsctl.edges.engine.connect import engine_at
    from dartsctl.edges.engine.installation import endpoint

    return engine_at(endpoint(os.environ))


def _host() -> Host:
    from dartsctl.workflows.host import Host

    return Host()
