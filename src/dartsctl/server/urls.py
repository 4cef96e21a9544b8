"""The address that a host server binds, its host name and its URL."""

from __future__ import annotations

import re
from pathlib import PurePath

from dartsctl.errors import Advice, UsageError
from dartsctl.stack.bindings import LOOPBACK_IPV4, bracketed, normal_address, reachable_address

_LABEL_LENGTH = 63


def bind_address(host: str) -> str:
    """Return the address that `--host` asks to bind: an IP address, or localhost.

    `localhost` is always 127.0.0.1 (edge-cases.md#4).

    Raises:
        UsageError: any other name, because what it resolves to may change.
    """
    if host == "localhost":
        return LOOPBACK_IPV4
    try:
        return normal_address(host)
    except ValueError as error:
        raise UsageError(
            f"--host: {host!r} is not an IP address",
            hint=Advice("give an address such as 127.0.0.1 or 0.0.0.0, or omit the option"),
        ) from error


def url_of(address: str, port: int, name: str = "") -> str:
    """Return the URL at which a browser on this host reaches a server bound to `address`.

    `name`: a host name to show instead of the address.
    """
    host = name or bracketed(reachable_address(address))
    return f"http://{host}:{port}"


def host_name(template: str, *, branch: str, checkout: str) -> str:
    """Return `[server] url_host` with {branch} and {checkout} filled in as labels of a host name.

    {checkout} is the name of the folder, and so is {branch} if there is no branch. Cookies belong
    to a host name, whatever the port: two servers that must not share sessions need two names
    (edge-cases.md#68). Browsers resolve every `*.localhost` to this machine (RFC 6761).
    """
    folder = _label(PurePath(checkout).name)
    return template.replace("{branch}", _label(branch) or folder).replace("{checkout}", folder)


def _label(text: str) -> str:
    """Return `text` as a label of a host name (RFC 1123): letters, digits and hyphens."""
    if not text:
        return ""
    label = re.sub(r"[^a-z0-9]+", "-", text.lower()).strip("-")
    return label[:_LABEL_LENGTH].strip("-") or "checkout"
