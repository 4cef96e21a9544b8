"""Faults of single locations behind one nginx, with the lines that nginx 1.22 really wrote.

Each fault has its own service, so that any two of them can be in one stack.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from dartsctl.diagnosis.facts import (
    Connect,
    ContainerFacts,
    Facts,
    HttpFacts,
    LoggedLine,
    PublishedPort,
    ServiceFacts,
    UpstreamFacts,
)
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.nginx.config import Config, Listen, Route, Server, Target
from dartsctl.diagnosis.nginx.log import count_failures, parse_line
from dartsctl.records import record, replace
from dartsctl.stack.bindings import Endpoint
from fakes.stack_facts import NOW, container, facts, failures, service

CONF = "/etc/nginx/conf.d/default.conf"
_CLIENT = 'client: 10.201.1.1, server: , request: "GET {path} HTTP/1.1"'


@record
class Fault:
    """What one location adds to the facts of a stack."""

    cause: Cause
    blamed: str
    """The service of the finding."""
    services: tuple[ServiceFacts, ...] = ()
    upstreams: tuple[UpstreamFacts, ...] = ()
    http: tuple[HttpFacts, ...] = ()
    lines: tuple[str, ...] = ()


@record
class _Place:
    """The names and addresses of the fault with a number."""

    number: int

    @property
    def name(self) -> str:
        return f"backend{self.number}xyz"

    @property
    def path(self) -> str:
        return f"/{self.number}/"

    @property
    def address(self) -> str:
        return f"10.1.{self.number}.2"

    def container(self, *ports: int, **more: Any) -> ContainerFacts:
        usual: dict[str, Any] = {
            "wanted": (),
            "bound": (),
            "listening": tuple(Endpoint(port, "0.0.0.0") for port in ports),
        }
        return container(self.name, self.address, **(usual | more))

    def service(self, *ports: int, **more: Any) -> ServiceFacts:
        return service(self.name, self.container(*ports, **more), published=())

    def upstream(
        self, host: str = "", port: int = 80, scheme: str = "http", **more: Any
    ) -> UpstreamFacts:
        """Return the upstream; `resolvers`, `dynamic` and `group` are its route's."""
        target = Target(host or self.name, port)
        of_route = {key: more.pop(key) for key in ("resolvers", "group") if key in more}
        route = Route(
            self.path,
            scheme,
            (target,),
            more.pop("dynamic", False),
            f"{scheme}://{target}",
            f"{CONF}:{self.number}",
            **of_route,
        )
        behind = self.name if host in ("", self.name) else ""
        return UpstreamFacts(target, (route,), more.pop("behind", behind), **more)

    def answer(self, upstream: UpstreamFacts, status: int | None = 502, **more: Any) -> HttpFacts:
        return HttpFacts(
            f"http://127.0.0.1:80{self.path}",
            "proxy",
            "web",
            self.path,
            upstream.service,
            status,
            began=NOW - 1,
            target=str(upstream.target),
            **more,
        )

    def line(self, text: str, *, to: str = "", level: str = "error", shown: str = "") -> str:
        """Return a line of the log about the request; `to` is the upstream that it names."""
        client = _CLIENT.format(path=self.path)
        ending = f', upstream: "{to}{self.path}"' if to else ""
        return f'2026/11/26 12:50:52 [{level}] 7#7: *1 {text}{shown}, {client}{ending}, host: "x"'

    def fault(
        self,
        cause: Cause,
        blamed: str,
        upstream: UpstreamFacts,
        *lines: str,
        status: int | None = 502,
        services: tuple[ServiceFacts, ...] | None = None,
        **more: Any,
    ) -> Fault:
        own = (self.service(80),) if services is None else services
        http = (self.answer(upstream, status, **more),)
        return Fault(cause, blamed, own, (upstream,), http, lines)


_REFUSED = "connect() failed (111: Connection refused) while connecting to upstream"
_HEADER = "while reading response header from upstream"
_NOT_TLS = (
    "SSL_do_handshake() failed (SSL: error:0A00010B:SSL routines::wrong version number) "
    "while SSL handshaking to upstream"
)


