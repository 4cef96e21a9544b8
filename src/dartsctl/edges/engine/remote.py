"""An engine behind tcp://, ssh:// or npipe://, asked through python-on-whales: slower, but it knows every kind of connection (edge-cases.md#43)."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from typing import Literal

from dartsctl import spawn
from dartsctl.diagnosis.nginx.log import moment
from dartsctl.edges.engine.installation import find_docker, no_docker_command, no_engine
from dartsctl.edges.engine.remote_query import FAILED
from dartsctl.errors import DockerUnavailable, TimedOut
from dartsctl.stack.bindings import ANY_IPV4, HIGHEST_PORT, Endpoint, parse_protocol
from dartsctl.stack.containers import Container
from dartsctl.stack.engine_rules import EngineRules
from dartsctl.stack.json_fields import read_address, read_port_text
from dartsctl.text.numbers import LARGEST_INTEGER, parse_digits
from dartsctl.text.strict_json import Cursor, Source, read_json

_DEADLINE = 20.0
"""Seconds of one question: ssh takes some before it is through."""


class RemoteEngine:
    """Nothing of its sockets can be seen from here. Every call raises DockerUnavailable where it does not answer."""

    def __init__(self, address: str, *, deadline: float = _DEADLINE) -> None:
        self.address = address
        self._deadline = deadline
        self._source = Source(
            f"the engine at {address}", error=DockerUnavailable, hint="docker info"
        )

    def control(self) -> None:
        """Return None: containers of a remote engine are only listed."""

    def describe(self) -> EngineRules:
        """Its version."""
        return EngineRules(
            version=self._ask("version").text(), kind="remote", endpoint=self.address
        )

    def containers(self) -> tuple[Container, ...]:
        """All its containers, stopped ones too."""
        return tuple(_container(document) for document in self._ask("containers").items())

    def _ask(self, question: Literal["version", "containers"]) -> Cursor:
        """The answer of remote_query.py. The address may hold a password: it stays out of the arguments, which messages name."""
        if not find_docker(os.environ):
            raise no_docker_command(self.address)
        command = [sys.executable, "-P", "-m", "dartsctl.edges.engine.remote_query", question]
        try:
            done = spawn.run(
                command,
                deadline=self._deadline,
                environment={**os.environ, "DOCKER_HOST": self.address},
            )
        except TimedOut:
            sentence = (
                f"the Docker engine at {self.address} did not answer within {self._deadline:g} s"
            )
            raise DockerUnavailable(sentence, hint="docker info") from None
        if done.code == FAILED:
            raise no_engine(self.address, os.environ)
        if done.code != 0:  # the library raises what its parsers raise
            raise self._source.mistake("the answer cannot be read")
        return read_json(done.stdout, self._source, question)


def _container(document: Cursor) -> Container:
    """One container, as `docker inspect` describes it. Raises the answer's own error."""
    return Container(
        id=document.at("Id").text(),
        name=document.at("Name").text("").removeprefix("/"),
        image=document.at("Config").at("Image").text(""),
        state=document.at("State").at("Status").text(),
        status=_status(document.at("State")),
        targets=tuple(_targets(document.at("NetworkSettings").at("Ports"))),
        labels=document.at("Config").at("Labels").text_entries(),
        network_mode=document.at("HostConfig").at("NetworkMode").text(""),
        created=int(moment(document.at("Created").text("")) or 0),
    )


def _targets(ports: Cursor) -> Iterator[tuple[Endpoint, int]]:
    """What the engine holds on its host, each with the port inside: `{"80/tcp": [{"HostIp": "0.0.0.0", "HostPort": "8080"}]}`."""
    for target, places in ports.entries():
        number, _, protocol = target.partition("/")
        inside = parse_digits(number, HIGHEST_PORT)
        for place in places.items():
            if inside is None or protocol not in ("tcp", "udp", "sctp"):
                raise places.mistake("expected a port and its protocol")
            yield (
                Endpoint(
                    read_port_text(place.at("HostPort")),
                    read_address(place.at("HostIp"), ANY_IPV4),
                    parse_protocol(protocol),
                ),
                inside,
            )


def _status(state: Cursor) -> str:
    """The sentence that the engine's list has for this state, as far as stack/health.py reads it."""
    status, health = state.at("Status").text(), state.at("Health").at("Status").text("")
    if status == "exited":
        return f"Exited ({state.at('ExitCode').integer(0, minimum=-LARGEST_INTEGER)})"
    if status != "running" or not health:
        return status.capitalize()
    return "Up (health: starting)" if health == "starting" else f"Up ({health})"
