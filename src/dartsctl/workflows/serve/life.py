"""One life of a server on its leased port: start, readiness, what it must not do, its end."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from dartsctl.edges.http.probe import HttpAnswer, HttpProbe
from dartsctl.edges.project import guards
from dartsctl.edges.state.leases import LeaseBook
from dartsctl.edges.supervisor.client import SupervisedServer
from dartsctl.errors import DartsctlError, Refused
from dartsctl.server import handover
from dartsctl.server import request as serving
from dartsctl.server.handover import Handover
from dartsctl.server.request import LeaseRecord, ServerRequest
from dartsctl.stack.bindings import reachable_address
from dartsctl.workflows.serve import port_watch
from dartsctl.workflows.serve.lease import Leased, Screen
from dartsctl.workflows.serve.port_watch import Watch

_FIRST_LOOKS = 0.05  # seconds between two looks until the server is ready
_LATER_LOOKS = 0.25  # and after that: a production port must not be held for a second
_FIRST_SEARCH = 2.0  # seconds without a listener on the leased port before the others are searched
_FALLS_BACK_WITHIN = (
    1.0  # seconds that a server has for its own port after it was refused a production one
)
_PATIENCE = 10.0  # seconds that one question to its health path may take
_BETWEEN_QUESTIONS = 0.25  # seconds: each one is a line in the server's log


class Sockets(port_watch.Sockets, Protocol):
    """What a life asks of edges/host/sockets.py."""


class Processes(port_watch.Processes, Protocol):
    """What a life asks of edges/host/processes.py."""


@dataclass(frozen=True, slots=True)
class Ended:
    """The server's exit code, and whether it was ever ready."""

    code: int
    ready: bool


@dataclass(frozen=True, slots=True)
class Surroundings:
    """The outside of a life."""

    leases: LeaseBook
    sockets: Sockets
    processes: Processes
    screen: Screen
    announce: Callable[[LeaseRecord], None]


def live(
    request: ServerRequest,
    leased: Leased,
    around: Surroundings,
    *,
    claims: Sequence[int],
    remember: bool,
) -> Ended:
    """Start the server on the leased port and stay until it has ended.

    Our copies of lease and socket go at once: from then on the server's processes alone hold them, and `claims` with them.
    Raises Refused (4) when it takes or is refused a production port, DartsctlError when it cannot be started or listens elsewhere.
    """
    url = serving.url_of(request.host, leased.port, request.url_host)
    values = {"port": str(leased.port), "host": request.host, "url": url, "python": request.python}
    command = serving.fill(request.command, values)
    plan = _handover(request, command, leased)
    if plan is not None and leased.listener is not None:
        values["fd"] = str(leased.listener.fileno())
    told = serving.fill(plan.command if plan else command, values)
    report = around.leases.report_path(leased.port)
    guards.forget_report(report)
    try:
        server = SupervisedServer(
            told,
            directory=request.directory,
            environment=_environment(request, leased.port, values, plan, around.leases),
            descriptors=_descriptors(leased, claims, handed=plan is not None),
            closed_ports=request.allocation.owners if request.enforce == "auto" else (),
            restart_on=plan.restart_on if plan else None,
        )
    finally:
        leased.close()
    record = LeaseRecord(
        leased.port,
        request.kind,
        request.host,
        url,
        request.checkout,
        request.branch,
        request.user,
        told,
        since=time.time(),
    )
    try:
        with server:
            around.leases.describe(
                replace(record, supervisor=server.supervisor)
            )  # a full disk is noticed before anything runs
            if remember:
                around.leases.remember(request.checkout, record.port)
            if request.is_shell:  # before its prompt
                closed = "" if request.enforce == "off" else "; production's ports are closed in it"
                around.screen.note(f"dartsctl: port {leased.port} is this shell's own{closed}")
            server.begin()
            return _Life(request, record, server, around, handed=plan is not None).run()
    finally:
        guards.forget_report(report)


def _handover(request: ServerRequest, command: tuple[str, ...], leased: Leased) -> Handover | None:
    """How the server takes the socket; where it turns out to take none, the socket goes and the server binds by itself."""
    if leased.listener is None:
        return None
    plan = handover.plan(command, how=request.handover, host=request.host, port=leased.port)
    if plan is None:
        leased.listener.close()
    return plan


