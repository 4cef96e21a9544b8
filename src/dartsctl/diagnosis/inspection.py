"""Read the engine's description of one container (`GET /containers/ID/json`).

Recorded answers are in tests/data/engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.facts import ContainerFacts, PublishedPort
from dartsctl.diagnosis.nginx.log import parse_moment
from dartsctl.records import field, record, replace
from dartsctl.stack.bindings import ANY_IPV4, HIGHEST_PORT, Endpoint, parse_protocol
from dartsctl.stack.containers import normal_state
from dartsctl.stack.health_check import NO_HEALTH_CHECK, HealthCheck, read_image_check
from dartsctl.stack.json_fields import read_address
from dartsctl.stack.model import Mount
from dartsctl.text.numbers import LARGEST_INTEGER, parse_digits
from dartsctl.text.safe_text import cut

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dartsctl.stack.containers import Container
    from dartsctl.text.strict_json import Cursor


@record
class Inspection:
    """What a diagnosis needs of one description. Free text is as the engine gave it."""

    facts: ContainerFacts
    """Without the service, which only the list of containers has."""
    check_output: str = ""
    """The whole output of the last failed health check."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    """The container's variables, only for masking."""
    command: tuple[str, ...] = ()
    """Entry point and command as the image and the Compose file have them."""
    arguments: tuple[str, ...] = ()
    """The arguments of its first process."""
    fixed_ports: tuple[int, ...] = ()
    """The host ports of its settings, bound or not."""
    has_network: bool = True
    """Whether it is on a network, as the engine says.

    True too if it has none of its own: host, none, or another container's.
    """
    mounts: tuple[Mount, ...] = ()
    """Files and folders of the host."""
    health_check: HealthCheck = NO_HEALTH_CHECK
    """The image's, with what the Compose file said over it."""
    stop_signal: str = ""
    """As it was written: `SIGQUIT`, `3`; empty: SIGTERM."""
    stop_timeout: int | None = None
    """Seconds between that signal and SIGKILL; None: the engine's default. Negative: no limit."""

    def of_service(self, service: str) -> ContainerFacts:
        """Return the facts with the service's name and the last failed health check."""
        return replace(self.facts, service=service, health_output=cut(self.check_output))


def read(document: Cursor) -> Inspection:
    """Return the content of one description. Raises the document's error for a wrong shape."""
    config = document.at("Config")
    return Inspection(
        facts=_facts(document),
        check_output=_last_output(document.at("State").at("Health")),
        environment=dict(_variables(config.at("Env").texts())),
        command=(*config.at("Entrypoint").texts(), *config.at("Cmd").texts()),
        arguments=document.at("Args").texts(),
        fixed_ports=tuple(_fixed_ports(document.at("HostConfig").at("PortBindings"))),
        has_network=_has_network(document),
        mounts=tuple(_bind_mounts(document.at("Mounts"))),
        health_check=read_image_check(config.at("Healthcheck")),
        stop_signal=config.at("StopSignal").text(""),
        stop_timeout=_stop_timeout(config.at("StopTimeout")),
    )


def _stop_timeout(timeout: Cursor) -> int | None:
    if timeout.value is None:
        return None
    return timeout.integer(minimum=-LARGEST_INTEGER)


def _bind_mounts(mounts: Cursor) -> Iterator[Mount]:
    for mount in mounts.items():
        if mount.at("Type").text("") == "bind":
            source, target = mount.at("Source").text(""), mount.at("Destination").text("")
            yield Mount(source, target, read_only=not mount.at("RW").flag(default=True))


