"""An engine behind tcp://, ssh:// or npipe://, queried through python-on-whales.

Slower than the unix socket, but the library knows every kind of connection (edge-cases.md#43).
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Literal

from dartsctl import spawn
from dartsctl.diagnosis.nginx.log import parse_moment
from dartsctl.edges.engine.installation import find_docker, no_docker_command, no_engine
from dartsctl.edges.engine.remote_query import FAILED
from dartsctl.errors import DockerUnavailable, TimedOut
from dartsctl.stack.bindings import ANY_IPV4, HIGHEST_PORT, Endpoint, parse_protocol
from dartsctl.stack.containers import Container
from dartsctl.stack.engine_rules import EngineRules
from dartsctl.stack.json_fields import read_address, read_port_text
from dartsctl.text.numbers import LARGEST_INTEGER, parse_digits
from dartsctl.text.strict_json import Cursor, Source, read_json

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEADLINE = 20.0
"""Seconds for one answer. An ssh connection takes a few of them."""


class RemoteEngine:
    """An engine on another host: its sockets cannot be seen from here.

    Every method raises DockerUnavailable if the engine does not answer.
    """

    def __init__(self, address: str, *, deadline: float = _DEADLINE) -> None:
        self.address = address
        self._deadline = deadline
        self._source = Source(
            f"the engine at {address}", error=DockerUnavailable, hint="docker info"
        )

    def control(self) -> None:
        """Return None: containers of a remote engine are only listed."""

    def describe(self) -> EngineRules:
        """Return the engine's version."""
        version = self._ask("version").text()
        return EngineRules(version=version, kind="remote", endpoint=self.address)

    def containers(self) -> tuple[Container, ...]:
        """Return all containers, stopped ones too."""
        return tuple(_container(document) for document in self._ask("containers").items())

    def _ask(self, question: Literal["version", "containers"]) -> Cursor:
        """Return the answer of remote_query.py.

        The address may contain a password. It goes into the environment, because messages name
        the arguments.
        """
        if not find_docker(os.environ):
            raise no_docker_command(self.address)
        command = [sys.executable, "-P", "-m", "dartsctl.edges.engine.remote_query", question]
        environment = {**os.environ, "DOCKER_HOST": self.address}
        try:
            done = spawn.run(command, deadline=self._deadline, environment=environment)
        except TimedOut:
            raise DockerUnavailable(
                f"the Docker engine at {self.address} did not answer within {self._deadline:g} s",
                hint="docker info",
            ) from None
        if done.code == FAILED:
            raise no_engine(self.address, os.environ)
        if done.code != 0:  # an uncaught exception of the library's parsers
            raise self._source.mistake("the answer cannot be read")
        return read_json(done.stdout, self._source, question)


def _container(document: Cursor) -> Container:
    """Return a container from its `docker inspect` document. Raises the source's error."""
    return Container(
        id=document.at("Id").text(),
        name=document.at("Name").text("").removeprefix("/"),
        image=document.at("Config").at("Image").text(""),
        state=document.at("State").at("Status").text(),
        status=_status(document.at("State")),
        targets=tuple(_targets(document.at("NetworkSettings").at("Ports"))),
        labels=document.at("Config").at("Labels").text_entries(),
        network_mode=document.at("HostConfig").at("NetworkMode").text(""),
        created=int(parse_moment(document.at("Created").text("")) or 0),
    )


def _targets(ports: Cursor) -> Iterator[tuple[Endpoint, int]]:
    """Yield each binding on the engine's host with its container port.

    The document: `{"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}`.
    """
    for target, bindings in ports.entries():
        number, _, protocol = target.partition("/")
        container_port = parse_digits(number, HIGHEST_PORT)
        for binding in bindings.items():
            if container_port is None or protocol not in ("tcp", "udp", "sctp"):
                raise bindings.mistake("expected a port and its protocol")
            endpoint = Endpoint(
                read_port_text(binding.at("HostPort")),
                read_address(binding.at("HostIp"), ANY_IPV4),
                parse_protocol(protocol),
            )
            yield endpoint, container_port


def _status(state: Cursor) -> str:
    """Return the status text of the engine's container list, as far as stack/health.py needs it."""
    status, health = state.at("Status").text(), state.at("Health").at("Status").text("")
    if status == "exited":
        return f"Exited ({state.at('ExitCode').integer(0, minimum=-LARGEST_INTEGER)})"
    if status != "running" or not health:
        return status.capitalize()
    return "Up (health: starting)" if health == "starting" else f"Up ({health})"
