"""Settings: dartsctl.toml (or [tool.dartsctl] in pyproject.toml), variables, and defaults.

    name = "darts"                      # default: the folder's name
    [dev]                               # [prod] and [environment.NAME] have the same keys
    files = ["compose/dev.yml"]         # default: names as in config/conventional_files.py;
                                        # [] in [dev]: the server alone, without services
    env_files = [".env"]                # default: .env, .env.production, .env.NAME; [] = none
    project = "darts-dev"               # default: NAME-dev, NAME, NAME-ENVIRONMENT (see
                                        # config/stacks_here.py); in a linked git worktree with
                                        # its name after it
    profiles = []
    production_ports = "warn"           # "refuse"; not in [prod]
    on_conflict = "ask"                 # "fail", "stop", "remap", "wait"; default: "ask" at a
                                        # terminal, else "fail"
    wait_timeout = 120                  # seconds until the stack must be healthy; default: as long
                                        # as its health checks allow, at least 120
    settling_time = 5                   # seconds that a service without a health check must run
    unsafe = "refuse"                   # only in [prod]; "warn": start in spite of weak secrets
    [ports]
    dev_range = "5001-5099"
    [ports.production]                  # service = port or [ports]; replaces the built-in ports
    [server]                            # see ServerSettings
    [server.env]
    [doctor]                            # for production; other environments use the flags
    proxy = "nginx"                     # default: found by image, command, name and ports
    url = "https://darts.example.org/"  # requested too, besides what the proxy publishes here
    [watch]                             # see WatchSettings

Relative paths are relative to the folder of the file, in variables too.
"""

from __future__ import annotations

from dartsctl.config import conventional_names
from dartsctl.config.compose_variables import ComposeVariables
from dartsctl.config.file import Key, dotted
from dartsctl.config.trust import Trust
from dartsctl.ports.allocation import DEV_RANGE, PRODUCTION_PORTS, PortRange
from dartsctl.records import field, record
from dartsctl.stack.waits import SETTLING_TIME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Literal

    from dartsctl.server.handover import HandoverMode
    from dartsctl.server.request import Enforcement

    ProductionPorts = Literal["warn", "refuse"]
    Unsafe = Literal["refuse", "warn"]
    OnConflict = Literal["ask", "fail", "stop", "remap", "wait"]
    Services = Literal["required", "optional"]

ON_PORTS: tuple[ProductionPorts, ...] = ("warn", "refuse")
ON_UNSAFE: tuple[Unsafe, ...] = ("refuse", "warn")
ON_CONFLICT: tuple[OnConflict, ...] = ("ask", "fail", "stop", "remap", "wait")
SERVICES: tuple[Services, ...] = ("required", "optional")
ENFORCE: tuple[Enforcement, ...] = ("auto", "hook", "watch", "off")
HANDOVER: tuple[HandoverMode, ...] = ("auto", "werkzeug", "none")

PRODUCTION = conventional_names.PRODUCTION
BUILT_IN = ("dev", PRODUCTION)


@record
class EnvironmentSettings:
    """The settings of an environment. Paths are absolute, and may not exist."""

    project: str
    copy_of: str = ""
    """In a linked git worktree, the project without the worktree's name."""
    files: tuple[Path, ...] | None = None
    """None: the conventional names. Empty: no services, only in dev."""
    env_files: tuple[Path, ...] | None = None
    """None: the conventional name."""
    profiles: tuple[str, ...] = ()
    production_ports: ProductionPorts = "warn"
    """What to do about a production port that this stack publishes; unused for production."""
    on_conflict: OnConflict | None = None
    wait_timeout: float | None = None
    """Seconds until the stack must be healthy. None: as long as its health checks allow."""
    settling_time: float = SETTLING_TIME
    """Seconds that a container without a health check must run before it is ready; 0: none."""
    unsafe: Unsafe = "refuse"
    """What to do about weak secrets, readable env files and bad certificates; production only."""


@record
class PortSettings:
    """The dev range, and the production ports of each service."""

    dev_range: PortRange = DEV_RANGE
    production: Mapping[str, tuple[int, ...]] = field(default_factory=lambda: PRODUCTION_PORTS)
    is_default: bool = True
    """Whether `production` is dartsctl's default list, not this project's own table."""


