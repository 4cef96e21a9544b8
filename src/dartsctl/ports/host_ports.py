"""Ports of containers on the host's network: what is known of them before and after `up`.

The engine neither binds nor lists them. Who has such a port, only its socket says.
"""

from __future__ import annotations

from contextlib import suppress

from dartsctl.ports.conflicts import BindingVerdict, Verdict
from dartsctl.ports.holders import Holder, OwnContainer, Unknown
from dartsctl.ports.missing_bindings import MissingBinding, MissingKind
from dartsctl.records import replace
from dartsctl.stack.bindings import ANY_IPV4, HIGHEST_PORT, Endpoint, normal_address
from dartsctl.text.numbers import parse_digits
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence

    from dartsctl.stack.containers import Container
    from dartsctl.stack.convergence import Convergence


def without_own(
    verdicts: Sequence[BindingVerdict], convergence: Convergence
) -> tuple[BindingVerdict, ...]:
    """Return the verdicts without conflicts that are only with the stack's own sockets.

    These are the sockets of containers on the host's network that `up` stops first, or that have
    the port for the very service that wants it.
    """
    released = {container.id for container in convergence.released}
    on_host = [
        container
        for container in (*convergence.kept, *convergence.released)
        if container.network_mode == "host" and container.holds_ports
    ]
    services = {container.service: container.name for container in on_host}
    return tuple(_without_own(checked, released, services) for checked in verdicts)


def _without_own(
    checked: BindingVerdict, released: Collection[str], services: dict[str, str]
) -> BindingVerdict:
    conflict, binding = checked.conflict, checked.binding
    if conflict is None or not conflict.holders:
        return checked
    others: list[Holder] = []
    is_held = False
    for holder in conflict.holders:
        if not isinstance(holder, OwnContainer):
            others.append(holder)
        elif holder.container.id not in released:
            if binding.on_host and holder.container.service == binding.service:
                is_held = True
            else:
                others.append(holder)
    if not others:
        verdict = Verdict.HELD if is_held else Verdict.FREE
        note = "already running" if is_held else ""
        return replace(checked, verdict=verdict, conflict=None, note=note)
    is_hidden = all(isinstance(holder, Unknown) for holder in others)
    if binding.on_host and is_hidden and binding.service in services:
        note = f"in use, perhaps by its own container {services[binding.service]}"
        note += ": the owner of the socket is not visible without root"
        return replace(checked, verdict=Verdict.UNCERTAIN, conflict=None, note=note)
    return replace(checked, conflict=replace(conflict, holders=tuple(others)))


_BUSY = (
    regex(r"bind\(\) to (?P<host>\[[0-9a-f:]+\]|[0-9.]+):(?P<port>\d+) failed \(98"),
    regex(r"EADDRINUSE.*? (?P<host>[0-9.]+|[0-9a-f:]*:):(?P<port>\d+)"),
    regex(r"listen tcp[46]? (?P<host>\[[0-9a-f:]+\]|[0-9.]*):(?P<port>\d+): bind: address al"),
    regex(r"in use: \('(?P<host>[0-9a-f.:]*)', (?P<port>\d+)\)"),
    regex(r"bind on address \('(?P<host>[0-9a-f.:]*)', (?P<port>\d+)[^)]*\): .*in use"),
    regex(r"[Pp]ort (?P<port>\d+) (?:is|was) (?:already )?in use(?P<host>)"),
)
"""How nginx, Node, Go, gunicorn, uvicorn, Flask and Spring say that a port is busy."""
_BUSY_SOMEWHERE = regex(r"(?i)address already in use|EADDRINUSE|errno 98\b")
_OWN = r"(?:(?:http|https|app|server|listen|bind|web|flask|flask_run|node)[._-]?)?"
_OWN_PORT = regex(rf"(?i)-*(?:[pbl]|bind|listen|addr|{_OWN}(?:port|address))")
"""The options and variables with a program's own port: `DB_PORT` is that of another one."""
_PORT = regex(r"(?:(?:[0-9.]+|\[[0-9a-f:]*\])?:)?(?P<port>\d{2,5})")


def busy_in_log(lines: Iterable[str]) -> tuple[Endpoint, ...]:
    """Return the ports that a program could not bind, as its last log lines say."""
    endpoints: dict[Endpoint, None] = {}
    for line in lines:
        for pattern in _BUSY:
            if match := pattern.search(line):
                port = parse_digits(match["port"], HIGHEST_PORT)
                with suppress(ValueError):
                    endpoints[Endpoint(port or 0, normal_address(match["host"] or ANY_IPV4))] = None
    return tuple(endpoints)


def is_busy_somewhere(lines: Iterable[str]) -> bool:
    """Return whether a program says that a port is busy, perhaps without its number."""
    return any(map(_BUSY_SOMEWHERE.search, lines))


def said_ports(command: Iterable[str], variables: Mapping[str, str]) -> tuple[Endpoint, ...]:
    """Return the ports that a command line names, or variables such as PORT."""
    words = " ".join(command).split()
    named = list(variables.items())
    for before, word in zip(("", *words), words, strict=False):
        option, _, value = word.rpartition("=")
        named.append((option or (before if before.startswith("-") else "port"), value))
    endpoints: dict[Endpoint, None] = {}
    for name, value in named:
        match = _PORT.fullmatch(value) if _OWN_PORT.fullmatch(name) else None
        port = parse_digits(match["port"], HIGHEST_PORT) if match else None
        if port:
            endpoints[Endpoint(port, ANY_IPV4)] = None
    return tuple(endpoints)


def squatters(
    wanted: Mapping[str, Collection[Endpoint]],
    containers: Sequence[Container],
    holders_of: Callable[[Endpoint], Sequence[Holder]],
) -> Iterator[MissingBinding]:
    """Yield the ports of host-network services that somebody else serves after `up`.

    `wanted` are the endpoints of each service. `containers` are those of the stack. `holders_of`
    returns the owners of the sockets that overlap an endpoint. An owner that is not visible is not
    called another one's.
    """
    own = {container.id for container in containers}
    names = {container.service: container.name for container in containers}
    for service, endpoints in wanted.items():
        for endpoint in endpoints:
            for holder in holders_of(endpoint):
                if not _is_own(holder, own):
                    yield MissingBinding(
                        service,
                        names.get(service, ""),
                        MissingKind.HOST_PORT_TAKEN,
                        endpoint,
                        holder.pids,
                        holder.line,
                    )


def _is_own(holder: Holder, own: Collection[str]) -> bool:
    if isinstance(holder, Unknown):
        return True
    return holder.container is not None and holder.container.id in own
