"""Loads the settings: the file, DARTSCTL_* variables over it, defaults for the rest."""

from __future__ import annotations

import re
from pathlib import Path

from dartsctl.config import values
from dartsctl.config.compose_variables import compose_variables
from dartsctl.config.file import Key, Setting, SettingsFile, Table, find, in_folder, table
from dartsctl.config.settings import (
    BUILT_IN,
    ENFORCE,
    HANDOVER,
    ON_CONFLICT,
    ON_PORTS,
    ON_UNSAFE,
    PRODUCTION,
    SERVICES,
    DoctorSettings,
    EnvironmentSettings,
    PortSettings,
    ServerSettings,
    Settings,
    WatchSettings,
    environment_key,
    environment_table,
)
from dartsctl.config.stacks_here import StacksHere, stacks_here
from dartsctl.config.trust import Trust
from dartsctl.config.variables import EVERY, PROJECT_DIR, from_variables
from dartsctl.config.worktree import worktree_of
from dartsctl.errors import Advice, UsageError
from dartsctl.ports.allocation import DEV_RANGE, PRODUCTION_PORTS, PortRange
from dartsctl.records import fields
from dartsctl.stack.waits import SETTLING_TIME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_TOP = ("name", *BUILT_IN, "environment", "ports", "server", "doctor", "watch")


def load(
    start: Path,
    environ: Mapping[str, str],
    *,
    project_dir: Path | None = None,
    trust: Trust | None = None,
) -> Settings:
    """Return the settings that apply in the folder `start`.

    `project_dir` (the flag), else DARTSCTL_PROJECT_DIR, names the project's root; then only that
    folder is searched. Otherwise the root is the nearest folder from `start` upwards that has
    settings, else `start` itself, with defaults. `trust`: by default no folder of another user.

    Raises UsageError (file:line: key) for unknown keys, wrong types and contradictory values,
    Refused for a file that is not trusted.
    """
    trust = trust or Trust()
    root, file = _root(start, environ, project_dir, trust)
    top = table(file, (), known=_TOP, over={})
    name = top.read("name", values.project, values.normal_project(root.name))
    tables: list[Table] = [top]
    here = _stacks_here(file, environ, root, trust)
    settings = Settings(
        root=root,
        source=file.path if file else None,
        name=name,
        environments=_environments(file, environ, here=here, name=name, tables=tables),
        ports=_ports(file, environ, tables),
        server=_server(file, root, tables),
        doctor=_doctor(file, tables),
        watch=_watch(file, environ, tables),
        origins=_origins(tables),
        trust=trust,
        project_dir=project_dir,
        stacks=here.names,
        compose=here.compose,
    )
    _refuse_shared_project(settings)
    return settings


def _origins(tables: Sequence[Table]) -> dict[Key, str]:
    origins: dict[Key, str] = {}
    for own in tables:
        origins |= {(*own.path, key): setting.where for key, setting in own.entries.items()}
    return origins


def _root(
    start: Path, environ: Mapping[str, str], project_dir: Path | None, trust: Trust
) -> tuple[Path, SettingsFile | None]:
    """Return the project's folder, and its settings file if it has one."""
    named = _named_folder(start, environ, project_dir)
    if named:
        return named, in_folder(named, trust)
    file = find(start, trust)
    if file is None:
        return start.resolve(), None
    return file.path.parent, file


def _named_folder(start: Path, environ: Mapping[str, str], project_dir: Path | None) -> Path | None:
    if project_dir is not None:
        source, named = "--project-dir", project_dir
    elif environ.get(PROJECT_DIR):
        source, named = PROJECT_DIR, Path(environ[PROJECT_DIR])
    else:
        return None
    folder = (start / named).resolve()
    try:
        is_folder = folder.is_dir()
    except OSError:  # a name that no file system accepts
        is_folder = False
    if not is_folder:
        raise UsageError(
            f"{source}: no such folder: {folder}",
            hint=Advice("name the folder that contains dartsctl.toml, or omit it"),
        )
    return folder


