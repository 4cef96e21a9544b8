"""A host server: what is asked for, what stands in the lease book, and what its command and environment are filled with."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Any, Literal

from dartsctl.errors import UsageError
from dartsctl.ports.allocation import BROWSERS_REFUSE, DEV_RANGE, Allocation, PortRange
from dartsctl.server.handover import How
from dartsctl.stack.bindings import bracketed, normal_address, reachable_address
from dartsctl.text.masking import mask_command
from dartsctl.text.numbers import parse_digits

Kind = Literal["dev", "run"]
Enforce = Literal["auto", "hook", "watch", "off"]
"""How production ports are kept from a server: auto = kernel, hook and watch; hook = Python's hook and the watch; watch = the watch alone."""

PORT_VARIABLES = ("FLASK_RUN_PORT", "FLASK_PORT", "PORT")
HOST_VARIABLES = ("FLASK_RUN_HOST", "FLASK_HOST")
SCRUBBED = ("WERKZEUG_SERVER_FD", "WERKZEUG_RUN_MAIN", "LISTEN_FDS", "LISTEN_PID")
"""What a parent server hands to its child alone; leaked from a parent it breaks the server (edge-cases.md#66, werkzeug#2067)."""
_SHELLS = frozenset({"ash", "bash", "csh", "dash", "fish", "ksh", "sh", "tcsh", "zsh"})


@dataclass(frozen=True, slots=True)
class ServerRequest:
    """One server to start. `command` still has its placeholders; `directory` is where it runs, `checkout` whose it is (both absolute)."""

    command: tuple[str, ...]
    directory: str
    checkout: str
    kind: Kind = "run"
    """A checkout has one `dev` server at most; any number of `run` ones."""
    host: str = "127.0.0.1"
    port: int | None = None
    """What `--port` says."""
    dev_range: PortRange = DEV_RANGE
    allocation: Allocation = field(default_factory=lambda: Allocation({}))
    """Production's ports: no server may have one."""
    environment: Mapping[str, str] = field(default_factory=dict)
    """The caller's own, complete."""
    env_files: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    """File name -> its values; a later file wins over an earlier one, the caller's environment over both."""
    extra: Mapping[str, str] = field(default_factory=dict)
    """`[server.env]`, filled in; wins over all but the port's and host's variables."""
    port_variables: tuple[str, ...] = PORT_VARIABLES
    python: str = ""
    """What {python} stands for; empty if the command does not use it."""
    branch: str = ""
    user: str = ""
    ready_within: float = 30.0
    """Seconds until the server should be ready."""
    health: str | None = None
    """The path that must answer below 400 before the server counts as ready; None: it is ready as soon as it takes connections."""
    url_host: str = ""
    """The host in the server's URL; empty: the address that it is bound to."""
    enforce: Enforce = "auto"
    handover: How = "auto"
    open_page: bool = False
    """Open the URL in the browser when the server is ready."""
    in_container: bool = False
    """The command is Docker's: a container publishes the port, and what listens on it is none of our processes."""

    @property
    def is_shell(self) -> bool:
        """Whether a person works in it: it need not listen, and is not ended for what was refused to it."""
        name, *words = self.command
        return PurePath(name).name in _SHELLS and all(
            word in ("-i", "-l", "--login", "--norc") for word in words
        )


@dataclass(frozen=True, slots=True)
class LeaseRecord:
    """Who has a dev port, since when and why. `port` alone is sure while a server is just starting or its record is lost."""

    port: int
    kind: Kind = "run"
    host: str = ""
    url: str = ""
    checkout: str = ""
    branch: str = ""
    user: str = ""
    command: tuple[str, ...] = ()
    """As it was started, without its environment; secrets may be in it: show `shown_command`."""
    since: float = 0.0
    """Unix time, seconds."""
    pid: int = 0
    """The server's main process; 0 while it starts."""
    started: float | None = None
    """When that process started (Unix time, seconds)."""
    supervisor: int = 0
    """The leader of the server's process group (edges/supervisor/confine.py): the one to signal."""
    birth: int = 0
    """The supervisor's Process.birth."""
    confirmed: bool = False
    """Whether the kernel has confirmed that `supervisor` holds the lease: never signalled without that, and never read from the record."""

    @property
    def shown_command(self) -> tuple[str, ...]:
        return mask_command(self.command)

    @property
    def holder(self) -> str:
        """Half a sentence for messages: `leased by /src/app (pid 4711, user ann)`."""
        who = ", ".join(
            [
                *([f"pid {self.pid}"] if self.pid else []),
                *([f"user {self.user}"] if self.user else []),
            ]
        )
        return f"leased by {self.checkout or 'another dartsctl'}" + (f" ({who})" if who else "")


def as_document(record: LeaseRecord) -> dict[str, Any]:
    """The record for `--json`: secrets masked, nothing internal."""
    return {
        "port": record.port,
        "kind": record.kind,
        "url": record.url,
        "host": record.host,
        "checkout": record.checkout,
        "branch": record.branch,
        "user": record.user,
        "pid": record.pid,
        "started": record.started,
        "since": record.since,
        "command": list(record.shown_command),
    }


