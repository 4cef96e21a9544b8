"""Which requests a diagnosis sends: GET only, one for each location."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from dartsctl.diagnosis import proxies
from dartsctl.diagnosis.facts import ServiceFacts, UpstreamFacts
from dartsctl.diagnosis.nginx.config import Config, Listen, Route, Server, Target
from dartsctl.records import record
from dartsctl.stack.bindings import ANY_IPV4, ANY_IPV6
from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dartsctl.diagnosis.nginx.limits import Limit
    from dartsctl.stack.model import Stack

HTTP_DEADLINE = 2.5
"""Seconds for one request."""
TLS_PORTS = (443, 8443, 9443)
_MOST_REQUESTS = 8
_PLAIN_PATTERN = regex(r"\^(/(?:[\w/-]|\\[.-])*)(?:\$|\.\*\$?|\(\.\*\)\$?)?")
"""A pattern that is a plain path with anything after it: `^/api/v1`, `^/api/(.*)$`."""
_LONGEST_DELAY = 6.0
"""Seconds by which the site's own limit may delay an answer."""
_LOOPBACK = {"": "127.0.0.1", ANY_IPV4: "127.0.0.1", ANY_IPV6: "::1"}
"""The address to ask for a wildcard address."""


@record
class ProxyLayout:
    """A stack as its proxy sees it."""

    stack: Stack
    services: Mapping[str, ServiceFacts]
    proxy: str
    """The service; empty without a proxy."""
    config: Config | None
    """nginx's configuration, if there is one that could be read."""

    def service_of(self, host: str) -> str:
        """Return the service behind a host name; empty for a host outside the stack."""
        return proxies.service_named(host, self.services, self.stack.project)

    @cached_property
    def upstreams(self) -> tuple[UpstreamFacts, ...]:
        """Every server that requests are passed on to, with the locations that lead there."""
        routes_to: dict[Target, list[Route]] = {}
        for route in self.config.routes if self.config else ():
            for target in route.targets:
                routes_to.setdefault(target, []).append(route)
        return tuple(
            UpstreamFacts(target, tuple(routes), self.service_of(target.host))
            for target, routes in routes_to.items()
        )


@record(kw_only=True)
class ProbeRequest:
    """One GET request to send."""

    url: str
    address: str
    port: int
    path: str
    host: str
    """The `Host` header, and the name for TLS."""
    tls: bool
    service: str
    """The service that gets the request."""
    through_proxy: bool
    location: str = ""
    upstream: str = ""
    """The service that should answer it."""
    target: str = ""
    """The first server behind the location: `darts-app:5000`."""
    limits: tuple[Limit, ...] = ()
    """The site's own limits for the location."""
    proxy_protocol: bool = False

    @property
    def deadline(self) -> float:
        """The seconds for the answer. A limit may delay it."""
        delays = [limit.longest_delay for limit in self.limits]
        return HTTP_DEADLINE + min(max(delays, default=0.0), _LONGEST_DELAY)


@record
class _Way:
    """A way into a service from this host."""

    address: str
    port: int
    target: int
    """The port inside the container."""


# --- which requests to send -------------------------------------------------------------------


def plan_requests(
    layout: ProxyLayout, most: int | None = _MOST_REQUESTS
) -> tuple[ProbeRequest, ...]:
    """Return the requests to send.

    Every published port of the proxy with every location that leads to another service, at `most`
    so many (None: all), and each of these services directly.
    """
    requests: dict[tuple[str, int, str, str], ProbeRequest] = {}
    ways = _ways_into(layout, layout.proxy) or _ways_on_host(layout)
    for way in ways:
        for request in _through_proxy(way, layout):
            place = (request.address, request.port, request.host, request.path)
            requests.setdefault(place, request)
    chosen = _most_useful_first(requests.values())
    return (*chosen[:most], *_direct(layout))


def _most_useful_first(requests: Iterable[ProbeRequest]) -> list[ProbeRequest]:
    """Return one request for each service first, then the others that lead to one."""
    asked: set[str] = set()
    firsts, others, own = [], [], []
    for request in requests:
        if not request.upstream:
            own.append(request)
        elif request.upstream in asked:
            others.append(request)
        else:
            firsts.append(request)
        asked.add(request.upstream)
    return [*firsts, *others, *own]


