"""What nginx binds, from its configuration alone: for a container on the host's network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.nginx.config import directives
from dartsctl.stack.bindings import ANY_IPV4, ANY_IPV6, HIGHEST_PORT, LOOPBACK_IPV4, normal_address
from dartsctl.stack.model import PortEntry
from dartsctl.text.numbers import parse_digits
from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from dartsctl.diagnosis.nginx.grammar import Directive
    from dartsctl.stack.bindings import TransportProtocol

_BLOCKS = ("http", "stream", "mail")
_PLACE = regex(r"(?:(\[[0-9A-Fa-f:.]+\]|[^:]*):)?([0-9]+)(?:-([0-9]+))?")
"""`80`, `8000-8010`, `127.0.0.1:80`, `[::]:80`, `*:80`."""
_MOST_PORTS = 1000
_MAIN = "/etc/nginx/nginx.conf"
_USUAL = "http { include conf.d/*.conf; include http.d/*.conf; include sites-enabled/*; }"
"""What the main files of the usual images include."""


def listened(files: Mapping[str, str]) -> tuple[PortEntry, ...]:
    """Return the ports that an nginx with these files (by their paths in the container) binds.

    Without a main file among them, the usual images' own one is assumed. What cannot be known is
    left out: a host name, a variable.
    """
    main = _main_of(files)
    tree = directives(files if main else {_MAIN: _USUAL, **files}, main or _MAIN)
    entries: dict[PortEntry, None] = {}
    for block in tree:
        if block.name in _BLOCKS:
            for server in block.block or ():
                if server.name == "server":
                    entries |= dict.fromkeys(_of_server(server, block.name))
    return tuple(entries)


def _main_of(files: Mapping[str, str]) -> str:
    """Return the path of the main file: it has the outermost blocks. Empty if there is none."""
    for path in sorted(files, key=lambda path: (not path.endswith("/nginx.conf"), path)):
        names = {directive.name for directive in directives({path: files[path]})}
        if names & {"events", *_BLOCKS}:
            return path
    return ""


def _of_server(server: Directive, block: str) -> Iterator[PortEntry]:
    rows = [row for row in server.block or () if row.name == "listen" and len(row.words) > 1]
    for row in rows:
        yield from _entries(row.words[1], row.words[2:])
    if not rows and block == "http":
        yield PortEntry(80, "tcp", "80", ANY_IPV4)


def _entries(place: str, options: tuple[str, ...]) -> Iterator[PortEntry]:
    """Yield what one `listen` binds."""
    match = _PLACE.fullmatch(place)
    host, first, last = match.groups() if match else (place, "80", None)
    low, high = parse_digits(first, HIGHEST_PORT), parse_digits(last or first, HIGHEST_PORT)
    address = _address(host or "")
    if not low or not high or not address or not 0 <= high - low < _MOST_PORTS:
        return
    protocol: TransportProtocol = "udp" if {"udp", "quic"} & set(options) else "tcp"
    addresses = [address]
    if address == ANY_IPV6 and "ipv6only=off" in options:
        addresses.append(ANY_IPV4)
    published = first if low == high else f"{low}-{high}"
    for own in addresses:
        yield PortEntry(low, protocol, published, own, count=high - low + 1)


def _address(host: str) -> str:
    """Return the address that a host of `listen` means, empty if only a name server knows."""
    if host in ("", "*"):
        return ANY_IPV4
    if host == "localhost":
        return LOOPBACK_IPV4
    try:
        return normal_address(host)
    except ValueError:
        return ""