def _loopback(host: str) -> Callable[[int], Fault]:
    def made(number: int) -> Fault:
        at = _Place(number)
        upstream = at.upstream(host, 5000 + number)
        address = {"::1": "[::1]", "localhost": "127.0.0.1"}.get(host, host)
        line = at.line(_REFUSED, to=f"http://{address}:{5000 + number}")
        return at.fault(Cause.LOOPBACK_UPSTREAM, "web", upstream, line)

    return made


def _own_name(number: int) -> Fault:
    at = _Place(number)
    upstream = at.upstream("web", 5000 + number, behind="web")
    line = at.line(_REFUSED, to=f"http://10.0.0.3:{5000 + number}")
    return at.fault(Cause.LOOPBACK_UPSTREAM, "web", upstream, line)


def _published(number: int) -> Fault:
    at = _Place(number)
    upstream = at.upstream(port=23371)
    places = (PublishedPort(80, Endpoint(23371, "127.0.0.1")),)
    own = at.service(80, wanted=places, bound=places)
    line = at.line(_REFUSED, to=f"http://{at.address}:23371")
    return at.fault(Cause.PUBLISHED_PORT, "web", upstream, line, services=(own,))


def _published_on_loopback(number: int) -> Fault:
    """nginx asks the host's address in the network, and the port is published on 127.0.0.1."""
    at = _Place(number)
    upstream = at.upstream("10.1.0.1", 9300 + number)
    places = (PublishedPort(80, Endpoint(9300 + number, "127.0.0.1")),)
    own = at.service(80, wanted=places, bound=places)
    line = at.line(_REFUSED, to=f"http://10.1.0.1:{9300 + number}")
    return at.fault(Cause.PUBLISHED_PORT, "web", upstream, line, services=(own,))


def _wrong_port(number: int) -> Fault:
    at = _Place(number)
    upstream = at.upstream(port=8000)
    line = at.line(_REFUSED, to=f"http://{at.address}:8000")
    return at.fault(Cause.WRONG_PORT, "web", upstream, line, services=(at.service(80, 9000),))


def _wrong_port_of_the_app(number: int) -> Fault:
    """The Compose file publishes the port that nginx asks, and the app listens on another."""
    at = _Place(number)
    upstream = at.upstream(port=8000)
    places = (PublishedPort(8000, Endpoint(9100 + number, "127.0.0.1")),)
    own = at.service(80, wanted=places, bound=places)
    line = at.line(_REFUSED, to=f"http://{at.address}:8000")
    return at.fault(Cause.WRONG_PORT, at.name, upstream, line, services=(own,))


def _nothing_listens(number: int) -> Fault:
    at = _Place(number)
    line = at.line(_REFUSED, to=f"http://{at.address}:80")
    return at.fault(Cause.UNHEALTHY, at.name, at.upstream(), line, services=(at.service(),))


def _no_resolver(number: int) -> Fault:
    at = _Place(number)
    line = at.line(f"no resolver defined to resolve {at.name}")
    return at.fault(Cause.RESOLVER, "web", at.upstream(dynamic=True), line)


def _dead_resolver(number: int) -> Fault:
    at = _Place(number)
    line = (
        "2026/11/26 12:52:05 [error] 7#7: recv() failed (111: Connection refused) "
        f"while resolving, resolver: 127.0.1.{number}:53"
    )
    upstream = at.upstream(dynamic=True, resolvers=(f"127.0.1.{number}",))
    return at.fault(
        Cause.RESOLVER, "web", upstream, line, status=None, problem="does not answer within 2.5 s"
    )


def _slow_resolver(number: int) -> Fault:
    at = _Place(number)
    line = at.line(f"{at.name} could not be resolved (110: Operation timed out)")
    upstream = at.upstream(dynamic=True, resolvers=("10.255.255.1",))
    return at.fault(Cause.RESOLVER, "web", upstream, line)


def _public_resolver(number: int) -> Fault:
    at = _Place(number)
    line = at.line(f"{at.name} could not be resolved (3: Host not found)")
    upstream = at.upstream(dynamic=True, resolvers=("8.8.8.8",))
    return at.fault(Cause.RESOLVER, "web", upstream, line)


def _misspelled(number: int) -> Fault:
    at = _Place(number)
    host = f"bakcend{number}xyz"
    line = at.line(f"{host} could not be resolved (3: Host not found)")
    upstream = at.upstream(host, dynamic=True, resolvers=("127.0.0.11",))
    return at.fault(Cause.MISSPELLED_UPSTREAM, "web", upstream, line)