def _facts(document: Cursor) -> ContainerFacts:
    state = document.at("State")
    host = document.at("HostConfig")
    settings = document.at("NetworkSettings")
    networks = dict(settings.at("Networks").entries())
    return ContainerFacts(
        service="",
        name=document.at("Name").text("").removeprefix("/"),
        id=document.at("Id").text(),
        image=document.at("Config").at("Image").text(""),
        state=normal_state(state.at("Status").text()),
        exit_code=state.at("ExitCode").integer(0, minimum=-LARGEST_INTEGER),
        error=state.at("Error").prose(""),
        oom_killed=state.at("OOMKilled").flag(),
        restart_count=document.at("RestartCount").integer(0),
        restart_policy=host.at("RestartPolicy").at("Name").text(""),
        health=state.at("Health").at("Status").text("").replace("none", ""),
        unhealthy_since=_unhealthy_since(state.at("Health")),
        created=parse_moment(document.at("Created").text("")),
        started=parse_moment(state.at("StartedAt").text("")),
        finished=parse_moment(state.at("FinishedAt").text("")),
        pid=state.at("Pid").integer(0),
        networks={
            name: read_address(network.at("IPAddress"))
            or read_address(network.at("GlobalIPv6Address"))
            for name, network in networks.items()
        },
        ipv6_addresses=tuple(
            filter(None, (read_address(row.at("GlobalIPv6Address")) for row in networks.values()))
        ),
        names={
            name: frozenset((*network.at("Aliases").texts(), *network.at("DNSNames").texts()))
            for name, network in networks.items()
        },
        network_mode=host.at("NetworkMode").text(""),
        memory_limit=host.at("Memory").integer(0),
        wanted=tuple(_places(host.at("PortBindings"))),
        bound=tuple(_places(settings.at("Ports"))),
    )


def _has_network(document: Cursor) -> bool:
    mode = document.at("HostConfig").at("NetworkMode").text("")
    if mode in ("host", "none") or mode.startswith("container:"):
        return True
    networks = document.at("NetworkSettings").at("Networks").entries()
    return any(_is_attached(network) for _, network in networks)


def _is_attached(network: Cursor) -> bool:
    """Podman 4 gives no endpoint an id (engine-rules.md#podman)."""
    keys = ("EndpointID", "IPAddress", "GlobalIPv6Address")
    return any(network.at(key).text("") for key in keys)


def _variables(words: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    for word in words:
        name, equals, value = word.partition("=")
        if equals:
            yield name, value


def _last_output(health: Cursor) -> str:
    """Return the output of the last failed health check."""
    output = ""
    for check in health.at("Log").items():
        if check.at("ExitCode").integer(0, minimum=-LARGEST_INTEGER):
            output = check.at("Output").prose("").strip()
    return output


def _unhealthy_since(health: Cursor) -> float | None:
    """Return when the first of the latest failed checks in a row began; the engine lists five."""
    began: float | None = None
    for check in health.at("Log").items():
        if not check.at("ExitCode").integer(0, minimum=-LARGEST_INTEGER):
            began = None
        elif began is None:
            began = parse_moment(check.at("Start").text(""))
    return began


def _fixed_ports(table: Cursor) -> Iterator[int]:
    for _, places in table.entries():
        for place in places.items():
            if port := parse_digits(place.at("HostPort").text(""), HIGHEST_PORT):
                yield port


def _places(table: Cursor) -> Iterator[PublishedPort]:
    """Read `{"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}`.

    In the settings an empty HostPort is an ephemeral port; of a range the first port counts.
    """
    for key, places in table.entries():
        number, _, protocol = key.partition("/")
        target = parse_digits(number, HIGHEST_PORT)
        if target is None:
            raise places.mistake("expected a port number and a protocol as the name")
        if protocol not in ("", "tcp", "udp", "sctp"):
            continue  # such a container is created, but the engine never starts it
        for place in places.items():
            port = parse_digits(
                place.at("HostPort").text("").partition("-")[0] or "0", HIGHEST_PORT
            )
            if port is None:
                raise place.at("HostPort").mistake("expected a port number")
            yield PublishedPort(
                target,
                Endpoint(
                    port,
                    read_address(place.at("HostIp"), ANY_IPV4),
                    parse_protocol(protocol or "tcp"),
                ),
            )


def listed(container: Container) -> ContainerFacts:
    """Return what the list of containers says, for an engine that cannot be asked for more."""
    code = container.status.partition("(")[2].partition(")")[0]
    bound = tuple(PublishedPort(target, endpoint) for endpoint, target in container.targets)
    return ContainerFacts(
        service=container.service,
        name=container.name,
        id=container.id,
        image=container.image,
        state=container.state,
        exit_code=parse_digits(code) or 0,
        health="unhealthy" if "(unhealthy)" in container.status else "",
        wanted=bound,
        bound=bound,
        network_mode=container.network_mode,
    )
