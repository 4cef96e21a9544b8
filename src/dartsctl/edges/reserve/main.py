"""The process that reserves ports for `watch`, which is its parent. Standard library only.

It is a process of its own, so that a `watch` that is slow or stopped does not keep production from
starting: whoever asks here gets the ports at once. A verb may kill it without harm.

Its standard input is a socket: it reads orders there, and sends its state after every change. For
verbs it listens on another one (messages.py). It ends with `watch`.
"""

from __future__ import annotations

import ctypes
import errno
import os
import selectors
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from typing import TYPE_CHECKING

from dartsctl.edges.reserve.bind_gate import OWN_NAME, BindGate
from dartsctl.edges.reserve.holding import hold
from dartsctl.edges.reserve.messages import (
    LONGEST_LINE,
    LONGEST_REQUEST,
    Orders,
    State,
    read_orders,
    read_request,
)
from dartsctl.records import replace

if TYPE_CHECKING:
    from dartsctl.stack.bindings import Endpoint

_SILENCE = 15.0
"""Seconds without orders after which nothing is held any more: `watch` is stopped or hangs."""
_MOST_CLIENTS = 16
_BACKLOG = 64
_PATIENCE = 2.0
"""Seconds that a client has for its request."""
_RETRY = 0.2
"""Seconds until an endpoint that could not be taken is tried again."""
_PR_SET_PDEATHSIG, _PR_SET_NAME = 1, 15


class Reserve:
    """What is held now, and for whom it was released."""

    def __init__(self, watch: int, project: str) -> None:
        self._watch = watch
        self._project = project
        self._orders = Orders()
        self._held: dict[Endpoint, socket.socket] = {}
        self._refused: dict[Endpoint, int] = {}
        self._gate: BindGate | None = None
        self._guarded: tuple[Endpoint, ...] = ()
        self._gate_error = ""
        self._turn = 0
        self._users = 0

    @property
    def is_waiting(self) -> bool:
        """Whether something is to be tried again soon."""
        return errno.EADDRINUSE in self._refused.values()

    def follow(self, orders: Orders) -> None:
        """Take and let go what the orders say."""
        self._guard(orders.guarded)
        if self._users or orders.turn != self._turn:
            orders = Orders(turn=orders.turn)
        self._orders = orders
        for endpoint in self._held.keys() - set(orders.held):
            self._held.pop(endpoint).close()
        self.retry()

    def retry(self) -> None:
        """Take what is still missing."""
        self._refused = {}
        for endpoint in self._orders.held:
            if endpoint not in self._held:
                try:
                    self._held[endpoint] = hold(endpoint)
                except OSError as error:
                    self._refused[endpoint] = error.errno or 0

    def let_go(self) -> None:
        """Hold nothing until the next orders. The gate stays: the engine gets through it."""
        self.follow(Orders(guarded=self._guarded, turn=self._turn))

    def release(self) -> None:
        """Hold nothing until as many users have ended as have begun."""
        self._users += 1
        self._turn += 1
        self.let_go()

    def end_release(self) -> None:
        """A user has ended."""
        self._users -= 1

    def state(self) -> State:
        return State(
            watch=self._watch,
            project=self._project,
            held=tuple(self._held),
            guarded=self._guarded,
            turn=self._turn,
            released=self._users > 0,
            refused=tuple(self._refused.items()),
            gate_error=self._gate_error,
        )

    def answer(self) -> State:
        """Return the state for a verb, which cannot probe what is guarded."""
        if self._users:  # the engine may be about to bind
            return self.state()
        others = [endpoint for endpoint in self._guarded if endpoint not in self._held]
        return replace(self.state(), busy=tuple(filter(_is_busy, others)))

    def _guard(self, endpoints: tuple[Endpoint, ...]) -> None:
        if endpoints == self._guarded or (self._gate_error and endpoints):
            return
        try:
            gate = BindGate(endpoints) if endpoints else None
        except OSError as error:
            self._gate_error = error.strerror or str(error)
            gate, endpoints = None, ()
        if self._gate:  # after the new one is there
            self._gate.close()
        self._gate, self._guarded = gate, endpoints


