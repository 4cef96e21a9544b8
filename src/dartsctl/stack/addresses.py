"""Where the services of a stack really are, as a server on this host reaches them: the `{rabbitmq.host}` of `[server.env]`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from dartsctl.errors import UsageError
from dartsctl.stack.bindings import reachable_address
from dartsctl.stack.containers import Container
from dartsctl.text.phrases import did_you_mean

_PLACEHOLDER = re.compile(r"\{([a-zA-Z0-9][\w-]*)\.(host|port)(?::([0-9]{1,5}))?\}")
_ENVIRONMENT = re.compile(r"\{env\.(\w+)\}")
_BARE = re.compile(r"(?<!\$)\{(\{?)([A-Za-z_]\w*)\}(\}?)")
_FILLED_LATER = ("url", "port", "host", "python")
"""What serving.fill knows: these stay in the templates until the port is leased."""


@dataclass(frozen=True, slots=True)
class ServiceAddress:
    """`host` and `port` on this machine; `target` is the port inside the container."""

    host: str
    port: int
    target: int


def of_project(
    project: str, containers: Iterable[Container]
) -> dict[str, tuple[ServiceAddress, ...]]:
    """Service -> its published tcp ports, lowest target first; services that publish nothing are absent."""
    found: dict[str, dict[int, ServiceAddress]] = {}
    for container in containers:
        if container.project != project or container.is_one_off:
            continue
        for endpoint, target in container.targets:
            if endpoint.protocol == "tcp":
                address = ServiceAddress(reachable_address(endpoint.address), endpoint.port, target)
                known = found.setdefault(container.service, {}).setdefault(target, address)
                if ":" in known.host and ":" not in address.host:
                    found[container.service][target] = address
    return {
        service: tuple(ports[target] for target in sorted(ports))
        for service, ports in found.items()
    }


def services_named(templates: Iterable[str]) -> frozenset[str]:
    """The services whose address a template asks for."""
    return frozenset(
        match[1] for template in templates for match in _PLACEHOLDER.finditer(template)
    )


def fill(
    templates: Mapping[str, str],
    addresses: Mapping[str, tuple[ServiceAddress, ...]],
    known_services: Iterable[str] | None,
    environ: Mapping[str, str],
) -> tuple[dict[str, str], tuple[str, ...]]:
    """`[server.env]` with `{service.host}`, `{service.port}`, `{service.port:TARGET}` and `{env.NAME}` filled in, and the names left out.

    A variable is left out when a service of its is known but not running: then the server's own default counts. `{url}`, `{port}`, `{host}` and
    `{python}` stay for serving.fill; `{{word}}` is the text `{word}`. `known_services` is None where nothing runs and none is known.
    Raises UsageError for a service that the stack does not have and for any other `{word}`, with the nearest one, and for an unset `{env.NAME}`.
    """
    services = None if known_services is None else sorted(set(known_services) | set(addresses))
    filled: dict[str, str] = {}
    left_out: list[str] = []
    for name, template in templates.items():
        missing = False

        def place(match: re.Match[str], name: str = name) -> str:
            nonlocal missing
            service, part, target = match[1], match[2], match[3]
            if services is not None and service not in services:
                raise _unknown(name, service, services)
            ports = [
                one
                for one in addresses.get(service, ())
                if target is None or one.target == int(target)
            ]
            if not ports:
                missing = True
                return ""
            return ports[0].host if part == "host" else str(ports[0].port)

        value = _BARE.sub(lambda match, name=name: _bare(name, match), template)  # type: ignore[misc]  # the default binds the loop's name
        value = _PLACEHOLDER.sub(place, value)
        value = _ENVIRONMENT.sub(lambda match, name=name: _variable(name, match[1], environ), value)  # type: ignore[misc]  # the default binds the loop's name
        if missing:
            left_out.append(name)
        else:
            filled[name] = value
    return filled, tuple(left_out)


def of_the_url(templates: Mapping[str, str]) -> dict[str, str]:
    """The variables that are about the server's own URL and no other service, with `{url}` and `{port}` as Compose's variables.

    A container reaches the other services by their names: what stands in the Compose file about them is right there.
    """
    own = {
        name: text
        for name, text in templates.items()
        if "{url}" in text and not _PLACEHOLDER.search(text)
    }
    return {
        name: text.replace("{url}", "${DARTSCTL_URL}").replace("{port}", "${DARTSCTL_PORT}")
        for name, text in own.items()
    }


def _bare(name: str, match: re.Match[str]) -> str:
    """What stands for `{word}` for now; `${word}` is Compose's way to write a variable, and not ours to read."""
    word = match[2]
    if word in _FILLED_LATER:
        return match[0]
    if match[1] and match[3]:
        return f"{{{word}}}"
    hint = did_you_mean(word, _FILLED_LATER, lambda near: f"{{{near}}}")
    raise UsageError(
        f"[server.env] {name}: unknown placeholder: {{{word}}}",
        hint=hint
        or f"write {{{{{word}}}}} for the text itself; known placeholders: "
        "{url}, {port}, {host}, {SERVICE.host}",
    )


def _variable(name: str, wanted: str, environ: Mapping[str, str]) -> str:
    if wanted not in environ:
        raise UsageError(
            f"[server.env] {name}: the variable {wanted} is not set",
            hint=f"export {wanted}=..., or write it into the env file",
        )
    return environ[wanted]


def _unknown(name: str, service: str, services: list[str]) -> UsageError:
    return UsageError(
        f"[server.env] {name}: the dev stack has no service {service!r}",
        hint=did_you_mean(service, services) or f"its services: {', '.join(services) or 'none'}",
    )
