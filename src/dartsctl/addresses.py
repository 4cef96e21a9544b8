"""Where the services of a stack really are, as a server on this host reaches them: the `{rabbitmq.host}` of `[server.env]`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dartsctl.containers import Container
from dartsctl.errors import UsageError

_PLACEHOLDER = re.compile(r"\{([a-zA-Z0-9][\w-]*)\.(host|port)(?::(\d+))?\}")
_ENVIRONMENT = re.compile(r"\{env\.(\w+)\}")


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """`host` and `port` on this machine; `target` is the port inside the container."""

    host: str
    port: int
    target: int


def of_project(project: str, containers: Iterable[Container]) -> dict[str, tuple[ServiceAddress, ...]]:
    """Service -> its published tcp ports, lowest target first; services that publish nothing are absent."""
    found: dict[str, dict[int, ServiceAddress]] = {}
    for container in containers:
        if container.project != project or container.is_one_off:
            continue
        for endpoint, target in container.targets:
            if endpoint.protocol == "tcp":
                address = ServiceAddress(_reachable(endpoint.address), endpoint.port, target)
                known = found.setdefault(container.service, {}).setdefault(target, address)
                if ":" in known.host and ":" not in address.host:
                    found[container.service][target] = address
    return {service: tuple(ports[target] for target in sorted(ports)) for service, ports in found.items()}


def services_named(templates: Iterable[str]) -> frozenset[str]:
    """The services whose address a template asks for."""
    return frozenset(match[1] for template in templates for match in _PLACEHOLDER.finditer(template))


def _reachable(address: str) -> str:
    return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(address, address)  # noqa: S104 - a published address, read


def fill(
    templates: Mapping[str, str],
    addresses: Mapping[str, tuple[ServiceAddress, ...]],
    known_services: Iterable[str],
    environ: Mapping[str, str],
) -> tuple[dict[str, str], tuple[str, ...]]:
    """`[server.env]` with `{service.host}`, `{service.port}`, `{service.port:TARGET}` and `{env.NAME}` filled in, and the names left out.

    A variable is left out when a service of its is known but not running: then the server's own default counts.
    Raises UsageError for a service that the stack does not have, with the nearest one, and for an unset `{env.NAME}`.
    """
    services = sorted(set(known_services) | set(addresses))
    filled: dict[str, str] = {}
    left_out: list[str] = []
    for name, template in templates.items():
        missing = False

        def place(match: re.Match[str], name: str = name) -> str:
            nonlocal missing
            service, part, target = match[1], match[2], match[3]
            if service not in services:
                raise _unknown(name, service, services)
            ports = [one for one in addresses.get(service, ()) if target is None or one.target == int(target)]
            if not ports:
                missing = True
                return ""
            return ports[0].host if part == "host" else str(ports[0].port)

        value = _PLACEHOLDER.sub(place, template)
        value = _ENVIRONMENT.sub(lambda match, name=name: _variable(name, match[1], environ), value)  # type: ignore[misc]  # the default binds the loop's name
        if missing:
            left_out.append(name)
        else:
            filled[name] = value
    return filled, tuple(left_out)


def _variable(name: str, wanted: str, environ: Mapping[str, str]) -> str:
    if wanted not in environ:
        raise UsageError(f"[server.env] {name}: the variable {wanted} is not set", hint=f"export {wanted}=..., or write it into the env file")
    return environ[wanted]


def _unknown(name: str, service: str, services: list[str]) -> UsageError:
    from dartsctl.suggestion import nearest

    near = nearest(service, services)
    return UsageError(
        f"[server.env] {name}: the dev stack has no service {service!r}",
        hint=f"did you mean {near}?" if near else f"its services: {', '.join(services) or 'none'}",
    )
