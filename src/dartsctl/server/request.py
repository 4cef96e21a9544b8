"""ServerRequest: a host server that is asked for, and the environment that it gets."""

from __future__ import annotations

import sys
from pathlib import PurePath

from dartsctl.ports.allocation import BROWSERS_REFUSE, DEV_RANGE, Allocation, PortRange
from dartsctl.records import field, record
from dartsctl.stack.bindings import LOOPBACK_IPV4

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    from dartsctl.server.handover import HandoverMode

    ServerKind = Literal["dev", "run"]

    Enforcement = Literal["auto", "hook", "watch", "off"]
    """How production ports are kept from a server.

    auto: kernel, Python hook and port watch. hook: Python hook and port watch. watch: only the port
    watch.
    """


PORT_VARIABLES = ("FLASK_RUN_PORT", "FLASK_PORT", "PORT")
HOST_VARIABLES = ("FLASK_RUN_HOST", "FLASK_HOST")
SCRUBBED = ("WERKZEUG_SERVER_FD", "WERKZEUG_RUN_MAIN", "LISTEN_FDS", "LISTEN_PID")
"""What a parent server passes only to its child. Inherited from any other parent these variables
break a server (edge-cases.md#66, werkzeug#2067)."""
_SHELLS = frozenset({"ash", "bash", "csh", "dash", "fish", "ksh", "sh", "tcsh", "zsh"})
_INTERACTIVE_FLAGS = frozenset({"-i", "-l", "--login", "--norc"})


@record
class FilePort:
    """A port variable in an env file; `origin` is its place, such as `.env:3`."""

    name: str
    port: int
    origin: str


@record
class ServerRequest:
    """A server to start.

    `command` still has its placeholders. `directory` is where it runs, and `checkout` is the
    working copy that it belongs to; both are absolute.
    """

    command: tuple[str, ...]
    directory: str
    checkout: str
    program_note: str = ""
    """Which program it is, if PATH would say something else. It is shown at the start."""
    kind: ServerKind = "run"
    """A checkout has at most one `dev` server, and any number of `run` ones."""
    host: str = LOOPBACK_IPV4
    port: int | None = None
    """The value of `--port`."""
    dev_range: PortRange = DEV_RANGE
    allocation: Allocation = field(default_factory=lambda: Allocation({}))
    """The production ports, which no server may have."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """The caller's whole environment."""
    env_files: Mapping[str, str] = field(default_factory=dict)
    """The variables of the env files. The caller's environment takes precedence."""
    app_values: Mapping[str, str] = field(default_factory=dict)
    """The variables of these files and of those that the app itself reads. They are not set."""
    file_ports: tuple[FilePort, ...] = ()
    """The ports in these files, and in those that the app itself reads."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """`[server.env]`, filled in. It takes precedence over all but the port and host variables."""
    port_variables: tuple[str, ...] = PORT_VARIABLES
    names_port_variables: bool = False
    """Whether the settings name them: then nobody is told that an env file's port is replaced."""
    python: str = ""
    """The value of {python}; empty if the command does not use it."""
    branch: str = ""
    user: str = ""
    ready_within: float = 30.0
    """Seconds until the server should be ready."""
    health: str | None = None
    """The path that must answer below 400 before the server is ready; None: connections suffice."""
    url_host: str = ""
    """The host in the server's URL; empty: the address that it binds."""
    enforce: Enforcement = "auto"
    handover: HandoverMode = "auto"
    open_page: bool = False
    """Open the URL in a browser when the server is ready."""
    in_container: bool = False
    """Whether the command is `docker`: a container listens, and no process of ours."""

    @property
    def python_is_ours(self) -> bool:
        """Whether {python} is dartsctl's own interpreter: the app has no virtual environment."""
        return self.python == sys.executable

    @property
    def is_shell(self) -> bool:
        """Whether a person works in it.

        A shell need not listen, and does not end when it is refused a production port.
        """
        program, *words = self.command
        return PurePath(program).name in _SHELLS and _INTERACTIVE_FLAGS.issuperset(words)


def base_environment(request: ServerRequest) -> dict[str, str]:
    """Return the variables of the env files, overridden by the caller's environment."""
    return {**request.env_files, **request.environment}


def server_environment(
    base: Mapping[str, str],
    *,
    port: int,
    host: str,
    port_variables: Sequence[str] = PORT_VARIABLES,
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return the environment of the server's process.

    The leased port and host override `extra`, which overrides `base`. Variables that a parent
    server left are removed.
    """
    environment = {**base, **(extra or {})}
    for name in SCRUBBED:
        environment.pop(name, None)
    environment.update(dict.fromkeys(port_variables, str(port)))
    environment.update(dict.fromkeys(HOST_VARIABLES, host))
    return environment


def port_notes(port: int, dev_range: PortRange) -> list[str]:
    """Return the notes about a harmless but unusual `--port`."""
    notes = []
    if port in BROWSERS_REFUSE:
        notes.append(f"port {port} is blocked by browsers: no browser will open it")
    if port not in dev_range:
        notes.append(f"port {port} is outside the dev range {dev_range}")
    return notes
