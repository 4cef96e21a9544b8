"""A dev port for a server, and every word about it: which ports are tried, why one is not to be had, why a checkout's port has moved."""

from __future__ import annotations

import os
import socket
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from dartsctl.edges.state.leases import Lease, LeaseBook
from dartsctl.errors import DartsctlError, ExitCode, UsageError
from dartsctl.ports.allocation import BROWSERS_REFUSE, candidates
from dartsctl.ports.listeners import Listener, Probe
from dartsctl.ports.process import Process
from dartsctl.server import request as serving
from dartsctl.server.request import ServerRequest
from dartsctl.stack.bindings import Endpoint, TransportProtocol


class Sockets(Protocol):
    """What leasing asks of edges/host/sockets.py."""

    def probe(self, endpoint: Endpoint, *, udp_reuse_address: bool = False) -> Probe: ...

    def listen_on(self, endpoint: Endpoint) -> socket.socket | None: ...

    def listeners(
        self,
        ports: Iterable[int],
        *,
        owners: bool = False,
        listening_only: bool = False,
        protocols: Sequence[TransportProtocol] = ...,
    ) -> tuple[Listener, ...]: ...


class Processes(Protocol):
    """What leasing asks of edges/host/processes.py."""

    def describe(self, pid: int) -> Process | None: ...


class Screen(Protocol):
    """Lines for people, on stderr: stdout is the server's."""

    def detail(self, text: str) -> None: ...

    def note(self, text: str) -> None: ...

    def warn(self, text: str) -> None: ...


@dataclass(frozen=True, slots=True)
class Leased:
    """A port that is this server's. `listener` listens on it where the server takes such a socket."""

    lease: Lease
    listener: socket.socket | None = None

    @property
    def port(self) -> int:
        return self.lease.port

    def close(self) -> None:
        """Our copies go; what a server has inherited stays."""
        self.lease.close()
        if self.listener is not None:
            self.listener.close()


class Leasing:
    """The ports for one request, the checkout's last one first."""

    def __init__(
        self,
        request: ServerRequest,
        *,
        leases: LeaseBook,
        sockets: Sockets,
        processes: Processes,
        screen: Screen,
        is_first: bool,
    ) -> None:
        """`is_first`: no other server of this checkout runs, so that the port is the checkout's from now on."""
        self.is_first = is_first
        self._request = request
        self._leases = leases
        self._sockets = sockets
        self._processes = processes
        self._screen = screen
        self._last = leases.remembered(request.checkout) if request.port is None else None
        self._order = self._candidates()

    def _candidates(self) -> Sequence[int]:
        """A port that anybody listens on, on whatever address, is not handed out: `localhost` means two of them (edge-cases.md#4)."""
        request = self._request
        if request.port is not None:
            for note in serving.port_notes(request.port, request.dev_range):
                self._screen.warn(note)
            return [request.port]
        avoid = request.avoid | request.allocation.owners.keys()
        order = candidates(
            request.dev_range,
            preferred=self._last,
            start=zlib.crc32(os.fsencode(request.checkout)),
            avoid=avoid,
        )
        if (
            not self.is_first and self._last in order
        ):  # the first server's, which may be about to lease it
            order = [*(port for port in order if port != self._last), self._last]
        busy = {
            row.port
            for row in self._sockets.listeners(order, listening_only=True, protocols=("tcp",))
        }
        return [port for port in order if port not in busy]

    def next(self, *, listening: bool) -> Leased:
        """The next port that is free, and with `listening` a socket on it. Raises DartsctlError (3) when there is none."""
        request, found = self._request, []

        def confirm(port: int) -> bool:
            endpoint = Endpoint(port, request.host)
            if not listening:
                return self._sockets.probe(endpoint) is Probe.FREE
            listener = self._sockets.listen_on(endpoint)
            found.append(listener)
            return listener is not None

        if request.port is not None and request.port in request.avoid:
            raise self.not_to_be_had(request.port)
        lease = self._leases.acquire(self._order, confirm=confirm)
        if lease is not None:
            self._order = [port for port in self._order if port != lease.port]
            return Leased(lease, found[-1] if found else None)
        self._refuse_a_foreign_address()
        if request.port is not None:
            raise self.not_to_be_had(request.port)
        leased = [record for record in self._leases.held() if record.port in request.dev_range]
        raise DartsctlError(
            f"the dev range is full: none of {request.dev_range} is free",
            details=tuple(f"{record.port}: {record.holder}" for record in leased),
            hint="stop a server (dartsctl dev list, dartsctl dev stop PORT), or widen dev_range in dartsctl.toml",
            code=ExitCode.CONFLICT,
        )

    def _refuse_a_foreign_address(self) -> None:
        """Raises UsageError where it is not the ports that are wrong, but the address that --host names."""
        answer = self._sockets.probe(Endpoint(0, self._request.host))
        if answer in (Probe.NO_SUCH_ADDRESS, Probe.INVALID, Probe.UNSUPPORTED):
            raise UsageError(
                f"--host: {self._request.host}: {answer.value}",
                hint="this machine's addresses: ip -brief address",
            )

    def not_to_be_had(self, port: int) -> DartsctlError:
        """What is wrong with the `port` that --port asked for."""
        return DartsctlError(
            f"port {port} (--port) is not to be had: {self._why_not(port)}",
            hint="leave --port out and dartsctl leases a free one",
            code=ExitCode.CONFLICT,
        )

    def _why_not(self, port: int) -> str:
        """Half a sentence: who or what keeps `port` from being leased."""
        request = self._request
        if owner := request.allocation.owners.get(port):
            return f"it belongs to production's {owner}"
        if port in request.avoid:
            return "a container publishes or claims it"
        if port in BROWSERS_REFUSE:
            return "browsers refuse it"
        if record := self._leases.holder(port):
            return f"it is {record.holder}"
        for row in self._sockets.listeners([port], owners=True, protocols=("tcp",)):
            if row.surely_blocks:
                process = self._processes.describe(row.pids[0]) if row.pids else None
                return (
                    f"{process.name} (pid {process.pid}) listens on it"
                    if process
                    else "somebody who is not visible listens on it"
                )
        answer = self._sockets.probe(Endpoint(port, request.host))
        return (
            "it was busy a moment ago"
            if answer is Probe.FREE
            else f"the kernel says of {request.host}: {answer.value}"
        )

    def tell_a_move(self, port: int) -> None:
        """Say why the checkout's port is another one than last time."""
        last = self._last
        if last is None or last == port:
            return
        if not self.is_first:
            self._screen.note(
                f"another server of this checkout is running; this one gets port {port}, and the checkout keeps {last}"
            )
            return
        span = self._request.dev_range
        why = self._why_not(last) if last in span else f"the dev range is now {span}"
        self._screen.warn(
            f"this checkout had port {last}, now it gets {port}: {why}. What names the old port no longer fits: "
            f"OAuth redirect URIs (WSO2), CORS origins, bookmarks; cookies are shared by all ports of a host name"
        )

    def taken(self, port: int) -> bool:
        """Whether somebody has `port` now that our server has ended."""
        return self._sockets.probe(Endpoint(port, self._request.host)) is Probe.IN_USE
