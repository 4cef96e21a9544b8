"""Which service of a stack is its reverse proxy, and which service stands behind a name in its configuration."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from dartsctl.diagnosis.facts import ProxyKind, ServiceFacts
from dartsctl.errors import UsageError
from dartsctl.stack.model import Stack

ENTRIES = (80, 443, 8080, 8443)
"""Ports inside a container that a front door has."""

_KINDS: tuple[tuple[str, ProxyKind], ...] = (
    (r"nginx|openresty|tengine|angie|swag", "nginx"),
    (r"haproxy", "haproxy"),
    (r"traefik", "traefik"),
    (r"caddy", "caddy"),
    (r"envoy", "envoy"),
    (r"httpd|apache", "httpd"),
)
_NO_PROXY = re.compile(r"exporter|prometheus|certbot|config|test-client")


def find(
    stack: Stack, commands: Mapping[str, Sequence[str]], named: str = ""
) -> tuple[str, ProxyKind] | None:
    """The proxy's service and kind: by what was named, else by image, by what the container runs (`commands`), by name, by its ports.

    None where there is none. Raises UsageError where `named` is no service.
    """
    if named and named not in stack.services:
        raise UsageError(
            f"the stack has no service {named!r}",
            hint=f"--proxy {next(iter(stack.services), 'SERVICE')}",
        )
    if named:
        return named, _kind(stack, commands, named) or "other"
    known = [(name, kind) for name in stack.services if (kind := _kind(stack, commands, name))]
    published = [one for one in known if _entries(stack, one[0])]
    if known:
        return (published or known)[0]
    doors = [name for name in stack.services if {80, 443} & _entries(stack, name)]
    return (doors[0], "other") if len(doors) == 1 and len(stack.services) > 1 else None


def service_named(host: str, services: Mapping[str, ServiceFacts], project: str) -> str:
    """The service that a name or an address in the proxy's configuration leads to; empty where it is none of the stack's."""
    if host in services:
        return host
    containers = [one for service in services.values() for one in service.containers]
    match = next(
        (
            one
            for one in containers
            if host in (one.name, *one.addresses)
            or any(host in names for names in one.names.values())
        ),
        None,
    )
    if match:
        return match.service
    plain = re.fullmatch(rf"{re.escape(project)}[-_](.+)[-_]\d+", host)
    return plain[1] if plain and plain[1] in services else ""


def _kind(stack: Stack, commands: Mapping[str, Sequence[str]], name: str) -> ProxyKind | None:
    image = stack.services[name].image.partition("@")[0].rpartition("/")[2].partition(":")[0]
    run = " ".join(word.rpartition("/")[2] for word in list(commands.get(name, ()))[:3])
    for text in (image, name) if not run else (image, run, name):
        if _NO_PROXY.search(text.lower()):
            return None
        for pattern, kind in _KINDS:
            if re.search(rf"(?:^|[-_. ])(?:{pattern})(?:$|[-_. ])", text.lower()):
                return kind
    return None


def _entries(stack: Stack, name: str) -> set[int]:
    return {
        entry.target
        for entry in stack.services[name].ports
        if entry.protocol == "tcp" and entry.target in ENTRIES
    }
