"""One life of a server on its leased port: start, readiness, forbidden ports, end."""

from __future__ import annotations

from dartsctl.edges.project import guards
from dartsctl.edges.screen import browser
from dartsctl.errors import Advice, DartsctlError, ExitCode, Refused
from dartsctl.records import record, replace
from dartsctl.server.lease_record import LeaseRecord
from dartsctl.server.production_port import override_details
from dartsctl.server.urls import url_of
from dartsctl.workflows.serve.health import HealthCheck
from dartsctl.workflows.serve.launch import Launch, plan_launch, start
from dartsctl.workflows.serve.port_watch import PortWatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.edges.screen.output import Screen
    from dartsctl.edges.supervisor.client import SupervisedServer
    from dartsctl.server.request import ServerRequest
    from dartsctl.workflows.serve.deps import ServerDeps
    from dartsctl.workflows.serve.lease import LeasedPort

_FIRST_LOOKS = 0.05  # seconds between two looks until the server is ready
_LATER_LOOKS = 0.25  # and after that: a production port must not be held for a second
_SEARCHES = 0.5  # seconds between two searches for a server that is not ready
_ELSEWHERE_TIME = 1.0  # seconds on another port alone until it is told: the own one may come next
_FALLBACK_TIME = 1.0  # seconds to come up on the own port after a production port was refused
_ENFORCED_BY = {
    "auto": ("hook", "watch"),
    "hook": ("hook", "watch"),
    "watch": ("watch",),
    "off": (),
}
"""What keeps a server off production ports besides the kernel, by `--enforce`."""


@record
class ServerExit:
    """The server's exit code, and whether it was ever ready."""

    code: int
    ready: bool


def live(
    request: ServerRequest,
    leased: LeasedPort,
    deps: ServerDeps,
    *,
    claims: Sequence[int],
    remember: bool,
) -> ServerExit:
    """Start the server on the leased port and stay until it has ended.

    The server's processes inherit lease, socket and `claims`; our copies of the first two are
    closed at once. `remember`: the checkout keeps this port.

    Raises Refused (4) if it takes or is refused a production port, DartsctlError if it cannot be
    started or listens elsewhere.
    """
    launch = plan_launch(request, leased, deps.leases)
    report = deps.leases.report_path(leased.port)
    guards.forget_report(report)
    server = start(request, launch, leased, claims)
    record = _record(request, leased.port, launch, since=deps.now())
    try:
        with server:
            # before the server runs, so that a full disk is noticed
            deps.leases.describe(replace(record, supervisor=server.supervisor))
            if remember:
                deps.leases.remember(request.checkout, record.port)
            if request.is_shell:
                _greet(request, record.port, deps.screen)
            server.begin()
            return _Life(request, record, server, deps, handed=launch.handed).run()
    finally:
        guards.forget_report(report)


def announce(record: LeaseRecord, screen: Screen, *, open_page: bool) -> None:
    """Show the URL of a server that is ready."""
    screen.note(f"dartsctl: {record.url} (pid {record.pid})")
    if open_page and not browser.open_page(record.url):
        screen.warn(f"no browser found to open {record.url}")


def _record(request: ServerRequest, port: int, launch: Launch, *, since: float) -> LeaseRecord:
    return LeaseRecord(
        port,
        kind=request.kind,
        host=request.host,
        url=launch.url,
        checkout=request.checkout,
        branch=request.branch,
        user=request.user,
        command=launch.command,
        since=since,
    )


def _greet(request: ServerRequest, port: int, screen: Screen) -> None:
    """Say what a shell's port is, before its prompt."""
    note = f"dartsctl: port {port} is leased to this shell"
    if request.enforce != "off":
        note += "; production ports are refused in it"
    screen.note(note)


