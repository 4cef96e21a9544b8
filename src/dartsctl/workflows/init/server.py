"""The host server: its command, health path, the service that it replaces, its interpreter."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.config.settings import PRODUCTION
from dartsctl.discovery.app.app_service import (
    AppService,
    Place,
    app_services,
    best_service,
    dockerfile_commands,
    possible_apps,
)
from dartsctl.discovery.app.entry import DEFAULT_SCRIPTS, CommandLine, EntryPoint
from dartsctl.discovery.app.entry_point import EntryChoice, choose_entry
from dartsctl.discovery.app.routes import health_route
from dartsctl.discovery.dev_stack.dev_override import OVERRIDE_NAME
from dartsctl.discovery.findings import Findings, FoundSetting, Task
from dartsctl.discovery.settings_text import setting_line
from dartsctl.edges.project import env_files
from dartsctl.edges.project.app_files import read_sources
from dartsctl.edges.project.compose_places import ComposePlaces
from dartsctl.stack.compose_model import MODEL
from dartsctl.text.phrases import relative
from dartsctl.text.strict_json import Cursor
from dartsctl.workflows.init.read_project import stack_facts
from dartsctl.workflows.init.virtual_environment import find_virtual_environment

if TYPE_CHECKING:
    from dartsctl.discovery.app.sources import Sources
    from dartsctl.workflows.init.project import Project, StackFacts

_MOST_CANDIDATES = 6


def _nowhere(_service: str, _key: str) -> str:
    return ""


@dataclass(frozen=True, slots=True)
class App:
    """The app of a project: its folder and files, how it is started, and the service that runs it.

    `services` are all services that are built from its folder.
    """

    folder: Path
    sources: Sources
    choice: EntryChoice
    services: tuple[AppService, ...] = ()
    service: AppService | None = None
    stack: StackFacts | None = None
    """The stack of these services."""
    place: Place = _nowhere
    """Where a key of a service stands."""
    others: tuple[Path, ...] = ()
    """The folders of several apps, none of which is more likely than the others."""

    @property
    def entry(self) -> EntryPoint | None:
        return self.choice.chosen

    @property
    def port(self) -> int:
        """The port on which the app listens without settings; Flask's if that is not seen."""
        if self.entry is not None and self.entry.own_port.isdecimal():
            return int(self.entry.own_port)
        return 5000

    @property
    def files(self) -> tuple[str, ...]:
        """The Python files that the app consists of, below its folder."""
        if self.entry is None:
            return ()
        sources = self.sources
        if self.entry.directory:
            inner = sources.below(self.entry.directory).reachable(self.entry.file)
            return tuple(f"{self.entry.directory}/{path}" for path in inner)
        return sources.reachable(self.entry.file)


def find_app(project: Project) -> App:
    """Return the app: in the server's folder, else in the only folder from which one is built."""
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


