"""Which servers take a socket that listens already, and how they are told.

Then nobody can be quicker at the port, and a connection made while the server starts or reloads waits instead of being refused
(measured: PERFORMANCE.md, "Handing the bound socket over"). `python run.py` may be any of them, or Flask-SocketIO with eventlet, which binds the
port itself and fails beside a socket that has it: without a word from the settings it is not handed one.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePath
from typing import Literal

How = Literal["auto", "werkzeug", "none"]

_RELOAD = 3
"""Werkzeug's reloader: the child that serves ends with this code when a source has changed, and is started again with the same socket."""


@dataclass(frozen=True, slots=True)
class Handover:
    """What a server is told: `{fd}` in `command` and `variables` stands for the descriptor's number."""

    command: tuple[str, ...]
    variables: Mapping[str, str] = field(default_factory=dict)
    restart_on: int | None = None
    """The exit code that asks for another start with the same socket."""


@dataclass(frozen=True, slots=True)
class _Server:
    """A server program: the flags that name its address, and the words or variables that name a descriptor instead."""

    words: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    hosts: tuple[str, ...] = ()
    ports: tuple[str, ...] = ()
    binds: tuple[str, ...] = ()
    unless: tuple[str, ...] = ()
    """Flags beside which the socket would be of no use, or of another kind."""
    verb: str = ""
    """The subcommand that serves."""
    restart_on: int | None = None


_WERKZEUG = {"WERKZEUG_SERVER_FD": "{fd}", "WERKZEUG_RUN_MAIN": "true"}
_SERVERS: Mapping[str, _Server] = {
    "gunicorn": _Server(("--bind", "fd://{fd}"), binds=("-b", "--bind")),
    "hypercorn": _Server(
        ("--bind", "fd://{fd}"), binds=("-b", "--bind"), unless=("--insecure-bind", "--quic-bind")
    ),
    "uvicorn": _Server(
        ("--fd", "{fd}"), hosts=("--host",), ports=("--port",), unless=("--fd", "--uds")
    ),
    "flask": _Server(
        variables=_WERKZEUG,
        hosts=("-h", "--host"),
        ports=("-p", "--port"),
        unless=("--cert", "--help"),
        verb="run",
        restart_on=_RELOAD,
    ),
}
_RUNNERS = ("uv", "poetry", "pipenv")
"""`uv run flask run`: they pass open descriptors on."""
_VALUED = ("-X", "-W", "--check-hash-based-pycs")
"""Python's own options that take the next word."""


def plan(command: tuple[str, ...], *, how: How, host: str, port: int) -> Handover | None:
    """How the server that `command` starts (its placeholders but `{fd}` filled in) gets a socket that listens on `host`:`port`.

    None when it takes none, or when the command names another address: then the server binds what it is told to.
    """
    if any("{fd}" in word for word in command):
        return Handover(command)
    if how == "werkzeug":
        return Handover(command, _WERKZEUG, _RELOAD)
    found = _server(command) if how == "auto" else None
    if found is None:
        return None
    server, first = found
    rest = _without_address(server, command[first:], host, port)
    if rest is None:
        return None
    return Handover((*command[:first], *server.words, *rest), server.variables, server.restart_on)


def takes_a_socket(command: tuple[str, ...], how: How) -> bool:
    """Whether a server started by `command` (its placeholders still in it) may be handed a socket: what `plan` then says in detail."""
    return (
        how == "werkzeug"
        or any("{fd}" in word for word in command)
        or (how == "auto" and _server(command) is not None)
    )


def _server(command: tuple[str, ...]) -> tuple[_Server, int] | None:
    """The server that a command line starts, and where its arguments begin."""
    first = _program(command)
    if first is None:
        return None
    server = _SERVERS.get(PurePath(command[first]).name)
    arguments = command[first + 1 :]
    if server is None or (server.verb and server.verb not in arguments):
        return None
    if any(word.partition("=")[0] in server.unless for word in arguments):
        return None
    return server, first + 1


def _program(command: tuple[str, ...]) -> int | None:
    """The index of the word that names the program, or Python's module: behind `env A=B`, `uv run`, `python -m`."""
    place = 0
    while place < len(command):
        name = PurePath(command[place]).name
        if name == "env":
            place += 1
            while place < len(command) and re.match(r"\w+=", command[place]):
                place += 1
        elif name in _RUNNERS:
            if command[place + 1 : place + 2] != ("run",):
                return None
            place += 2
        elif name == "{python}" or re.fullmatch(r"(python|pypy)[0-9.]*", name):
            return _script(command, place + 1)
        else:
            return place
    return None


def _script(command: tuple[str, ...], place: int) -> int | None:
    """The index of Python's script or module."""
    while place < len(command):
        word = command[place]
        if word == "-m" or not word.startswith("-"):
            found = place + (word == "-m")
            return found if found < len(command) else None
        if word == "-c":
            return None
        place += 2 if word in _VALUED else 1
    return None


def _without_address(
    server: _Server, words: Sequence[str], host: str, port: int
) -> list[str] | None:
    """`words` without the flags that name the very address of the socket; None when one names another."""
    hosts = {host, f"[{host}]"} | ({"localhost"} if host == "127.0.0.1" else set())
    wanted = [
        (server.hosts, hosts),
        (server.ports, {str(port)}),
        (server.binds, {f"{name}:{port}" for name in hosts}),
    ]
    known = {flag: values for flags, values in wanted for flag in flags}
    kept: list[str] = []
    rest = iter(words)
    for word in rest:
        flag, value = _flag(word, known)
        if not flag:
            kept.append(word)
        elif (next(rest, "") if value is None else value) not in known[flag]:
            return None
    return kept


def _flag(word: str, known: Mapping[str, object]) -> tuple[str, str | None]:
    """The flag of `known` in `--bind=X`, `-bX` or `--bind`, and its value, None when that is the next word; no flag: an empty name."""
    name, equals, value = word.partition("=")
    if name in known:
        return name, value if equals else None
    if len(word) > 2 and word[:2] in known and not word.startswith("--"):
        return word[:2], word[2:]
    return "", None