class _Life:
    """The looks at a running server, and what follows from them."""

    def __init__(
        self,
        request: ServerRequest,
        record: LeaseRecord,
        server: SupervisedServer,
        deps: ServerDeps,
        *,
        handed: bool,
    ) -> None:
        self._request = request
        self._record = record
        self._server = server
        self._deps = deps
        self._handed = handed
        self._health: HealthCheck | None = None
        if request.health is not None or handed or request.in_container:
            self._health = HealthCheck(request.health, monotonic=deps.monotonic)
        watches_production = request.enforce != "off" and not request.in_container
        self._watch = PortWatch(
            record.port,
            request.allocation.owners if watches_production else (),
            server.supervisor,
            sockets=deps.sockets,
            processes=deps.processes,
        )
        self._search_at = deps.monotonic()
        self._deadline = self._search_at + request.ready_within
        self._elsewhere_since: float | None = None
        self._reported_ports: set[int] = set()
        self._refused: set[int] = set()
        self._refused_at = 0.0
        self._ready = False
        self._late = False

    def run(self) -> ServerExit:
        """Watch the server until it has ended, or does what it must not."""
        if self._server.code is not None:  # it was stopped before it could be described
            return ServerExit(self._server.code, ready=False)
        self._describe()
        layers = [*sorted(self._server.confined), *_ENFORCED_BY[self._request.enforce]]
        self._deps.screen.detail(
            f"port {self._record.port} is leased; "
            f"production ports are refused by: {', '.join(layers) or 'nothing'}"
        )
        try:
            while (code := self._server.wait(self._pause())) is None:
                self._turn()
            self._check_refusals()
            if self._server.left_behind:
                self._deps.screen.warn(
                    "stopped leftover background processes; "
                    "keep the server in the foreground (gunicorn: no --daemon)"
                )
        finally:
            if self._health is not None:
                self._health.close()
        if self._refused and not self._ready and not self._request.is_shell:
            raise self._was_refused(min(self._refused))
        if not self._ready and code and not self._request.is_shell:
            self._tell_taken_ports()
        if self._request.in_container and self._server.interrupted and code:
            # Compose ends with the container's code: 137 if its process ignores SIGTERM
            code = ExitCode.INTERRUPTED
        return ServerExit(code, self._ready)

    def _pause(self) -> float:
        return _LATER_LOOKS if self._ready or self._late else _FIRST_LOOKS

    def _turn(self) -> None:
        if self._server.server != self._record.pid:  # its reloader has started it again
            self._describe()
        observation = self._watch.look()
        if observation.production is not None:
            self._server.end_quickly()
            raise self._took(observation.production)
        self._check_refusals()
        if self._ready:
            return
        if observation.ready:
            self._follow_address()
        if (observation.ready or self._request.in_container) and self._answers():
            self._ready = True
            announce(self._record, self._deps.screen, open_page=self._request.open_page)
            return
        self._keep_waiting(listens=observation.ready)

    def _answers(self) -> bool:
        """Return whether the server answers. One that only has to listen does."""
        if self._health is None:
            return True
        return self._health.passes(self._record.host, self._record.port)

    def _describe(self) -> None:
        """Write into the lease book who the server is."""
        processes, server = self._deps.processes, self._server
        self._record = replace(
            self._record,
            pid=server.server,
            started=processes.start_time(server.server),
            supervisor=server.supervisor,
            birth=processes.birth(server.supervisor) or 0,
        )
        self._deps.leases.describe(self._record)

    def _follow_address(self) -> None:
        """Correct the URL if the server listens on another address than it was given."""
        given = self._record.host
        address = self._watch.address(given)
        if address == given:
            return
        url = url_of(address, self._record.port, self._request.url_host)
        self._record = replace(self._record, host=address, url=url)
        self._deps.leases.describe(self._record)
        self._deps.screen.warn(
            f"the server listens on {address}, not on {given}; "
            "put {host} into the command to pass the address"
        )

    def _check_refusals(self) -> None:
        """Note what the kernel or the guard has refused to the server since the last look."""
        report = self._deps.leases.report_path(self._record.port)
        refused = self._server.refused | guards.read_report(report)
        allocation = self._request.allocation
        for port in sorted((refused - self._refused) & allocation.owners.keys()):
            self._refused.add(port)
            self._refused_at = self._refused_at or self._deps.monotonic()
            if self._ready or self._request.is_shell:
                self._deps.screen.warn(f"port {port} was refused: it {allocation.claim(port)}")

    def _keep_waiting(self, *, listens: bool) -> None:
        """Look for a server that is not ready on other ports, and say if it takes too long."""
        now = self._deps.monotonic()
        if self._request.is_shell:
            return
        if self._refused and now >= self._refused_at + _FALLBACK_TIME:
            self._server.end_quickly()
            raise self._was_refused(min(self._refused), end=", and was stopped")
        if self._late or (now < self._search_at and now < self._deadline):
            return
        self._search_at = now + _SEARCHES
        self._late = now >= self._deadline
        if not self._request.in_container and (self._handed or not listens):
            self._search(now)
        if self._late:
            self._tell_late(listens=listens)

    def _last_answer(self) -> str:
        if self._health is None:
            return ""
        return f" ({self._health.path}: {self._health.last_answer.text})"

    def _search(self, now: float) -> None:
        """Look for the server on other ports, and for others on the ports that it tried.

        Raises DartsctlError if it is late, and listens on others alone.
        """
        self._tell_taken_ports()
        others = self._watch.elsewhere(self._server.tried)
        if not others:
            self._elsewhere_since = None
            return
        if self._elsewhere_since is None:
            self._elsewhere_since = now
        place = self._elsewhere(others)
        if self._late and not self._handed:
            self._server.end_quickly()
            raise DartsctlError(f"{place}, and was stopped", hint=self._advice())
        if now >= self._elsewhere_since + _ELSEWHERE_TIME and not self._reported_ports >= {*others}:
            self._reported_ports.update(others)
            self._deps.screen.warn(f"{place}; {self._remedy()}")

    def _elsewhere(self, others: Sequence[int]) -> str:
        leased = self._record.port
        missing = f"and not on the leased {leased}"
        if self._handed:  # dartsctl itself has made that listen
            missing = f"and does not answer on the leased {leased}"
        return f"the server listens on {_port_list(others)}, {missing}"

    def _tell_taken_ports(self) -> None:
        """Say who has a port that the server tried to bind, and how to pass its own."""
        tried = self._server.tried
        new = {port: tried[port] for port in tried.keys() - self._reported_ports}
        for port in self._watch.taken(new):
            self._reported_ports.add(port)
            holders = "; ".join(holder.description for holder in self._deps.holders(port))
            self._deps.screen.warn(
                f"the server tried to listen on port {port}, which is in use by "
                f"{holders or 'a process that is not visible'}; {self._remedy()}"
            )

    def _tell_late(self, *, listens: bool) -> None:
        """Say that the server is still not ready."""
        record, seconds = self._record, f"{self._request.ready_within:g} s"
        text = f"{record.url} is not ready after {seconds}{self._last_answer()}; still waiting"
        if not listens and not self._request.in_container:
            text = f"nothing listens on port {record.port} after {seconds}; still waiting"
        self._deps.screen.warn(text)

    def _took(self, port: int) -> Refused:
        claim = self._request.allocation.claim(port)
        return Refused(
            f"the server took port {port}, which {claim}, and was stopped",
            details=override_details(self._request, port),
            hint=self._advice(),
        )

    def _was_refused(self, port: int, *, end: str = "") -> Refused:
        claim = self._request.allocation.claim(port)
        return Refused(
            f"the server was refused port {port}, which {claim}{end}",
            details=override_details(self._request, port),
            hint=self._advice(),
        )

    def _advice(self) -> str:
        return Advice(
            f"listen on the leased port ({self._record.port} this time): {self._remedy()}"
        )

    def _remedy(self) -> str:
        """Return how the server gets its leased port."""
        *others, last = self._request.port_variables or ("PORT",)
        variables = f"{', '.join(others)} or {last}" if others else last
        return f"put {{port}} into the command, or let the server read {variables}"


def _port_list(ports: Sequence[int]) -> str:
    word = "port" if len(ports) == 1 else "ports"
    return f"{word} {', '.join(map(str, ports))}"