def _is_busy(endpoint: Endpoint) -> bool:
    try:
        hold(endpoint).close()
    except OSError:
        return True
    return False


class Server:
    """Passes orders and requests on to the reserve, one at a time."""

    def __init__(
        self,
        reserve: Reserve,
        watch: socket.socket,
        listener: socket.socket,
        allowed: frozenset[int],
    ) -> None:
        self._reserve = reserve
        self._allowed = allowed
        self._selector = selectors.DefaultSelector()
        self._watch = watch
        self._listener = listener
        self._last_orders = time.monotonic()
        self._sent = b""
        self._clients: dict[socket.socket, float] = {}
        """Each client that has not asked yet, with its deadline."""
        self._users: set[socket.socket] = set()
        for channel in (watch, listener):
            channel.settimeout(0)
        self._selector.register(watch, selectors.EVENT_READ)
        self._selector.register(listener, selectors.EVENT_READ)

    def run(self) -> None:
        """Serve until `watch` has ended."""
        while True:
            self._report()
            for key, _ in self._selector.select(_RETRY if self._reserve.is_waiting else 1.0):
                if key.fileobj is self._watch:
                    if not self._read_orders():
                        return
                elif key.fileobj is self._listener:
                    self._accept()
                elif isinstance(key.fileobj, socket.socket):
                    self._serve(key.fileobj)
            self._let_time_pass()

    def _report(self) -> None:
        line = self._reserve.state().line()
        if line != self._sent:
            with suppress(BlockingIOError):  # `watch` does not read: once more later
                self._watch.send(line)
                self._sent = line

    def _read_orders(self) -> bool:
        message = self._watch.recv(LONGEST_LINE)
        if message:
            self._last_orders = time.monotonic()
            self._reserve.follow(read_orders(message))
        return bool(message)

    def _accept(self) -> None:
        with suppress(OSError):
            client, _ = self._listener.accept()
            credentials = client.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
            _, uid, _ = struct.unpack("3i", credentials)
            if uid not in self._allowed or len(self._clients) + len(self._users) >= _MOST_CLIENTS:
                client.close()
                return
            client.settimeout(0)
            self._clients[client] = time.monotonic() + _PATIENCE
            self._selector.register(client, selectors.EVENT_READ)

    def _serve(self, client: socket.socket) -> None:
        """Answer a request. A client that has had its ports released keeps them until it ends."""
        try:
            line = client.recv(LONGEST_REQUEST)
            goes_on = client not in self._users and self._answer(client, read_request(line))
        except (OSError, ValueError):
            goes_on = False
        if not goes_on:
            self._close(client)

    def _answer(self, client: socket.socket, word: str) -> bool:
        """Do what is asked, and answer. Return whether the client keeps its connection."""
        if word == "release":
            self._reserve.release()
            self._users.add(client)
            del self._clients[client]
        client.send(self._reserve.answer().line())
        return word == "release"

    def _close(self, client: socket.socket) -> None:
        self._selector.unregister(client)
        self._clients.pop(client, None)
        client.close()
        if client in self._users:
            self._users.remove(client)
            self._reserve.end_release()

    def _let_time_pass(self) -> None:
        now = time.monotonic()
        for client, deadline in list(self._clients.items()):
            if now >= deadline:
                self._close(client)
        if now - self._last_orders > _SILENCE:
            self._reserve.let_go()
        elif self._reserve.is_waiting:
            self._reserve.retry()


def main() -> None:
    """Reserve ports for the parent: `WATCH PROJECT DESCRIPTOR UID...`."""
    watch, project, descriptor, *allowed = sys.argv[1:]
    library = ctypes.CDLL(None)
    library.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    library.prctl(_PR_SET_NAME, OWN_NAME.encode())
    if os.getppid() != int(watch):
        return
    control, listener = socket.socket(fileno=0), socket.socket(fileno=int(descriptor))
    listener.listen(_BACKLOG)  # here, so that those who connect see our pid
    with suppress(ConnectionError):  # `watch` has ended
        reserve = Reserve(int(watch), project)
        Server(reserve, control, listener, frozenset(map(int, allowed))).run()
