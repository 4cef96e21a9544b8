"""Which services a developer's server needs from the stack, and on which container ports.

Databases, brokers, caches, mail catchers, object stores and search engines, and what the app
depends on. Not the app itself, which runs on the host, and not what stands before it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dartsctl.discovery.service_roles import is_outsider, kind_of, role_of
from dartsctl.records import field, record
from dartsctl.stack.bindings import HIGHEST_PORT
from dartsctl.text.numbers import parse_digits

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from dartsctl.stack.model import Service, Stack


@record
class DevServices:
    """The services of the dev stack: those that `dev` starts, and why it starts no others."""

    started: tuple[str, ...]
    left_out: Mapping[str, str] = field(default_factory=dict)
    """Service -> reason: `proxy`, `needs wso2is`."""
    ports: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """The container ports of each started service to which a server on the host connects."""


def services_for_development(
    stack: Stack, apps: Collection[str], *, of_production: bool = False
) -> DevServices:
    """Return the services that a server on the host needs.

    `apps` are the services that the server replaces, as far as that is known. `of_production`: the
    files were written for production, so that a service without a known purpose is started only if
    the app uses it. Files for developers contain what these want.
    """
    left_out: dict[str, str] = {}
    if apps or of_production:
        left_out = _not_needed(stack, apps, of_production=of_production)
    started = tuple(name for name in stack.services if name not in left_out)
    ports: dict[str, tuple[int, ...]] = {}
    for name in started:
        if own := _ports_for_the_host(stack, name, apps):
            ports[name] = own
    return DevServices(started, left_out, ports)


def _not_needed(stack: Stack, apps: Collection[str], *, of_production: bool) -> dict[str, str]:
    """Return the services that a developer's server does without, each with the reason."""
    services = stack.services
    left_out = {name: "runs on the host" for name in services if name in apps}
    outsiders = [name for name, service in services.items() if is_outsider(service)]
    for name in outsiders:
        left_out.setdefault(name, str(role_of(services[name])))
    needed = _reached(stack, apps, outsiders)
    for name, service in services.items():
        if name in left_out or name in needed:
            continue
        users = _users(stack, name)
        if users and users.issubset(outsiders):
            left_out[name] = f"only for {', '.join(sorted(users))}"
        elif of_production and role_of(service) is None:
            left_out[name] = "not used by the app"
    for name in tuple(left_out):
        for other in sorted(dependents(stack, name)):
            left_out.setdefault(other, f"needs {name}")
    return {name: left_out[name] for name in services if name in left_out}


def dependents(stack: Stack, name: str) -> frozenset[str]:
    """Return the services that do not start without `name`, along `depends_on`, and itself."""
    needing = {name}
    while True:
        more = {
            other
            for other, service in stack.services.items()
            if needing.intersection(service.depends_on)
        }
        if more <= needing:
            return frozenset(needing)
        needing |= more


def _reached(stack: Stack, apps: Collection[str], outsiders: Collection[str]) -> set[str]:
    """Return what the apps use, directly or not, without what stands before them."""
    reached: set[str] = set()
    waiting = list(apps)
    while waiting:
        name = waiting.pop()
        for other in uses(stack, name):
            if other not in reached and other not in outsiders:
                reached.add(other)
                waiting.append(other)
    return reached


def uses(stack: Stack, name: str) -> set[str]:
    """Return the services on which one depends, or whose names are in its variables."""
    service = stack.services.get(name)
    if service is None:
        return set()
    used = set(service.depends_on).intersection(stack.services)
    for other, body in stack.services.items():
        if names_host(service, other) or names_host(service, body.container_name):
            used.add(other)
    return used - {name}


def names_host(service: Service, host: str) -> bool:
    """Return whether a variable of a service has `host` as the name of a host."""
    texts = service.environment.values()
    return bool(host) and any(_named_ports(text, host) is not None for text in texts)


def _users(stack: Stack, name: str) -> set[str]:
    return {other for other in stack.services if name in uses(stack, other)}


def _ports_for_the_host(stack: Stack, name: str, apps: Collection[str]) -> tuple[int, ...]:
    """Return the container ports of a service that the app names, or that clients usually use."""
    service = stack.services[name]
    ports: set[int] = set()
    for app in stack.services.keys() & apps:
        for text in stack.services[app].environment.values():
            ports.update(_named_ports(text, name) or ())
            if service.container_name:
                ports.update(_named_ports(text, service.container_name) or ())
    if kind := kind_of(service):
        ports.add(kind.port)
    elif not ports and any(name in uses(stack, app) for app in apps):
        entries = (*service.ports, *service.exposed)
        ports.update(entry.target for entry in entries if entry.protocol == "tcp")
    return tuple(sorted(ports))


def _named_ports(text: str, service: str) -> tuple[int, ...] | None:
    """Return the ports behind a service's name in a variable; None where it is not named.

    `postgresql://app:pw@db:5432/x`, `db`, `a:1,db:2`.
    """
    name = re.escape(service)
    matches = re.findall(rf"(?:^|[@,;\s]|//){name}(?::(\d+))?(?=$|[/,;?\s])", text)
    if not matches:
        return None
    numbers = (parse_digits(digits, HIGHEST_PORT) for digits in matches)
    return tuple(filter(None, numbers))
