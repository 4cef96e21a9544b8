"""Find the reverse proxy of a stack, and the service behind a name in its configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from dartsctl.errors import Advice, UsageError

if TYPE_CHECKING:
    from dartsctl.diagnosis.facts import ContainerFacts, ProxyKind, ServiceFacts
    from dartsctl.stack.model import Stack

ENTRIES = (80, 443, 8080, 8443)
"""Ports inside a container on which a proxy listens."""

_KINDS: tuple[tuple[str, ProxyKind], ...] = (
    (r"nginx|openresty|tengine|angie|swag", "nginx"),
    (r"haproxy", "haproxy"),
    (r"traefik", "traefik"),
    (r"caddy", "caddy"),
    (r"envoy", "envoy"),
    (r"httpd|apache", "httpd"),
)
_NO_PROXY = re.compile(r"exporter|prometheus|certbot|config|test-client")


def find_proxy(
    stack: Stack, commands: Mapping[str, Sequence[str]], wanted: str = ""
) -> tuple[str, ProxyKind] | None:
    """Return the proxy's service and kind, None if there is none.

    `wanted`, else by image, by what the container runs (`commands`), by name, or by ports.
    Raises UsageError if `wanted` is no service.
    """
    if wanted and wanted not in stack.services:
        raise UsageError(
            f"the stack has no service {wanted!r}",
            hint=Advice(f"--proxy {next(iter(stack.services), 'SERVICE')}"),
        )
    if wanted:
        return wanted, _kind(stack, commands, wanted) or "other"
    known: dict[str, ProxyKind] = {}
    for name in stack.services:
        kind = _kind(stack, commands, name)
        if kind:
            known[name] = kind
    for name, kind in known.items():
        if _entry_ports(stack, name):
            return name, kind
    if known:
        return next(iter(known.items()))
    fronts = [name for name in stack.services if {80, 443} & _entry_ports(stack, name)]
    if len(fronts) == 1 and len(stack.services) > 1:
        return fronts[0], "other"
    return None


def service_named(host: str, services: Mapping[str, ServiceFacts], project: str) -> str:
    """Return the service behind a name or address in the proxy's configuration; empty for none."""
    if host in services:
        return host
    for service in services.values():
        if any(_answers_to(container, host) for container in service.containers):
            return service.name
    match = re.fullmatch(rf"{re.escape(project)}[-_](.+)[-_]\d+", host)
    return match[1] if match and match[1] in services else ""


def _answers_to(container: ContainerFacts, host: str) -> bool:
    if host in (container.name, *container.addresses):
        return True
    return any(host in names for names in container.names.values())


def _kind(stack: Stack, commands: Mapping[str, Sequence[str]], name: str) -> ProxyKind | None:
    image = stack.services[name].image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    words = list(commands.get(name, ()))[:3]
    command = " ".join(word.rpartition("/")[2] for word in words)
    for text in (image, command, name):
        if _NO_PROXY.search(text.lower()):
            return None
        for pattern, kind in _KINDS:
            if re.search(rf"(?:^|[-_. ])(?:{pattern})(?:$|[-_. ])", text.lower()):
                return kind
    return None


def _entry_ports(stack: Stack, name: str) -> set[int]:
    """Return the ports inside a service's containers that an entry of a stack has."""
    ports = stack.services[name].ports
    return {entry.target for entry in ports if entry.protocol == "tcp"} & set(ENTRIES)