def _environments(
    file: SettingsFile | None,
    environ: Mapping[str, str],
    *,
    here: StacksHere,
    name: str,
    tables: list[Table],
) -> dict[str, EnvironmentSettings]:
    """Read every environment. `tables` has the top one, and gets theirs."""
    worktree = worktree_of(here.root, has_name="name" in tables[0].entries)
    others = table(file, ("environment",), known=None, over={})
    for environment, setting in others.entries.items():
        _check_environment_name(environment, setting)
    environments: dict[str, EnvironmentSettings] = {}
    for environment in (*BUILT_IN, *others.entries):
        own, over = _environment_table(file, environ, environment)
        tables.append(own)
        is_picked = "files" not in own.entries and "name" not in tables[0].entries
        default = here.default_project(environment, name, is_picked=is_picked)
        is_own = "project" in own.entries or default not in (name, f"{name}-{environment}")
        project, copy_of = own.read("project", values.project, default), ""
        if environment != PRODUCTION and "project" not in over:
            project, copy_of = worktree.project_of(project, is_own=is_own)
        environments[environment] = EnvironmentSettings(
            project=project,
            copy_of=copy_of,
            files=own.read("files", _files(environment, here.root), None),
            env_files=own.read("env_files", values.paths(here.root), None),
            profiles=own.read("profiles", values.texts, ()),
            production_ports=own.read("production_ports", values.one_of(ON_PORTS), "warn"),
            on_conflict=own.read("on_conflict", values.one_of(ON_CONFLICT), None),
            wait_timeout=own.read("wait_timeout", values.seconds, None),
            settling_time=own.read("settling_time", values.seconds_or_zero, SETTLING_TIME),
            unsafe=own.read("unsafe", values.one_of(ON_UNSAFE), "refuse"),
        )
    return environments


def _environment_table(
    file: SettingsFile | None, environ: Mapping[str, str], name: str
) -> tuple[Table, Mapping[str, Setting]]:
    """Return an environment's table, and what the variables set in it."""
    path = environment_table(name)
    over = from_variables(environ, path[0], EVERY)
    return table(file, path, known=_environment_keys(name), over=over), over


def _stacks_here(
    file: SettingsFile | None, environ: Mapping[str, str], root: Path, trust: Trust
) -> StacksHere:
    """Return which environments there are, before their settings are read."""
    others = table(file, ("environment",), known=None, over={}).entries
    declared = set(others)
    over = from_variables(environ, PRODUCTION)
    if table(file, (PRODUCTION,), known=None, over=over).entries:
        declared.add(PRODUCTION)
    if table(file, ("ports", "production"), known=None, over={}).entries:
        declared.add(PRODUCTION)
    names = (*BUILT_IN, *others)
    compose = compose_variables(root, environ, names, trust)
    dev, _ = _environment_table(file, environ, "dev")
    dev_files = dev.read("files", _files("dev", root), None)
    return stacks_here(root, declared, compose, dev_files=dev_files)


def _files(environment: str, root: Path) -> Callable[[Setting], tuple[Path, ...]]:
    """Return the conversion of `files`: only the host server of dev does without a stack."""
    return values.paths(root) if environment == "dev" else values.some_paths(root)


def _environment_keys(environment: str) -> list[str]:
    """Return the keys that the table of an environment may have."""
    unused = "production_ports" if environment == PRODUCTION else "unsafe"
    others = (unused, "copy_of")  # the latter is no setting
    return [name for name in fields(EnvironmentSettings) if name not in others]


def _check_environment_name(name: str, setting: Setting) -> None:
    if name in BUILT_IN:
        raise setting.error(f"the environment {name} is built in", f"write it as [{name}]")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise setting.error(
            f"{name!r} is not an environment name; use lower-case letters, digits, - and _, "
            "starting with a letter or digit",
            f"write [environment.{values.normal_project(name)}]",
        )


def _ports(
    file: SettingsFile | None, environ: Mapping[str, str], tables: list[Table]
) -> PortSettings:
    own = table(
        file, ("ports",), known=("dev_range", "production"), over=from_variables(environ, "ports")
    )
    production = table(file, ("ports", "production"), known=None, over={})
    tables += [own, production]
    owners: Mapping[str, tuple[int, ...]] = {
        service: values.ports(setting) for service, setting in production.entries.items()
    }
    if "production" not in own.entries:
        owners = PRODUCTION_PORTS
    dev_range = own.read("dev_range", values.port_range, DEV_RANGE)
    _refuse_overlap(own, production, dev_range, owners)
    return PortSettings(dev_range, owners, is_default="production" not in own.entries)


