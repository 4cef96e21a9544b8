"""A stack behind a proxy: a real site on loopback, and an engine that describes its containers."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from dartsctl.diagnosis.facts import ContainerFacts, PublishedPort
from dartsctl.diagnosis.inspection import Inspection
from dartsctl.diagnosis.log_stream import LogLine
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import PROJECT_LABEL, Container
from dartsctl.stack.engine_rules import EngineRules
from dartsctl.stack.model import PortEntry, Service, Stack
from dartsctl.workflows.preflight.preflight import Preflight
from fakes.preflights import ENVIRONMENT, preflight

WHEN = "2026-11-23T23:00:00Z"
"""When the containers of the stack log their lines."""


@contextmanager
def site(status_of: Callable[[str], int]) -> Iterator[tuple[int, list[str]]]:
    """Run an HTTP server; yield its port, and the paths that were asked."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(status_of(self.path))
            self.end_headers()

        def log_message(self, *words: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_address[1], asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@dataclass
class ProxiedStack:
    """`front` publishes the site's port and passes requests to `apps`."""

    port: int
    config: str = ""
    """What `nginx -T` prints; empty: there is no nginx in the container."""
    image: str = "nginx:1.27"
    target: int = 80
    """The port inside the proxy's container."""
    apps: tuple[str, ...] = ("app",)
    """Their addresses: 10.9.0.2 and the next ones."""
    test_error: str = ""
    """Why `nginx -t` refuses the configuration."""
    log_lines: list[LogLine] = field(default_factory=list)
    actions: list[str] = field(default_factory=list)
    """The changes that were asked for: `-t`, `-s reload`."""
    address: str = "unix:///fake.sock"

    # --- the stack ------------------------------------------------------------------------------

    def preflight(self, kind: str = "desktop") -> Preflight:
        """Return its preflight. On `desktop` nobody connects to containers from this host."""
        front = Service(
            "front", image=self.image, ports=(PortEntry(self.target, "tcp", str(self.port)),)
        )
        services = {"front": front} | {name: Service(name, image=f"{name}:1") for name in self.apps}
        rules: dict[str, Any] = {"kind": kind}
        return preflight(
            stack=Stack("darts-dev", services, {}),
            engine=EngineRules("28.5.2", **rules),
            containers=self.containers(),
        )

    def fail_at(self, address: str, path: str = "/") -> None:
        """Log that nginx got no connection to an address on port 5000."""
        text = (
            "2026/11/23 23:00:00 [error] 7#7: *1 connect() failed (111: Connection refused) while "
            'connecting to upstream, client: 10.9.0.1, server: , request: "GET '
            f'{path} HTTP/1.1", upstream: "http://{address}:5000{path}", host: "localhost"'
        )
        self.log_lines.append(LogLine(text, WHEN, "stderr"))

    # --- the engine -----------------------------------------------------------------------------

    def containers(self) -> tuple[Container, ...]:
        published = ((Endpoint(self.port, "127.0.0.1"), self.target),)
        apps = [_container(name, f"{name}:1", ()) for name in self.apps]
        return (_container("front", self.image, published), *apps)

    def control(self) -> ProxiedStack:
        return self

    def describe(self) -> EngineRules:
        return EngineRules("28.5.2", kind="desktop")

    def clock(self) -> str:
        return ""

    def inspect(self, identity: str) -> Inspection | None:
        published = PublishedPort(self.target, Endpoint(self.port, "127.0.0.1"))
        places = (published,) if identity == "front" else ()
        number = ("", "front", *self.apps).index(identity)
        facts = ContainerFacts(
            service=identity,
            name=f"darts-dev-{identity}-1",
            id=identity,
            state="running",
            networks={"darts-dev_default": f"10.9.0.{number}"},
            wanted=places,
            bound=places,
        )
        return Inspection(facts)

    def log(self, identity: str, **_options: object) -> tuple[LogLine, ...]:
        return tuple(self.log_lines) if identity == "front" else ()

    def execute(self, _identity: str, argv: Sequence[str]) -> tuple[int, str, str] | None:
        match list(argv):
            case ["nginx", "-T"] if self.config:
                return 0, f"# configuration file /etc/nginx/nginx.conf:\n{self.config}", ""
            case ["nginx", "-t"]:
                self.actions.append("-t")
                return (1, "", self.test_error) if self.test_error else (0, "", "")
            case ["nginx", "-s", "reload"]:
                self.actions.append("-s reload")
                return 0, "", ""
        return None

    def archive(self, _identity: str, _path: str) -> bytes:
        return b""


def _container(service: str, image: str, targets: tuple[tuple[Endpoint, int], ...]) -> Container:
    labels = {
        PROJECT_LABEL: ENVIRONMENT.project or "",
        "com.docker.compose.service": service,
        "com.docker.compose.container-number": "1",
    }
    name = f"darts-dev-{service}-1"
    return Container(service, name, image, "running", targets=targets, labels=labels)