def _external(number: int) -> Fault:
    at = _Place(number)
    host = f"ledger{number}.example.org"
    line = at.line(f"{host} could not be resolved (3: Host not found)")
    upstream = at.upstream(host, dynamic=True, resolvers=("127.0.0.11",))
    return at.fault(Cause.EXTERNAL_UPSTREAM, "web", upstream, line, services=())


def _https_to_plain(number: int) -> Fault:
    at = _Place(number)
    line = at.line(_NOT_TLS, to=f"https://{at.address}:80")
    return at.fault(Cause.WRONG_PROTOCOL, "web", at.upstream(scheme="https"), line)


def _http_to_tls(number: int) -> Fault:
    """nginx's TLS ports answer plain http with 400, and the proxy's log has nothing."""
    at = _Place(number)
    upstream = at.upstream(port=443, speaks="tls")
    return at.fault(Cause.WRONG_PROTOCOL, "web", upstream, status=400, services=(at.service(443),))


def _http_to_tls_that_closes(number: int) -> Fault:
    at = _Place(number)
    upstream = at.upstream(port=443, speaks="tls")
    line = at.line(
        f"upstream prematurely closed connection {_HEADER}", to=f"http://{at.address}:443"
    )
    return at.fault(Cause.WRONG_PROTOCOL, "web", upstream, line, services=(at.service(443),))


def _uwsgi_to_http(number: int) -> Fault:
    at = _Place(number)
    return at.fault(
        Cause.WRONG_PROTOCOL, "web", at.upstream(scheme="uwsgi", speaks="http"), status=400
    )


def _fastcgi_to_http(number: int) -> Fault:
    at = _Place(number)
    text = f"upstream sent unsupported FastCGI protocol version: 72 {_HEADER}"
    line = at.line(text, to=f"fastcgi://{at.address}:80")
    upstream = at.upstream(scheme="fastcgi", speaks="http")
    return at.fault(Cause.WRONG_PROTOCOL, "web", upstream, line)


def _grpc_to_http(number: int) -> Fault:
    at = _Place(number)
    text = f"upstream sent too large http2 frame: 4740180 {_HEADER}"
    line = at.line(text, to=f"grpc://{at.address}:80")
    upstream = at.upstream(scheme="grpc", speaks="http")
    return at.fault(Cause.WRONG_PROTOCOL, "web", upstream, line)


def _closed(number: int) -> Fault:
    at = _Place(number)
    text = f"upstream prematurely closed connection {_HEADER}"
    line = at.line(text, to=f"http://{at.address}:80")
    return at.fault(Cause.CLOSES_EARLY, at.name, at.upstream(), line)


def _reset(number: int) -> Fault:
    """A server that is started again for each connection: the next one may be refused."""
    at = _Place(number)
    text = f"recv() failed (104: Connection reset by peer) {_HEADER}"
    to = f"http://{at.address}:80"
    lines = (at.line(text, to=to), at.line(_REFUSED, to=to))
    return at.fault(Cause.CLOSES_EARLY, at.name, at.upstream(), *lines)


def _worker_killed(number: int) -> Fault:
    at = _Place(number)
    text = f"upstream prematurely closed connection {_HEADER}"
    log = (LoggedLine("[CRITICAL] WORKER TIMEOUT (pid:9)", NOW - 0.5),)
    line = at.line(text, to=f"http://{at.address}:80")
    own = at.service(80, log=log)
    return at.fault(Cause.WORKER_KILLED, at.name, at.upstream(), line, services=(own,))


def _big_header(number: int) -> Fault:
    at = _Place(number)
    line = at.line(f"upstream sent too big header {_HEADER}", to=f"http://{at.address}:80")
    return at.fault(Cause.HEADER_TOO_BIG, "web", at.upstream(), line)


def _garbage(number: int) -> Fault:
    at = _Place(number)
    to = f"http://{at.address}:80"
    lines = (
        at.line(f"upstream sent no valid HTTP/1.0 header {_HEADER}", to=to),
        at.line("readv() failed (104: Connection reset by peer) while reading upstream", to=to),
    )
    return at.fault(
        Cause.INVALID_ANSWER,
        at.name,
        at.upstream(),
        *lines,
        status=None,
        problem="answers something that is not HTTP",
    )


