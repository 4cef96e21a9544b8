"""`[server.env]`: the app's variables that lead to services of the stack, or to its own URL."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.config.documented_ports import documented_ports
from dartsctl.config.settings import PRODUCTION
from dartsctl.discovery.app.address_text import StackAddresses
from dartsctl.discovery.app.env_reads import env_reads, overriding_load
from dartsctl.discovery.app.server_env import (
    AppVariables,
    Misleading,
    Source,
    names_of,
    server_variables,
)
from dartsctl.discovery.findings import Findings, FoundSetting, Task
from dartsctl.edges.project import env_files
from dartsctl.ports.allocation import Allocation
from dartsctl.server.request import PORT_VARIABLES
from dartsctl.text.numbers import parse_digits
from dartsctl.text.phrases import relative
from dartsctl.workflows.init.env_facts import read_env_facts

if TYPE_CHECKING:
    from dartsctl.discovery.written_model import WrittenService
    from dartsctl.workflows.init.project import Project, StackFacts
    from dartsctl.workflows.init.server import App


def find_server_env(app: App, project: Project, planned: Project) -> Findings:
    """Return the variables of the server. `planned` has the dev stack as it will be."""
    if app.entry is None or app.entry.problem or project.bundled:
        return Findings()
    written: WrittenService | None = None
    if app.service is not None and app.stack is not None:
        facts = read_env_facts(project.with_stack(app.stack), app.stack.name)
        written = facts.services.get(app.service.name)
    allocation = _production(project)
    stack = _addresses(app, planned, written, allocation)
    own_files = _own_env_files(app, planned, written)
    paths = (*_env_file_paths(planned), *_shown(own_files))
    lines, misleading = server_variables(_variables(app, project.root, paths, written), stack)
    settings = [FoundSetting("server.env", line.name, line.template, line.where) for line in lines]
    if own_files and app.service is not None:
        names = [relative(project.root, path) for path in own_files]
        why = app.place(app.service.name, "env_file")
        settings.insert(0, FoundSetting("server", "env_files", names, why))
    tasks = [*_callback_tasks(tuple(names_of(lines))), *_tasks(misleading, allocation)]
    findings = Findings(tuple(_notes(misleading)), tuple(settings), tasks=tuple(tasks))
    return findings + _port_in_env_file(app, paths, allocation)


def _port_in_env_file(app: App, paths: Iterable[Path], allocation: Allocation) -> Findings:
    """Return the setting that names the port variables where an env file has production's port.

    `dev` replaces it, and says so at each start unless the settings name the variable.
    """
    names: tuple[str, ...] = PORT_VARIABLES
    if app.entry is not None and app.entry.port_variables:
        names = app.entry.port_variables
    all_paths = (*paths, app.folder / ".env", app.folder / ".flaskenv")
    for path in dict.fromkeys(all_paths):
        values = env_files.readable_values(path)
        for name in names:
            port = parse_digits(values[name].value) if name in values else None
            if port not in allocation.owners:
                continue
            place = f"{name}={port} in {values[name].origin}"
            why = f"{place}: `dartsctl dev` sets the leased port instead"
            setting = FoundSetting("server", "port_variables", list(names), why)
            return Findings(settings=(setting,), tasks=_override_tasks(app, place))
    return Findings()


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


def _addresses(
    app: App, planned: Project, written: WrittenService | None, allocation: Allocation
) -> StackAddresses:
    own: set[str] = set()
    own_ports: set[int] = set()
    if app.service is not None:
        own.add(app.service.name)
        own_ports |= app.service.ports | app.service.host_ports
    if written is not None:
        own |= written.hosts
    targets: dict[str, frozenset[int]] = {}
    same: dict[str, frozenset[int]] = {}
    dev = planned.stacks.get("dev")
    if dev is not None:
        for name, service in dev.stack.services.items():
            ports = frozenset(entry.target for entry in service.ports if entry.protocol == "tcp")
            if name not in own:
                targets[name] = ports
            spans = {entry.target: entry.span for entry in service.ports}
            same[name] = frozenset(port for port, span in spans.items() if span == (port, port))
    known: set[str] = set()
    if app.stack is not None:
        known.update(app.stack.stack.services)
    return StackAddresses(
        targets=targets,
        names=_names(planned.stacks.values()),
        published=dict(_published(planned.stacks.values())),
        own=frozenset(own),
        own_ports=frozenset(own_ports or {app.port}),
        left_out=frozenset(known - targets.keys() - own),
        production=allocation.owners,
        same_ports=same,
    )


def _names(stacks: Iterable[StackFacts]) -> dict[str, str]:
    """Return the names of containers, which other containers may use as host names."""
    names: dict[str, str] = {}
    for stack in stacks:
        for name, service in stack.stack.services.items():
            if service.container_name:
                names[service.container_name] = name
    return names


def _published(stacks: Iterable[StackFacts]) -> Iterator[tuple[int, tuple[str, int]]]:
    """Yield host port -> service and container port, of every stack."""
    for stack in stacks:
        for name, service in stack.stack.services.items():
            for entry in service.ports:
                if entry.protocol == "tcp" and not entry.is_ephemeral and entry.count == 1:
                    yield entry.span[0], (name, entry.target)


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
    for name in (".env", ".flaskenv"):
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


def _callback_tasks(names: tuple[str, ...]) -> Iterator[Task]:
    if names:
        verb = "is a URL"
        if len(names) > 1:
            verb = "are URLs"
        text = (
            f"{', '.join(names)} {verb} of the dev server, such as http://127.0.0.1:5001/: an "
            "identity provider must allow it; `dartsctl dev url` prints it while the server runs"
        )
        yield Task(text, is_required=False)


def _tasks(misleading: Sequence[Misleading], allocation: Allocation) -> Iterator[Task]:
    """Yield what leads a dev server to production."""
    for variable in misleading:
        if variable.lacks_port:
            yield _port_task(variable)
        elif variable.owner or not variable.service:
            text = (
                f"{variable.name} ({variable.where}) leads to port {variable.port} of this host, "
                f"which {allocation.claim(variable.port)}; the dev stack has no service for it: "
                "set it below [server.env] if a server of `dartsctl dev` must not use that"
            )
            yield Task(text, is_required=False)


def _port_task(variable: Misleading) -> Task:
    text = (
        f"{variable.name} ({variable.where}) names {variable.service} without a port: on this host "
        f"port {variable.port} may be another's, production's too; let the app read "
        f"{variable.lacks_port}, which has the dev service's"
    )
    return Task(text, is_required=False)


def _notes(misleading: Sequence[Misleading]) -> Iterator[str]:
    for variable in misleading:
        if variable.service and not variable.lacks_port:
            yield (
                f"{variable.name} names {variable.service}, which `dartsctl dev` does not start: "
                f"left to the app's own default ({variable.where})"
            )
