"""Stack: what `docker compose config --format json` resolves, reduced to what decides about ports, names and health.

The shapes read here are engine-rules.md#compose-config. YAML is never parsed by us: Compose alone knows its merges, profiles and variables.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from dartsctl.stack.bindings import HIGHEST_PORT, TransportProtocol, bracketed, format_ports
from dartsctl.stack.json_fields import read_address, read_port, read_protocol
from dartsctl.text.numbers import LARGEST_INTEGER, parse_digits
from dartsctl.text.strict_json import Cursor, Source

MODEL = Source(
    "Compose's model", hint="docker compose config --format json    (this is what Compose answers)"
)
MOST_REPLICAS = 10_000
"""Of one service: more than an engine can run, and few enough to look at each."""


@dataclass(frozen=True, slots=True)
class PortEntry:
    """One entry of a service's `ports:`; `published` is Compose's text: a number, a range `A-B`, or empty for an ephemeral port.

    `count` above 1 makes it a block: every number of `A-B` is published, on `target` and the ports that follow it.
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
        """First and last number of a published port or range. Raises ValueError for an ephemeral entry."""
        first, _, last = self.published.partition("-")
        return int(first), int(last or first)

    def __str__(self) -> str:
        target = format_ports(self.target, self.target + self.count - 1)
        parts = (bracketed(self.host_ip), self.published, target)
        text = ":".join(part for part in parts if part)
        return f"{text}/{self.protocol}"


@dataclass(frozen=True, slots=True)
class Network:
    """What of a network decides which host addresses are bound (engine-rules.md#networks)."""

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
                if (
                    service.network_mode != "none"
                    and service.replicas
                    and not entry.is_ephemeral
                    and entry.protocol == "tcp"
                ):
                    first, last = entry.span
                    for port in range(first, last + 1):
                        found.setdefault(port, service.name)
        return found


def read_stack(model: Mapping[str, Any], *, unset_variables: tuple[str, ...] = ()) -> Stack:
    """The Stack of Compose's JSON document. Raises DartsctlError that names the place where it is none."""
    document = Cursor(model, MODEL)
    return Stack(
        project=document.at("name").text(),
        services={
            name: _service(name, body.present()) for name, body in document.at("services").entries()
        },
        networks={key: _network(key, body) for key, body in document.at("networks").entries()},
        unset_variables=unset_variables,
    )


def bridge_options(options: Cursor) -> dict[str, str]:
    """The options of a bridge network that decide about bindings, by the names that Network has for them."""
    prefix = "com.docker.network.bridge."
    return {
        "host_binding_ipv4": read_address(options.at(prefix + "host_binding_ipv4")),
        "gateway_mode_ipv4": options.at(prefix + "gateway_mode_ipv4").text(""),
        "gateway_mode_ipv6": options.at(prefix + "gateway_mode_ipv6").text(""),
    }


def _service(name: str, body: Cursor) -> Service:
    replicas = body.at("scale")
    if replicas.value is None:
        replicas = body.at("deploy").at("replicas")
    return Service(
        name=name,
        replicas=replicas.integer(1, maximum=MOST_REPLICAS),
        ports=_ports(body.at("ports")),
        networks={key: _priority(options) for key, options in body.at("networks").entries()},
        network_mode=body.at("network_mode").text(""),
        container_name=body.at("container_name").text(""),
        image=body.at("image").text(""),
        depends_on=body.at("depends_on").names(),
        has_health_check=_has_health_check(body.at("healthcheck")),
        mounts=tuple(
            _mount(entry)
            for entry in body.at("volumes").items()
            if entry.at("type").text("") == "bind"
        ),
        environment=_environment(body.at("environment")),
    )


def _priority(options: Cursor) -> int:
    return options.at("gw_priority").integer(0, minimum=-LARGEST_INTEGER)


def _has_health_check(check: Cursor) -> bool:
    return not check.at("disable").flag() and check.at("test").texts() not in ((), ("NONE",))


def _environment(block: Cursor) -> dict[str, str]:
    return {
        key: value.text_or_number().replace("$$", "$")
        for key, value in block.entries()
        if value.value is not None
    }


def _mount(entry: Cursor) -> Mount:
    return Mount(
        source=entry.at("source").text(),
        target=entry.at("target").text(),
        read_only=entry.at("read_only").flag(),
    )


def _ports(entries: Cursor) -> tuple[PortEntry, ...]:
    """Every entry. Compose writes a range out port by port, so the usual shape is recognised at a glance, and read field by field else."""
    addresses = {""}
    found: list[PortEntry] = []
    for entry in entries.items():
        plain = _plain_entry(entry.value, addresses) or _port_entry(entry)
        addresses.add(plain.host_ip)
        found.append(plain)
    return tuple(found)


def _plain_entry(body: Any, addresses: Collection[str]) -> PortEntry | None:
    """A fixed port as Compose always writes it, on one of the `addresses` that are known to be right; None for anything else."""
    match body:
        case {
            "target": int(target),
            "published": str(published),
            "protocol": "tcp" | "udp" as protocol,
        }:
            address = body.get("host_ip", "")
            is_right = (
                type(target) is int
                and 0 <= target <= HIGHEST_PORT
                and parse_digits(published, HIGHEST_PORT) is not None
            )
            if is_right and isinstance(address, str) and address in addresses:
                return PortEntry(target, protocol, published, address)
    return None


def _port_entry(entry: Cursor) -> PortEntry:
    return PortEntry(
        target=read_port(entry.at("target")),
        protocol=read_protocol(entry.at("protocol"), "tcp"),
        published=_published(entry.at("published")),
        host_ip=_host_ip(entry.at("host_ip")),
    )


def _published(written: Cursor) -> str:
    text = written.text_or_number("")
    first, _, last = text.partition("-")
    low, high = parse_digits(first, HIGHEST_PORT), parse_digits(last or first, HIGHEST_PORT)
    if text and (low is None or high is None or low > high or text.endswith("-")):
        raise written.mistake("expected a port number or a range")
    return text


def _host_ip(written: Cursor) -> str:
    """An address as it is written; one with a zone stays, `publishing` knows what the engine makes of it."""
    text = written.text("")
    if "%" not in text:
        read_address(written)
    return text


def _network(key: str, body: Cursor) -> Network:
    return Network(
        name=body.at("name").text(key),
        driver=body.at("driver").text("") or "bridge",
        internal=body.at("internal").flag(),
        external=body.at("external").flag(),
        ipv4=body.at("enable_ipv4").flag(default=True),
        ipv6=body.at("enable_ipv6").flag(),
        **bridge_options(body.at("driver_opts")),
    )
