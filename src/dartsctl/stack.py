"""Stack: what `docker compose config --format json` resolves, reduced to what decides about ports, names and health.

The shapes read here are PORTS.md section 5. YAML is never parsed by us: Compose alone knows its merges, profiles and variables.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from dartsctl.bindings import Protocol, protocol_named


@dataclass(frozen=True, slots=True)
class PortEntry:
    """One entry of a service's `ports:`; `published` is Compose's text: a number, a range `A-B`, or empty for an ephemeral port.

    `count` above 1 makes it a block: every number of `A-B` is published, on `target` and the ports that follow it.
    """

    target: int
    protocol: Protocol
    published: str = ""
    host_ip: str = ""
    count: int = 1

    @property
    def is_ephemeral(self) -> bool:
        return self.published in ("", "0")

    @property
    def span(self) -> tuple[int, int]:
        """First and last number of a published port or range. Raises ValueError for an ephemeral entry."""
        first, _, last = self.published.partition("-")
        return int(first), int(last or first)

    def __str__(self) -> str:
        host = f"[{self.host_ip}]" if ":" in self.host_ip else self.host_ip
        target = f"{self.target}-{self.target + self.count - 1}" if self.count > 1 else str(self.target)
        text = ":".join(part for part in (host, self.published, target) if part)
        return f"{text}/{self.protocol}"


@dataclass(frozen=True, slots=True)
class Network:
    """What of a network decides which host addresses are bound (ENGINES.md section 5)."""

    name: str
    driver: str = "bridge"
    internal: bool = False
    external: bool = False
    ipv4: bool = True
    ipv6: bool = False
    host_binding_ipv4: str = ""
    gateway_mode_ipv4: str = ""
    gateway_mode_ipv6: str = ""

    @property
    def publishes(self) -> bool:
        """Internal networks publish nothing, nor do macvlan and ipvlan ones."""
        return not self.internal and self.driver not in ("macvlan", "ipvlan")


@dataclass(frozen=True, slots=True)
class Mount:
    """A file or folder of the host that a service sees at `target`."""

    source: str
    target: str
    read_only: bool = False


@dataclass(frozen=True, slots=True)
class Service:
    """One service that `up` starts. `networks` maps the key in the file to the gateway priority."""

    name: str
    replicas: int = 1
    ports: tuple[PortEntry, ...] = ()
    networks: Mapping[str, int] = field(default_factory=lambda: {"default": 0})
    network_mode: str = ""
    container_name: str = ""
    image: str = ""
    depends_on: tuple[str, ...] = ()
    has_health_check: bool = False
    mounts: tuple[Mount, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """As the container gets it, env_file included; a variable without a value is left out. Secrets: never shown."""


@dataclass(frozen=True, slots=True)
class Stack:
    """A resolved Compose project: exactly the services that `up` would start."""

    project: str
    services: Mapping[str, Service]
    networks: Mapping[str, Network]
    unset_variables: tuple[str, ...] = ()
    """Variables that Compose replaced by an empty string; a published port that hangs on one has become ephemeral."""

    @property
    def external_networks(self) -> tuple[str, ...]:
        """Names of the networks that only the engine can describe."""
        return tuple(network.name for network in self.networks.values() if network.external)

    @property
    def published_ports(self) -> dict[int, str]:
        """Every fixed tcp number that the stack publishes -> the service; ranges with all their numbers."""
        found: dict[int, str] = {}
        for service in self.services.values():
            for entry in service.ports:
                if service.network_mode != "none" and service.replicas and not entry.is_ephemeral and entry.protocol == "tcp":
                    first, last = entry.span
                    for port in range(first, last + 1):
                        found.setdefault(port, service.name)
        return found


def read(model: Mapping[str, Any], *, unset_variables: tuple[str, ...] = ()) -> Stack:
    """The Stack of Compose's JSON document. Raises KeyError or ValueError only where Compose breaks its own format."""
    return Stack(
        project=model["name"],
        services={name: _service(name, body) for name, body in (model.get("services") or {}).items()},
        networks={key: network(body or {}, key) for key, body in (model.get("networks") or {}).items()},
        unset_variables=unset_variables,
    )


def _service(name: str, body: Mapping[str, Any]) -> Service:
    replicas = body.get("scale", (body.get("deploy") or {}).get("replicas"))
    health_check = body.get("healthcheck") or {}
    return Service(
        name=name,
        replicas=1 if replicas is None else int(replicas),
        ports=tuple(_port_entry(entry) for entry in body.get("ports") or ()),
        networks={key: int((options or {}).get("gw_priority", 0)) for key, options in (body.get("networks") or {}).items()},
        network_mode=body.get("network_mode", ""),
        container_name=body.get("container_name", ""),
        image=body.get("image", ""),
        depends_on=tuple(body.get("depends_on") or ()),
        has_health_check=(health_check.get("test") or ["NONE"]) != ["NONE"] and not health_check.get("disable", False),
        mounts=tuple(_mount(one) for one in body.get("volumes") or () if one.get("type") == "bind"),
        environment={key: str(value).replace("$$", "$") for key, value in (body.get("environment") or {}).items() if value is not None},
    )


def _mount(entry: Mapping[str, Any]) -> Mount:
    return Mount(source=entry["source"], target=entry["target"], read_only=bool(entry.get("read_only")))


def _port_entry(entry: Mapping[str, Any]) -> PortEntry:
    return PortEntry(
        target=int(entry["target"]),
        protocol=protocol_named(entry.get("protocol", "tcp")),
        published=str(entry.get("published", "")),
        host_ip=entry.get("host_ip", ""),
    )


def network(body: Mapping[str, Any], key: str = "") -> Network:
    """From a network of Compose's model; the engine's own description is brought into the same shape by the edge that reads it."""
    options = body.get("driver_opts") or {}
    prefix = "com.docker.network.bridge."
    return Network(
        name=body.get("name", key),
        driver=body.get("driver") or "bridge",
        internal=bool(body.get("internal")),
        external=bool(body.get("external")),
        ipv4=body.get("enable_ipv4") is not False,
        ipv6=bool(body.get("enable_ipv6")),
        host_binding_ipv4=options.get(prefix + "host_binding_ipv4", ""),
        gateway_mode_ipv4=options.get(prefix + "gateway_mode_ipv4", ""),
        gateway_mode_ipv6=options.get(prefix + "gateway_mode_ipv6", ""),
    )
