"""What was measured for a diagnosis. Unknown is a value of its own; free text is unchanged."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dartsctl.records import field, record

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dartsctl.diagnosis.nginx.config import Config, Listen, Route, Target
    from dartsctl.diagnosis.nginx.limits import Limit
    from dartsctl.diagnosis.nginx.log import FailureCount
    from dartsctl.ports.conflicts import Conflict
    from dartsctl.stack.bindings import Endpoint
    from dartsctl.stack.model import Mount

ProxyKind = Literal["nginx", "haproxy", "traefik", "caddy", "envoy", "httpd", "other"]


@record
class LoggedLine:
    """A line of a container's log. `when`: the engine's time of it (Unix time), if it has one."""

    text: str
    when: float | None = None


@record
class PublishedPort:
    """A port inside a container that is published on a host endpoint; port 0 is ephemeral."""

    target: int
    endpoint: Endpoint


@record
class ContainerFacts:
    """One container of the stack. Times are Unix time by the engine's clock, None if unknown."""

    service: str
    name: str
    id: str
    image: str = ""
    state: str = ""
    exit_code: int = 0
    error: str = ""
    """State.Error: why the engine could not start it."""
    oom_killed: bool = False
    restart_count: int = 0
    restart_policy: str = ""
    health: str = ""
    """starting, healthy, unhealthy; empty without a health check."""
    health_output: str = ""
    """Output of the last failed health check."""
    unhealthy_since: float | None = None
    """When the first of the failed health checks in a row began, as far as they are listed."""
    created: float | None = None
    started: float | None = None
    finished: float | None = None
    pid: int = 0
    networks: Mapping[str, str] = field(default_factory=dict)
    """Network name -> its address there, empty while it is stopped."""
    ipv6_addresses: tuple[str, ...] = ()
    names: Mapping[str, frozenset[str]] = field(default_factory=dict)
    """Network name -> the names under which it is found there."""
    network_mode: str = ""
    memory_limit: int = 0
    """Bytes; 0: no limit."""
    wanted: tuple[PublishedPort, ...] = ()
    bound: tuple[PublishedPort, ...] = ()
    log: tuple[LoggedLine, ...] | None = None
    """Its last lines; None if its logging driver cannot be read (edge-cases.md#78)."""
    listening: tuple[Endpoint, ...] | None = None
    """tcp listeners inside it; None if they could not be read."""
    listening_source: str = ""

    @property
    def is_unhealthy(self) -> bool:
        return self.health == "unhealthy"

    @property
    def runs(self) -> bool:
        return self.state == "running"

    @property
    def addresses(self) -> tuple[str, ...]:
        """One address in each network."""
        return tuple(address for address in self.networks.values() if address)

    @property
    def all_addresses(self) -> tuple[str, ...]:
        """The addresses of both families, all that its name leads to."""
        return tuple(dict.fromkeys((*self.addresses, *self.ipv6_addresses)))

    @property
    def has_own_network(self) -> bool:
        """Whether its sockets are its own, not those of the host or of another container."""
        mode = self.network_mode
        return mode != "host" and not mode.startswith(("service:", "container:"))


@record
class ServiceFacts:
    """A service of the stack with its containers, and the conflicts that `up` would have."""

    name: str
    containers: tuple[ContainerFacts, ...] = ()
    replicas: int = 1
    depends_on: tuple[str, ...] = ()
    waits_for_end_of: tuple[str, ...] = ()
    """Those of `depends_on` that have to end well: one-shots, such as a migration."""
    published: tuple[int, ...] = ()
    """Fixed tcp host ports in the Compose files."""
    conflicts: tuple[Conflict, ...] = ()
    unsure_ports: tuple[int, ...] = ()
    """Ports of which nothing visible says whether they can be bound."""
    name_taken_by: str = ""
    """The container outside the project that has its `container_name`."""

    @property
    def networks(self) -> tuple[str, ...]:
        """The networks of the running containers."""
        return tuple(name for container in self.running for name in container.networks)

    @property
    def first(self) -> ContainerFacts | None:
        """The first container, if there is any."""
        return self.containers[0] if self.containers else None

    @property
    def running(self) -> tuple[ContainerFacts, ...]:
        return tuple(container for container in self.containers if container.runs)


@record
class Connect:
    """A connection from this host to one address of a service.

    `result`: "open", the kernel's words, or empty if this host has no route there.
    """

    container: str
    address: str
    port: int
    result: str = ""


@record
class UpstreamFacts:
    """One server that the proxy passes requests on to."""

    target: Target
    routes: tuple[Route, ...]
    service: str = ""
    """The service behind the name; empty for a host outside the stack."""
    connects: tuple[Connect, ...] = ()
    speaks: Literal["", "http", "tls"] = ""
    """What its port answered to us; only asked where a request failed."""

    @property
    def tried(self) -> tuple[Connect, ...]:
        """The connections that this host has a route for."""
        return tuple(connect for connect in self.connects if connect.result)

    @property
    def results(self) -> tuple[str, ...]:
        """`10.0.0.2:5000 open`, one line for each connection that was tried."""
        return tuple(f"{row.address}:{row.port} {row.result}" for row in self.tried)

    @property
    def looked_up_once(self) -> bool:
        return any(not route.dynamic for route in self.routes)


