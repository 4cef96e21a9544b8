"""Settings: dartsctl.toml (or [tool.dartsctl] in pyproject.toml), DARTSCTL_* variables, and defaults (DESIGN 2).

    name = "darts"                      # default: the folder's name
    [dev]                               # and [prod]; any further environment is written [environment.NAME], with the same keys
    files = ["compose/dev.yml"]         # default: the conventional names (config/environment.py)
    env_files = [".env"]                # default: .env, .env.production, .env.NAME; [] = none
    project = "darts-dev"               # default: NAME-dev, NAME, NAME-ENVIRONMENT
    profiles = []
    production_ports = "warn"           # or "remap", "refuse": when a stack other than production's publishes one
    on_conflict = "ask"                 # or "fail", "stop", "remap", "wait"; default: ask at a terminal, else fail
    wait_timeout = 120                  # seconds until the stack must be healthy
    unsafe = "refuse"                   # [prod] alone; or "warn": start with weak secrets and bad certificates all the same, for a try-out
    [ports]
    dev_range = "5001-5099"
    [ports.production]                  # replaces the built-in allocation: service = port or [ports]
    [server]                            # see ServerSettings
    [server.env]
    [doctor]                            # of production; the flags for any other environment
    proxy = "nginx"                     # default: found by image, command, name and ports
    url = "https://darts.example.org/"  # asked besides what the proxy publishes on this host

Relative paths are relative to the file's folder, in variables too.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Literal, get_args

from dartsctl.config import values as take
from dartsctl.config.file import Given, Key, SettingsFile, Table, dotted, find, in_folder, table
from dartsctl.config.trust import Trust
from dartsctl.errors import UsageError
from dartsctl.ports.allocation import DEV_RANGE, PRODUCTION_PORTS, PortRange
from dartsctl.server.handover import How
from dartsctl.server.request import Enforce

ProductionPorts = Literal["warn", "remap", "refuse"]
Unsafe = Literal["refuse", "warn"]
OnConflict = Literal["ask", "fail", "stop", "remap", "wait"]
Services = Literal["required", "optional"]
ON_CONFLICT: tuple[OnConflict, ...] = get_args(OnConflict)

PRODUCTION = "prod"
BUILT_IN = ("dev", PRODUCTION)


@dataclass(frozen=True, slots=True)
class EnvironmentSettings:
    """What one environment's table says. Paths are absolute; nothing has looked yet whether they exist."""

    project: str
    files: tuple[Path, ...] = ()
    """Empty: the conventional names."""
    env_files: tuple[Path, ...] | None = None
    """None: the conventional name."""
    profiles: tuple[str, ...] = ()
    production_ports: ProductionPorts = "warn"
    """What to do about a production port that this stack publishes; means nothing for production itself."""
    on_conflict: OnConflict | None = None
    wait_timeout: float = 120.0
    """Seconds."""
    unsafe: Unsafe = "refuse"
    """What to do about weak secrets, open env files and bad certificates; means something for production alone."""


@dataclass(frozen=True, slots=True)
class PortSettings:
    dev_range: PortRange = DEV_RANGE
    production: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: PRODUCTION_PORTS)


@dataclass(frozen=True, slots=True)
class ServerSettings:
    """The host server. Placeholders ({python}, {port}, {rabbitmq.host}) are still in it."""

    directory: Path
    """Absolute."""
    command: tuple[str, ...] = ()
    """Empty: environment.server_command looks for the conventional entry point."""
    port_variables: tuple[str, ...] = ("FLASK_RUN_PORT", "FLASK_PORT", "PORT")
    health: str | None = None
    """The path to ask for; None: a server that listens is ready."""
    replaces: tuple[str, ...] = ()
    """Services that the host server stands in for."""
    services: Services = "required"
    enforce: Enforce = "auto"
    handover: How = "auto"
    """`werkzeug`: the command ends in `app.run()`, which takes a socket too; `none`: the server binds its port by itself."""
    url_host: str = ""
    """The host in the server's URL, `{branch}` and `{checkout}` in it filled in; empty: the address that it is bound to, since `localhost`
    may be ::1 for one client and 127.0.0.1 for the next (edge-cases.md#4)."""
    ready_timeout: float = 30.0
    """Seconds until the server must be ready."""
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class DoctorSettings:
    """Where somebody knows better than the model says. Empty: as found."""

    proxy: str = ""
    url: str = ""


@dataclass(frozen=True, slots=True)
class Settings:
    """`environments` always has dev and prod. `origins` says where a value was written: file, line and key, or a variable."""

    root: Path
    source: Path | None
    name: str
    environments: Mapping[str, EnvironmentSettings]
    ports: PortSettings
    server: ServerSettings
    doctor: DoctorSettings = field(default_factory=DoctorSettings)
    origins: Mapping[Key, str] = field(default_factory=dict)
    trust: Trust = field(default_factory=Trust, repr=False, compare=False)
    """What else is used: env files, and what is found by a conventional name."""

    def origin(self, *key: str) -> str:
        """As a message begins: `dartsctl.toml:3: dev.files`, `DARTSCTL_DEV_FILES`, or the bare key for a default."""
        return self.origins.get(key, dotted(key))


