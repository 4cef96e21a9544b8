"""The engine's description of one container (`GET /containers/ID/json`), reduced to what a diagnosis asks. Recorded shapes: tests/data/engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from dartsctl.bindings import ANY_IPV4, Endpoint, normal_address, protocol_named
from dartsctl.containers import Container
from dartsctl.facts import ContainerFacts, Wanted
from dartsctl.nginx_log import moment


def read(document: Mapping[str, Any], service: str, mask: Callable[[str], str]) -> ContainerFacts:
    """The facts in one answer. `mask` takes the secrets out of what the engine and the health check say; Env is never read here."""
    state = document.get("State") or {}
    host = document.get("HostConfig") or {}
    settings = document.get("NetworkSettings") or {}
    health = state.get("Health") or {}
    networks = settings.get("Networks") or {}
    return ContainerFacts(
        service=service,
        name=str(document.get("Name", "")).removeprefix("/"),
        id=str(document.get("Id", "")),
        image=str((document.get("Config") or {}).get("Image", "")),
        state=str(state.get("Status", "")),
        exit_code=int(state.get("ExitCode") or 0),
        error=mask(str(state.get("Error") or "")),
        oom_killed=bool(state.get("OOMKilled")),
        restart_count=int(document.get("RestartCount") or 0),
        restart_policy=str((host.get("RestartPolicy") or {}).get("Name") or ""),
        health=str(health.get("Status") or "").replace("none", ""),
        health_output=mask(_last_output(health)),
        created=moment(str(document.get("Created", ""))),
        started=moment(str(state.get("StartedAt", ""))),
        finished=moment(str(state.get("FinishedAt", ""))),
        pid=int(state.get("Pid") or 0),
        networks={name: str((one or {}).get("IPAddress") or (one or {}).get("GlobalIPv6Address") or "") for name, one in networks.items()},
        names={name: _names(one or {}) for name, one in networks.items()},
        network_mode=str(host.get("NetworkMode") or ""),
        memory_limit=int(host.get("Memory") or 0),
        wanted=_places(host.get("PortBindings")),
        bound=_places(settings.get("Ports")),
    )


def listed(container: Container) -> ContainerFacts:
    """What the list alone says, for an engine that cannot be asked for more."""
    code = container.status.partition("(")[2].partition(")")[0]
    bound = tuple(Wanted(target, endpoint) for endpoint, target in container.targets)
    return ContainerFacts(
        service=container.service,
        name=container.name,
        id=container.id,
        image=container.image,
        state=container.state,
        exit_code=int(code) if code.isdigit() else 0,
        health="unhealthy" if "(unhealthy)" in container.status else "",
        wanted=bound,
        bound=bound,
        network_mode=container.network_mode,
    )


def environment(document: Mapping[str, Any]) -> dict[str, str]:
    """The container's variables, for masking alone."""
    return dict(str(one).split("=", 1) for one in (document.get("Config") or {}).get("Env") or () if "=" in str(one))


def command(document: Mapping[str, Any]) -> tuple[str, ...]:
    """Entry point and command, word by word."""
    config = document.get("Config") or {}
    return tuple(str(word) for key in ("Entrypoint", "Cmd") for word in config.get(key) or ())


def _last_output(health: Mapping[str, Any]) -> str:
    """What the last check that failed said."""
    failed = [str(one.get("Output") or "") for one in health.get("Log") or () if one.get("ExitCode")]
    return failed[-1].strip()[:1000] if failed else ""


def _names(network: Mapping[str, Any]) -> frozenset[str]:
    return frozenset(str(name) for key in ("Aliases", "DNSNames") for name in network.get(key) or ())


def _places(table: Mapping[str, Any] | None) -> tuple[Wanted, ...]:
    """`{"80/tcp": [{"HostIp": "", "HostPort": "8080"}]}`; an empty HostPort in the settings is an ephemeral port."""
    found = []
    for key, places in (table or {}).items():
        number, _, protocol = key.partition("/")
        for place in places or ():
            port = str(place.get("HostPort") or "0").partition("-")[0]
            endpoint = Endpoint(int(port), normal_address(place.get("HostIp") or ANY_IPV4), protocol_named(protocol or "tcp"))
            found.append(Wanted(int(number), endpoint))
    return tuple(found)