@record
class ServerSettings:
    """The host server. Placeholders ({python}, {port}, {rabbitmq.host}) are not replaced yet."""

    directory: Path
    """Absolute."""
    command: tuple[str, ...] = ()
    """Empty: server_program.server_command() looks for the conventional entry point."""
    env_files: tuple[Path, ...] = ()
    """Files with variables for the server, besides those of the environment dev."""
    port_variables: tuple[str, ...] = ("FLASK_RUN_PORT", "FLASK_PORT", "PORT")
    health: str | None = None
    """The URL path to request; None: a server that listens is ready."""
    replaces: tuple[str, ...] = ()
    """Services that the host server replaces."""
    services: Services = "required"
    enforce: Enforcement = "auto"
    handover: HandoverMode = "auto"
    """`werkzeug`: the command calls `app.run()`, which accepts a socket. `none`: it binds."""
    url_host: str = ""
    """The host in the server's URL; `{branch}` and `{checkout}` are replaced.

    Empty: the address that the server is bound to, because `localhost` may be ::1 for one client
    and 127.0.0.1 for another (edge-cases.md#4).
    """
    ready_timeout: float = 30.0
    """Seconds until the server must be ready."""
    env: Mapping[str, str] = field(default_factory=dict)


@record
class DoctorSettings:
    """What `doctor` should use instead of what it finds. Empty: what it finds."""

    proxy: str = ""
    url: str = ""


@record
class WatchSettings:
    """How `watch` watches, whichever environment. Times are in seconds."""

    notify: tuple[str, ...] = field(default=(), repr=False)
    """Apprise URLs of the channels, which may contain secrets."""
    escalate: tuple[str, ...] = field(default=(), repr=False)
    """The second channel: URLs that hear of what stays open."""
    escalate_after: float = 1800.0
    """How long an episode is open and not acknowledged until they do."""
    remind: float = 14400.0
    """Between two reminders of an open episode; 0: none."""
    heartbeat: str = field(default="", repr=False)
    """The URL that is pinged while `watch` runs; empty: none."""
    heartbeat_interval: float = 60.0
    interval: float = 15.0
    """Between two looks. One that sees a change is followed by doctor's examination at once."""
    open_after: float = 20.0
    """How long a problem must last until it is an alert; an exit is one at once."""
    close_after: float = 15.0
    """How long nothing must be wrong until an episode has recovered."""
    metrics: int | None = None
    """The port for Prometheus on the loopback address; None: no metrics."""
    heal: bool = False
    reserve: bool = False
    certificate_days: int = 14
    """How many days before its end a certificate is a problem; 0: only once it has ended."""
    disk_percent: int = 90
    """How full the engine's disk is when it is a problem."""


@record
class Settings:
    """All settings of a project. `environments` always has dev and prod.

    `origins` is where each value was written: file, line and key, or a variable.
    """

    root: Path
    source: Path | None
    name: str
    environments: Mapping[str, EnvironmentSettings]
    ports: PortSettings
    server: ServerSettings
    doctor: DoctorSettings = field(default_factory=DoctorSettings)
    watch: WatchSettings = field(default_factory=WatchSettings)
    origins: Mapping[Key, str] = field(default_factory=dict)
    trust: Trust = field(default_factory=Trust, repr=False, compare=False)
    """For the other files that are used: env files, and files with a conventional name."""
    project_dir: Path | None = None
    """--project-dir, as it was typed."""
    stacks: frozenset[str] = frozenset(BUILT_IN)
    """The environments that the settings mention, or that have Compose files here; always dev."""
    compose: Mapping[str, ComposeVariables] = field(
        default_factory=lambda: dict.fromkeys(BUILT_IN, ComposeVariables())
    )
    """What Compose's own variables say about each environment."""

    @property
    def production_project(self) -> str:
        """The project of production; empty if nothing says that there is a production.

        It may have a folder of its own: the settings' `name` is then its project.
        """
        project = self.environments[PRODUCTION].project
        others = self.other_projects(PRODUCTION).values()
        is_named = ("name",) in self.origins and project not in others
        return project if PRODUCTION in self.stacks or is_named else ""

    def other_projects(self, name: str) -> dict[str, str]:
        """Return the environments besides `name` that have a stack, with their projects."""
        return {
            other: configured.project
            for other, configured in self.environments.items()
            if other != name and other in self.stacks
        }

    @property
    def path(self) -> Path:
        """The file that the settings are from, or that they would be written to."""
        return self.source or self.root / "dartsctl.toml"

    def origin(self, *key: str) -> str:
        """Return the place of a value, as messages begin.

        `dartsctl.toml:3: dev.files`, `DARTSCTL_DEV_FILES`, or the key alone for a default.
        """
        return self.origins.get(key, dotted(key))


def environment_key(name: str, key: str) -> Key:
    """Return the key of a value of an environment, such as `("environment", "qa", "files")`."""
    return (*environment_table(name), key)


def environment_table(name: str) -> Key:
    """Return the table of an environment: `("dev",)`, `("environment", "staging")`."""
    return (name,) if name in BUILT_IN else ("environment", name)