# --- variables ----------------------------------------------------------------------------------------------------------------


def _number(text: str) -> object:
    try:
        return float(text)
    except ValueError:
        return text


def _list(text: str) -> object:
    return [part for part in text.split(os.pathsep) if part]


EVERY = "every environment"
PROJECT_DIR = "DARTSCTL_PROJECT_DIR"
VARIABLES: Mapping[str, tuple[str, str, Callable[[str], object]]] = {
    "DARTSCTL_DEV_RANGE": ("ports", "dev_range", str),
    "DARTSCTL_DEV_FILES": ("dev", "files", _list),
    "DARTSCTL_PROD_FILES": (PRODUCTION, "files", _list),
    "DARTSCTL_DEV_PROJECT": ("dev", "project", str),
    "DARTSCTL_PROD_PROJECT": (PRODUCTION, "project", str),
    "DARTSCTL_ON_CONFLICT": (EVERY, "on_conflict", str),
    "DARTSCTL_WAIT_TIMEOUT": (EVERY, "wait_timeout", _number),
}
"""Variable -> table, key, how its text becomes TOML's value. An empty one counts as unset; lists are separated as PATH is.
DARTSCTL_PROJECT_DIR stands beside them: it says where to look. Other DARTSCTL_ names belong to other parts and are no error."""


def _exported(environ: Mapping[str, str], *tables: str) -> dict[str, Given]:
    """What the variables say for the table that `tables` name."""
    return {
        key: Given(convert(environ[variable]), variable)
        for variable, (owner, key, convert) in VARIABLES.items()
        if owner in tables and environ.get(variable)
    }


# --- loading ------------------------------------------------------------------------------------------------------------------


def load(
    start: Path,
    environ: Mapping[str, str],
    *,
    project_dir: Path | None = None,
    trust: Trust | None = None,
) -> Settings:
    """The settings that hold for somebody who stands in the folder `start`.

    `project_dir` (the flag), else DARTSCTL_PROJECT_DIR, names the project's root: only that folder is looked into. Without
    them the nearest folder from `start` upwards that has settings is the root, else `start` itself, with defaults.
    Raises UsageError (file:line: key) for unknown keys, wrong types and values that contradict each other, Refused for a file
    that is not trusted (`trust`: by default no folder of another user is).
    """
    trust = trust or Trust()
    named = _named_folder(start, environ, project_dir)
    file = in_folder(named, trust) if named else find(start, trust)
    root = named or (file.path.parent if file else start.resolve())
    top = table(
        file, (), known=("name", *BUILT_IN, "environment", "ports", "server", "doctor"), over={}
    )
    name = top.read("name", take.project, take.normal_project(root.name))
    tables: list[Table] = [top]
    environments = _environments(file, environ, root, name, tables)
    ports = _ports(file, environ, tables)
    server = _server(file, root, tables)
    own = table(file, ("doctor",), known=("proxy", "url"), over={})
    tables.append(own)
    doctor = DoctorSettings(own.read("proxy", take.some_text, ""), own.read("url", take.url, ""))
    origins = {(*one.path, key): given.where for one in tables for key, given in one.given.items()}
    settings = Settings(
        root, file.path if file else None, name, environments, ports, server, doctor, origins, trust
    )
    _refuse_shared_project(settings)
    return settings


def environment_key(name: str, key: str) -> Key:
    """Where the settings say `key` of the environment `name`: `("dev", "files")`, `("environment", "staging", "files")`."""
    return (name, key) if name in BUILT_IN else ("environment", name, key)


def _named_folder(start: Path, environ: Mapping[str, str], project_dir: Path | None) -> Path | None:
    variable = environ.get(PROJECT_DIR)
    named = project_dir or (Path(variable) if variable else None)
    if named is None:
        return None
    folder = (start / named).resolve()
    try:
        is_folder = folder.is_dir()
    except OSError:  # a name that no file system takes
        is_folder = False
    if not is_folder:
        source = "--project-dir" if project_dir else PROJECT_DIR
        raise UsageError(
            f"{source}: no folder {folder}",
            hint="name the folder that has dartsctl.toml, or leave it out",
        )
    return folder


