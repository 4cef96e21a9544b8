"""Container: a container as the engine lists it, running or not."""

from __future__ import annotations

import re

from dartsctl.records import field, record
from dartsctl.stack.bindings import ANY_IPV4, Endpoint
from dartsctl.stack.compose_files import without_overrides
from dartsctl.stack.json_fields import read_address, read_port, read_protocol
from dartsctl.text.numbers import LARGEST_INTEGER, parse_digits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from dartsctl.text.strict_json import Cursor

PROJECT_LABEL = "com.docker.compose.project"
_WITHOUT_PORTS = frozenset({"created", "restarting", "removing", "exited", "dead"})
_STATES_OF_PODMAN = {"stopped": "exited", "configured": "created"}


@record
class Container:
    """A container. It holds ports only while it runs or is paused."""

    id: str
    name: str
    image: str
    state: str
    """created, running, paused, restarting, removing, exited or dead."""
    status: str = ""
    """The engine's text: `Up 3 minutes (healthy)`."""
    targets: tuple[tuple[Endpoint, int], ...] = ()
    """The endpoints that the engine holds for it on this host, each with its container port."""
    labels: Mapping[str, str] = field(default_factory=dict)
    network_mode: str = ""
    created: int = 0
    """Unix time, in seconds."""
    volumes: tuple[str, ...] = ()
    """The names of the volumes that it mounts, as far as the engine lists them."""
    networks: tuple[str, ...] = ()
    """The names of its networks, as far as the engine lists them."""

    def __hash__(self) -> int:  # the other fields may be thousands of endpoints
        return hash(self.id)

    @property
    def short_id(self) -> str:
        """The id as `docker ps` shows it."""
        return self.id[:12]

    @property
    def published(self) -> tuple[Endpoint, ...]:
        """The host endpoints alone."""
        return tuple(endpoint for endpoint, _ in self.targets)

    @property
    def project(self) -> str:
        return self.labels.get(PROJECT_LABEL, "")

    @property
    def service(self) -> str:
        return self.labels.get("com.docker.compose.service", "")

    @property
    def number(self) -> int:
        return parse_digits(self.labels.get("com.docker.compose.container-number", "")) or 0

    @property
    def config_hash(self) -> str:
        return self.labels.get("com.docker.compose.config-hash", "")

    @property
    def dependencies(self) -> dict[str, str]:
        """The services that its own depended on when it was created, each with its condition.

        The label: `db:service_healthy:false,queue:service_started:false`.
        """
        conditions: dict[str, str] = {}
        for entry in self.labels.get("com.docker.compose.depends_on", "").split(","):
            name, _, rest = entry.partition(":")
            if name:
                conditions[name] = rest.partition(":")[0]
        return conditions

    @property
    def is_one_off(self) -> bool:
        """Whether `docker compose run` made it. `up` never touches such a container."""
        return self.labels.get("com.docker.compose.oneoff", "") == "True"

    def belongs_to(self, project: str | None) -> bool:
        """Return whether it is a container of the project, and not of `docker compose run`."""
        return self.project == project and not self.is_one_off

    @property
    def working_dir(self) -> str:
        return self.labels.get("com.docker.compose.project.working_dir", "")

    @property
    def config_files(self) -> tuple[str, ...]:
        """The Compose files at creation time, as absolute paths.

        The label separates them by commas, which paths may contain too: a part that does not start
        with a slash belongs to the path before.
        """
        text = self.labels.get("com.docker.compose.project.config_files", "")
        return tuple(re.split(r",(?=/)", text)) if text else ()

    @property
    def own_config_files(self) -> tuple[str, ...]:
        """The Compose files without dartsctl's overrides of moved ports."""
        return tuple(without_overrides(self.config_files, self.project))

    @property
    def holds_ports(self) -> bool:
        """Whether it may hold ports: a container in the pause of a crash loop holds none.

        An unknown state holds what the engine lists for it (engine-rules.md#other-containers).
        """
        return self.state not in _WITHOUT_PORTS


def of_project(containers: Iterable[Container], project: str | None) -> list[Container]:
    """Return the containers of a project, those of `docker compose run` included."""
    return [container for container in containers if container.project == project]


def of_services(
    containers: Iterable[Container], project: str | None, services: Collection[str]
) -> list[Container]:
    """Return the containers of some services of a project, without those of `run`."""
    own = [container for container in containers if container.belongs_to(project)]
    return [container for container in own if container.service in services]


def normal_state(state: str) -> str:
    """Return a container's state in Docker's words. Podman has two of its own."""
    return _STATES_OF_PODMAN.get(state, state)


def read_container(row: Cursor) -> Container:
    """Return the container in a row of the engine's list. Raises the document's own error."""
    names = row.at("Names").texts()
    state = normal_state(row.at("State").text())
    ports = row.at("Ports").items()
    if state in _WITHOUT_PORTS:  # Podman lists those that it would publish
        ports = iter(())
    return Container(
        id=row.at("Id").text(),
        name=names[0].removeprefix("/") if names else "",
        image=row.at("Image").text(""),
        state=state,
        status=row.at("Status").text(""),
        targets=tuple(_read_target(port) for port in ports if read_port(port.at("PublicPort"), 0)),
        labels=row.at("Labels").text_entries(),
        network_mode=row.at("HostConfig").at("NetworkMode").text(""),
        created=row.at("Created").integer(0, minimum=-LARGEST_INTEGER),
        volumes=_volume_names(row.at("Mounts")),
        networks=tuple(name for name, _ in row.at("NetworkSettings").at("Networks").entries()),
    )


def _volume_names(mounts: Cursor) -> tuple[str, ...]:
    """The names of the volumes among the mounts. Podman lists the mounts as mere paths."""
    described = [mount for mount in mounts.items() if isinstance(mount.value, dict)]
    volumes = [mount for mount in described if mount.at("Type").text("") == "volume"]
    return tuple(filter(None, (mount.at("Name").text("") for mount in volumes)))


def _read_target(port: Cursor) -> tuple[Endpoint, int]:
    endpoint = Endpoint(
        port=read_port(port.at("PublicPort")),
        address=read_address(port.at("IP"), ANY_IPV4),
        protocol=read_protocol(port.at("Type")),
    )
    return endpoint, read_port(port.at("PrivatePort"))
