"""`[server]` of the settings for an app, and what only a person can decide about it."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING

from dartsctl.config.server_program import ENTRY_POINTS
from dartsctl.discovery.app.app_service import possible_apps
from dartsctl.discovery.app.entry import PYTHON
from dartsctl.discovery.app.routes import health_route
from dartsctl.discovery.proposal import ProposedSetting, Task
from dartsctl.discovery.settings_text import setting_line
from dartsctl.text.phrases import relative

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dartsctl.discovery.app.app import App
    from dartsctl.discovery.app.entry import EntryPoint

_MOST_CANDIDATES = 6


def server_settings(app: App, root: Path, default: Path) -> Iterator[ProposedSetting]:
    """Yield the lines of `[server]`. `default` is the folder of the server without a setting."""
    entry, service = app.entry, app.service
    if entry is None or entry.problem:
        return
    directory = app.folder / entry.directory
    if directory != default:
        yield ProposedSetting("server", "directory", relative(root, directory), entry.where)
    yield from _command_settings(app, entry)
    if entry.handover:
        why = "app.run() takes the leased port's socket; its own port would be another"
        yield ProposedSetting("server", "handover", entry.handover, why)
    if entry.port_variables:
        names = list(entry.port_variables)
        yield ProposedSetting("server", "port_variables", names, f"what {entry.file} reads")
    yield from _health(app)
    if service is not None:
        yield ProposedSetting("server", "replaces", [service.name], service.place)


def _command_settings(app: App, entry: EntryPoint) -> Iterator[ProposedSetting]:
    """Yield the command, unless `dev` starts just that without a setting."""
    files = app.sources.texts
    scripts = [name for name in ENTRY_POINTS if posixpath.join(entry.directory, name) in files]
    is_default = entry.command == (PYTHON, *scripts[:1])
    why = f"{entry.where}: {entry.framework}".removesuffix(": ")
    yield ProposedSetting("server", "command", list(entry.command), why, is_default)
    for name, value in entry.variables.items():
        yield ProposedSetting("server.env", name, value, entry.where)


def _health(app: App) -> Iterator[ProposedSetting]:
    if app.service is not None and app.service.health[0]:
        path, place = app.service.health
        yield ProposedSetting("server", "health", path, place)
        return
    route = health_route(app.sources, app.files)
    if route is not None:
        yield ProposedSetting("server", "health", route.path, route.where)


def server_tasks(app: App, root: Path) -> Iterator[Task]:
    """Yield what only a person can decide about the server."""
    entry = app.entry
    if entry is not None and entry.problem:
        text = (
            f"{entry.problem}, so `dartsctl dev` cannot give it a port of its own; let it read one"
        )
        yield Task(text, (*entry.paste, "[server]", command_line(entry)), is_required=False)
    if app.others:
        yield _folder_task(app, root)
    if entry is None and app.choice.candidates:
        yield _choice_task(app)
    if entry is not None and app.service is None and len(app.services) > 1:
        services = possible_apps(app.services)
        names = ", ".join(service.name for service in services)
        text = f"which service is the app that `dartsctl dev` runs on this host: {names}"
        line = setting_line(ProposedSetting("server", "replaces", [services[0].name]))
        yield Task(text, ("[server]", line), is_required=False)


def _folder_task(app: App, root: Path) -> Task:
    """Return the task to choose one of several apps, each of which is built from its folder."""
    names = [relative(root, folder) for folder in app.others]
    lines = [setting_line(ProposedSetting("server", "directory", name)) for name in names]
    text = f"choose the app that `dartsctl dev` starts: {', '.join(names)}"
    return Task(text, ("[server]", *lines), is_required=False)


def _choice_task(app: App) -> Task:
    """Return the task to choose one of several entry points."""
    names = ", ".join(map(name_of, app.choice.candidates[:_MOST_CANDIDATES]))
    lines = ("[server]", *command_choices(app))
    return Task(f"choose what `dartsctl dev` starts: {names}", lines, is_required=False)


def command_choices(app: App) -> Iterator[str]:
    """Yield the line of the settings for each entry point that may be chosen, with its place."""
    for entry in app.choice.candidates[:_MOST_CANDIDATES]:
        yield f"{command_line(entry)}  # {entry.where}"


def command_line(entry: EntryPoint) -> str:
    """Return the line of the settings that starts an entry point."""
    return setting_line(ProposedSetting("server", "command", list(entry.command)))


def name_of(entry: EntryPoint) -> str:
    """Return an entry point for people: `run.py (Flask)`."""
    return f"{entry.file} ({entry.framework or 'Python'})"
