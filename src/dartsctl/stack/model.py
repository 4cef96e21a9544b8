"""Stack, Service, Network: a resolved Compose project, reduced to ports, names and health."""

from __future__ import annotations

from dartsctl.records import field, record
from dartsctl.stack.bindings import bracketed, format_ports
from dartsctl.stack.health_check import NO_HEALTH_CHECK, HealthCheck

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from dartsctl.stack.bindings import TransportProtocol
    from dartsctl.stack.containers import Container
    from dartsctl.stack.subnets import Subnet

STARTED = "service_started"
HEALTHY = "service_healthy"
COMPLETED = "service_completed_successfully"
"""The conditions of `depends_on`."""


@record
class PortEntry:
    """An entry of a service's `ports:`.

    `published` is Compose's text: a number, a range `A-B`, or empty for an ephemeral port. With a
    `count` above 1 it is a block: every number of `A-B` is published, for `target` and the ports
    after it.
    """

    target: int
    protocol: TransportProtocol
    published: str = ""
    host_ip: str = ""
    count: int = 1

    @property
    def is_ephemeral(self) -> bool:
        return self.published in ("", "0")

    @property
    def span(self) -> tuple[int, int]:
        """The first and last host port.

        Raises:
            ValueError: the entry is ephemeral.
        """
        first, _, last = self.published.partition("-")
        return int(first), int(last or first)

    @property
    def numbers(self) -> range:
        """All host ports of the entry, which must not be ephemeral."""
        first, last = self.span
        return range(first, last + 1)

    @property
    def targets(self) -> str:
        """The container port: `80`, or `8000-8009` of a block."""
        return format_ports(self.target, self.target + self.count - 1)

    def __str__(self) -> str:
        parts = (bracketed(self.host_ip), self.published, self.targets)
        text = ":".join(filter(None, parts))
        return f"{text}/{self.protocol}"


@record
class Network:
    """The options of a network that decide which host addresses are bound.

    Source: engine-rules.md#networks.
    """

    name: str
    driver: str = "bridge"
    internal: bool = False
    external: bool = False
    ipv4: bool = True
    ipv6: bool = False
    host_binding_ipv4: str = ""
    gateway_mode_ipv4: str = ""
    gateway_mode_ipv6: str = ""
    subnets: tuple[Subnet, ...] = ()
    """Those of the Compose file; empty where the engine chooses one."""
    has_own_ipam: bool = False
    """Whether an IPAM driver other than the engine's own gives out the addresses."""

    @property
    def publishes(self) -> bool:
        """Whether containers can publish ports on it: not if it is internal, macvlan or ipvlan."""
        return not self.internal and self.driver not in ("macvlan", "ipvlan")


@record
class Mount:
    """A file or folder of the host that a service has at `target`."""

    source: str
    target: str
    read_only: bool = False


@record
class Service:
    """A service that `up` starts. `networks` maps keys in the file to gateway priorities."""

    name: str
    replicas: int = 1
    ports: tuple[PortEntry, ...] = ()
    networks: Mapping[str, int] = field(default_factory=lambda: {"default": 0})
    network_mode: str = ""
    container_name: str = ""
    image: str = ""
    depends_on: tuple[str, ...] = ()
    conditions: Mapping[str, str] = field(default_factory=dict)
    """What is waited for of each service in `depends_on`: `service_healthy` and others."""
    health_check: HealthCheck = NO_HEALTH_CHECK
    """As the Compose files declare it. The image may have another one."""
    is_built: bool = False
    """Whether its image can be built from the Compose files."""
    mounts: tuple[Mount, ...] = ()
    fixed_addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """The addresses that it wants on each network, by the network's key."""
    exposed: tuple[PortEntry, ...] = ()
    """The entries of `expose:`. On the host's network they are ports of the host."""
    listens: tuple[PortEntry, ...] = ()
    """What its nginx binds, as its configuration says, if it is on the host's network."""
    config_files: tuple[Mount, ...] = ()
    """The files of the host that it has as `configs:`."""
    config_texts: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The texts that it has as `configs:` with `content`, by their paths in the container."""
    volumes: tuple[str, ...] = ()
    """The keys of the named volumes that it mounts."""
    profiles: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The container's variables, including those of env_file; those without a value are left out.
    They may be secrets and are never shown."""

    @property
    def has_health_check(self) -> bool:
        """Whether the Compose files give it a health check that runs."""
        return self.health_check.runs

    @property
    def host_ports(self) -> tuple[PortEntry, ...]:
        """The ports of the host that it binds by itself, as far as its files say them."""
        return (*self.listens, *self.exposed) if self.network_mode == "host" else ()


def default_name(project: str, key: str) -> str:
    """Return the name that Compose gives to a volume or network without `name:`."""
    return f"{project}_{key}"


@record
class Stack:
    """A resolved Compose project: exactly the services that `up` would start."""

    project: str
    services: Mapping[str, Service]
    networks: Mapping[str, Network]
    unset_variables: tuple[str, ...] = ()
    """Variables that Compose replaced by an empty string; ports that need one are ephemeral."""
    external_volumes: Mapping[str, str] = field(default_factory=dict)
    """The engine's name of each external volume, by its key in the files."""
    own_volumes: Mapping[str, str] = field(default_factory=dict)
    """The engine's name of each volume that is not external, by its key."""

    def includes(self, container: Container) -> bool:
        """Return whether the container is of one of the stack's services."""
        return container.belongs_to(self.project) and container.service in self.services

    def image_of(self, service: Service) -> str:
        """Return the name of a service's image, which Compose makes up for one that is built."""
        return service.image or f"{self.project}-{service.name}"

    @property
    def uses_host_network(self) -> bool:
        """Whether a service binds its ports on the host itself."""
        return any(service.network_mode == "host" for service in self.services.values())

    @property
    def external_networks(self) -> tuple[str, ...]:
        """The names of networks that only the engine can describe."""
        return tuple(network.name for network in self.networks.values() if network.external)

    @property
    def fixed_volumes(self) -> dict[str, str]:
        """The `name:` of each volume that has one and is not external, by its key."""
        return {
            key: name
            for key, name in self.own_volumes.items()
            if name != default_name(self.project, key)
        }

    @property
    def fixed_networks(self) -> dict[str, str]:
        """The `name:` of each network that has one and is not external, by its key."""
        names: dict[str, str] = {}
        for key, network in self.networks.items():
            if not network.external and network.name != default_name(self.project, key):
                names[key] = network.name
        return names

    @property
    def published_ports(self) -> dict[int, str]:
        """The service of each published tcp port, including all numbers of ranges."""
        owners: dict[int, str] = {}
        for service in self.services.values():
            if service.network_mode == "none" or not service.replicas:
                continue
            for entry in (*service.ports, *service.host_ports):
                if entry.protocol == "tcp" and not entry.is_ephemeral:
                    for port in entry.numbers:
                        owners.setdefault(port, service.name)
        return owners


@record
class ComposeVariable:
    """A variable of the Compose files: `${NAME}`, `${NAME:-default}` or `${NAME:?}`."""

    name: str
    default: str = ""
    is_required: bool = False


def image_name(image: str) -> str:
    """Return the last part of an image's name: `nginx` of `a.b:5000/c/Nginx:1@sha256:...`."""
    return image.partition("@")[0].rpartition("/")[2].partition(":")[0].lower()
