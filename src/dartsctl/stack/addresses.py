"""Fill the placeholders of `[server.env]`, such as `{rabbitmq.host}`.

They are filled with the addresses at which a server on this host reaches the services of a stack.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dartsctl.errors import Advice, UsageError
from dartsctl.records import record
from dartsctl.stack.bindings import reachable_address
from dartsctl.text.patterns import regex
from dartsctl.text.phrases import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from dartsctl.stack.containers import Container

_SERVICE = regex(r"\{([a-zA-Z0-9][\w-]*)\.(host|port)(?::([0-9]{1,5}))?\}")
_MOVED = regex(r"\{env\.(\w+)@([a-zA-Z0-9][\w-]*)(?::([0-9]{1,5}))?\}")
"""A variable's value with the address of a service in place of its own."""
_VARIABLE = regex(r"\{env\.(\w+)\}")
_EVERY = regex(f"{_SERVICE.pattern}|{_MOVED.pattern}|{_VARIABLE.pattern}")
_WORD = regex(r"(?<!\$)\{(\{?)([A-Za-z_]\w*)\}(\}?)")
_FILLED_LATER = ("url", "port", "host", "python")
"""What server.command_line fills: these stay in the templates until the port is leased."""


@record
class ServiceAddress:
    """`host` and `port` on this machine; `target` is the port inside the container."""

    host: str
    port: int
    target: int


def project_addresses(
    project: str, containers: Iterable[Container]
) -> dict[str, tuple[ServiceAddress, ...]]:
    """Return the published tcp ports of each service, the lowest target first.

    Services that publish nothing are left out. IPv4 addresses are preferred.
    """
    by_service: dict[str, dict[int, ServiceAddress]] = {}
    for container in containers:
        if not container.belongs_to(project):
            continue
        for endpoint, target in container.targets:
            if endpoint.protocol != "tcp":
                continue
            host = reachable_address(endpoint.address)
            address = ServiceAddress(host, endpoint.port, target)
            by_target = by_service.setdefault(container.service, {})
            known = by_target.setdefault(target, address)
            if ":" in known.host and ":" not in host:
                by_target[target] = address
    return {service: _by_target(addresses) for service, addresses in by_service.items()}


def _by_target(addresses: Mapping[int, ServiceAddress]) -> tuple[ServiceAddress, ...]:
    return tuple(address for _, address in sorted(addresses.items()))


def services_named_in(templates: Iterable[str]) -> frozenset[str]:
    """Return the services whose address a template asks for."""
    services: set[str] = set()
    for template in templates:
        services.update(match[1] for match in _SERVICE.finditer(template))
        services.update(match[2] for match in _MOVED.finditer(template))
    return frozenset(services)


def targets_named_in(templates: Iterable[str]) -> frozenset[int]:
    """Return the container ports that templates ask for, as 5672 in `{rabbitmq.port:5672}`."""
    targets: set[int] = set()
    for template in templates:
        matches = (*_SERVICE.finditer(template), *_MOVED.finditer(template))
        targets.update(int(match[3]) for match in matches if match[3])
    return frozenset(targets)


