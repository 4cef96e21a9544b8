"""The host server: its command, health path, the service that it replaces, its interpreter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.config.settings import PRODUCTION
from dartsctl.discovery.app.app import APPS_ENV_FILES, App
from dartsctl.discovery.app.app_service import (
    AppService,
    Place,
    app_services,
    best_service,
    dockerfile_commands,
)
from dartsctl.discovery.app.entry_point import EntryChoice, choose_entry
from dartsctl.discovery.app.server_settings import server_settings, server_tasks
from dartsctl.discovery.proposal import Proposal
from dartsctl.edges.project import env_files
from dartsctl.edges.project.app_files import read_sources
from dartsctl.edges.project.compose_places import ComposePlaces
from dartsctl.records import replace
from dartsctl.text.phrases import relative
from dartsctl.workflows.init.virtual_environment import find_virtual_environment

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from dartsctl.discovery.app.entry import CommandLine, EntryPoint
    from dartsctl.discovery.app.sources import Sources
    from dartsctl.discovery.stack_facts import StackFacts
    from dartsctl.workflows.init.project import Project


def find_app(project: Project) -> App:
    """Return the app: in the server's folder, else in the only folder from which one is built.

    `project` is without the override that `init` writes: there the app is in a profile of its own.
    """
    folder = project.settings.server.directory
    sources = read_sources(folder)
    stacks = _stacks(project)
    app = _app_in(project, stacks, folder, sources)
    is_given = bool(project.settings.origins.get(("server", "directory")))
    if app.services or is_given:
        return app
    others: list[App] = []
    for inner in _built_folders(stacks, folder):
        candidate = _app_in(project, stacks, inner, sources.below(relative(folder, inner)))
        if candidate.entry is not None or candidate.choice.candidates:
            others.append(candidate)
    if len(others) == 1:
        return others[0]
    if others:
        return replace(app, choice=EntryChoice(), others=tuple(other.folder for other in others))
    return app


def find_server(project: Project, app: App) -> Proposal:
    """Return the settings of `[server]`, and what only a person can decide about them."""
    if project.bundled and not project.own_app:
        return Proposal()
    proposal = Proposal(
        settings=tuple(server_settings(app, project.root, project.settings.server.directory)),
        tasks=tuple(server_tasks(app, project.root)),
    )
    entry = app.entry
    if entry is None:
        return proposal
    return proposal + find_virtual_environment(
        app.folder, project.root, app.sources, entry.framework, project.deps.environ
    )


def _app_in(project: Project, stacks: Iterable[StackFacts], folder: Path, sources: Sources) -> App:
    flask_app = _flask_app(folder)
    services: tuple[AppService, ...] = ()
    for stack in stacks:
        place = _places_in(project, stack)
        services = app_services(stack.model, str(folder), sources, place)
        service = best_service(services)
        if services:
            commands: tuple[CommandLine, ...] = ()
            if service is not None:
                commands = service.commands
            choice = choose_entry(sources, commands, flask_app=flask_app)
            if service is None and choice.chosen is not None:
                service = _that_runs(choice.chosen, services)
            return App(folder, sources, choice, services, service, stack, place)
    commands = dockerfile_commands(sources)
    return App(folder, sources, choose_entry(sources, commands, flask_app=flask_app))


def _that_runs(entry: EntryPoint, services: tuple[AppService, ...]) -> AppService | None:
    """Return the only service that runs the entry point, else the only one that may: with a port.

    What an image runs is unknown where a script without an ending starts it.
    """
    running = [
        service for service in services if service.entry and service.entry.file == entry.file
    ]
    if not running:
        running = [service for service in services if not service.entry and service.host_ports]
    if len(running) != 1:
        return None
    return running[0]


def _stacks(project: Project) -> tuple[StackFacts, ...]:
    """Return the stacks that can be resolved, the developers' first."""
    stacks = (project.stacks.get(name) for name in ("dev", PRODUCTION))
    return tuple(stack for stack in stacks if stack is not None and stack.error is None)


def _places_in(project: Project, stack: StackFacts) -> Place:
    places = ComposePlaces(stack.files, project.root)
    files = ", ".join(relative(project.root, file) for file in stack.files)

    def place_of(service: str, key: str) -> str:
        return places.in_service(service, key) or places.in_service(service) or files

    return place_of


def _flask_app(folder: Path) -> tuple[str, str] | None:
    """Return FLASK_APP of the app's own env files, and its place."""
    for name in APPS_ENV_FILES:
        value = env_files.readable_values(folder / name).get("FLASK_APP")
        if value is not None and value.value:
            return value.value, value.origin
    return None


def _built_folders(stacks: Iterable[StackFacts], root: Path) -> list[Path]:
    """Return the folders below the root from which services are built."""
    folders: dict[Path, None] = {}
    for stack in stacks:
        for folder in stack.contexts.values():
            if folder != root and folder.is_relative_to(root) and folder.is_dir():
                folders[folder] = None
    return list(folders)
