"""`[server.env]`: the app's variables that lead to services of the stack, or to its own URL."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.config.documented_ports import documented_ports
from dartsctl.config.settings import PRODUCTION
from dartsctl.discovery.app.addresses import addresses_of
from dartsctl.discovery.app.app import APPS_ENV_FILES
from dartsctl.discovery.app.env_reads import env_reads, overriding_load
from dartsctl.discovery.app.fixed_hosts import fixed_host_tasks
from dartsctl.discovery.app.misleading import (
    callback_tasks,
    misleading_notes,
    misleading_tasks,
)
from dartsctl.discovery.app.server_env import (
    AppVariables,
    Source,
    server_variables,
)
from dartsctl.discovery.proposal import Proposal, ProposedSetting, Task
from dartsctl.edges.project import env_files
from dartsctl.ports.allocation import Allocation
from dartsctl.server.request import PORT_VARIABLES
from dartsctl.text.numbers import parse_digits
from dartsctl.text.phrases import relative
from dartsctl.workflows.init.env_facts import read_env_facts

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from pathlib import Path

    from dartsctl.discovery.app.app import App
    from dartsctl.discovery.written_model import WrittenService
    from dartsctl.workflows.init.project import Project


def find_server_env(app: App, project: Project, planned: Project) -> Proposal:
    """Return the variables of the server. `planned` has the dev stack as it will be."""
    if app.entry is None or app.entry.problem or project.bundled:
        return Proposal()
    written: WrittenService | None = None
    if app.service is not None and app.stack is not None:
        facts = read_env_facts(project.with_stack(app.stack), app.stack.name)
        written = facts.services.get(app.service.name)
    allocation = _production(project)
    stack = addresses_of(app, planned.stacks, written, allocation)
    own_files = _own_env_files(app, planned, written)
    paths = (*_env_file_paths(planned), *_shown(own_files))
    lines, misleading = server_variables(_variables(app, project.root, paths, written), stack)
    settings = [
        ProposedSetting("server.env", line.name, line.template, line.where) for line in lines
    ]
    if own_files and app.service is not None:
        names = [relative(project.root, path) for path in own_files]
        why = app.place(app.service.name, "env_file")
        settings.insert(0, ProposedSetting("server", "env_files", names, why))
    tasks = (
        *callback_tasks(lines),
        *misleading_tasks(misleading, allocation),
        *fixed_host_tasks(app, stack.targets.keys()),
    )
    proposal = Proposal(tuple(misleading_notes(misleading)), tuple(settings), tasks=tasks)
    return proposal + _port_in_env_file(app, paths, allocation)


def _port_in_env_file(app: App, paths: Iterable[Path], allocation: Allocation) -> Proposal:
    """Return the setting that names the port variables where an env file has production's port.

    `dev` replaces it, and says so at each start unless the settings name the variable.
    """
    names: tuple[str, ...] = PORT_VARIABLES
    if app.entry is not None and app.entry.port_variables:
        names = app.entry.port_variables
    own_paths = [app.folder / name for name in reversed(APPS_ENV_FILES)]
    for path in dict.fromkeys([*paths, *own_paths]):
        values = env_files.readable_values(path)
        for name in names:
            port = parse_digits(values[name].value) if name in values else None
            if port not in allocation.owners:
                continue
            place = f"{name}={port} in {values[name].origin}"
            why = f"{place}: `dartsctl dev` sets the leased port instead"
            setting = ProposedSetting("server", "port_variables", list(names), why)
            return Proposal(settings=(setting,), tasks=_override_tasks(app, place))
    return Proposal()


def _override_tasks(app: App, place: str) -> tuple[Task, ...]:
    """Return the task to let the environment win, where the app lets its env file win."""
    where = overriding_load(app.sources, app.files)
    is_needed = app.entry is not None and not app.entry.handover
    if not where or not is_needed:
        return ()
    text = (
        f"{where} loads its env file over the environment, so {place} counts and not the port that "
        "`dartsctl dev` leases; let the environment count, or remove that line"
    )
    return (Task(text, ("load_dotenv()",), is_required=False),)


def _production(project: Project) -> Allocation:
    """Return production's ports: the documented ones, and those of its stack."""
    allocation = documented_ports(project.settings)
    production = project.stacks.get(PRODUCTION)
    if production is None or production.error is not None:
        return allocation
    if project.settings.ports.is_default:
        allocation = Allocation({})  # the settings will have those of the stack
    files = ", ".join(file.name for file in production.files)
    return allocation.united_with(production.stack.published_ports, files)


def _variables(
    app: App, root: Path, paths: Iterable[Path], written: WrittenService | None
) -> AppVariables:
    container: dict[str, Source] = {}
    if written is not None and app.service is not None:
        for name, text in written.environment.items():
            container[name] = Source(text, app.place(app.service.name, name))
    given: dict[str, Source] = {}
    for path in paths:
        for name, value in env_files.readable_values(path).items():
            where = f"{relative(root, path)}:{value.line}"
            given[name] = Source(value.value, where, "env file")
    loaded: set[str] = set()
    for name in APPS_ENV_FILES:
        loaded.update(env_files.readable_values(app.folder / name))
    reads = env_reads(app.sources, app.files)
    return AppVariables(container, given, reads, frozenset(loaded))


def _env_file_paths(project: Project) -> Iterator[Path]:
    """Yield the env files that the server gets from [dev]; of one to be written, its example."""
    yield from _shown(_devs_env_files(project))


def _devs_env_files(project: Project) -> tuple[Path, ...]:
    configured = project.settings.environments["dev"].env_files
    if configured is not None:
        return configured
    return (project.root / ".env",)


def _shown(paths: Iterable[Path]) -> Iterator[Path]:
    """Yield the files that there are; of one that `init` writes, its example."""
    for path in paths:
        if path.is_file():
            yield path
        elif example := env_files.example_of(path):
            yield example


def _own_env_files(app: App, project: Project, written: WrittenService | None) -> tuple[Path, ...]:
    """Return the env files that only the container of the app gets: the server needs them too.

    Those of production's files are production's.
    """
    if written is None or app.stack is None or app.stack.name != "dev":
        return ()
    others = {*_devs_env_files(project), app.folder / ".flaskenv"}  # flask reads that one
    own = [file.path for file in written.env_files if file.path not in others]
    return tuple(path for path in own if any(_shown((path,))))
