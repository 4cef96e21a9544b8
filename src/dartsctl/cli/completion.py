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


def environments(incomplete: str) -> list[str]:
    """Return the environments of the settings."""
    try:
        return _matching(Common().settings().environments, incomplete)
    except DartsctlError:
        return []


def watch_words(context: typer.Context, incomplete: str) -> list[str]:
    """Return the verbs of `watch`, and the environments."""
    verbs = getattr(context.command, "commands", {})
    return [*_matching(verbs, incomplete), *environments(incomplete)]


def subjects(context: typer.Context, incomplete: str) -> list[str]:
    """Return what can be silenced: services, documented ports, and words."""
    from dartsctl.alerts.subjects import ALL, ALONE
    from dartsctl.stack.compose_model import read_stack

    words = [ALL, *ALONE]
    try:
        words += _matching(map(str, _production_ports()), incomplete)
        stack = read_stack(compose_on(_watched(context)).config().model)
    except DartsctlError:
        return _matching(words, incomplete)
    return _matching([*stack.services, *words], incomplete)


def silenced(context: typer.Context, incomplete: str) -> list[str]:
    """Return the subjects of the silences that hold."""
    import time

    from dartsctl.alerts.subjects import ALL, spelled
    from dartsctl.edges.state.silence_book import SilenceBook

    try:
        environment = _watched(context)
        book = SilenceBook(state(), environment.project or environment.name)
    except DartsctlError:
        return []
    rows = book.read(time.time()).silences
    return _matching({ALL, *(spelled(row.subject) for row in rows)}, incomplete)


def episodes(context: typer.Context, incomplete: str) -> list[str]:
    """Return the subjects of the open episodes."""
    from dartsctl.alerts.subjects import spelled
    from dartsctl.edges.state.watch_state import WatchState

    try:
        environment = _watched(context)
        saved = WatchState(state(), environment.project or environment.name).peek()
    except DartsctlError:
        return []
    rows = saved.state.episodes.values()
    return _matching((spelled(row.subject) for row in rows if row.opened is not None), incomplete)


def _production_ports() -> list[int]:
    ports: list[int] = []
    for own in Common().settings().ports.production.values():
        ports += own
    return ports


def _watched(context: typer.Context) -> Environment:
    """Return the environment of a verb of `watch`."""
    from dartsctl.config.environment import resolve_running
    from dartsctl.config.settings import PRODUCTION

    name = context.params.get("env")
    if context.parent:
        name = name or context.parent.params.get("env")
    return resolve_running(Common().settings(), name or PRODUCTION, reader=files_reader())


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
