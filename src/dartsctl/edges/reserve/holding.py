"""Holding an endpoint: a socket that is bound and does not listen, so that nobody else can bind.

A plain bind without SO_REUSEADDR would fail for a minute after the engine has closed the port
(connections in TIME_WAIT), and a server with SO_REUSEADDR would get it. So the endpoint is taken
as the engine takes it (engine-rules.md#host-sockets): with SO_REUSEADDR, bind and listen. Then
SO_REUSEADDR is taken away, and shutdown ends the listening: the kernel keeps such a socket bound,
and refuses any other bind, with SO_REUSEADDR and SO_REUSEPORT or without. It listens for some
microseconds, as the preflight's probe does.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dartsctl.stack.bindings import Endpoint

_KINDS = {
    "tcp": (socket.SOCK_STREAM, socket.IPPROTO_TCP),
    "udp": (socket.SOCK_DGRAM, socket.IPPROTO_UDP),
    "sctp": (socket.SOCK_STREAM, getattr(socket, "IPPROTO_SCTP", 132)),
}


def hold(endpoint: Endpoint) -> socket.socket:
    """Return a socket that keeps everybody else from `endpoint` until it is closed.

    Raises OSError.
    """
    family = socket.AF_INET6 if endpoint.is_ipv6 else socket.AF_INET
    held = socket.socket(family, *_KINDS[endpoint.protocol])
    is_tcp = endpoint.protocol == "tcp"
    try:
        if is_tcp:
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if endpoint.is_ipv6:
            held.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        held.bind((endpoint.address, endpoint.port))
        if is_tcp:
            held.listen(1)
            held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
            held.shutdown(socket.SHUT_RD)
    except OSError:
        held.close()
        raise
    return held
