"""URLs and places of published ports, as a person on this host would type them."""

from __future__ import annotations

from dartsctl.stack.bindings import bracketed, reachable_address

_DEFAULT_PORTS = {"http": 80, "https": 443}


def site_url(address: str, port: int, *, tls: bool, path: str = "/") -> str:
    """Return `http://localhost:8080/` for a socket that is bound to `address`."""
    scheme = "https" if tls else "http"
    if port == _DEFAULT_PORTS[scheme]:
        return f"{scheme}://{_host(address)}{path}"
    return f"{scheme}://{_host(address)}:{port}{path}"


def site_place(address: str, port: int) -> str:
    """Return `localhost:5432`."""
    return f"{_host(address)}:{port}"


def _host(address: str) -> str:
    reachable = reachable_address(address)
    if reachable in ("", "127.0.0.1", "::1"):
        return "localhost"
    return bracketed(reachable)
