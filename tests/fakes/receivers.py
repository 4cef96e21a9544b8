"""Small HTTP servers that receive alerts and heartbeats, and misbehave as they are told."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Receiver:
    """A server on the loopback address. `mode` may be changed while it runs."""

    port: int = 0
    mode: str = "ok"
    """`ok`, `500`, `hang`, `close`, `loop`, `big`, `leak`."""
    taken: list[tuple[str, str, float]] = field(default_factory=list)
    """Path, body and time (monotonic) of what was answered with 200."""
    asked: int = 0
    released: threading.Event = field(default_factory=threading.Event)
    """Set: what hangs is closed."""
    arrived: threading.Condition = field(default_factory=threading.Condition)

    def url(self, scheme: str = "json", path: str = "/hook") -> str:
        return f"{scheme}://127.0.0.1:{self.port}{path}"

    @property
    def paths(self) -> list[str]:
        return [path for path, _, _ in self.taken]

    @property
    def bodies(self) -> list[str]:
        return [body for _, body, _ in self.taken]

    def wait_for(self, count: int, seconds: float = 60.0) -> None:
        """Wait until so many requests were taken."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: len(self.taken) >= count, seconds), self.taken

    def wait_until_asked(self, count: int, seconds: float = 60.0) -> None:
        """Wait until so many requests came, whatever they were answered."""
        with self.arrived:
            assert self.arrived.wait_for(lambda: self.asked >= count, seconds), self.asked


@contextlib.contextmanager
def receiver(mode: str = "ok") -> Iterator[Receiver]:
    """Run a receiver."""
    state = Receiver(mode=mode)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            _answer(self, state, body)

        def do_GET(self) -> None:
            self.do_POST()

        def log_message(self, *_: Any) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    server.block_on_close = False
    state.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield state
    finally:
        state.released.set()
        server.shutdown()
        thread.join()
        server.server_close()


def _answer(handler: BaseHTTPRequestHandler, state: Receiver, body: str) -> None:
    mode = state.mode
    with state.arrived:
        state.asked += 1
        state.arrived.notify_all()
    with contextlib.suppress(OSError):  # the client may have given up
        match mode:
            case "hang":
                state.released.wait(300)
                return
            case "close":
                handler.connection.close()
                return
            case "loop":
                _reply(handler, 307, b"", location=handler.path)
                return
            case "500" | "leak":
                _reply(handler, 500, b"your password is hunter2-hunter2")
                return
        with state.arrived:
            state.taken.append((handler.path, body, time.monotonic()))
            state.arrived.notify_all()
        if mode == "big":
            _reply(handler, 200, b"x", size=100 << 20)
            while not state.released.is_set():
                handler.wfile.write(b"x" * (1 << 16))
            return
        _reply(handler, 200, b"ok")


def _reply(
    handler: BaseHTTPRequestHandler,
    status: int,
    body: bytes,
    *,
    size: int | None = None,
    location: str = "",
) -> None:
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if size is None else size))
    if location:
        handler.send_header("Location", location)
    handler.end_headers()
    handler.wfile.write(body)
