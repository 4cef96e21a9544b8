"""What dartsctl asks of a Docker engine, however it is reached.

Every engine can be described and can list its containers. What else it can do is a capability:
`control()` returns an `EngineControl` if this engine can inspect, stop and remove from here, else
None.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.diagnosis.container_file import ContainerFile
    from dartsctl.diagnosis.inspection import Inspection
    from dartsctl.diagnosis.log_stream import LogLine
    from dartsctl.edges.engine.events import EventStream, RecentEvents
    from dartsctl.stack.containers import Container
    from dartsctl.stack.engine_rules import EngineRules
    from dartsctl.stack.health_check import HealthCheck
    from dartsctl.stack.model import Network
    from dartsctl.stack.subnets import NetworkInUse, NetworkUse


class Stream(Protocol):
    """An answer of the engine that comes bit by bit."""

    def fileno(self) -> int:
        """Return the descriptor to wait on, together with others."""

    def read(self, timeout: float) -> bytes | None:
        """Return what has come; empty if nothing comes in time; None at the end."""

    def close(self) -> None:
        """End it."""


class Engine(Protocol):
    """A Docker engine. Every method raises DockerUnavailable if the engine does not answer."""

    @property
    def address(self) -> str:
        """Return the address as in DOCKER_HOST."""

    def describe(self) -> EngineRules:
        """Return what decides how this engine binds ports."""

    def containers(self) -> tuple[Container, ...]:
        """Return all containers, stopped ones too."""

    def control(self) -> EngineControl | None:
        """Return this engine's controls, or None if it can only be listed."""


class EngineControl(Engine, Protocol):
    """An engine that can be inspected and changed from here."""

    def network(self, name: str) -> Network | None:
        """Return an existing network, None if there is none."""

    def network_use(self, name: str) -> NetworkUse | None:
        """Return the addresses on an existing network, None if there is none."""

    def networks(self) -> tuple[NetworkInUse, ...]:
        """Return the networks whose subnets no other network can have."""

    def has_volume(self, name: str) -> bool:
        """Return whether a volume of this name exists."""

    def owner(self, kind: Literal["volume", "network", "image"], name: str) -> str | None:
        """Return the Compose project that made it, empty without one; None if it is not there."""

    def inspect(self, identity: str) -> Inspection | None:
        """Return the engine's description of one container, None if it is gone."""

    def image_check(self, image: str) -> HealthCheck | None:
        """Return the health check of an image, an empty one if it has none; None without image."""

    def log(
        self, identity: str, *, tail: int, timestamps: bool = False
    ) -> tuple[LogLine, ...] | None:
        """Return the last `tail` log lines of a container, None if there is no readable log."""

    def follow_log(self, identity: str, *, since: str, stdout: bool) -> Stream | None:
        """Return a log from `since` (Unix time) on, None if there is no readable log.

        Without `stdout` only what the container writes to stderr, unless it has a terminal.
        """

    def events(self, project: str, recent: RecentEvents) -> EventStream:
        """Return the events about a project's containers from now on.

        After `recent` ones: those that the engine still has from then on, without them.
        """

    def ping(self) -> None:
        """Ask whether it answers at all."""

    def pid(self) -> int | None:
        """Return the engine's process, None if it is not in sight: another one after a restart."""

    def execute(self, identity: str, argv: Sequence[str]) -> tuple[int, str, str] | None:
        """Run a command in a running container. Return exit code, stdout and stderr, or None."""

    def file(self, identity: str, path: str) -> ContainerFile | None:
        """Return what a path in a container is, None if it does not exist."""

    def archive(self, identity: str, path: str) -> bytes:
        """Return a file or folder of a container as a tar file, empty if it does not exist."""

    def clock(self) -> str:
        """Return the engine's current time, RFC 3339."""

    def data_folder(self) -> str:
        """Return the folder on the engine's host with images and containers; empty if unknown."""

    def stop_timeout(self, identity: str) -> int:
        """Return the seconds that a container has between SIGTERM and SIGKILL."""

    def stop_container(self, identity: str, *, grace: int = 10) -> None:
        """Stop one container: SIGTERM, `grace` seconds, SIGKILL."""

    def remove_container(self, identity: str, *, force: bool = True) -> bool:
        """Remove one container, never a volume. Return whether it was removed.

        Without `force` a running container stays.
        """

    def id_of(self, kind: Literal["container", "network"], name: str) -> str:
        """Return the id of a container or network, empty if there is none."""

    def is_network_used(self, identity: str) -> bool:
        """Return whether any container, running or not, is attached to the network."""

    def remove_network(self, name: str) -> bool:
        """Remove a network by name or id. Return False if it is gone or in use."""
