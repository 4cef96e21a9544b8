"""Compose's JSON -> Stack: the document that `docker compose config` prints.

It is described in engine-rules.md#compose-config. dartsctl never parses YAML: only Compose knows
its merges, profiles and variables.
"""

from __future__ import annotations

from dartsctl.stack.bindings import HIGHEST_PORT, format_ports, parse_protocol
from dartsctl.stack.health_check import read_health_check
from dartsctl.stack.json_fields import read_address, read_port, read_protocol
from dartsctl.stack.model import (
    STARTED,
    Mount,
    Network,
    PortEntry,
    Service,
    Stack,
    default_name,
)
from dartsctl.stack.subnets import declared_subnets, normal
from dartsctl.text.numbers import LARGEST_INTEGER, parse_digits
from dartsctl.text.strict_json import Cursor, Source

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping
    from typing import Any

MODEL = Source("Compose's model", hint="docker compose config --format json")
MAX_REPLICAS = 10_000
"""Replicas of a service: more than an engine can run, but few enough to handle each."""


def read_stack(model: Mapping[str, Any], *, unset_variables: tuple[str, ...] = ()) -> Stack:
    """Return the stack in Compose's JSON document.

    Raises:
        DartsctlError: the document has another structure; the error names the place.
    """
    document = Cursor(model, MODEL)
    configs = dict(document.at("configs").entries())
    project = document.at("name").text()
    return Stack(
        project=project,
        services={
            name: _service(name, body.present(), configs)
            for name, body in document.at("services").entries()
        },
        networks={key: _network(key, body) for key, body in document.at("networks").entries()},
        unset_variables=unset_variables,
        external_volumes={
            key: body.at("name").text(key)
            for key, body in document.at("volumes").entries()
            if body.at("external").flag()
        },
        own_volumes=dict(_own_volumes(document.at("volumes"), project)),
    )


def _own_volumes(volumes: Cursor, project: str) -> Iterator[tuple[str, str]]:
    for key, body in volumes.entries():
        if not body.at("external").flag():
            yield key, body.at("name").text("") or default_name(project, key)


def bridge_options(options: Cursor) -> dict[str, str]:
    """Return the options of a bridge network that decide about bindings, as fields of Network."""
    prefix = "com.docker.network.bridge."
    return {
        "host_binding_ipv4": read_address(options.at(prefix + "host_binding_ipv4")),
        "gateway_mode_ipv4": options.at(prefix + "gateway_mode_ipv4").text(""),
        "gateway_mode_ipv6": options.at(prefix + "gateway_mode_ipv6").text(""),
    }


def _service(name: str, body: Cursor, configs: Mapping[str, Cursor]) -> Service:
    replicas = body.at("scale")
    if replicas.value is None:
        replicas = body.at("deploy").at("replicas")
    return Service(
        name=name,
        replicas=replicas.integer(1, maximum=MAX_REPLICAS),
        ports=_ports(body.at("ports")),
        networks={key: _priority(options) for key, options in body.at("networks").entries()},
        fixed_addresses=dict(_fixed_addresses(body.at("networks"))),
        network_mode=body.at("network_mode").text(""),
        container_name=body.at("container_name").text(""),
        image=body.at("image").text(""),
        depends_on=body.at("depends_on").names(),
        conditions=_conditions(body.at("depends_on")),
        health_check=read_health_check(body.at("healthcheck")),
        is_built=body.at("build").value is not None,
        mounts=_bind_mounts(body.at("volumes")),
        exposed=tuple(filter(None, map(_exposed, body.at("expose").items()))),
        config_files=_config_files(body.at("configs"), configs),
        config_texts=dict(_config_texts(body.at("configs"), configs)),
        volumes=_named_volumes(body.at("volumes")),
        profiles=body.at("profiles").texts(),
        environment=_environment(body.at("environment")),
    )


def _fixed_addresses(networks: Cursor) -> Iterator[tuple[str, tuple[str, ...]]]:
    for key, options in networks.entries():
        if options.value is None:
            continue
        wanted = (options.at("ipv4_address").text(""), options.at("ipv6_address").text(""))
        if any(wanted):
            yield key, tuple(map(normal, filter(None, wanted)))


def _priority(options: Cursor) -> int:
    return options.at("gw_priority").integer(0, minimum=-LARGEST_INTEGER)


def _conditions(needs: Cursor) -> dict[str, str]:
    """Return the condition of each dependency. In the short form every one is to be started."""
    if not isinstance(needs.value, dict):
        return dict.fromkeys(needs.texts(), STARTED)
    return {name: need.at("condition").text(STARTED) for name, need in needs.entries()}


def _environment(block: Cursor) -> dict[str, str]:
    return {
        key: value.text_or_number().replace("$$", "$")
        for key, value in block.entries()
        if value.value is not None
    }


