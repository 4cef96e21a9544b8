"""Replace the addresses in one text by placeholders for the services that they lead to."""

from __future__ import annotations

import re

from dartsctl.records import field, record
from dartsctl.server.service_targets import DEFAULT_PORTS
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

_EVERY_ADDRESS = "0.0.0.0"  # noqa: S104
LOCAL = frozenset({"localhost", "127.0.0.1", _EVERY_ADDRESS, "[::1]", "host.docker.internal"})
_ADDRESS = regex(
    r"""(?x)(?P<before>^|//|@|[,;\s=])
        (?P<host>[A-Za-z0-9][\w.-]*|\[::1\])
        (?::(?P<port>\d{1,5}))?
        (?=$|[/,;?\s&])""",
)
HOST_NAME = regex(r"(?i)(?:(.*)_)?(?:host|hostname|server|servers|addr|address|broker|service)s?")
CALLBACK = regex(r"(?i)redirect|callback|logout|(public|base|site|app|external|own)_ur[li]")
SCHEME = regex(r"^(?:jdbc:)?([a-zA-Z][\w.-]*)(?:\+\w+)?://")


@record
class StackAddresses:
    """Where services are, inside the stack and on this host.

    `targets`: the container ports of the services that `dev` starts. `names`: other names by which
    a container reaches them. `published`: host port -> service and container port, of the dev stack
    and of production. `own`: the names and ports of the service that the server replaces.
    `left_out`: services of the files that `dev` does not start. `production`: production's ports.
    `same_ports`: the container ports that dev publishes under the same number.
    """

    targets: Mapping[str, frozenset[int]]
    names: Mapping[str, str] = field(default_factory=dict)
    published: Mapping[int, tuple[str, int]] = field(default_factory=dict)
    own: frozenset[str] = frozenset()
    own_ports: frozenset[int] = frozenset()
    left_out: frozenset[str] = frozenset()
    production: Collection[int] = frozenset()
    same_ports: Mapping[str, frozenset[int]] = field(default_factory=dict)


class Replacer:
    """Replaces the addresses in one text, and remembers what they were."""

    def __init__(self, stack: StackAddresses, name: str, port_beside: str) -> None:
        self._stack = stack
        self._name = name
        self._port_beside = port_beside
        self._scheme = ""
        self.service = ""
        self.target = 0
        self.is_own_url = False
        self.misleading: tuple[str, int] | None = None

    def replaced(self, text: str) -> str | None:
        """Return the text with placeholders; None if nothing in it is to be replaced."""
        if scheme := SCHEME.match(text):
            self._scheme = scheme[1].lower()
        if self._is_own(text):
            self.is_own_url = True
            rest = re.sub(r"^[a-zA-Z]+://[^/?#]*", "", text)
            return "{url}" + escaped(rest)
        pieces: list[str] = []
        position = 0
        for match in _ADDRESS.finditer(text):
            placeholder = self._placeholder(match)
            if placeholder:
                pieces.append(escaped(text[position : match.start("host")]) + placeholder)
                position = match.end()
        if not pieces:
            return None
        template = "".join(pieces)
        if position < len(text):
            template += self._rest(text[position:])
        return template

    def _rest(self, text: str) -> str:
        """Return what follows the last address; the port of a DSN stands there."""
        port = re.match(r"(.*?\bport=)(\d+)", text)
        if port is None or not self.service:
            return escaped(text)
        return f"{escaped(port[1])}{{{self.service}.port:{port[2]}}}{escaped(text[port.end() :])}"

    def _is_own(self, text: str) -> bool:
        """Return whether a URL is the server's own, as a browser or another service has it."""
        if self._scheme not in ("http", "https"):
            return False
        match = re.match(r"[a-zA-Z]+://([\w.-]+|\[::1\])(?::(\d+))?(?=$|[/?#])", text)
        if match is None:
            return False
        host, digits = match[1], match[2]
        if host in self._stack.own:
            return True
        if host not in LOCAL:
            return False
        if digits is None:
            return bool(CALLBACK.search(self._name))
        return int(digits) in self._stack.own_ports

    def _placeholder(self, match: re.Match[str]) -> str:
        host, digits = match["host"], match["port"]
        is_bare = match["before"] not in ("//", "@") and digits is None
        is_dsn = match["before"] == "=" and match.string[: match.start("host")].endswith("host=")
        is_named_host = bool(HOST_NAME.fullmatch(self._name))
        if is_bare and not is_dsn and not is_named_host:
            return ""
        port = self._port(digits, is_bare=is_bare)
        service = self._stack.names.get(host, host)
        if service in self._stack.targets:
            return self._at(service, port, is_bare=is_bare)
        if service in self._stack.left_out:
            self.misleading = (service, port)
            return ""
        if host not in LOCAL or not port:
            return ""
        service, target = self._on_this_host(port)
        if service:
            return self._at(service, target, is_bare=is_bare)
        if port in self._stack.production:
            self.misleading = ("", port)
        return ""

    def _port(self, digits: str | None, *, is_bare: bool) -> int:
        """Return the port of an address: its own, that of the variable beside it, the scheme's."""
        if digits is not None:
            return int(digits)
        if is_bare and self._port_beside.isdecimal():
            return int(self._port_beside)
        return DEFAULT_PORTS.get(self._scheme, 0)

    def _on_this_host(self, port: int) -> tuple[str, int]:
        """Return the service of dev that stands behind a port of this host, and its own port."""
        service, target = self._stack.published.get(port, ("", 0))
        if service in self._stack.targets:
            return service, target
        owners = [name for name, ports in self._stack.targets.items() if port in ports]
        if len(owners) == 1:
            return owners[0], port
        return "", 0

    def _at(self, service: str, port: int, *, is_bare: bool) -> str:
        self.service, self.target = service, port
        if is_bare:
            return f"{{{service}.host}}"
        targets = self._stack.targets[service]
        if not port and len(targets) == 1:
            self.target = port = next(iter(targets))
        if not port:
            return f"{{{service}.host}}"
        return f"{{{service}.host}}:{{{service}.port:{port}}}"


def escaped(text: str) -> str:
    """Return a text in which no word in braces is a placeholder."""
    return re.sub(r"(?<!\$)\{([A-Za-z_]\w*)\}", r"{{\1}}", text)
