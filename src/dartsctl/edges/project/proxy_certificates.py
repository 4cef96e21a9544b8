"""The certificates that the proxies' configuration files name, as files of this host."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.discovery.certificate_paths import NamedPair, on_host, pairs_in
from dartsctl.records import record
from dartsctl.system import bounded_file

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.stack.model import Mount, Service, Stack

_ENDINGS = frozenset({".conf", ".template", ".tmpl", ".toml", ".yml", ".yaml", ".caddy"})
_NAMES = frozenset({"Caddyfile", "default", "httpd.conf", "nginx.conf"})
_MOST_FILES = 200
_LARGEST = 1 << 18  # bytes of a file
_LETSENCRYPT = "letsencrypt"


@record
class ProxyPair:
    """A certificate and its key on this host. `place` is the line that names them.

    `is_made_at_run_time`: another service writes there, such as certbot.
    """

    certificate: Path
    key: Path
    service: str
    names: tuple[str, ...] = ()
    place: str = ""
    is_made_at_run_time: bool = False


def proxy_pairs(stack: Stack, contexts: dict[str, Path] | None = None) -> tuple[ProxyPair, ...]:
    """Return the pairs of all services, each once.

    `contexts`: the folder that a service is built from, whose configuration is in its image.
    """
    pairs: dict[tuple[Path, Path], ProxyPair] = {}
    for service in stack.services.values():
        named = list(_named_pairs(service, None))
        if not named and contexts and service.name in contexts:
            named = list(_named_pairs(service, contexts[service.name]))
        for pair in named:
            certificate = on_host(pair.certificate, service.mounts)
            key = on_host(pair.key, service.mounts)
            if certificate and key:
                names, place = pair.names, pair.place
                is_made = _is_made(pair, certificate, service, stack)
                own = ProxyPair(certificate, key, service.name, names, place, is_made)
                pairs.setdefault((certificate, key), own)
    return tuple(pairs.values())


def _is_made(pair: NamedPair, certificate: Path, proxy: Service, stack: Stack) -> bool:
    """Whether a program makes the certificate while the stack runs."""
    if _LETSENCRYPT in pair.certificate or "/live/" in pair.certificate:
        return True
    for service in stack.services.values():
        for mount in service.mounts:
            is_there = certificate.is_relative_to(mount.source)
            if service is not proxy and is_there and not mount.read_only:
                return True
    return False


def _named_pairs(service: Service, context: Path | None) -> Iterator[NamedPair]:
    for path, text in service.config_texts.items():
        yield from pairs_in(text, path)
    left = iter(range(_MOST_FILES))
    files = _context_files(context) if context else _mounted_files(service)
    for file in files:
        if next(left, None) is None:
            return
        yield from pairs_in(bounded_file.readable_text(file, limit=_LARGEST), str(file))


def _mounted_files(service: Service) -> Iterator[Path]:
    for mount in (*service.mounts, *service.config_files):
        yield from _files_of(mount)


def _files_of(mount: Mount) -> Iterator[Path]:
    """Yield the configuration files of a mount, of a folder two levels deep."""
    source = Path(mount.source)
    if source.is_file():
        yield source
    elif source.is_dir():
        yield from _context_files(source)


def _context_files(folder: Path) -> Iterator[Path]:
    for pattern in ("*", "*/*"):
        with suppress(OSError):
            for file in sorted(folder.glob(pattern)):
                if (file.suffix in _ENDINGS or file.name in _NAMES) and file.is_file():
                    yield file
