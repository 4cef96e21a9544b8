"""`run` and the server's half of `dev`: lease a port, start the server on it, watch that it keeps to it, end with its code."""

from __future__ import annotations

import os
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from dartsctl import serving
from dartsctl.allocation import BROWSERS_REFUSE, candidates
from dartsctl.bindings import Endpoint
from dartsctl.commands.server_watch import Processes, Sockets, Watch
from dartsctl.edges.leases import Lease, LeaseBook
from dartsctl.edges.supervised import Supervised
from dartsctl.errors import DartsctlError, ExitCode, Refused
from dartsctl.listeners import Probe
from dartsctl.serving import LeaseRecord, ServerRequest

_FIRST_LOOKS = 0.05  # seconds between two looks until the server is ready
_LATER_LOOKS = 0.25  # and after that: a production port must not be held for a second
_FIRST_SEARCH = 2.0  # seconds without a listener on the leased port before the others are searched
_ASKED_TO_END = frozenset({0, 129, 130, 137, 143})


class Screen(Protocol):
    """Lines for people, on stderr: stdout is the server's."""

    def note(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class _Edges:
    """The outside of one run, handed from step to step."""

    leases: LeaseBook
    sockets: Sockets
    processes: Processes
    screen: Screen
    announce: Callable[[LeaseRecord], None]


def run(
    request: ServerRequest,
    *,
    leases: LeaseBook,
    sockets: Sockets,
    processes: Processes,
    screen: Screen,
    announce: Callable[[LeaseRecord], None] | None = None,
) -> int:
    """Start the server and stay until it has ended; returns its exit code (0 as well for a `dev` server that already runs).

    `announce` is called once, when the server listens on its port (default: a line with its URL).
    Raises Refused (4) for a production port, whoever names or takes it; DartsctlError: 3 when no port is to be had, 1 when the
    server listens elsewhere, cannot be started, or the lease book cannot be written.
    """
    edges = _Edges(leases, sockets, processes, screen, announce or _line(screen))
    serving.refuse_production(request)
    request = replace(request, host=serving.bind_address(request.host))
    if request.kind == "run":
        return _serve(request, edges, claim=None)
    claim = leases.claim_checkout(request.checkout)
    if claim is None:
        return _point_to_the_running_one(request, edges)
    try:
        return _serve(request, edges, claim)
    finally:
        os.close(claim)


def _serve(request: ServerRequest, edges: _Edges, claim: int | None) -> int:
    """Lease, start, watch; and again on the next port where somebody was quicker."""
    last = edges.leases.remembered(request.checkout) if request.port is None else None
    order = _order(request, last, edges)
    while True:
        lease = _lease(request, order, edges)
        own_sibling = _tell_a_move(request, last, lease.port, edges)
        ended = _supervise(request, lease, edges, claim, remember=not own_sibling)
        if ended.ready or ended.code in _ASKED_TO_END or not _taken(request, lease.port, edges):
            return ended.code
        order = [port for port in order if port != lease.port]
        edges.screen.warn(f"port {lease.port} was taken by somebody else before the server had it{_try_again(request)}")
        if request.port is not None:
            raise _not_to_be_had(request, request.port, edges)


def _try_again(request: ServerRequest) -> str:
    return "" if request.port is not None else "; starting it again on the next one"


def _order(request: ServerRequest, last: int | None, edges: _Edges) -> Sequence[int]:
    """The ports to try, in order. A port that anybody listens on, on whatever address, is not handed out: `localhost` means two of them (EDGE 4)."""
    if request.port is not None:
        for note in serving.port_notes(request.port, request.dev_range):
            edges.screen.warn(note)
        return [request.port]
    avoid = request.avoid | request.allocation.owners.keys()
    order = candidates(request.dev_range, preferred=last, start=zlib.crc32(os.fsencode(request.checkout)), avoid=avoid)
    busy = {row.port for row in edges.sockets.listeners(order, listening_only=True) if row.protocol == "tcp"}
    return [port for port in order if port not in busy]


def _lease(request: ServerRequest, order: Sequence[int], edges: _Edges) -> Lease:
    def is_free(port: int) -> bool:
        return edges.sockets.probe(Endpoint(port, request.host)) is Probe.FREE

    if request.port is not None and request.port in request.avoid:
        raise _not_to_be_had(request, request.port, edges)
    lease = edges.leases.acquire(order, confirm=is_free)
    if lease is not None:
        return lease
    if request.port is not None:
        raise _not_to_be_had(request, request.port, edges)
    leased = [record for record in edges.leases.held() if record.port in request.dev_range]
    raise DartsctlError(
        f"the dev range is full: none of {request.dev_range} is free",
        details=tuple(f"{record.port}: {record.holder}" for record in leased),
        hint="stop a server (dartsctl dev list, dartsctl dev stop PORT), or widen dev_range in dartsctl.toml",
        code=ExitCode.CONFLICT,
    )


def _not_to_be_had(request: ServerRequest, port: int, edges: _Edges) -> DartsctlError:
    return DartsctlError(
        f"port {port} (--port) is not to be had: {_why_not(request, port, edges)}",
        hint="leave --port out and dartsctl leases a free one",
        code=ExitCode.CONFLICT,
    )


def _why_not(request: ServerRequest, port: int, edges: _Edges) -> str:
    """Half a sentence: who or what keeps `port` from being leased."""
    if owner := request.allocation.owners.get(port):
        return f"it belongs to production's {owner}"
    if port in request.avoid:
        return "a container publishes or claims it"
    if port in BROWSERS_REFUSE:
        return "browsers refuse it"
    if record := edges.leases.holder(port):
        return f"it is {record.holder}"
    for row in edges.sockets.listeners([port], owners=True):
        if row.surely_blocks and row.protocol == "tcp":
            process = edges.processes.describe(row.pids[0]) if row.pids else None
            return f"{process.name} (pid {process.pid}) listens on it" if process else "somebody who is not visible listens on it"
    answer = edges.sockets.probe(Endpoint(port, request.host))
    return "it was busy a moment ago" if answer is Probe.FREE else f"the kernel says of {request.host}: {answer.value}"


def _tell_a_move(request: ServerRequest, last: int | None, port: int, edges: _Edges) -> bool:
    """Say why the checkout's port is another one than last time; True when it is a second server beside the first, which keeps that port."""
    if last is None or last == port:
        return False
    holder = edges.leases.holder(last)
    if holder and holder.checkout == request.checkout:
        edges.screen.note(f"this checkout's server on port {last} is running; this one gets port {port}")
        return True
    why = _why_not(request, last, edges) if last in request.dev_range else f"the dev range is now {request.dev_range}"
    edges.screen.warn(
        f"this checkout had port {last}, now it gets {port}: {why}. What names the old port no longer fits: "
        f"OAuth redirect URIs (WSO2), CORS origins, bookmarks; cookies are shared by all ports of a host name"
    )
    return False


def _taken(request: ServerRequest, port: int, edges: _Edges) -> bool:
    return edges.sockets.probe(Endpoint(port, request.host)) is Probe.IN_USE


@dataclass(frozen=True, slots=True)
class _Ended:
    code: int
    ready: bool


def _supervise(request: ServerRequest, lease: Lease, edges: _Edges, claim: int | None, *, remember: bool) -> _Ended:
    """One life of the server on the leased port. Our copy of the lease goes at once: from then on the server's processes alone hold it."""
    url = serving.url_of(request.host, lease.port)
    record = LeaseRecord(lease.port, request.kind, request.host, url, request.checkout, request.branch, request.user, since=time.time())
    values = {"port": str(lease.port), "host": request.host, "url": url, "python": request.python or _python(request)}
    command = serving.fill(request.command, values)
    environment = serving.server_environment(
        serving.base_environment(request),
        port=lease.port,
        host=request.host,
        port_variables=request.port_variables,
        extra=dict(zip(request.extra, serving.fill(tuple(request.extra.values()), values), strict=True)),
    )
    descriptors = [lease.descriptor] if claim is None else [lease.descriptor, claim]
    try:
        server = Supervised(command, directory=request.directory, environment=environment, descriptors=descriptors)
    finally:
        lease.close()
    with server:
        server.begin()
        record = replace(
            record,
            command=command,
            pid=server.server,
            started=edges.processes.start_time(server.server),
            supervisor=server.supervisor,
            birth=edges.processes.birth(server.supervisor) or 0,
        )
        edges.leases.describe(record)
        if remember:
            edges.leases.remember(request.checkout, lease.port)
        return _watch(request, record, server, edges)


def _watch(request: ServerRequest, record: LeaseRecord, server: Supervised, edges: _Edges) -> _Ended:
    """Until the server has ended, or does what it must not."""
    watch = Watch(record.port, request.allocation.owners, record.supervisor, sockets=edges.sockets, processes=edges.processes)
    begun = time.monotonic()
    search_at, deadline = begun + min(_FIRST_SEARCH, request.ready_within), begun + request.ready_within
    ready = told = over = False
    while (code := server.wait(_LATER_LOOKS if ready or over else _FIRST_LOOKS)) is None:
        seen = watch.look()
        if seen.production is not None:
            server.end_quickly()
            raise _production_taken(request, seen.production, record)
        if seen.ready and not ready:
            ready = True
            edges.announce(record)
        now = time.monotonic()
        if ready or over or now < search_at:
            continue
        over, search_at = now >= deadline, min(now + 2 * (search_at - begun), deadline)
        others = watch.elsewhere()
        if others and over:
            server.end_quickly()
            raise _elsewhere(others, record)
        if others and not told:
            told = True
            edges.screen.warn(f"the server listens on {_listed(others)}, not on its leased port {record.port}; waiting for that one")
        elif over:
            edges.screen.warn(f"nothing listens on port {record.port} after {request.ready_within:.0f} s; still watching")
    return _Ended(code, ready)


def _production_taken(request: ServerRequest, port: int, record: LeaseRecord) -> Refused:
    owner = request.allocation.owners[port]
    return Refused(
        f"the server took port {port}, which belongs to production's {owner}, and was stopped",
        hint=f"let it listen on the port that it is given, {record.port} this time: {', '.join(request.port_variables)}, or {{port}} in the command",
    )


def _elsewhere(others: Sequence[int], record: LeaseRecord) -> DartsctlError:
    return DartsctlError(
        f"the server listens on {_listed(others)}, never on its leased port {record.port}, and was stopped",
        hint="give it the port in the command ({port} is filled in), or let it read PORT from its environment",
    )


def _listed(ports: Sequence[int]) -> str:
    return ("port " if len(ports) == 1 else "ports ") + ", ".join(map(str, ports))


def _line(screen: Screen) -> Callable[[LeaseRecord], None]:
    return lambda record: screen.note(f"dartsctl: {record.url} (pid {record.pid})")


def _python(request: ServerRequest) -> str:
    """The app's own interpreter: its virtual environment's, else the active one's, else ours."""
    active = request.environment.get("VIRTUAL_ENV", "")
    folders = [Path(root) / name for root in (request.directory, request.checkout) for name in (".venv", "venv")]
    for folder in (*folders, *([Path(active)] if active else [])):
        if os.access(folder / "bin" / "python", os.X_OK):
            return str(folder / "bin" / "python")
    return sys.executable


def _point_to_the_running_one(request: ServerRequest, edges: _Edges) -> int:
    """Another `dartsctl dev` has this checkout; it may be just about to write who it is."""
    until = time.monotonic() + 3
    while time.monotonic() < until:
        for record in edges.leases.held():
            if record.kind == "dev" and record.checkout == request.checkout:
                edges.screen.note(f"dartsctl: already running: {record.url} (pid {record.pid}); to stop it: dartsctl dev stop")
                return ExitCode.OK
        time.sleep(0.02)
    raise DartsctlError("another dartsctl dev is starting in this checkout", hint="wait for it: dartsctl dev list")
