"""Where a server's variables say that its services are: `RABBITMQ_HOST`, `DATABASE_URL`."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from dartsctl.text.numbers import parse_digits

_DEFAULT_PORTS = {
    "amqp": 5672,
    "amqps": 5671,
    "http": 80,
    "https": 443,
    "mysql": 3306,
    "postgres": 5432,
    "postgresql": 5432,
    "redis": 6379,
}
_NOT_SERVICES = re.compile(r"(?i).*_proxy|docker_host|(flask|flask_run)_(host|port)")


@dataclass(frozen=True, slots=True)
class ServiceTarget:
    """A variable that names an address; without the user, password and path of a URL."""

    name: str
    host: str
    port: int
    scheme: str = ""

    @property
    def shown(self) -> str:
        """`RABBITMQ_HOST=localhost:5672`, `DATABASE_URL=postgresql://localhost:5432`."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        scheme = f"{self.scheme}://" if self.scheme else ""
        return f"{self.name}={scheme}{host}:{self.port}"

    def is_on_this_host(self, own_names: Collection[str]) -> bool:
        """Return whether a connection to it stays on this host. `own_names`: see `edges/host`."""
        name = self.host.lower().rstrip(".")
        if name in own_names or name == "localhost" or name.endswith(".localhost"):
            return True
        try:
            address = ipaddress.ip_address(name)
        except ValueError:
            return False
        return address.is_loopback or address.is_unspecified


def service_targets(variables: Mapping[str, str]) -> tuple[ServiceTarget, ...]:
    """Return the addresses in pairs like NAME_HOST and NAME_PORT, and in URLs, sorted by name.

    Of a host without a port, or a port without a host, the rest is the program's own default,
    which nobody knows: such a variable is left out.
    """
    targets: list[ServiceTarget] = []
    for name, value in sorted(variables.items()):
        if not _NOT_SERVICES.fullmatch(name):
            targets += _targets_in(name, value.strip(), variables)
    return tuple(targets)


def _targets_in(name: str, value: str, variables: Mapping[str, str]) -> Iterator[ServiceTarget]:
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", value):
        yield from _in_url(name, value)
        return
    if not name.upper().endswith("HOST") or not value:
        return
    host, colon, port = value.rpartition(":")
    if not colon or ":" in host:  # no port, or an IPv6 address
        host, port = value, variables.get(f"{name[:-4]}PORT", "")
    number = parse_digits(port.strip())
    if number is not None:
        yield ServiceTarget(name, host.strip("[]"), number)


def _in_url(name: str, value: str) -> Iterator[ServiceTarget]:
    try:
        url = urlsplit(value)
        host, port = url.hostname, url.port
    except ValueError:
        return
    scheme = url.scheme.partition("+")[0]  # postgresql+psycopg2
    port = port or _DEFAULT_PORTS.get(scheme)
    if host and port:
        yield ServiceTarget(name, host, port, scheme)
