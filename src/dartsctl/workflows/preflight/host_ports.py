"""The ports of services on the host's network: read from their files, checked before and after."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.diagnosis.nginx.listening import listened
from dartsctl.ports.attribution import Attribution
from dartsctl.ports.host_ports import busy_in_log, is_busy_somewhere, said_ports, squatters
from dartsctl.records import replace
from dartsctl.stack.containers import of_services
from dartsctl.system import bounded_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.ports.holders import Holder
    from dartsctl.ports.missing_bindings import MissingBinding
    from dartsctl.stack.bindings import Endpoint
    from dartsctl.stack.containers import Container
    from dartsctl.stack.model import Mount, Service, Stack
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.preflight.preflight import Preflight

_FOLDERS = (
    "/etc/nginx/",
    "/usr/local/openresty/nginx/conf/",
    "/opt/bitnami/nginx/conf/",
    "/usr/local/nginx/conf/",
)
_TEMPLATES = "/etc/nginx/templates/"
"""The official image fills these in and writes them to conf.d, without their last suffix."""
_MOST_FILES = 200
_LOG_LINES = 30
_LARGEST = 1 << 18
"""Bytes of a file."""


def with_listens(stack: Stack) -> Stack:
    """Return the stack with what the nginx of each service on the host's network binds.

    Only the files of this host are read that the service mounts where nginx looks for them.
    """
    services = dict(stack.services)
    for name, service in stack.services.items():
        if service.network_mode == "host":
            files = dict(_nginx_files(service))
            services[name] = replace(service, listens=listened(files) if files else ())
    return replace(stack, services=services)


def _nginx_files(service: Service) -> Iterator[tuple[str, str]]:
    """Yield the path in the container and the text of each mounted configuration file."""
    left = iter(range(_MOST_FILES))
    yield from ((path, text) for path, text in service.config_texts.items() if _is_nginxs(path))
    for mount in (*service.mounts, *service.config_files):
        for path, file in _files_of(mount):
            if not _is_nginxs(path) or next(left, None) is None:
                continue
            with suppress(OSError):
                text = bounded_file.read_text(file, limit=_LARGEST)
                if path.startswith(_TEMPLATES):
                    yield _filled_in(path, text, service.environment)
                else:
                    yield path, text


def _is_nginxs(path: str) -> bool:
    return path.startswith(_FOLDERS) or path.endswith("/nginx.conf")


def _files_of(mount: Mount) -> Iterator[tuple[str, Path]]:
    """Yield the files of a mount with their paths in the container, two levels deep."""
    source = Path(mount.source)
    if source.is_file():
        yield mount.target, source
    elif f"{mount.target}/".startswith(_FOLDERS):
        for pattern in ("*", "*/*"):
            for file in sorted(source.glob(pattern)):
                if file.is_file():
                    yield f"{mount.target.rstrip('/')}/{file.relative_to(source)}", file


def _filled_in(path: str, text: str, variables: Mapping[str, str]) -> tuple[str, str]:
    """Return a template as the image's entrypoint writes it."""
    for name, value in variables.items():
        text = text.replace(f"${{{name}}}", value)
    name = path.removeprefix(_TEMPLATES).removesuffix(".template")
    return f"/etc/nginx/conf.d/{name}", text


def squatters_after(before: Preflight, *, is_ready: bool, deps: Deps) -> tuple[MissingBinding, ...]:
    """Return the host ports of the stack that somebody else serves, now that it has started.

    Unless the stack `is_ready`, the logs may name more ports than were known before.
    """
    stack = before.stack
    if not stack.uses_host_network or before.engine.kind != "local":
        return ()
    containers, host = deps.engine().containers(), deps.host()
    own = of_services(containers, stack.project, stack.services)
    wanted = _known_before(before)
    control = deps.engine().control()
    if control and not is_ready:
        _add_from_logs(wanted, own, control)
    host.expect({endpoint.port for endpoints in wanted.values() for endpoint in endpoints})
    attribution = Attribution(stack, containers, host, reservations=host.reservations)

    def holders_of(endpoint: Endpoint) -> Sequence[Holder]:
        rows = [row for row in host.blockers(endpoint.port) if row.overlaps(endpoint)]
        served = any(not row.is_connection for row in rows)
        return attribution.holders_of_socket(endpoint) if served else ()

    return tuple(squatters(wanted, own, holders_of))


def _known_before(before: Preflight) -> dict[str, dict[Endpoint, None]]:
    """Return the endpoints that each service binds on the host, as far as its files say it."""
    wanted: dict[str, dict[Endpoint, None]] = {}
    for checked in before.verdicts.bindings:
        binding = checked.binding
        for port in binding.numbers if binding.on_host else ():
            wanted.setdefault(binding.service, {}).update(dict.fromkeys(binding.endpoints(port)))
    return wanted


def _add_from_logs(
    wanted: dict[str, dict[Endpoint, None]], own: Sequence[Container], control: EngineControl
) -> None:
    """Add the ports that programs on the host's network could not bind, as their logs say.

    A log that names no number leaves those of the command line.
    """
    for container in own:
        if container.network_mode == "host":
            lines = [line.text for line in control.log(container.id, tail=_LOG_LINES) or ()]
            busy = busy_in_log(lines)
            inspected = None
            if not busy and is_busy_somewhere(lines):
                inspected = control.inspect(container.id)
            if inspected:
                busy = said_ports(inspected.command, inspected.environment)
            wanted.setdefault(container.service, {}).update(dict.fromkeys(busy))
