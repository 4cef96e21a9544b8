"""Which servers can take over a listening socket, and how they are told to.

With a handover no other process can take the port first, and a connection that is made while the
server starts or reloads waits instead of being refused. `python run.py` may be any server,
including Flask-SocketIO with eventlet, which binds the port itself and fails if a socket already
has it. So it gets no socket unless the settings say so.
"""

from __future__ import annotations

import re
from pathlib import PurePath

from dartsctl.records import field, record
from dartsctl.stack.bindings import LOOPBACK_IPV4

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Literal

    HandoverMode = Literal["auto", "werkzeug", "none"]


_RELOAD = 3
"""With this exit code Werkzeug's serving child asks to be started again with the same socket."""


@record
class Handover:
    """How a server is told: `{fd}` in `command` and `variables` is the descriptor's number."""

    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    restart_on: int | None = None
    """The exit code that asks for another start with the same socket."""


@record
class _ServerProgram:
    """A server program: how it takes a descriptor, and the flags that name its address."""

    words: tuple[str, ...] = ()
    """The arguments that name a descriptor."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """The variables that name a descriptor."""
    hosts: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    binds: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    """Flags with which the socket would be useless, or the wrong kind."""
    verb: str = ""
    """The subcommand that serves."""
    restart_on: int | None = None


_WERKZEUG = {"WERKZEUG_SERVER_FD": "{fd}", "WERKZEUG_RUN_MAIN": "true"}
_SERVERS: Mapping[str, _ServerProgram] = {
    "gunicorn": _ServerProgram(words=("--bind", "fd://{fd}"), binds=("-b", "--bind")),
    "hypercorn": _ServerProgram(
        words=("--bind", "fd://{fd}"),
        binds=("-b", "--bind"),
        unless=("--insecure-bind", "--quic-bind"),
    ),
    "uvicorn": _ServerProgram(
        words=("--fd", "{fd}"),
        hosts=("--host",),
        ports=("--port",),
        unless=("--fd", "--uds"),
    ),
    "flask": _ServerProgram(
        variables=_WERKZEUG,
        hosts=("-h", "--host"),
        ports=("-p", "--port"),
        unless=("--cert", "--help"),
        verb="run",
        restart_on=_RELOAD,
    ),
}
_RUNNERS = ("uv", "poetry", "pipenv")
"""`uv run flask run`: these programs pass open descriptors on."""
_PYTHON_FLAGS_WITH_VALUE = ("-X", "-W", "--check-hash-based-pycs")


def plan_handover(
    command: tuple[str, ...], *, mode: HandoverMode, host: str, port: int
) -> Handover | None:
    """Return how the server of `command` takes over a socket that listens on `host`:`port`.

    All placeholders of `command` but `{fd}` are filled in. None if the server cannot take a socket,
    or if the command names another address: then the server binds what it is told to.
    """
    if _has_placeholder(command):
        return Handover(command)
    if mode == "werkzeug":
        return Handover(command, _WERKZEUG, _RELOAD)
    program = _server_program(command) if mode == "auto" else None
    if program is None:
        return None
    server, first = program
    rest = _without_address(server, command[first:], host, port)
    if rest is None:
        return None
    return Handover((*command[:first], *server.words, *rest), server.variables, server.restart_on)


def takes_a_socket(command: tuple[str, ...], mode: HandoverMode) -> bool:
    """Return whether `plan_handover` may hand a socket to the server of `command`.

    `command` still has its placeholders.
    """
    if mode == "werkzeug" or _has_placeholder(command):
        return True
    return mode == "auto" and _server_program(command) is not None


def _has_placeholder(command: Sequence[str]) -> bool:
    return any("{fd}" in word for word in command)


def _server_program(command: tuple[str, ...]) -> tuple[_ServerProgram, int] | None:
    """Return the server that a command line starts, and the index of its first argument."""
    first = _program_index(command)
    if first is None:
        return None
    server = _SERVERS.get(PurePath(command[first]).name)
    arguments = command[first + 1 :]
    if server is None or (server.verb and server.verb not in arguments):
        return None
    if any(word.partition("=")[0] in server.unless for word in arguments):
        return None
    return server, first + 1


def _program_index(command: tuple[str, ...]) -> int | None:
    """Return the index of the program or Python module after `env A=B`, `uv run`, `python -m`."""
    index = 0
    while index < len(command):
        name = PurePath(command[index]).name
        if name == "env":
            index += 1
            while index < len(command) and re.match(r"\w+=", command[index]):
                index += 1
        elif name in _RUNNERS:
            if command[index + 1 : index + 2] != ("run",):
                return None
            index += 2
        elif name == "{python}" or re.fullmatch(r"(python|pypy)[0-9.]*", name):
            return _script_index(command, index + 1)
        else:
            return index
    return None


def _script_index(command: tuple[str, ...], index: int) -> int | None:
    """Return the index of Python's script or module; None if there is neither."""
    while index < len(command):
        word = command[index]
        if word == "-c":
            return None
        if not word.startswith("-"):
            return index
        if word == "-m":
            return index + 1 if index + 1 < len(command) else None
        index += 2 if word in _PYTHON_FLAGS_WITH_VALUE else 1
    return None


def _without_address(
    server: _ServerProgram, words: Sequence[str], host: str, port: int
) -> list[str] | None:
    """Return `words` without the flags that name the socket's address.

    None if a flag names another address.
    """
    hosts = {host, f"[{host}]"}
    if host == LOOPBACK_IPV4:
        hosts.add("localhost")
    binds = frozenset(f"{name}:{port}" for name in hosts)
    expected: dict[str, frozenset[str]] = {
        **dict.fromkeys(server.hosts, frozenset(hosts)),
        **dict.fromkeys(server.ports, frozenset({str(port)})),
        **dict.fromkeys(server.binds, binds),
    }
    kept: list[str] = []
    remaining = iter(words)
    for word in remaining:
        flag, value = _split_flag(word, expected)
        if not flag:
            kept.append(word)
            continue
        if value is None:
            value = next(remaining, "")
        if value not in expected[flag]:
            return None
    return kept


def _split_flag(word: str, flags: Mapping[str, object]) -> tuple[str, str | None]:
    """Return the flag and the value in `--bind=X`, `-bX` or `--bind`.

    The value is None if it is the next word. The flag is empty for any other word.
    """
    name, equals, value = word.partition("=")
    if name in flags:
        return name, value if equals else None
    if len(word) > 2 and word[:2] in flags and not word.startswith("--"):
        return word[:2], word[2:]
    return "", None
