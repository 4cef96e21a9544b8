"""Shell completion of values: services, projects, dev ports. Never prints, never fails."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

from dartsctl.cli.deps import Common, compose_on, engine, files_reader, state, working_folder
from dartsctl.errors import DartsctlError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dartsctl.config.environment import Environment


def services(context: typer.Context, incomplete: str) -> list[str]:
    """Return the services of the verb's environment, or of the files given with --file."""
    from dartsctl.stack.compose_model import read_stack

    try:
        stack = read_stack(compose_on(_environment(context)).config().model)
    except DartsctlError:
        return []
    return _matching(stack.services, incomplete)


def projects(incomplete: str) -> list[str]:
    """Return every Compose project that the engine knows."""
    try:
        containers = engine().containers()
    except DartsctlError:
        return []
    return _matching({container.project or "" for container in containers} - {""}, incomplete)


def dev_ports(incomplete: str) -> list[str]:
    """Return the ports of the servers that dartsctl runs."""
    from dartsctl.edges.state.leases import LeaseBook

    try:
        records = LeaseBook(state()).held()
    except DartsctlError:
        return []
    return _matching((str(record.port) for record in records), incomplete)


def _environment(context: typer.Context) -> Environment:
    from dartsctl.config.environment import adhoc, resolve

    name = context.parent.info_name if context.parent else None
    settings = Common().settings()
    if name and name in settings.environments:
        return resolve(settings, name, reader=files_reader())
    return adhoc(files=tuple(context.params.get("files") or ()), directory=working_folder())


def _matching(words: Iterable[str], incomplete: str) -> list[str]:
    return sorted(
        word
        for word in words
        if word.startswith(incomplete) and word.isascii() and word.isprintable()
    )