def _environment(
    request: ServerRequest,
    port: int,
    values: Mapping[str, str],
    plan: Handover | None,
    leases: LeaseBook,
) -> dict[str, str]:
    if request.in_container:  # Compose reads the env files itself, and would take PORT and FLASK_HOST for its files' variables
        return {
            **request.environment,
            "DARTSCTL_PORT": values["port"],
            "DARTSCTL_URL": values["url"],
        }
    environment = serving.server_environment(
        serving.base_environment(request),
        port=port,
        host=request.host,
        port_variables=request.port_variables,
        extra=dict(
            zip(request.extra, serving.fill(tuple(request.extra.values()), values), strict=True)
        ),
    )
    if plan is not None:
        environment.update(
            zip(plan.variables, serving.fill(tuple(plan.variables.values()), values), strict=True)
        )
    if request.enforce in ("auto", "hook"):
        return guards.guarded_environment(
            environment,
            owners=request.allocation.owners,
            leased=port,
            report=leases.report_path(port),
        )
    return environment


def _descriptors(leased: Leased, claims: Sequence[int], *, handed: bool) -> list[int]:
    listener = [leased.listener.fileno()] if handed and leased.listener is not None else []
    return [leased.lease.descriptor, *claims, *listener]


class _Life:
    """The looks at a running server, and what follows from them."""

    def __init__(
        self,
        request: ServerRequest,
        record: LeaseRecord,
        server: SupervisedServer,
        around: Surroundings,
        *,
        handed: bool,
    ) -> None:
        self._request = request
        self._record = record
        self._server = server
        self._around = around
        self._asks = request.health is not None or handed or request.in_container
        self._probe: HttpProbe | None = None
        self._last_answer = HttpAnswer("no answer")
        self._ask_at = 0.0
        production = (
            () if request.enforce == "off" or request.in_container else request.allocation.owners
        )
        self._watch = Watch(
            record.port,
            production,
            server.supervisor,
            sockets=around.sockets,
            processes=around.processes,
        )
        self._begun = time.monotonic()
        self._search_at = self._begun + min(_FIRST_SEARCH, request.ready_within)
        self._deadline = self._begun + request.ready_within
        self._refused: set[int] = set()
        self._refused_at = 0.0
        self._ready = self._over = self._told = False

    def run(self) -> Ended:
        """Until the server has ended, or does what it must not."""
        if self._server.code is not None:  # stopped before there was anything to describe
            return Ended(self._server.code, ready=False)
        self._describe()
        self._around.screen.detail(
            f"port {self._record.port} is leased; production's ports are closed to it by: {', '.join(self._layers()) or 'nothing'}"
        )
        try:
            while (
                code := self._server.wait(
                    _LATER_LOOKS if self._ready or self._over else _FIRST_LOOKS
                )
            ) is None:
                self._turn()
            self._see_refusals()
            if self._server.left_behind:
                self._around.screen.warn(
                    "what the server left in the background was stopped; keep it in the foreground (gunicorn: no --daemon)"
                )
        finally:
            if self._probe:
                self._probe.close()
        if self._refused and not self._ready and not self._request.is_shell:
            raise self._refusal(min(self._refused))
        return Ended(code, self._ready)

    def _layers(self) -> list[str]:
        enforce = self._request.enforce
        rest = {"auto": ["hook", "watch"], "hook": ["hook", "watch"], "watch": ["watch"], "off": []}
        return sorted(self._server.confined) + rest[enforce]

    def _turn(self) -> None:
        if self._server.server != self._record.pid:  # started again by its reloader
            self._describe()
        seen = self._watch.look()
        if seen.production is not None:
            self._server.end_quickly()
            raise self._took(seen.production)
        self._see_refusals()
        if seen.ready and not self._ready:
            self._follow_address()
        if not self._ready and (seen.ready or self._request.in_container) and self._answers():
            self._ready = True
            self._around.announce(self._record)
        if not self._ready:
            self._still_waiting(listens=seen.ready)

    def _describe(self) -> None:
        """Write into the lease book who the server is."""
        processes, server = self._around.processes, self._server
        self._record = replace(
            self._record,
            pid=server.server,
            started=processes.start_time(server.server),
            supervisor=server.supervisor,
            birth=processes.birth(server.supervisor) or 0,
        )
        self._around.leases.describe(self._record)

    def _follow_address(self) -> None:
        """The URL leads to where the server really listens: one that refuses connections is none."""
        told, address = self._record.host, self._watch.address(self._record.host)
        if address != told:
            self._record = replace(
                self._record,
                host=address,
                url=serving.url_of(address, self._record.port, self._request.url_host),
            )
            self._around.leases.describe(self._record)
            self._around.screen.warn(
                f"the server listens on {address}, not on {told}; {{host}} in the command tells it the address"
            )

    def _answers(self) -> bool:
        """Whether the server answers as it should, asked without waiting for it; a server that only has to listen does."""
        if not self._asks:
            return True
        if self._probe is None and time.monotonic() < self._ask_at:
            return False
        if self._probe is None:
            address = reachable_address(self._record.host)
            self._probe = HttpProbe(
                address, self._record.port, self._request.health or "/", patience=_PATIENCE
            )
        answer = self._probe.poll()
        if answer is None:
            return False
        self._probe.close()
        self._probe = None
        self._last_answer = answer
        self._ask_at = time.monotonic() + _BETWEEN_QUESTIONS
        if self._request.health is None:
            return answer.has_bytes
        return answer.status is not None and answer.status < 400

    def _see_refusals(self) -> None:
        """What the kernel or the hook has refused to the server since the last look."""
        new = (
            self._server.refused
            | guards.read_report(self._around.leases.report_path(self._record.port))
        ) - self._refused
        for port in sorted(new & self._request.allocation.owners.keys()):
            self._refused.add(port)
            self._refused_at = self._refused_at or time.monotonic()
            if self._ready or self._request.is_shell:
                self._around.screen.warn(
                    f"port {port} was refused: it belongs to production's {self._request.allocation.owners[port]}"
                )

    def _still_waiting(self, *, listens: bool) -> None:
        """Not ready yet: what is said about it, and when it is too long."""
        now = time.monotonic()
        if self._request.is_shell:
            return
        if self._refused and now >= self._refused_at + _FALLS_BACK_WITHIN:
            self._server.end_quickly()
            raise self._refusal(min(self._refused))
        if self._over or now < self._search_at:
            return
        self._over = now >= self._deadline
        self._search_at = min(now + 2 * (self._search_at - self._begun), self._deadline)
        if listens or self._request.in_container:
            if self._over:
                self._around.screen.warn(
                    f"{self._record.url} is not ready after {self._request.ready_within:g} s"
                    f" ({self._request.health or '/'}: {self._last_answer.text}); still watching"
                )
            return
        self._search()

    def _search(self) -> None:
        """The server does not listen on its port: does it on others?"""
        record, screen = self._record, self._around.screen
        others = self._watch.elsewhere()
        if others and self._over:
            self._server.end_quickly()
            raise _elsewhere(others, record)
        if others and not self._told:
            self._told = True
            screen.warn(
                f"the server listens on {_listed(others)}, not on its leased port {record.port}; waiting for that one"
            )
        elif self._over:
            screen.warn(
                f"nothing listens on port {record.port} after {self._request.ready_within:g} s; still watching"
            )

    def _took(self, port: int) -> Refused:
        owner = self._request.allocation.owners[port]
        return Refused(
            f"the server took port {port}, which belongs to production's {owner}, and was stopped",
            hint=self._way_on(),
        )

    def _refusal(self, port: int) -> Refused:
        owner = self._request.allocation.owners[port]
        return Refused(
            f"the server wanted port {port}, which belongs to production's {owner}: it was refused",
            hint=self._way_on(),
        )

    def _way_on(self) -> str:
        variables = ", ".join(self._request.port_variables)
        return f"let it listen on the port that it is given, {self._record.port} this time: {variables}, or {{port}} in the command"


def _elsewhere(others: Sequence[int], record: LeaseRecord) -> DartsctlError:
    return DartsctlError(
        f"the server listens on {_listed(others)}, never on its leased port {record.port}, and was stopped",
        hint="give it the port in the command ({port} is filled in), or let it read PORT from its environment",
    )


def _listed(ports: Sequence[int]) -> str:
    return ("port " if len(ports) == 1 else "ports ") + ", ".join(map(str, ports))
