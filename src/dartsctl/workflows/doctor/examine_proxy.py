"""The step that looks at the reverse proxy: its configuration, its error log, and requests through it. Reads, and sends GETs; nothing else."""

from __future__ import annotations

import io
import posixpath
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from dartsctl.diagnosis.facts import ContainerFacts, ServiceFacts, UpstreamFacts
from dartsctl.diagnosis.nginx import config as nginx_config
from dartsctl.diagnosis.nginx import log
from dartsctl.diagnosis.nginx.config import Config, Route, Server, Target
from dartsctl.diagnosis.nginx.log import FailureCount, LoggedFailure
from dartsctl.edges.engine.protocol import EngineControl
from dartsctl.errors import DartsctlError
from dartsctl.stack.bindings import ANY_IPV4, bracketed, reachable_address
from dartsctl.stack.model import Stack

TLS_PORTS = (443, 8443, 9443)
_FOLDERS = (
    "/etc/nginx",
    "/usr/local/openresty/nginx/conf",
    "/opt/bitnami/nginx/conf",
    "/usr/local/nginx/conf",
)
_DEFAULT_LOG = "/var/log/nginx/error.log"
_STREAMS = (
    "stderr",
    "/dev/stderr",
    "/dev/stdout",
    "/proc/self/fd/2",
    "/proc/self/fd/1",
    "/dev/null",
)
_LINES = 4000
_TAIL = 200_000  # bytes of a log file
_LARGEST = 1 << 20  # bytes of a configuration file
_MOST_REQUESTS = 8


@dataclass(frozen=True, slots=True)
class Reading:
    """nginx's configuration as far as it could be read, and which probe read it."""

    config: Config | None
    problem: str = ""
    source: str = ""


@dataclass(frozen=True, slots=True)
class Request:
    """One GET to send. `upstream` is the service that should answer it."""

    url: str
    address: str
    port: int
    path: str
    host: str
    tls: bool
    service: str
    through_proxy: bool
    location: str = ""
    upstream: str = ""


# --- its configuration --------------------------------------------------------------------------------------------------------


def configuration(container: ContainerFacts, command: Sequence[str], api: EngineControl) -> Reading:
    """By `nginx -T` in the container, else from its files: nginx dumps nothing while a name or a certificate is missing (edge-cases.md#71)."""
    named = next((after for word, after in pairwise(command) if word == "-c"), "")
    why = f"{container.name} is {container.state}"
    try:
        if container.runs:
            words = ["nginx", "-T", *(["-c", named] if named else [])]
            done = api.execute(container.id, words)
            files = nginx_config.dumped(done[1]) if done and done[0] == 0 else {}
            if files:
                return Reading(nginx_config.read(files), "", f"nginx -T in {container.name}")
            errors = [line for line in done[2].splitlines() if "[emerg]" in line] if done else []
            why = errors[0] if errors else f"nginx -T cannot be run in {container.name}"
        for folder in [posixpath.dirname(named)] if named else _FOLDERS:
            files = _texts(api.archive(container.id, f"{folder}/."), folder)
            main = named or f"{folder}/nginx.conf"
            if main in files:
                return Reading(
                    nginx_config.read(files, main), why, f"engine: {main} in {container.name}"
                )
    except DartsctlError as error:
        why = error.message
    return Reading(None, f"nginx's configuration could not be read: {why}")


def _texts(archive: bytes, folder: str) -> dict[str, str]:
    """The files of a tar that can be configuration, by their paths in the container. Private keys are passed over."""
    found: dict[str, str] = {}
    if not archive:
        return found
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
            for member in tar:
                opened = (
                    tar.extractfile(member) if member.isfile() and member.size <= _LARGEST else None
                )
                text = opened.read().decode(errors="replace") if opened else ""
                if opened and "PRIVATE KEY" not in text:
                    found[posixpath.normpath(posixpath.join(folder, member.name))] = text
    except tarfile.TarError:
        return {}
    return found


def upstreams(config: Config, service_of: Callable[[str], str]) -> tuple[UpstreamFacts, ...]:
    """Every server that requests are passed on to, with the locations that lead there."""
    found: dict[Target, list[Route]] = {}
    for route in config.routes:
        for target in route.targets:
            found.setdefault(target, []).append(route)
    return tuple(
        UpstreamFacts(target, tuple(routes), service_of(target.host))
        for target, routes in found.items()
    )


# --- its error log ------------------------------------------------------------------------------------------------------------


def error_log(
    container: ContainerFacts, config: Config | None, api: EngineControl
) -> tuple[tuple[FailureCount, ...], str]:
    """The failures in its error log, counted, and where the log was read: a file in the container, rotated once, and what the engine keeps."""
    entries: list[LoggedFailure] = []
    sources: list[str] = []
    try:
        if container.runs and config is not None:
            for path in _log_files(config):
                read = _file_entries(container, path, api)
                if read is not None:
                    entries += read
                    sources.append(f"nginx error log {path} in {container.name}")
        lines = api.log(container.id, tail=_LINES, timestamps=True)
    except DartsctlError:
        return log.count(entries), ", ".join(sources)
    if lines is not None:
        sources.append(f"nginx error log (engine: logs {container.name})")
        entries += [one for line in lines if (one := log.entry(line.text, stamp=line.when))]
    entries.sort(key=lambda one: one.when or 0.0)
    return log.count(entries), ", ".join(sources)


def _log_files(config: Config) -> list[str]:
    named = config.error_logs or (_DEFAULT_LOG,)
    return [
        posixpath.join("/etc/nginx", path)
        for path in named
        if path not in _STREAMS and not path.startswith("syslog:")
    ]


