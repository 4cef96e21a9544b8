"""Which certificate a proxy's configuration names, with its key: nginx, Apache, Caddy, Traefik."""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.diagnosis.nginx.grammar import Directive, parse
from dartsctl.records import record
from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dartsctl.stack.model import Mount

_NGINX_PREFIX = "/etc/nginx"
_HOST_NAME = regex(r"[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)+|localhost")
_OTHERS = (
    re.compile(
        r"(?mi)^\s*SSLCertificateFile\s+\"?(?P<certificate>/[^\s\"]+).*?"
        r"^\s*SSLCertificateKeyFile\s+\"?(?P<key>/[^\s\"]+)",
        re.DOTALL,
    ),
    re.compile(r"(?m)^\s*tls\s+(?P<certificate>/\S+)\s+(?P<key>/\S+)\s*$"),
    re.compile(
        r"(?m)^[\s-]*certFile\s*[:=]\s*[\"']?(?P<certificate>/[^\s\"']+)[\"']?\s*\n"
        r"\s*keyFile\s*[:=]\s*[\"']?(?P<key>/[^\s\"']+)"
    ),
)
"""Apache, a Caddyfile, Traefik's dynamic configuration as YAML or TOML."""


@record
class NamedPair:
    """A certificate and its key, as paths in a container.

    `names` are the host names that it is for. `place` is the file and line that name it.
    """

    certificate: str
    key: str
    names: tuple[str, ...] = ()
    place: str = ""


def pairs_in(text: str, file: str) -> tuple[NamedPair, ...]:
    """Return the pairs that a configuration file names. Paths with variables are left out."""
    if "ssl_certificate" in text:
        pairs = list(_of_nginx(parse(text, file)))
    else:
        pairs = []
        for pattern in _OTHERS:
            for match in pattern.finditer(text):
                line = text.count("\n", 0, match.start("certificate")) + 1
                place = f"{file}:{line}"
                pairs.append(NamedPair(match["certificate"], match["key"], (), place))
    return tuple(pair for pair in pairs if "$" not in pair.certificate + pair.key)


def _of_nginx(block: Sequence[Directive]) -> Iterator[NamedPair]:
    """Yield the pairs of a block and of the blocks in it. nginx matches them by their order."""
    certificates = [row for row in block if row.name == "ssl_certificate" and len(row.words) > 1]
    keys = [row for row in block if row.name == "ssl_certificate_key" and len(row.words) > 1]
    names: list[str] = []
    for row in block:
        if row.name == "server_name":
            names += [word for word in row.words[1:] if _HOST_NAME.fullmatch(word)]
    for certificate, key in zip(certificates, keys, strict=False):
        yield NamedPair(
            posixpath.join(_NGINX_PREFIX, certificate.words[1]),
            posixpath.join(_NGINX_PREFIX, key.words[1]),
            tuple(names),
            certificate.place,
        )
    for row in block:
        yield from _of_nginx(row.block or ())


def on_host(path: str, mounts: Sequence[Mount]) -> Path | None:
    """Return the file of this host that a container has at `path`; None where no mount has it."""
    path = posixpath.normpath(path)
    best: Mount | None = None
    for mount in mounts:
        target = mount.target.rstrip("/")
        is_inside = path == target or path.startswith(f"{target}/")
        if is_inside and (best is None or len(target) > len(best.target.rstrip("/"))):
            best = mount
    if best is None:
        return None
    inner = path.removeprefix(best.target.rstrip("/")).lstrip("/")
    return Path(best.source) / inner if inner else Path(best.source)