def _bind_mounts(volumes: Cursor) -> tuple[Mount, ...]:
    entries = volumes.items()
    return tuple(_mount(entry) for entry in entries if entry.at("type").text("") == "bind")


def _config_files(entries: Cursor, configs: Mapping[str, Cursor]) -> tuple[Mount, ...]:
    """Return the configs of a service that are files of this host."""
    mounts = []
    for target, config in _configs(entries, configs):
        if file := config.at("file").text(""):
            mounts.append(Mount(file, target, read_only=True))
    return tuple(mounts)


def _config_texts(entries: Cursor, configs: Mapping[str, Cursor]) -> Iterator[tuple[str, str]]:
    for target, config in _configs(entries, configs):
        if content := config.at("content").prose(""):
            yield target, content


def _configs(entries: Cursor, configs: Mapping[str, Cursor]) -> Iterator[tuple[str, Cursor]]:
    """Yield each config of a service with its path in the container."""
    for entry in entries.items():
        key = entry.at("source").text("")
        if key in configs:
            yield entry.at("target").text("") or f"/{key}", configs[key]


def _exposed(value: Cursor) -> PortEntry | None:
    """Read `5000`, `5000-5009` or `53/udp`; None for what the engine takes as a mere note."""
    text, _, protocol = value.text_or_number().partition("/")
    first, _, last = text.partition("-")
    low, high = parse_digits(first, HIGHEST_PORT), parse_digits(last or first, HIGHEST_PORT)
    if low is None or high is None or low > high:
        return None
    try:
        known = parse_protocol(protocol or "tcp")
    except ValueError:
        return None
    return PortEntry(low, known, format_ports(low, high), count=high - low + 1)


def _named_volumes(volumes: Cursor) -> tuple[str, ...]:
    """Return the keys of named volumes. An anonymous one has no source."""
    named = [entry for entry in volumes.items() if entry.at("type").text("") == "volume"]
    return tuple(filter(None, (entry.at("source").text("") for entry in named)))


def _mount(entry: Cursor) -> Mount:
    return Mount(
        source=entry.at("source").text(),
        target=entry.at("target").text(),
        read_only=entry.at("read_only").flag(),
    )


def _ports(entries: Cursor) -> tuple[PortEntry, ...]:
    """Return all entries of `ports:`.

    Compose writes a range out port by port. So the usual shape has a fast path, and all others are
    read field by field.
    """
    addresses = {""}
    ports: list[PortEntry] = []
    for entry in entries.items():
        port = _plain_entry(entry.value, addresses) or _port_entry(entry)
        addresses.add(port.host_ip)
        ports.append(port)
    return tuple(ports)


def _plain_entry(body: Any, addresses: Collection[str]) -> PortEntry | None:
    """Return a fixed port in Compose's usual form, on one of the checked `addresses`, or None."""
    if not isinstance(body, dict):
        return None
    # matching a pattern would take six times as long
    target, published, address = body.get("target"), body.get("published"), body.get("host_ip", "")
    if type(target) is not int or not isinstance(published, str) or not isinstance(address, str):
        return None
    protocol = body.get("protocol")
    if protocol not in ("tcp", "udp") or address not in addresses:
        return None
    if not 0 <= target <= HIGHEST_PORT or parse_digits(published, HIGHEST_PORT) is None:
        return None
    return PortEntry(target, protocol, published, address)


def _port_entry(entry: Cursor) -> PortEntry:
    return PortEntry(
        target=read_port(entry.at("target")),
        protocol=read_protocol(entry.at("protocol"), "tcp"),
        published=_published(entry.at("published")),
        host_ip=_host_ip(entry.at("host_ip")),
    )


def _published(value: Cursor) -> str:
    text = value.text_or_number("")
    first, _, last = text.partition("-")
    low, high = parse_digits(first, HIGHEST_PORT), parse_digits(last or first, HIGHEST_PORT)
    if text and (low is None or high is None or low > high or text.endswith("-")):
        raise value.mistake("expected a port number or a range")
    return text


def _host_ip(value: Cursor) -> str:
    """Return an address as it is written. One with a zone stays: `publishing` knows its meaning."""
    text = value.text("")
    if "%" not in text:
        read_address(value)
    return text


def _network(key: str, body: Cursor) -> Network:
    return Network(
        name=body.at("name").text(key),
        driver=body.at("driver").text("") or "bridge",
        internal=body.at("internal").flag(),
        external=body.at("external").flag(),
        ipv4=body.at("enable_ipv4").flag(default=True),
        ipv6=body.at("enable_ipv6").flag(),
        subnets=declared_subnets(body.at("ipam")),
        has_own_ipam=body.at("ipam").at("driver").text("") not in ("", "default"),
        **bridge_options(body.at("driver_opts")),
    )