@record
class ProxyFacts:
    """The reverse proxy. `config` is None if it could not be read; `config_problem` says why."""

    service: str
    kind: ProxyKind
    config: Config | None = None
    config_problem: str = ""
    config_source: str = ""
    listens: tuple[Listen, ...] = ()
    failures: tuple[FailureCount, ...] = ()
    """From its error log, the latest last."""
    log_source: str = ""
    """Empty if no error log could be read."""
    mounts: tuple[Mount, ...] = ()
    """Its files and folders that come from the host, by the Compose files."""


@record
class HttpFacts:
    """One request and its answer."""

    url: str
    through: Literal["proxy", "direct"]
    service: str
    """The service that got the request: the proxy, or the one whose port is published."""
    location: str = ""
    upstream: str = ""
    """The service behind the location."""
    status: int | None = None
    problem: str = ""
    """Why there was no status: connection refused, no answer within 2 s."""
    seconds: float = 0.0
    began: float = 0.0
    """Unix time by the engine's clock."""
    target: str = ""
    """The first server behind the location: `darts-app:5000`."""
    limits: tuple[Limit, ...] = ()
    """The site's limits for its location."""
    limited: str = ""
    """Why the answer says only that we asked too often; the service is not known then."""

    @property
    def is_bad(self) -> bool:
        if self.limited:
            return False
        return self.status is None or self.status >= 500

    @property
    def symptom(self) -> str:
        """`http://localhost/ answers 502`."""
        return f"{self.url} {self.answer}"

    @property
    def answer(self) -> str:
        answer = self.problem if self.status is None else f"answers {self.status}"
        return f"{answer}: {self.limited}" if self.limited else answer


@record
class ProxyTurn:
    """The proxy's connections to services while some of our requests were on their way.

    Others may have sent requests at the same time.
    """

    requests: tuple[int, ...]
    """Indexes in `Facts.http`."""
    made: tuple[Endpoint, ...] = ()
    """Where connections lead to that did not exist before."""
    kept: tuple[Endpoint, ...] = ()
    """Where connections lead to that were open before."""


@record
class CertificateFacts:
    """What is wrong with a certificate of the proxy.

    `refusing`: clients refuse it, or the server cannot start with it.
    """

    where: str
    sentence: str
    refusing: bool
    source: str
    advice: str = ""


@record
class CertificateEnd:
    """When a certificate of the proxy ends, Unix time. `where`: its file, or the URL."""

    where: str
    ends: float
    is_served: bool = False


@record
class EngineFacts:
    """The engine. `problem`: why it did not answer."""

    endpoint: str
    version: str = ""
    problem: str = ""
    hint: str = ""
    is_here: bool = True
    skew: float = 0.0
    """Seconds that its clock is ahead of ours, in whole seconds as in its HTTP dates."""

    @property
    def answers(self) -> bool:
        return not self.problem


@record
class Commands:
    """The commands for this stack; `stack` is followed by a verb."""

    doctor: str = "dartsctl doctor"
    stack: str = "dartsctl prod"
    up: str = "dartsctl prod up"


@record
class Facts:
    """Everything that a diagnosis is made from. `now` is Unix time by the engine's clock."""

    engine: EngineFacts
    now: float
    environment: str = ""
    project: str = ""
    services: Mapping[str, ServiceFacts] = field(default_factory=dict)
    proxy: ProxyFacts | None = None
    upstreams: tuple[UpstreamFacts, ...] = ()
    http: tuple[HttpFacts, ...] = ()
    turns: tuple[ProxyTurn, ...] = ()
    """In their order; none where the proxy's sockets cannot be read."""
    busy: tuple[Endpoint, ...] = ()
    """Where many of the proxy's connections led to before we sent anything."""
    certificates: tuple[CertificateFacts, ...] = ()
    certificate_ends: tuple[CertificateEnd, ...] = ()
    """Of those that have a key, and of those that it has shown."""
    unknown: tuple[str, ...] = ()
    """What could not be checked, one sentence each."""
    commands: Commands = field(default_factory=Commands)

    @property
    def pause(self) -> float:
        """Seconds until the same requests stay below the site's own limits."""
        pauses = [limit.pause for http in self.http for limit in http.limits]
        return max(pauses, default=0.0)

    @property
    def failed_requests(self) -> tuple[HttpFacts, ...]:
        return tuple(http for http in self.http if http.is_bad)

    @property
    def has_containers(self) -> bool:
        return any(service.containers for service in self.services.values())

    @property
    def proxy_service(self) -> ServiceFacts | None:
        return self.services.get(self.proxy.service) if self.proxy else None

    def targets_of(self, http: HttpFacts) -> set[str]:
        """Return all servers that may answer a request, by the location that passes it on."""
        targets = {http.target}
        for upstream in self.upstreams:
            if str(upstream.target) == http.target:
                for route in upstream.routes:
                    if route.location == http.location or not http.location:
                        targets.update(map(str, route.targets))
        return targets - {""}

    def services_behind(self, http: HttpFacts) -> set[str]:
        """Return all services that may answer a request."""
        targets = self.targets_of(http)
        services = {row.service for row in self.upstreams if str(row.target) in targets}
        return services | {http.upstream} - {""}

    def upstreams_of(self, service: str) -> tuple[UpstreamFacts, ...]:
        """Return the upstreams behind which a service is."""
        return tuple(upstream for upstream in self.upstreams if upstream.service == service)

    def running(self, service: str) -> tuple[ContainerFacts, ...]:
        """Return the running containers of a service; none for an unknown one."""
        if service not in self.services:
            return ()
        return self.services[service].running

    def addresses(self, service: str) -> tuple[str, ...]:
        """Return the addresses of a service's running containers, of both families."""
        containers = self.running(service)
        return tuple(address for container in containers for address in container.all_addresses)
