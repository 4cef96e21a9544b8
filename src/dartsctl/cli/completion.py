"""What the shell completes beside verbs and flags: services, projects, the ports of dev servers. Never prints, never fails."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import typer

from dartsctl.errors import DartsctlError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dartsctl.config.environment import Environment


def services(context: typer.Context, incomplete: str) -> list[str]:
    """The services of the environment whose verb is being typed, or of the files given with -f."""
    try:
        from dartsctl.cli.options import compose_on
        from dartsctl.stack.model import read_stack

        return _beginning(
            read_stack(compose_on(_environment(context)).config().model).services, incomplete
        )
    except DartsctlError:
        return []


def projects(incomplete: str) -> list[str]:
    """Every Compose project that the engine knows."""
    from dartsctl.edges.engine.connect import engine_at
    from dartsctl.edges.engine.installation import endpoint

    try:
        return _beginning(
            {one.project for one in engine_at(endpoint(os.environ)).containers() if one.project},
            incomplete,
        )
    except DartsctlError:
        return []


def dev_ports(incomplete: str) -> list[str]:
    """The ports of the servers that dartsctl runs."""
    from dartsctl.edges.state.leases import held

    try:
        return _beginning((str(record.port) for record in held()), incomplete)
    except DartsctlError:
        return []


def _environment(context: typer.Context) -> Environment:
    from dartsctl.cli.options import Common, working_folder
    from dartsctl.config.environment import adhoc, resolve

    name = context.parent.info_name if context.parent else None
    settings = Common().settings()
    if name and name in settings.environments:
        return resolve(settings, name)
    return adhoc(files=tuple(context.params.get("files") or ()), directory=working_folder())


def _beginning(words: Iterable[str], incomplete: str) -> list[str]:
    return sorted(
        word
        for word in words
        if word.startswith(incomplete) and word.isascii() and word.isprintable()
    )
