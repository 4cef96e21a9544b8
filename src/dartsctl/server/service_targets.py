"""Where a server's variables say that its services are: `RABBITMQ_HOST`, `DATABASE_URL`."""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from dartsctl.records import record
from dartsctl.text.numbers import parse_digits
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

DEFAULT_PORTS = {
    "amqp": 5672,
    "amqps": 5671,
    "http": 80,
    "https": 443,
    "mariadb": 3306,
    "mongodb": 27017,
    "mysql": 3306,
    "postgres": 5432,
    "postgresql": 5432,
    "redis": 6379,
    "rediss": 6379,
}
_NOT_SERVICES = regex(
    r"(?i).*_proxy|docker_host|.*image|.*allowed_hosts"
    # the server's own address
    r"|host(name)?|server(_name)?|addr(ess)?|.*bind.*|.*listen.*"
    r"|(app|flask|flask_run|gunicorn|hypercorn|uvicorn)_(host|port)"
)
_HOST_NAME = regex(r"(?i)(.*)(host|hostname|server|addr|address)")
_ADDRESSES = regex(
    r"(?:(?:[a-zA-Z][\w.-]*|[0-9.]{7,15}|\[[0-9a-fA-F:]+\]):[1-9][0-9]{3,4}(?:,\s*|$))+"
)
"""`localhost:9092,10.0.0.1:9092`. With fewer digits it may be a time, or the tag of an image."""


@record
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
    """Return the addresses in pairs like NAME_HOST and NAME_PORT, in URLs, lists and DSNs.

    They are sorted by name.

    Of a host without a port, or a port without a host, the rest is the program's own default,
    which nobody knows: such a variable is left out.
    """
    targets: list[ServiceTarget] = []
    for name, value in sorted(variables.items()):
        if not _NOT_SERVICES.fullmatch(name):
            targets += _targets_in(name, value.strip(), variables)
    return tuple(targets)


def _targets_in(name: str, value: str, variables: Mapping[str, str]) -> Iterator[ServiceTarget]:
    value = value.removeprefix("jdbc:")
    if re.match(r"[a-zA-Z][a-zA-Z0-9+.-]*://", value):
        yield from _in_url(name, value)
    elif _ADDRESSES.fullmatch(value):
        for address in value.split(","):
            yield from _in_pair(name, address.strip(), "")
    elif match := re.search(r"(?:^|\s)host=(\S+)", value):  # a DSN of libpq
        port = re.search(r"(?:^|\s)port=(\S+)", value)
        yield from _in_pair(name, match[1], port[1] if port else "5432")
    elif (match := _HOST_NAME.fullmatch(name)) and value:
        port_name = f"{match[1]}{'port' if name.islower() else 'PORT'}"
        yield from _in_pair(name, value, variables.get(port_name, ""))


def _in_pair(name: str, value: str, port: str) -> Iterator[ServiceTarget]:
    """Yield the address `HOST:PORT`, or a host and its `port`."""
    host, colon, own_port = value.rpartition(":")
    is_whole_ipv6 = ":" in host and not host.endswith("]")
    if not colon or is_whole_ipv6:
        host, own_port = value, port
    number = parse_digits(own_port.strip())
    if host and number is not None:
        yield ServiceTarget(name, host.strip("[]"), number)


def _in_url(name: str, value: str) -> Iterator[ServiceTarget]:
    """Yield the address in a URL, each of them if it has several: `mongodb://a:1,b:2/db`."""
    scheme, _, rest = value.partition("://")
    scheme = scheme.partition("+")[0].lower()  # postgresql+psycopg2
    authority = re.split(r"[/?#]", rest, maxsplit=1)[0]
    for address in authority.rpartition("@")[2].split(","):
        try:
            url = urlsplit(f"//{address}")
            host, port = url.hostname, url.port
        except ValueError:
            continue
        port = port or DEFAULT_PORTS.get(scheme)
        if host and port:
            yield ServiceTarget(name, host, port, scheme)