def bind_address(host: str) -> str:
    """`--host` as the address to bind: an IP address, or localhost. Raises UsageError for other names: what they resolve to may change."""
    if host == "localhost":
        return "127.0.0.1"  # one family, always the same one (edge-cases.md#4)
    try:
        return normal_address(host)
    except ValueError as error:
        raise UsageError(
            f"--host: {host!r} is not an IP address",
            hint="give an address such as 127.0.0.1 or 0.0.0.0, or leave it out",
        ) from error


def url_of(address: str, port: int, name: str = "") -> str:
    """Where a browser on this host reaches a server bound to `address`; `name` is the host to show instead, where one is wanted."""
    host = name or bracketed(reachable_address(address))
    return f"http://{host}:{port}"


def host_name(template: str, *, branch: str, checkout: str) -> str:
    """`[server] url_host` with {branch} and {checkout} (the folder's name) as labels of a host name; {branch} without one is the checkout.

    Cookies belong to a host name, whatever its port: two servers that are to keep their sessions apart need two names (edge-cases.md#68), and
    browsers take every `*.localhost` for this machine (RFC 6761).
    """
    folder = _label(PurePath(checkout).name)
    return template.replace("{branch}", _label(branch) or folder).replace("{checkout}", folder)


def _label(text: str) -> str:
    """`text` as one label of a host name (RFC 1123): letters, digits and hyphens, 63 at most."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")[:63].strip("-") or (
        "checkout" if text else ""
    )


def fill(command: Sequence[str], values: Mapping[str, str]) -> tuple[str, ...]:
    """`command` with `{name}` replaced for the names in `values`, and no others: JSON, awk and shell braces stay as they are."""
    pattern = re.compile(r"\{(" + "|".join(map(re.escape, values)) + r")\}")
    return tuple(pattern.sub(lambda found: values[found[1]], word) for word in command)


def server_environment(
    base: Mapping[str, str],
    *,
    port: int,
    host: str,
    port_variables: Sequence[str] = PORT_VARIABLES,
    extra: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """What the server's process gets: `base`, `extra` over it, the leased port and host over both, and nothing that a parent server leaked."""
    environment = {**base, **(extra or {})}
    for name in SCRUBBED:
        environment.pop(name, None)
    environment.update(dict.fromkeys(port_variables, str(port)))
    environment.update(dict.fromkeys(HOST_VARIABLES, host))
    return environment


def base_environment(request: ServerRequest) -> dict[str, str]:
    """The env files' values, later files first in rank, and the caller's environment over them (as python-dotenv does)."""
    merged: dict[str, str] = {}
    for values in request.env_files.values():
        merged.update(values)
    return {**merged, **request.environment}


def refuse_production(request: ServerRequest) -> None:
    """Raises Refused when the flag, a port variable or a flag inside the command names a production port (DESIGN 6), and says which.

    A port variable that names one is a stated wish for it, so it is refused, not silently overridden. Values that are no
    numbers are left alone: they are overwritten anyway.
    """
    if request.port is not None:
        request.allocation.refuse(request.port, source="--port")
    sources = {
        "[server.env]": request.extra,
        "the environment": request.environment,
        **request.env_files,
    }
    for source, values in sources.items():
        for name in request.port_variables:
            port = parse_digits(values.get(name, "").strip())
            if port is not None:
                request.allocation.refuse(port, source=f"{name} in {source}")
    for port, words in ports_named(request.command):
        request.allocation.refuse(port, source=f"`{words}` in the command")


_PORT_FLAGS = ("--port", "-p", "--http-port", "--bind", "-b", "--listen", "-l")
_PORT_WORDS = ("http.server", "runserver")
_ADDRESS = re.compile(r"(?:[\w.*-]*:|\[[0-9a-fA-F:]*\]:|tcp://[\w.*-]*:)?(\d{1,5})")


def ports_named(command: Sequence[str]) -> list[tuple[int, str]]:
    """The ports that the usual words of a command line name, each with those words.

    `--port 5000`, `--port=5000`, `-p5000`, `--bind 0.0.0.0:5000`, `-b :5000`, `http.server 5000`, `runserver 0.0.0.0:5000`. What is hidden
    deeper (a shell script, a config file) is the watch's business.
    """
    found: list[tuple[int, str]] = []
    program = ""
    for word, following in zip(command, (*command[1:], ""), strict=True):
        flag, equals, value = word.partition("=")
        if word in _PORT_WORDS:
            program = word
        if word in _PORT_FLAGS:
            value, shown = following, f"{word} {following}"
        elif equals and flag in _PORT_FLAGS:
            shown = word
        elif re.fullmatch(r"-[pbl][^=]+", word):
            value, shown = word[2:], word
        elif program and not word.startswith("-"):  # its own argument, wherever it stands
            value, shown = word, f"{program} {word}"
        else:
            continue
        if match := _ADDRESS.fullmatch(value):
            found.append((int(match[1]), shown))
    return found


def port_notes(port: int, dev_range: PortRange) -> list[str]:
    """What is worth saying about a port that was asked for by `--port`, harmless as it is."""
    notes = []
    if port in BROWSERS_REFUSE:
        notes.append(
            f"port {port} is on the list of ports that browsers refuse: no browser will open it"
        )
    if port not in dev_range:
        notes.append(
            f"port {port} is outside the dev range {dev_range}; that is allowed, but other tools may expect it"
        )
    return notes
