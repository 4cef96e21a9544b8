"""A unix socket in front of a real engine that can be cut, hang, wait, or flood its events.

It says what dartsctl asks. Compose may use it too.
"""

from __future__ import annotations

import socket
import threading
import time
from contextlib import suppress
from pathlib import Path
from typing import Literal

Mode = Literal["passes", "is_cut", "hangs", "delays", "floods"]
_OK = b"HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n"


class Relay:
    """Passes connections on to `engine`, a unix socket. `mode` counts for new connections."""

    def __init__(self, path: Path, engine: str, flood: bytes = b"") -> None:
        self.address = f"unix://{path}"
        self.mode: Mode = "passes"
        self._path = path
        self._engine = engine.removeprefix("unix://")
        self._flood = flood
        self._connections: set[socket.socket] = set()
        self.asked: list[tuple[float, str]] = []
        """Every request of dartsctl, which alone speaks HTTP/1.0: time.monotonic(), and its words.
        """
        self.held = b""
        """A request with these words waits for `release`, and goes on if its sender has left."""
        self.holding = threading.Event()
        self.release = threading.Event()
        self._server = self._listen()

    def _listen(self) -> socket.socket:
        self._path.unlink(missing_ok=True)
        server = socket.socket(socket.AF_UNIX)
        server.bind(str(self._path))
        server.listen()
        threading.Thread(target=self._accept, args=(server,), daemon=True).start()
        return server

    def change(self, mode: Mode) -> None:
        """Begin to behave like this, also towards those who are connected."""
        if self.mode == "is_cut":
            self._server = self._listen()
        self.mode = mode
        if mode == "is_cut":
            self._server.shutdown(socket.SHUT_RDWR)
            self._server.close()
        if mode in ("is_cut", "floods"):
            self._hang_up()

    def close(self) -> None:
        """End it."""
        if self.mode != "is_cut":
            self.change("is_cut")
        self._hang_up()

    def _hang_up(self) -> None:
        for connection in list(self._connections):
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def _accept(self, server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                connection, _ = server.accept()
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        with suppress(OSError), client, socket.socket(socket.AF_UNIX) as engine:
            self._connections.add(client)
            request = client.recv(65536)
            words, _, version = request.partition(b"\r\n")[0].decode().rpartition(" ")
            if version == "HTTP/1.0":
                self.asked.append((time.monotonic(), words))
            if self.mode == "floods" and request.startswith(b"GET /events"):
                client.sendall(_OK)
                while True:
                    client.sendall(self._flood)
            engine.connect(self._engine)
            self._ask(engine, request)
            if version != "HTTP/1.0":  # Compose sends more on the same connection
                threading.Thread(target=self._pass_on, args=(client, engine), daemon=True).start()
            while chunk := engine.recv(65536):
                while self.mode == "delays":
                    time.sleep(0.01)
                if self.mode == "hangs":
                    client.recv(1)  # until the other side has gone
                    break
                client.sendall(chunk)
        self._connections.discard(client)

    def _pass_on(self, client: socket.socket, engine: socket.socket) -> None:
        with suppress(OSError):
            while chunk := client.recv(65536):
                self._ask(engine, chunk)
            if not self.held:  # the engine would give up what was held
                engine.shutdown(socket.SHUT_WR)

    def _ask(self, engine: socket.socket, request: bytes) -> None:
        if self.held and self.held in request:
            self.holding.set()
            self.release.wait()
        engine.sendall(request)