def _refuse_overlap(
    own: Table, production: Table, dev_range: PortRange, owners: Mapping[str, tuple[int, ...]]
) -> None:
    """Raise UsageError if a production port lies in the dev range.

    The error names the setting that was written, not the default that it collides with.
    """
    shared: list[tuple[str, int]] = []
    for service, ports in owners.items():
        shared += [(service, port) for port in ports if port in dev_range]
    if not shared:
        return
    if "dev_range" in own.entries:
        listed = ", ".join(f"{port} ({service})" for service, port in shared)
        raise own.entries["dev_range"].error(
            f"the dev range {dev_range} contains production ports: {listed}",
            f'choose a range without production ports, such as "{DEV_RANGE}"',
        )
    service, port = shared[0]
    raise production.entries[service].error(
        f"port {port} lies in the dev range {dev_range}",
        "set [ports] dev_range to ports that production does not use",
    )


def _server(file: SettingsFile | None, root: Path, tables: list[Table]) -> ServerSettings:
    own = table(file, ("server",), known=list(fields(ServerSettings)), over={})
    env = table(file, ("server", "env"), known=None, over={})
    tables += [own, env]
    default = ServerSettings(directory=root)
    return ServerSettings(
        directory=own.read("directory", values.path(root), default.directory),
        command=own.read("command", values.command, default.command),
        env_files=own.read("env_files", values.paths(root), default.env_files),
        port_variables=own.read("port_variables", values.variable_names, default.port_variables),
        health=own.read("health", values.url_path, default.health),
        replaces=own.read("replaces", values.texts, default.replaces),
        services=own.read("services", values.one_of(SERVICES), default.services),
        enforce=own.read("enforce", values.one_of(ENFORCE), default.enforce),
        handover=own.read("handover", values.one_of(HANDOVER), default.handover),
        url_host=own.read("url_host", values.url_host, default.url_host),
        ready_timeout=own.read("ready_timeout", values.seconds, default.ready_timeout),
        env={
            values.variable_name(name, setting): values.text(setting)
            for name, setting in env.entries.items()
        },
    )


def _doctor(file: SettingsFile | None, tables: list[Table]) -> DoctorSettings:
    own = table(file, ("doctor",), known=("proxy", "url"), over={})
    tables.append(own)
    return DoctorSettings(own.read("proxy", values.some_text, ""), own.read("url", values.url, ""))


def _watch(
    file: SettingsFile | None, environ: Mapping[str, str], tables: list[Table]
) -> WatchSettings:
    known = list(fields(WatchSettings))
    own = table(file, ("watch",), known=known, over=from_variables(environ, "watch"))
    tables.append(own)
    default = WatchSettings()
    pause, limit = values.duration(1), values.duration(0)
    return WatchSettings(
        notify=own.read("notify", values.texts, default.notify),
        escalate=own.read("escalate", values.texts, default.escalate),
        escalate_after=own.read("escalate_after", limit, default.escalate_after),
        remind=own.read("remind", limit, default.remind),
        heartbeat=own.read("heartbeat", values.some_text, default.heartbeat),
        heartbeat_interval=own.read("heartbeat_interval", pause, default.heartbeat_interval),
        interval=own.read("interval", pause, default.interval),
        open_after=own.read("open_after", limit, default.open_after),
        close_after=own.read("close_after", limit, default.close_after),
        metrics=own.read("metrics", values.port, default.metrics),
        heal=own.read("heal", values.flag, default.heal),
        reserve=own.read("reserve", values.flag, default.reserve),
        certificate_days=own.read(
            "certificate_days", values.whole_number(0, 3650), default.certificate_days
        ),
        disk_percent=own.read("disk_percent", values.whole_number(1, 100), default.disk_percent),
    )


def _refuse_shared_project(settings: Settings) -> None:
    """Raise UsageError if two environments have the same Compose project.

    `up` of one would replace the containers of the other.
    """
    owners: dict[str, str] = {}
    for name, environment in settings.environments.items():
        if name not in settings.stacks:
            continue
        other = owners.setdefault(environment.project, name)
        if other == name:
            continue
        keys = (environment_key(name, "project"), environment_key(other, "project"))
        places = [settings.origins[key] for key in keys if key in settings.origins]
        raise UsageError(
            f"{places[0]}: {other} and {name} have the same project name, "
            f"{environment.project!r}, and would replace each other's containers",
            details=tuple(places[1:]),
            hint=Advice(f'give {name} another name: project = "{environment.project}-{name}"'),
        )
