"""Run a server: lease a port, start it there, retry on the next port, end with its exit code."""

from __future__ import annotations

import os
from contextlib import ExitStack

from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.records import replace
from dartsctl.server.handover import takes_a_socket
from dartsctl.server.production_port import refuse_production, replaced_note, replaced_ports
from dartsctl.server.urls import bind_address
from dartsctl.text.masking import mask_command
from dartsctl.workflows.serve.deps import ServerDeps, server_deps
from dartsctl.workflows.serve.lease import PortLeasing
from dartsctl.workflows.serve.life import ServerExit, announce, live

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dartsctl.edges.screen.output import Screen
    from dartsctl.server.request import ServerRequest
    from dartsctl.workflows.deps import Deps

_INTENDED_EXITS = frozenset({0, 129, 130, 137, 143})
"""Exit codes of a server that was asked to end: no reason to try another port."""
_TIME_TO_REGISTER = 3.0
"""Seconds that another `dartsctl dev` has to write its URL into the lease book."""


def run_server(
    request: ServerRequest, *, deps: Deps, at_end: Callable[[int], None] | None = None
) -> int:
    """Start the server and stay until it has ended. Return its exit code.

    `at_end` is called with the leased port when a server that was started has ended.
    If the checkout's `dev` server runs already, show its URL and return 0.

    Raises Refused (4) for a production port, whether it is named or taken; DartsctlError: 3 if no
    port is available, 1 if the server listens elsewhere, cannot be started, or the lease book
    cannot be written.
    """
    refuse_production(request)
    request = replace(request, host=bind_address(request.host))
    outside = server_deps(deps)
    with ExitStack() as claims:
        descriptors: list[int] = []
        if request.kind == "dev":
            checkout = _claimed(claims, outside.leases.claim_checkout(request.checkout))
            if checkout is None:
                return _show_running(request, outside)
            descriptors.append(checkout)
        port = _claimed(claims, outside.leases.claim_port(request.checkout))
        if port is not None:
            descriptors.append(port)
        ports = PortLeasing(request, outside, is_first=port is not None)
        return _run_on(ports, request, outside, claims=descriptors, at_end=at_end)


def preview_server(
    request: ServerRequest, screen: Screen, *, services_of: Sequence[str] = ()
) -> int:
    """Show what --dry-run would run. `services_of`: the Compose files that `dev` would start."""
    refuse_production(request)
    bind_address(request.host)
    place = f"port {request.port}" if request.port else f"a free port of {request.dev_range}"
    for note in _notes(request, place):
        screen.note(note)
    command = " ".join(mask_command(request.command))
    lines = [f"would start on {place}: {command}"]
    if services_of:
        lines.insert(0, f"would start the services of {', '.join(services_of)}")
    document = {"ok": True, "exit_code": 0, "dry_run": True, "port": request.port}
    screen.result(document, lines)
    return ExitCode.OK


def _notes(request: ServerRequest, port: str) -> list[str]:
    """Return what is said once: the program, and the ports that `port` replaces."""
    if request.in_container:
        return []
    notes = [request.program_note] if request.program_note else []
    replaced = replaced_ports(request)
    if replaced and not request.names_port_variables:
        notes.append(replaced_note(replaced, port))
    return notes


def _claimed(claims: ExitStack, descriptor: int | None) -> int | None:
    """Close our copy of a claim's descriptor at the end. The server's processes keep theirs."""
    if descriptor is not None:
        claims.callback(os.close, descriptor)
    return descriptor


def _run_on(
    ports: PortLeasing,
    request: ServerRequest,
    deps: ServerDeps,
    *,
    claims: Sequence[int],
    at_end: Callable[[int], None] | None,
) -> int:
    """Lease, start and watch, on the next port if another process took the leased one."""
    can_hand_over = takes_a_socket(request.command, request.handover)
    listening = can_hand_over and not request.in_container
    is_first = True
    while True:
        leased = ports.lease_next(listening=listening)
        ports.report_move(leased.port)
        if is_first:
            for note in _notes(request, str(leased.port)):
                deps.screen.note(note)
            is_first = False
        try:
            end = live(request, leased, deps, claims=claims, remember=ports.is_first)
        finally:
            if at_end is not None:
                at_end(leased.port)
        if end.ready or end.code in _INTENDED_EXITS:
            return end.code
        if not ports.is_taken(leased.port):
            _report_failed_start(request, end, leased.port, deps.screen)
            return end.code
        taken = f"another process took port {leased.port} before the server bound it"
        if request.port is not None:
            deps.screen.warn(taken)
            raise ports.unavailable(request.port)
        deps.screen.warn(f"{taken}; retrying on the next port")


def _report_failed_start(
    request: ServerRequest, end: ServerExit, port: int, screen: Screen
) -> None:
    """Explain an exit before the server was ready. Its own output stands right above."""
    if request.is_shell:
        return
    screen.warn(
        f"the server exited with code {end.code} before it was ready on port {port}; "
        "see its output above"
    )
    if request.handover == "werkzeug":
        screen.note(
            "the server was given a bound socket, which only app.run() takes; for any other server "
            'use --handover auto, or handover = "auto" in the settings'
        )
    if request.python_is_ours:
        screen.note(
            f"no virtual environment in {request.directory}: {{python}} was dartsctl's own "
            f"interpreter, {request.python}; `dartsctl init` shows how to make one"
        )


def _show_running(request: ServerRequest, deps: ServerDeps) -> int:
    """Show the `dev` server that has this checkout. It may be just about to register."""
    until = deps.monotonic() + _TIME_TO_REGISTER
    while deps.monotonic() < until:
        for record in deps.leases.held():
            if record.kind == "dev" and record.checkout == request.checkout and record.url:
                deps.screen.note("dartsctl: already running; to stop it: dartsctl dev stop")
                announce(record, deps.screen, open_page=request.open_page)
                return ExitCode.OK
        deps.sleep(0.02)
    raise DartsctlError(
        "another `dartsctl dev` is starting in this checkout", hint="dartsctl dev list"
    )
