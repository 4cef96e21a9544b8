"""A dev port for a server: which ports are tried, and why one is unavailable."""

from __future__ import annotations

import os
import zlib

from dartsctl.errors import Advice, DartsctlError, ExitCode, UsageError
from dartsctl.ports.allocation import BROWSERS_REFUSE, candidates
from dartsctl.ports.listeners import Probe
from dartsctl.records import record
from dartsctl.server.request import ServerRequest, port_notes
from dartsctl.stack.bindings import Endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator, Sequence

    from dartsctl.edges.state.leases import Lease, LeaseBook
    from dartsctl.workflows.serve.deps import ListeningPorts, ServerDeps


@record
class LeasedPort:
    """A port that is leased to this server.

    `listener` listens on it, if the server takes a socket that is bound already.
    """

    lease: Lease
    listener: socket.socket | None = None

    @property
    def port(self) -> int:
        return self.lease.port

    def close(self) -> None:
        """Close our copies. Those that a server inherited stay open."""
        self.lease.close()
        if self.listener is not None:
            self.listener.close()


def lease_first(
    order: Sequence[int], confirm: Callable[[int], bool], leases: LeaseBook, sockets: ListeningPorts
) -> Lease | None:
    """Lease the first port in `order` that is free, and on which nobody listens at any address.

    `localhost` has two addresses (edge-cases.md#4). A first port that is free, as it mostly is,
    needs no look into the kernel's socket table; all others are looked up there at once.
    """
    first, others = order[:1], order[1:]

    def unheard() -> Iterator[int]:
        yield from first
        busy = sockets.listening_ports(others)
        yield from (port for port in others if port not in busy)

    def is_free(port: int) -> bool:
        if port in first and sockets.has_listener(port):
            return False
        return confirm(port)

    return leases.acquire(unheard(), confirm=is_free)


class PortLeasing:
    """The ports that are tried for one request, the checkout's last port first."""

    def __init__(self, request: ServerRequest, deps: ServerDeps, *, is_first: bool) -> None:
        """`is_first`: no other server of this checkout runs, so the checkout keeps this port."""
        self.is_first = is_first
        self._request = request
        self._deps = deps
        self._last: int | None = None
        if request.port is None:
            self._last = deps.leases.remembered(request.checkout)
        self._order = self._candidates()

    def lease_next(self, *, listening: bool) -> LeasedPort:
        """Lease the next free port, and listen on it if `listening`.

        Raises DartsctlError (3) if there is none, UsageError for a wrong --host.
        """
        listener: socket.socket | None = None

        def confirm(port: int) -> bool:
            nonlocal listener
            endpoint = Endpoint(port, self._request.host)
            if not listening:
                return self._deps.sockets.probe(endpoint) is Probe.FREE
            listener = self._deps.sockets.listen_on(endpoint)
            return listener is not None

        if self._request.port is None:
            lease = lease_first(self._order, confirm, self._deps.leases, self._deps.sockets)
        else:
            lease = self._deps.leases.acquire(self._order, confirm=confirm)
        if lease is not None:
            self._order = [port for port in self._order if port != lease.port]
            return LeasedPort(lease, listener)
        self._refuse_unusable_address()
        if self._request.port is not None:
            raise self.unavailable(self._request.port)
        raise self._range_is_full()

    def unavailable(self, port: int) -> DartsctlError:
        """Return the error for the `port` that --port asked for."""
        return DartsctlError(
            f"port {port} (--port) is unavailable: {self._reason(port)}",
            hint=Advice("omit --port to lease a free port"),
            code=ExitCode.CONFLICT,
        )

    def report_move(self, port: int) -> None:
        """Say why the checkout's port differs from last time."""
        last = self._last
        if last is None or last == port:
            return
        if not self.is_first:
            self._deps.screen.note(
                f"another server of this checkout is running: this one uses port {port}, "
                f"and the checkout keeps {last}"
            )
            return
        dev_range = self._request.dev_range
        reason = f"the dev range is now {dev_range}"
        if last in dev_range:
            reason = self._reason(last)
        self._deps.screen.warn(
            f"this checkout's port changed from {last} to {port}: {reason}; update OAuth redirect "
            "URIs (WSO2), CORS origins and bookmarks (cookies are shared by all ports of a host)"
        )

    def is_taken(self, port: int) -> bool:
        """Return whether another process has `port` now that our server has ended."""
        return self._deps.sockets.probe(Endpoint(port, self._request.host)) is Probe.IN_USE

    def _candidates(self) -> Sequence[int]:
        """Return the ports to try, in order."""
        request = self._request
        if request.port is not None:
            for note in port_notes(request.port, request.dev_range):
                self._deps.screen.warn(note)
            return [request.port]
        order = candidates(
            request.dev_range,
            preferred=self._last,
            start=zlib.crc32(os.fsencode(request.checkout)),
            avoid=frozenset(request.allocation.owners),
        )
        if not self.is_first and self._last in order:
            # it belongs to the checkout's first server, which may be about to lease it
            order = [*(port for port in order if port != self._last), self._last]
        return order

    def _range_is_full(self) -> DartsctlError:
        dev_range = self._request.dev_range
        leased = [record for record in self._deps.leases.held() if record.port in dev_range]
        return DartsctlError(
            f"no port is free in the dev range: {dev_range}",
            details=tuple(f"{record.port}: {record.holder}" for record in leased),
            hint=Advice(
                "stop a server with `dartsctl dev stop PORT`, or widen dev_range in the settings"
            ),
            code=ExitCode.CONFLICT,
        )

    def _refuse_unusable_address(self) -> None:
        """Raise UsageError if the address of --host is wrong, not the ports."""
        answer = self._deps.sockets.probe(Endpoint(0, self._request.host))
        if answer in (Probe.NO_SUCH_ADDRESS, Probe.INVALID, Probe.UNSUPPORTED):
            raise UsageError(
                f"--host: {answer.value}: {self._request.host}", hint="ip -brief address"
            )

    def _reason(self, port: int) -> str:
        """Return why `port` cannot be leased, as half a sentence."""
        if port in self._request.allocation.owners:
            return f"it {self._request.allocation.claim(port)}"
        if port in BROWSERS_REFUSE:
            return "browsers block it"
        if record := self._deps.leases.holder(port):
            return f"it is {record.holder}"
        if listener := self._listener_on(port):
            return f"{listener} listens on it"
        answer = self._deps.sockets.probe(Endpoint(port, self._request.host))
        if answer is Probe.FREE:
            return "it was in use a moment ago"
        return f"{self._request.host}: {answer.value}"

    def _listener_on(self, port: int) -> str:
        """Return the process that listens on `port`, empty if there is none."""
        for listener in self._deps.sockets.listeners([port], owners=True, protocols=("tcp",)):
            if not listener.surely_blocks:
                continue
            process = self._deps.processes.describe(listener.pids[0]) if listener.pids else None
            return f"{process.name} (pid {process.pid})" if process else "an unknown process"
        return ""