def fill_templates(
    templates: Mapping[str, str],
    addresses: Mapping[str, tuple[ServiceAddress, ...]],
    known_services: Iterable[str] | None,
    environ: Mapping[str, str],
) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the filled variables of `[server.env]`, and the names that were left out.

    Filled are `{service.host}`, `{service.port}`, `{service.port:TARGET}`, `{env.NAME}`, and
    `{env.NAME@service:TARGET}`: the variable's value with the service's address.
    `{url}`, `{port}`, `{host}` and `{python}` stay for server.command_line; `{{word}}` is the text
    `{word}`. A variable is left out if one of its services is known but does not run: then the
    server's own default applies.

    `known_services`: None if no service runs and none is known.

    Raises:
        UsageError: a service that the stack does not have, another `{word}`, or an `{env.NAME}`
        that
            is not set.
    """
    services = None
    if known_services is not None:
        services = sorted({*known_services, *addresses})
    filled: dict[str, str] = {}
    left_out: list[str] = []
    for name, template in templates.items():
        value = _Filler(name, addresses, services, environ).fill(template)
        if value is None:
            left_out.append(name)
        else:
            filled[name] = value
    return filled, tuple(left_out)


@record
class _Filler:
    """Fills the template of one variable."""

    name: str
    addresses: Mapping[str, tuple[ServiceAddress, ...]]
    services: Collection[str] | None
    environ: Mapping[str, str]

    def fill(self, template: str) -> str | None:
        """Return the value; None if one of the services does not run."""
        text = _WORD.sub(self._check_word, template)
        named = [(match[1], match[3]) for match in _SERVICE.finditer(text)]
        named += [(match[2], match[3]) for match in _MOVED.finditer(text)]
        running = [self._candidates(*place) for place in named]
        if not all(running):
            return None
        # in one pass: the text of a variable is never read as a placeholder
        return _EVERY.sub(self._value, text)

    def _value(self, match: re.Match[str]) -> str:
        if moved := _MOVED.fullmatch(match[0]):
            address = self._candidates(moved[2], moved[3])[0]
            return with_address(self._variable(moved), address.host, address.port)
        if service := _SERVICE.fullmatch(match[0]):
            return self._address(service)
        return _VARIABLE.sub(self._variable, match[0])

    def _check_word(self, match: re.Match[str]) -> str:
        """Return the text of `{word}` for now. `${word}`, a variable of Compose, does not match."""
        word = match[2]
        if word in _FILLED_LATER:
            return match[0]
        if match[1] and match[3]:
            return f"{{{word}}}"
        hint = did_you_mean(word, _FILLED_LATER, lambda near: f"{{{near}}}")
        raise UsageError(
            f"[server.env] {self.name}: unknown placeholder: {{{word}}}",
            hint=hint
            or Advice(
                f"write {{{{{word}}}}} for the text itself; known placeholders: "
                "{url}, {port}, {host}, {SERVICE.host}"
            ),
        )

    def _candidates(self, service: str, target: str | None) -> list[ServiceAddress]:
        if self.services is not None and service not in self.services:
            raise _unknown_service(self.name, service, self.services)
        addresses = self.addresses.get(service, ())
        return [address for address in addresses if target is None or address.target == int(target)]

    def _address(self, match: re.Match[str]) -> str:
        address = self._candidates(match[1], match[3])[0]
        return address.host if match[2] == "host" else str(address.port)

    def _variable(self, match: re.Match[str]) -> str:
        name = match[1]
        if name not in self.environ:
            raise UsageError(
                f"[server.env] {self.name}: the variable {name} is not set",
                hint=Advice(f"export {name}=..., or write it into the env file"),
            )
        return self.environ[name]


def with_address(value: str, host: str, port: int) -> str:
    """Return a URL, or `HOST:PORT`, with another address; all else stays, the password too."""
    url = re.match(r"[A-Za-z][\w+.-]*(?::[A-Za-z][\w+.-]*)?://(?:[^/?#]*@)?", value)
    if url is None and ":" in value:
        return f"{host}:{port}"
    if url is None:
        return host
    rest = re.sub(r"^[^/?#]*", "", value[url.end() :])
    return f"{url[0]}{host}:{port}{rest}"


def compose_url_variables(templates: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that are about the server's own URL and about no other service.

    `{url}` and `{port}` become variables of Compose. A container reaches other services by their
    names, so what the Compose file says about those is right inside it.
    """
    return {
        name: text.replace("{url}", "${DARTSCTL_URL}").replace("{port}", "${DARTSCTL_PORT}")
        for name, text in templates.items()
        if "{url}" in text and not _SERVICE.search(text)
    }


def _unknown_service(name: str, service: str, services: Collection[str]) -> UsageError:
    return UsageError(
        f"[server.env] {name}: the dev stack has no service {service!r}",
        hint=did_you_mean(service, services)
        or Advice(f"its services: {', '.join(services) or 'none'}"),
    )