def _environments(
    file: SettingsFile | None,
    environ: Mapping[str, str],
    root: Path,
    name: str,
    tables: list[Table],
) -> dict[str, EnvironmentSettings]:
    further = table(file, ("environment",), known=None, over={})
    keys = [one.name for one in fields(EnvironmentSettings)]
    environments: dict[str, EnvironmentSettings] = {}
    for environment in (*BUILT_IN, *further.given):
        path = environment_key(environment, "")[:-1]
        if environment in further.given:
            _check_environment_name(environment, further.given[environment])
        known = [
            key
            for key in keys
            if key != ("production_ports" if environment == PRODUCTION else "unsafe")
        ]
        own = table(file, path, known=known, over=_exported(environ, path[0], EVERY))
        tables.append(own)
        project = {"dev": f"{name}-dev", PRODUCTION: name}.get(environment, f"{name}-{environment}")
        environments[environment] = EnvironmentSettings(
            project=own.read("project", take.project, project),
            files=own.read("files", take.some_paths(root), ()),
            env_files=own.read("env_files", take.paths(root), None),
            profiles=own.read("profiles", take.texts, ()),
            production_ports=own.read(
                "production_ports", take.one_of(("warn", "remap", "refuse")), "warn"
            ),
            on_conflict=own.read("on_conflict", take.one_of(ON_CONFLICT), None),
            wait_timeout=own.read("wait_timeout", take.seconds, 120.0),
            unsafe=own.read("unsafe", take.one_of(("refuse", "warn")), "refuse"),
        )
    return environments


def _check_environment_name(name: str, given: Given) -> None:
    if name in BUILT_IN:
        raise given.mistake(f"{name} is built in", f"write it as [{name}]")
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise given.mistake(
            f"{name!r} cannot name an environment: lower-case letters, digits, - and _, a letter or digit first",
            f"write [environment.{take.normal_project(name)}]",
        )


def _ports(
    file: SettingsFile | None, environ: Mapping[str, str], tables: list[Table]
) -> PortSettings:
    own = table(
        file, ("ports",), known=("dev_range", "production"), over=_exported(environ, "ports")
    )
    production = table(file, ("ports", "production"), known=None, over={})
    tables += [own, production]
    owners: Mapping[str, tuple[int, ...]] = {
        service: take.ports(given) for service, given in production.given.items()
    }
    if "production" not in own.given:
        owners = PRODUCTION_PORTS
    dev_range = own.read("dev_range", take.port_range, DEV_RANGE)
    _refuse_overlap(own, production, dev_range, owners)
    return PortSettings(dev_range, owners)


def _refuse_overlap(
    own: Table, production: Table, dev_range: PortRange, owners: Mapping[str, tuple[int, ...]]
) -> None:
    """Raises UsageError when a production port lies in the dev range; blames what was written, not the default it meets."""
    shared = [
        (service, port) for service, ports in owners.items() for port in ports if port in dev_range
    ]
    if not shared:
        return
    service, port = shared[0]
    if "dev_range" in own.given:
        listed = ", ".join(f"{port} ({service})" for service, port in shared)
        raise own.given["dev_range"].mistake(
            f"{dev_range} contains production's {listed}",
            f'choose a range without production ports, such as "{DEV_RANGE}"',
        )
    raise production.given[service].mistake(
        f"{port} lies in the dev range {dev_range}",
        "move the dev range: [ports] dev_range, to numbers that production does not use",
    )


def _server(file: SettingsFile | None, root: Path, tables: list[Table]) -> ServerSettings:
    own = table(file, ("server",), known=[one.name for one in fields(ServerSettings)], over={})
    env = table(file, ("server", "env"), known=None, over={})
    tables += [own, env]
    default = ServerSettings(directory=root)
    return ServerSettings(
        directory=own.read("directory", take.path(root), default.directory),
        command=own.read("command", take.command, default.command),
        port_variables=own.read("port_variables", take.variable_names, default.port_variables),
        health=own.read("health", take.url_path, default.health),
        replaces=own.read("replaces", take.texts, default.replaces),
        services=own.read("services", take.one_of(("required", "optional")), default.services),
        enforce=own.read("enforce", take.one_of(get_args(Enforce)), default.enforce),
        handover=own.read("handover", take.one_of(get_args(How)), default.handover),
        url_host=own.read("url_host", take.url_host, default.url_host),
        ready_timeout=own.read("ready_timeout", take.seconds, default.ready_timeout),
        env={
            take.variable_name(name, given): take.text(given) for name, given in env.given.items()
        },
    )


def _refuse_shared_project(settings: Settings) -> None:
    """Raises UsageError when two environments have one Compose project: `up` of the one would replace the other's containers."""
    owners: dict[str, str] = {}
    for name, environment in settings.environments.items():
        other = owners.setdefault(environment.project, name)
        if other != name:
            written = [
                key
                for key in (environment_key(name, "project"), environment_key(other, "project"))
                if key in settings.origins
            ]
            raise UsageError(
                f"{settings.origins[written[0]]}: {other} and {name} both have the project name {environment.project!r}; "
                "they would replace each other's containers",
                details=tuple(settings.origins[key] for key in written[1:]),
                hint=f'give {name} a name of its own: project = "{environment.project}-{name}"',
            )