def _file_entries(
    container: ContainerFacts, path: str, api: EngineControl
) -> list[LoggedFailure] | None:
    """None where it is no file: the official image links it to stderr, and to read that would wait for ever."""
    checked = api.execute(container.id, ["test", "-f", path])
    if checked is None or checked[0] != 0:
        return None
    zone = api.execute(container.id, ["date", "+%z"])
    offset = log.seconds_east(zone[1]) if zone and zone[0] == 0 else 0.0
    found: list[LoggedFailure] = []
    for name in (f"{path}.1", path):
        done = api.execute(container.id, ["tail", "-c", str(_TAIL), name])
        if done and done[0] == 0:
            found += [
                one for line in done[1].splitlines() if (one := log.entry(line, offset=offset))
            ]
    return found


# --- requests -----------------------------------------------------------------------------------------------------------------


def requests(
    stack: Stack,
    services: Mapping[str, ServiceFacts],
    proxy: str,
    config: Config | None,
    behind: Sequence[UpstreamFacts],
    service_of: Callable[[str], str],
) -> tuple[Request, ...]:
    """What to ask: every way in with every location that leads to another service, and each of these services directly."""
    found: dict[tuple[str, int, str], Request] = {}
    entries = _ways_in(stack, services, proxy) or _on_the_host(services, proxy, config)
    for address, port, target in entries:
        servers = (
            [one for one in config.servers if any(listen.port == target for listen in one.listens)]
            if config
            else []
        )
        tls = (
            any(listen.tls for one in servers for listen in one.listens if listen.port == target)
            if servers
            else target in TLS_PORTS
        )
        for server in (
            servers if config else [Server(())]
        ):  # a port that no server has is published for nothing, not a fault
            for path, route in _paths(server):
                leads = service_of(route.targets[0].host) if route and route.targets else ""
                host = next(
                    (
                        name
                        for name in server.names
                        if name.strip("_") and not set(name) & set('*~$"')
                    ),
                    "localhost",
                )
                one = Request(
                    _url(address, port, path, tls),
                    address,
                    port,
                    path,
                    host,
                    tls,
                    proxy,
                    True,
                    path,
                    leads,
                )
                found.setdefault((address, port, path), one)
    picked = sorted(found.values(), key=lambda one: not one.upstream)[:_MOST_REQUESTS]
    return (*picked, *_direct(stack, services, behind))


def _direct(
    stack: Stack, services: Mapping[str, ServiceFacts], behind: Sequence[UpstreamFacts]
) -> list[Request]:
    found: dict[tuple[str, int], Request] = {}
    for one in behind:
        tls = any(route.scheme in ("https", "grpcs") for route in one.routes)
        if any(route.scheme not in ("http", "https") for route in one.routes):
            continue
        for address, port, target in _ways_in(stack, services, one.service):
            if target == one.target.port:
                made = Request(
                    _url(address, port, "/", tls),
                    address,
                    port,
                    "/",
                    "localhost",
                    tls,
                    one.service,
                    False,
                    "/",
                    one.service,
                )
                found.setdefault((address, port), made)
    return list(found.values())


def _ways_in(
    stack: Stack, services: Mapping[str, ServiceFacts], name: str
) -> list[tuple[str, int, int]]:
    """(address to ask, host port, port inside) of what a service has published, or, while it is down, of what its file publishes."""
    places: list[tuple[str, int, int]] = []
    if name in services:
        places = [
            (one.endpoint.address, one.endpoint.port, one.target)
            for container in services[name].running
            for one in (container.bound or container.wanted)
            if one.endpoint.protocol == "tcp" and one.endpoint.port
        ]
    if not places and name in stack.services:
        fixed = [
            entry
            for entry in stack.services[name].ports
            if entry.protocol == "tcp" and not entry.is_ephemeral and entry.span[0] == entry.span[1]
        ]
        places = [
            (entry.host_ip.strip("[]") or ANY_IPV4, entry.span[0], entry.target) for entry in fixed
        ]
    found: dict[tuple[int, int], str] = {}
    for address, port, target in sorted(
        places, key=lambda place: ":" in place[0]
    ):  # both families of one binding are asked once
        found.setdefault((port, target), reachable_address(address))
    return [(address, port, target) for (port, target), address in found.items()]


def _on_the_host(
    services: Mapping[str, ServiceFacts], proxy: str, config: Config | None
) -> list[tuple[str, int, int]]:
    """The same for a proxy on the host's network, which publishes nothing and listens all the same."""
    if (
        config is None
        or proxy not in services
        or not any(one.network_mode == "host" for one in services[proxy].running)
    ):
        return []
    listens = dict.fromkeys(listen for server in config.servers for listen in server.listens)
    return [
        (reachable_address(listen.address or ANY_IPV4), listen.port, listen.port)
        for listen in listens
    ]


def _paths(server: Server) -> list[tuple[str, Route | None]]:
    """A path for every location that can be named by one; `/` where nothing is passed on."""
    found: list[tuple[str, Route | None]] = []
    for route in server.routes:
        words = route.location.split()
        path = words[-1] if words and (len(words) == 1 or words[0] in ("=", "^~")) else ""
        if path.startswith("/"):
            found.append((path, route))
    return found or [("/", None)]


def _url(address: str, port: int, path: str, tls: bool) -> str:
    return f"{'https' if tls else 'http'}://{bracketed(address)}:{port}{path}"
