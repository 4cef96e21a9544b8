"""An engine behind tcp://, ssh:// or npipe://, asked through the docker command: slower, but it knows every kind of connection (EDGE 43)."""

from __future__ import annotations

import os
from collections.abc import Iterator

from dartsctl import reader, spawn
from dartsctl.bindings import ANY_IPV4, Endpoint, protocol_named
from dartsctl.containers import Container
from dartsctl.engines import Engine
from dartsctl.errors import DockerUnavailable, TimedOut
from dartsctl.installation import find_docker, no_docker_command, no_engine
from dartsctl.nginx_log import moment
from dartsctl.reader import Cursor, Source, digits

_DEADLINE = 20.0
"""Seconds of one call: ssh takes some before it is through."""


class RemoteEngine:
    """Nothing of its sockets can be seen from here. Every call raises DockerUnavailable where it does not answer."""

    def __init__(self, address: str, *, deadline: float = _DEADLINE) -> None:
        self.address = address
        self._deadline = deadline
        self._source = Source(f"the engine at {address}", error=DockerUnavailable, hint="docker info")

    def describe(self) -> Engine:
        """Its version."""
        done = self._docker("version", "--format", "{{json .Server.Version}}")
        if done.code != 0:
            raise no_engine(self.address, os.environ)
        return Engine(version=reader.read(done.stdout, self._source, "version").text(), kind="remote", endpoint=self.address)

    def containers(self) -> tuple[Container, ...]:
        """All its containers, stopped ones too."""
        listed = self._docker("ps", "--all", "--quiet", "--no-trunc")
        if listed.code != 0:
            raise no_engine(self.address, os.environ)
        identities = listed.stdout.split()
        if not identities:
            return ()
        done = self._docker("container", "inspect", *identities)
        if done.code != 0 and "no such container" not in done.stderr.lower():  # one may have gone since the list
            raise no_engine(self.address, os.environ)
        return tuple(_container(document) for document in reader.read(done.stdout, self._source, "containers").items())

    def _docker(self, *words: str) -> spawn.Completed:
        """What the docker command says. The address may hold a password: it stays out of the arguments, which messages name."""
        if not find_docker(os.environ):
            raise no_docker_command(self.address)
        try:
            return spawn.run(["docker", *words], deadline=self._deadline, environment={**os.environ, "DOCKER_HOST": self.address})
        except TimedOut:
            sentence = f"the Docker engine at {self.address} did not answer within {self._deadline:g} s"
            raise DockerUnavailable(sentence, hint="docker info") from None


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
        inside = digits(number, reader.HIGHEST_PORT)
        for place in places.items():
            if inside is None or protocol not in ("tcp", "udp", "sctp"):
                raise places.mistake("expected a port and its protocol")
            yield Endpoint(place.at("HostPort").port_text(), place.at("HostIp").address(ANY_IPV4), protocol_named(protocol)), inside


def _status(state: Cursor) -> str:
    """The sentence that the engine's list has for this state, as far as health.py reads it."""
    status, health = state.at("Status").text(), state.at("Health").at("Status").text("")
    if status == "exited":
        return f"Exited ({state.at('ExitCode').integer(0, minimum=-reader.LARGEST)})"
    if status != "running" or not health:
        return status.capitalize()
    return "Up (health: starting)" if health == "starting" else f"Up ({health})"