def _slow(number: int) -> Fault:
    at = _Place(number)
    text = f"upstream timed out (110: Connection timed out) {_HEADER}"
    line = at.line(text, to=f"http://{at.address}:80")
    return at.fault(Cause.NO_ANSWER, at.name, at.upstream(), line, status=504)


def _late(number: int) -> Fault:
    """nginx waits for a minute, so that its log has nothing yet."""
    at = _Place(number)
    connects = (Connect(f"shop-{at.name}-1", at.address, 80, "open"),)
    upstream = at.upstream(connects=connects)
    return at.fault(
        Cause.NO_ANSWER, at.name, upstream, status=None, problem="does not answer within 2.5 s"
    )


def _paused(number: int) -> Fault:
    at = _Place(number)
    own = service(at.name, at.container(80, state="paused", listening=None), published=())
    return at.fault(
        Cause.PAUSED,
        at.name,
        at.upstream(),
        services=(own,),
        status=None,
        problem="does not answer within 2.5 s",
    )


def _socket(number: int) -> Fault:
    at = _Place(number)
    path = f"unix:/run/app{number}.sock"
    text = f"connect() to {path} failed (2: No such file or directory) while connecting to upstream"
    line = at.line(text, to=f"http://{path}:", level="crit")
    return at.fault(Cause.MISSING_SOCKET, "web", at.upstream(path, 0), line, services=())


def _no_live(number: int) -> Fault:
    at = _Place(number)
    group = f"pool{number}"
    line = at.line("no live upstreams while connecting to upstream", to=f"http://{group}")
    return at.fault(Cause.NO_LIVE_UPSTREAMS, "web", at.upstream(group=group), line)


def _own_error(number: int) -> Fault:
    at = _Place(number)
    return at.fault(Cause.UNKNOWN, at.name, at.upstream(), status=500)


FAULTS: dict[str, Callable[[int], Fault]] = {
    "127.0.0.1": _loopback("127.0.0.1"),
    "localhost": _loopback("localhost"),
    "::1": _loopback("::1"),
    "0.0.0.0": _loopback("0.0.0.0"),
    "the proxy's own name": _own_name,
    "published port": _published,
    "published on loopback": _published_on_loopback,
    "wrong port": _wrong_port,
    "wrong port of the app": _wrong_port_of_the_app,
    "nothing listens": _nothing_listens,
    "no resolver": _no_resolver,
    "dead resolver": _dead_resolver,
    "slow resolver": _slow_resolver,
    "public resolver": _public_resolver,
    "misspelled": _misspelled,
    "external": _external,
    "https to plain": _https_to_plain,
    "http to TLS": _http_to_tls,
    "http to TLS that closes": _http_to_tls_that_closes,
    "uwsgi to http": _uwsgi_to_http,
    "FastCGI to http": _fastcgi_to_http,
    "gRPC to http": _grpc_to_http,
    "closed": _closed,
    "reset": _reset,
    "worker killed": _worker_killed,
    "big header": _big_header,
    "garbage": _garbage,
    "slow": _slow,
    "late": _late,
    "paused": _paused,
    "no socket": _socket,
    "no live upstreams": _no_live,
    "the app's own error": _own_error,
}


def stack_with(*faults: Fault) -> Facts:
    """Return a stack whose nginx has one location for each fault, and a healthy one."""
    healthy = facts()
    upstreams = [row for fault in faults for row in fault.upstreams]
    routes = [route for row in (*healthy.upstreams, *upstreams) for route in row.routes]
    lines = [line for fault in faults for line in fault.lines]
    stamp = datetime.fromtimestamp(NOW - 0.5, UTC).isoformat()
    parsed = (parse_line(line, stamp=stamp) for line in lines)
    proxy = failures(*count_failures(filter(None, parsed)))
    config = Config((Server((Listen(80),), routes=tuple(routes)),))
    return facts(
        *(each for fault in faults for each in fault.services),
        proxy=replace(proxy, config=config),
        upstreams=(*healthy.upstreams, *upstreams),
        http=(*healthy.http, *(http for fault in faults for http in fault.http)),
    )