def find_server(project: Project, app: App) -> Findings:
    """Return the settings of `[server]`, and what only a person can decide about them."""
    if project.bundled and not project.own_app:
        return Findings()
    findings = Findings(settings=tuple(_settings(project, app)), tasks=tuple(_tasks(project, app)))
    entry = app.entry
    if entry is None:
        return findings
    return findings + find_virtual_environment(
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
    """Return the stacks that can be resolved, the developers' first.

    The override that `init` writes is left out: with it the app is in a profile of its own.
    """
    stacks: list[StackFacts] = []
    for name in ("dev", PRODUCTION):
        stack = project.stacks.get(name)
        if stack is None or stack.error is not None:
            continue
        files = tuple(file for file in stack.files if file != project.root / OVERRIDE_NAME)
        if files and files != stack.files:
            stack = stack_facts(project.request, name, files, project.deps)
        if stack.error is None:
            stacks.append(stack)
    return tuple(stacks)


def _places_in(project: Project, stack: StackFacts) -> Place:
    places = ComposePlaces(stack.files, project.root)
    files = ", ".join(relative(project.root, file) for file in stack.files)

    def place_of(service: str, key: str) -> str:
        return places.in_service(service, key) or places.in_service(service) or files

    return place_of


def _flask_app(folder: Path) -> tuple[str, str] | None:
    """Return FLASK_APP of the app's own env files, and its place."""
    for name in (".flaskenv", ".env"):
        value = env_files.readable_values(folder / name).get("FLASK_APP")
        if value is not None and value.value:
            return value.value, value.origin
    return None


def _built_folders(stacks: Iterable[StackFacts], root: Path) -> list[Path]:
    """Return the folders below the root from which services are built."""
    folders: dict[Path, None] = {}
    for stack in stacks:
        for _, body in Cursor(stack.model, MODEL).at("services").entries():
            folder = Path(body.at("build").at("context").text(""))
            if folder != root and folder.is_relative_to(root) and folder.is_dir():
                folders[folder] = None
    return list(folders)


def _settings(project: Project, app: App) -> Iterator[FoundSetting]:
    entry, service = app.entry, app.service
    if entry is None or entry.problem:
        return
    directory = app.folder / entry.directory
    if directory != project.settings.server.directory:
        yield FoundSetting("server", "directory", relative(project.root, directory), entry.where)
    yield from _command_settings(directory, entry)
    if entry.handover:
        why = "app.run() takes the leased port's socket; its own port would be another"
        yield FoundSetting("server", "handover", entry.handover, why)
    if entry.port_variables:
        names = list(entry.port_variables)
        yield FoundSetting("server", "port_variables", names, f"what {entry.file} reads")
    yield from _health(app)
    if service is not None:
        yield FoundSetting("server", "replaces", [service.name], service.place)


def _command_settings(directory: Path, entry: EntryPoint) -> Iterator[FoundSetting]:
    """Yield the command, unless `dev` starts just that without a setting."""
    default = next((name for name in DEFAULT_SCRIPTS if (directory / name).is_file()), "")
    is_default = entry.command == ("{python}", default)
    why = f"{entry.where}: {entry.framework}".removesuffix(": ")
    yield FoundSetting("server", "command", list(entry.command), why, is_default)
    for name, value in entry.variables.items():
        yield FoundSetting("server.env", name, value, entry.where)


def _health(app: App) -> Iterator[FoundSetting]:
    if app.service is not None and app.service.health[0]:
        path, place = app.service.health
        yield FoundSetting("server", "health", path, place)
        return
    route = health_route(app.sources, app.files)
    if route is not None:
        yield FoundSetting("server", "health", route.path, route.where)


def _tasks(project: Project, app: App) -> Iterator[Task]:
    entry = app.entry
    if entry is not None and entry.problem:
        command = setting_line(FoundSetting("server", "command", list(entry.command)))
        text = (
            f"{entry.problem}, so `dartsctl dev` cannot give it a port of its own; let it read one"
        )
        yield Task(text, (*entry.paste, "[server]", command), is_required=False)
    if app.others:
        yield _folder_task(project, app)
    if entry is None and app.choice.candidates:
        yield _choice_task(app)
    if entry is not None and app.service is None and len(app.services) > 1:
        services = possible_apps(app.services)
        names = ", ".join(service.name for service in services)
        text = f"which service is the app that `dartsctl dev` runs on this host: {names}"
        line = setting_line(FoundSetting("server", "replaces", [services[0].name]))
        yield Task(text, ("[server]", line), is_required=False)


def _folder_task(project: Project, app: App) -> Task:
    """Return the task to choose one of several apps, each of which is built from its folder."""
    names = [relative(project.root, folder) for folder in app.others]
    lines = [setting_line(FoundSetting("server", "directory", name)) for name in names]
    text = f"choose the app that `dartsctl dev` starts: {', '.join(names)}"
    return Task(text, ("[server]", *lines), is_required=False)


def _choice_task(app: App) -> Task:
    """Return the task to choose one of several entry points."""
    candidates = app.choice.candidates[:_MOST_CANDIDATES]
    listed = ", ".join(f"{entry.file} ({entry.framework or 'Python'})" for entry in candidates)
    lines = ["[server]"]
    for entry in candidates:
        line = setting_line(FoundSetting("server", "command", list(entry.command)))
        lines.append(f"{line}  # {entry.where}")
    return Task(f"choose what `dartsctl dev` starts: {listed}", tuple(lines), is_required=False)