def request_for_url(url: str, layout: ProxyLayout) -> ProbeRequest:
    """Return the request for the URL of `--url`, with the limits of its longest location."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    tls = parts.scheme == "https"
    host = parts.hostname or "localhost"
    path = parts.path or "/"
    if parts.query:
        path += f"?{parts.query}"
    return ProbeRequest(
        url=url,
        address=host,
        port=parts.port or (443 if tls else 80),
        path=path,
        host=host,
        tls=tls,
        service=layout.proxy,
        through_proxy=True,
        location=path,
        limits=_limits_for(path, layout),
    )


def _limits_for(path: str, layout: ProxyLayout) -> tuple[Limit, ...]:
    """Return the limits of the longest location that a path begins with."""
    longest = ""
    limits: tuple[Limit, ...] = ()
    for server in layout.config.servers if layout.config else ():
        limits = limits or server.limits
        for location, route in _paths(server):
            if route and path.startswith(location) and len(location) > len(longest):
                longest, limits = location, route.limits
    return limits


def _through_proxy(way: _Way, layout: ProxyLayout) -> Iterator[ProbeRequest]:
    servers, tls = [Server(())], way.target in TLS_PORTS
    if layout.config:  # a published port without a server is not a fault
        servers = [server for server in layout.config.servers if _listens_on(server, way.target)]
        tls = any(listen.tls for server in servers for listen in _listens_on(server, way.target))
    for server in servers:
        host = _host_name(server)
        default = _default_server(servers, way.target)
        if not host and default.drops and server is not default:
            continue  # the default server would get the request, and close it on purpose
        listens = _listens_on(server, way.target)
        for path, route in _paths(server):
            upstream, target = "", ""
            if route and route.targets:
                upstream = layout.service_of(route.targets[0].host)
                target = str(route.targets[0])
            yield ProbeRequest(
                url=_url(way, path, tls=tls),
                address=way.address,
                port=way.port,
                path=path,
                host=host or "localhost",
                tls=tls,
                service=layout.proxy,
                through_proxy=True,
                location=path,
                upstream=upstream,
                target=target,
                limits=route.limits if route else server.limits,
                proxy_protocol=any(listen.proxy_protocol for listen in listens),
            )


def _listens_on(server: Server, port: int) -> list[Listen]:
    return [listen for listen in server.listens if listen.port == port]


def _default_server(servers: Sequence[Server], port: int) -> Server:
    """Return the server that gets the requests for names that no server has."""
    for server in servers:
        if any(listen.is_default for listen in _listens_on(server, port)):
            return server
    return servers[0]


def _host_name(server: Server) -> str:
    """Return a name that a server answers to; empty if it has only patterns and variables."""
    names = [name.removeprefix(".") for name in server.names]
    names += [f"www{name[1:]}" for name in names if name.startswith("*.")]
    for name in names:
        if name.strip("_") and not set(name) & set('*~$"'):
            return name
    return ""


def _direct(layout: ProxyLayout) -> list[ProbeRequest]:
    """Return one request for each published port of an upstream."""
    requests: dict[tuple[str, int], ProbeRequest] = {}
    for upstream in layout.upstreams:
        schemes = {route.scheme for route in upstream.routes}
        if schemes - {"http", "https"}:
            continue
        tls = "https" in schemes
        for way in _ways_into(layout, upstream.service):
            if way.target != upstream.target.port:
                continue
            request = ProbeRequest(
                url=_url(way, "/", tls=tls),
                address=way.address,
                port=way.port,
                path="/",
                host="localhost",
                tls=tls,
                service=upstream.service,
                through_proxy=False,
                location="/",
                upstream=upstream.service,
                target=str(upstream.target),
            )
            requests.setdefault((way.address, way.port), request)
    return list(requests.values())


def _ways_into(layout: ProxyLayout, name: str) -> list[_Way]:
    """Return the ways through published ports; for a service that is down, by its file."""
    ways = _published_ways(layout.services.get(name)) or _ways_of_file(layout.stack, name)
    one_per_port: dict[tuple[int, int], _Way] = {}
    for way in sorted(ways, key=lambda way: ":" in way.address):
        one_per_port.setdefault((way.port, way.target), way)  # IPv4 before IPv6
    return list(one_per_port.values())


def _published_ways(service: ServiceFacts | None) -> list[_Way]:
    ways = []
    for container in service.running if service else ():
        for place in container.bound or container.wanted:
            endpoint = place.endpoint
            if endpoint.protocol == "tcp" and endpoint.port:
                ways.append(_way(endpoint.address, endpoint.port, place.target))
    return ways


def _ways_of_file(stack: Stack, name: str) -> list[_Way]:
    """Return the ways through the fixed ports of a service in the Compose files."""
    ways = []
    for entry in stack.services[name].ports if name in stack.services else ():
        is_fixed = not entry.is_ephemeral and entry.span[0] == entry.span[1]
        if entry.protocol == "tcp" and is_fixed:
            ways.append(_way(entry.host_ip.strip("[]"), entry.span[0], entry.target))
    return ways


def _ways_on_host(layout: ProxyLayout) -> list[_Way]:
    """Return the ways into a proxy on the host's network, which publishes nothing."""
    service = layout.services.get(layout.proxy)
    if layout.config is None or service is None:
        return []
    if not any(container.network_mode == "host" for container in service.running):
        return []
    listens = dict.fromkeys(layout.config.listens)
    return [_way(listen.address, listen.port, listen.port) for listen in listens]


def _way(address: str, port: int, target: int) -> _Way:
    return _Way(_LOOPBACK.get(address, address), port, target)


def _paths(server: Server) -> list[tuple[str, Route | None]]:
    """Return a path for each location that a path can name.

    And `/`, without a route, if nothing is passed on, or something by a location without a path:
    `@app`, or a pattern that may begin with anything. Not where `/` is closed on purpose.
    """
    paths: dict[str, Route | None] = {}
    starts: list[str] = []
    has_hidden = False
    for route in server.routes:
        kind, _, path = route.location.rpartition(" ")
        if kind in ("~", "~*"):
            path = _start_of(path)
            starts.append(path)
            if any(path.startswith(start) for start in starts[:-1]):
                path = ""  # an earlier pattern takes it
        if path.startswith("/"):
            paths.setdefault(path, route)
        else:
            has_hidden = True
    if (has_hidden or not paths) and not server.drops:
        paths.setdefault("/", None)
    return list(paths.items())


def _start_of(pattern: str) -> str:
    """Return the plain path that a pattern begins with, and matches; empty if it is more complex.

    The pattern itself is never run: it comes from outside, and some take for ever.
    """
    match = _PLAIN_PATTERN.fullmatch(pattern)
    return match[1].replace("\\", "") if match else ""


def _url(way: _Way, path: str, *, tls: bool) -> str:
    scheme = "https" if tls else "http"
    host = f"[{way.address}]" if ":" in way.address else way.address
    return f"{scheme}://{host}:{way.port}{path}"
