"""`run` and the server's half of `dev`: lease a port, start the server on it, stay until it has ended, end with its code."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from dartsctl.edges.state.leases import LeaseBook
from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.server import handover
from dartsctl.server import request as serving
from dartsctl.server.request import LeaseRecord, ServerRequest
from dartsctl.workflows.serve import lease, life
from dartsctl.workflows.serve.lease import Leasing, Screen
from dartsctl.workflows.serve.life import Ended, Surroundings, live

_ASKED_TO_END = frozenset({0, 129, 130, 137, 143})


class Sockets(lease.Sockets, life.Sockets, Protocol):
    """What `run` asks of edges/host/sockets.py."""


class Processes(lease.Processes, life.Processes, Protocol):
    """What `run` asks of edges/host/processes.py."""


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

    `announce` is called once, when the server is ready or runs already (default: a line with its URL).
    Raises Refused (4) for a production port, whoever names or takes it; DartsctlError: 3 when no port is to be had, 1 when the
    server listens elsewhere, cannot be started, or the lease book cannot be written.
    """
    serving.refuse_production(request)
    request = replace(
        request, host=serving.bind_address(request.host), python=request.python or _python(request)
    )
    around = Surroundings(leases, sockets, processes, screen, announce or _line(screen))

    with ExitStack() as claims:

        def claimed(descriptor: int | None) -> list[int]:
            if descriptor is not None:
                claims.callback(os.close, descriptor)
            return [] if descriptor is None else [descriptor]

        alone = claimed(leases.claim_checkout(request.checkout)) if request.kind == "dev" else []
        if request.kind == "dev" and not alone:
            return _point_to_the_running_one(request, around)
        first = claimed(leases.claim_port(request.checkout))
        ports = Leasing(
            request,
            leases=leases,
            sockets=sockets,
            processes=processes,
            screen=screen,
            is_first=bool(first),
        )
        return _serve(request, ports, around, claims=[*alone, *first])


def _serve(
    request: ServerRequest, ports: Leasing, around: Surroundings, *, claims: Sequence[int]
) -> int:
    """Lease, start, watch; and again on the next port where somebody was quicker."""
    takes_a_socket = (
        handover.takes_a_socket(request.command, request.handover) and not request.in_container
    )
    while True:
        leased = ports.next(listening=takes_a_socket)
        ports.tell_a_move(leased.port)
        ended = live(request, leased, around, claims=claims, remember=ports.is_first)
        if ended.ready or ended.code in _ASKED_TO_END:
            return ended.code
        if not ports.taken(leased.port):
            _tell_a_failed_start(request, ended, leased.port, around.screen)
            return ended.code
        again = "" if request.port is not None else "; starting it again on the next one"
        around.screen.warn(
            f"port {leased.port} was taken by somebody else before the server had it{again}"
        )
        if request.port is not None:
            raise ports.not_to_be_had(request.port)


def _tell_a_failed_start(request: ServerRequest, ended: Ended, port: int, screen: Screen) -> None:
    """Its last lines need no repeating: its output passes through, and they stand right above this one."""
    if request.is_shell:
        return
    screen.warn(
        f"the server ended with code {ended.code} before it was ready on port {port}; its last lines are above"
    )
    if request.handover == "werkzeug":
        screen.note(
            'it was handed a socket on that port, which app.run() alone takes; any other server: --handover auto, or handover = "auto"'
        )


def _line(screen: Screen) -> Callable[[LeaseRecord], None]:
    return lambda record: screen.note(f"dartsctl: {record.url} (pid {record.pid})")


def _python(request: ServerRequest) -> str:
    """The app's own interpreter: its virtual environment's, else the active one's, else ours."""
    active = request.environment.get("VIRTUAL_ENV", "")
    folders = [
        Path(root) / name
        for root in (request.directory, request.checkout)
        for name in (".venv", "venv")
    ]
    for folder in (*folders, *([Path(active)] if active else [])):
        if os.access(folder / "bin" / "python", os.X_OK):
            return str(folder / "bin" / "python")
    return sys.executable


def _point_to_the_running_one(request: ServerRequest, around: Surroundings) -> int:
    """Another `dartsctl dev` has this checkout; it may be just about to write who it is."""
    until = time.monotonic() + 3
    while time.monotonic() < until:
        for record in around.leases.held():
            if record.kind == "dev" and record.checkout == request.checkout and record.url:
                around.screen.note("dartsctl: already running; to stop it: dartsctl dev stop")
                around.announce(record)
                return ExitCode.OK
        time.sleep(0.02)
    raise DartsctlError(
        "another dartsctl dev is starting in this checkout", hint="wait for it: dartsctl dev list"
    )
