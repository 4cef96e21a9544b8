"""The step that gathers what a diagnosis is made from, independent probes side by side, each with a deadline of its own. Changes nothing."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal

from dartsctl.config import certificates
from dartsctl.config.environment import Environment
from dartsctl.diagnosis import proxies
from dartsctl.diagnosis.facts import (
    CertificateFacts,
    Commands,
    Connect,
    ContainerFacts,
    EngineFacts,
    Facts,
    HttpFacts,
    ProxyFacts,
    ProxyKind,
    ServiceFacts,
    UpstreamFacts,
)
from dartsctl.diagnosis.nginx import log as nginx_log
from dartsctl.diagnosis.nginx.log import FailureCount
from dartsctl.edges.engine.connect import engine_at
from dartsctl.edges.engine.protocol import EngineControl
from dartsctl.edges.http import get
from dartsctl.edges.project import certificate_files
from dartsctl.errors import DockerUnavailable
from dartsctl.stack.bindings import Endpoint
from dartsctl.text.masker import Masker
from dartsctl.workflows.deps import Deps
from dartsctl.workflows.doctor import examine_proxy
from dartsctl.workflows.doctor.examine_containers import Containers
from dartsctl.workflows.doctor.examine_proxy import Reading, Request
from dartsctl.workflows.up import another_stack
from dartsctl.workflows.up.preflight import Intent, Preflight, run_preflight

ENGINE_DEADLINE = 2.0
HTTP_DEADLINE = 2.5
CONNECT_DEADLINE = 1.0
_ON_ITS_WAY = 1.0  # seconds
_AGAIN = 1.0  # seconds until a request that is still open is looked at from the proxy's side
_SIDE_BY_SIDE = 16


@dataclass(frozen=True, slots=True)
class ExamineRequest:
    """What to look at; `proxy` and `url` where a person knows better than the model says."""

    environment: Environment
    commands: Commands
    proxy: str = ""
    url: str = ""
    masker: Masker = field(default_factory=Masker)
    """Learns the secrets of the containers' environments."""


def examine(request: ExamineRequest, *, deps: Deps) -> Facts:
    """The facts. An engine that does not answer is one of them.

    Raises DartsctlError where Compose files cannot be read, Refused where the stack runs under another project's name, or
    another stack under this one's: the hint is the command that looks at that project.
    """
    reached = deps.engine()
    address = reached.address
    api = engine_at(address, deadline=ENGINE_DEADLINE).control()
    try:
        clock = api.clock() if api else ""
        version = (api or reached).describe().version
    except DockerUnavailable as error:
        found = EngineFacts(address, problem=error.message, hint=error.hint)
        return Facts(
            found,
            time.time(),
            request.environment.name,
            request.environment.project or "",
            commands=request.commands,
        )
    skew = ahead(clock, time.time())
    before = run_preflight(request.environment, Intent(), deps=deps)
    another_stack.refuse(before, request.commands.doctor)
    engine = EngineFacts(address, version, is_here=before.engine.is_here, skew=skew)
    with _pool() as pool:
        return _Examination(request, before, engine, api, pool).facts()


def ahead(clock: str, now: float) -> float:
    """Seconds that the engine's clock is ahead of ours; 0 within what the answer may have taken on its way (edge-cases.md#79)."""
    theirs = nginx_log.moment(clock)
    return 0.0 if theirs is None or abs(theirs - now) <= _ON_ITS_WAY else theirs - now


@contextmanager
def _pool() -> Iterator[ThreadPoolExecutor]:
    """Probes that are late are not waited for: each ends by its own deadline."""
    pool = ThreadPoolExecutor(_SIDE_BY_SIDE, thread_name_prefix="probe")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


class _Examination:
    """One look at one stack, step after step."""

    def __init__(
        self,
        request: ExamineRequest,
        before: Preflight,
        engine: EngineFacts,
        api: EngineControl | None,
        pool: ThreadPoolExecutor,
    ) -> None:
        self._request = request
        self._before = before
        self._engine = engine
        self._api = api
        self._pool = pool
        self._containers = Containers(before, api, pool, masker=request.masker, skew=engine.skew)
        self._unknown = self._containers.unknown

    def facts(self) -> Facts:
        """All of them: containers first, then the proxy's configuration, requests, and the log that these have written to."""
        services = self._containers.services()
        stack = self._before.stack
        commands = self._containers.commands
        run = {
            one.service: commands.get(one.id, ())
            for service in services.values()
            for one in service.containers
        }
        name, kind = proxies.find(stack, run, self._request.proxy) or ("", "other")
        front = (
            next(iter(services[name].running or services[name].containers), None) if name else None
        )
        api = (
            self._api
            if kind == "nginx" and front and front.id not in self._containers.silent
            else None
        )
        reading = Reading(None)
        if front and api:
            reading = examine_proxy.configuration(front, commands.get(front.id, ()), api)
            self._unknown += [reading.problem] if reading.config is None else []
        service_of = partial(proxies.service_named, services=services, project=stack.project)
        behind = examine_proxy.upstreams(reading.config, service_of) if reading.config else ()
        answers, shown, asked = self._ask(
            self._requests(services, name, reading, behind, service_of), front
        )
        log: tuple[tuple[FailureCount, ...], str] = ((), "")
        if front and api:
            log = examine_proxy.error_log(front, reading.config, api)
        proxy = self._proxy(name, kind, reading, *log) if name else None
        return Facts(
            engine=self._engine,
            now=time.time() + self._engine.skew,
            environment=self._request.environment.name,
            project=stack.project,
            services=services,
            proxy=proxy,
            upstreams=tuple(self._upstream(one, services, asked) for one in behind),
            http=answers,
            certificates=(*self._certificates(proxy), *shown),
            unknown=tuple(dict.fromkeys(self._unknown)),
            commands=self._request.commands,
        )

    def _proxy(
        self,
        name: str,
        kind: ProxyKind,
        reading: Reading,
        failures: tuple[FailureCount, ...],
        source: str,
    ) -> ProxyFacts:
        config = reading.config
        listens = (
            tuple(listen for server in config.servers for listen in server.listens)
            if config
            else ()
        )
        return ProxyFacts(
            name, kind, config, reading.problem, reading.source, listens, failures, source
        )

    def _upstream(
        self, one: UpstreamFacts, services: Mapping[str, ServiceFacts], asked: Sequence[Endpoint]
    ) -> UpstreamFacts:
        addresses = tuple(
            dict.fromkeys(peer.address for peer in asked if peer.port == one.target.port)
        )
        return replace(one, connects=self._connects(one, services), asked=addresses)

    # --- requests

    def _requests(
        self,
        services: Mapping[str, ServiceFacts],
        proxy: str,
        reading: Reading,
        behind: Sequence[UpstreamFacts],
        service_of: Callable[[str], str],
    ) -> tuple[Request, ...]:
        wanted: tuple[Request, ...] = ()
        if self._engine.is_here or self._before.engine.kind == "desktop":
            wanted = examine_proxy.requests(
                self._before.stack, services, proxy, reading.config, behind, service_of
            )
        else:
            self._unknown.append("no request was sent: the ports are published on another machine")
        return (*wanted, _named(self._request.url, proxy)) if self._request.url else wanted

    def _ask(
        self, wanted: Sequence[Request], front: ContainerFacts | None
    ) -> tuple[tuple[HttpFacts, ...], tuple[CertificateFacts, ...], tuple[Endpoint, ...]]:
        """The answers, what is wrong with the certificates that were shown, and whom the proxy asked meanwhile."""
        open_requests: list[Future[tuple[HttpFacts, bytes]]] = [
            self._pool.submit(self._get, one) for one in wanted
        ]
        _, late = wait(open_requests, timeout=_AGAIN)
        meanwhile = self._containers.peers(front) if late and front else ()
        results = [one.result() for one in open_requests]
        shown = [
            _shown(one, self._engine, answer, der)
            for one, (answer, der) in zip(wanted, results, strict=True)
            if der and one.through_proxy
        ]
        peers = (*meanwhile, *self._containers.peers(front)) if front else ()
        return tuple(answer for answer, _ in results), tuple(one for one in shown if one), peers

    def _get(self, one: Request) -> tuple[HttpFacts, bytes]:
        began = time.time() + self._engine.skew
        answer = get.get(
            one.address, one.port, one.path, host=one.host, tls=one.tls, deadline=HTTP_DEADLINE
        )
        through: Literal["proxy", "direct"] = "proxy" if one.through_proxy else "direct"
        facts = HttpFacts(
            one.url,
            through,
            one.service,
            one.location,
            one.upstream,
            answer.status,
            answer.problem,
            answer.seconds,
            began,
        )
        return facts, answer.certificate

    def _connects(
        self, one: UpstreamFacts, services: Mapping[str, ServiceFacts]
    ) -> tuple[Connect, ...]:
        if one.service not in services or not one.target.port:
            return ()
        places = [
            (container.name, address)
            for container in services[one.service].running
            for address in container.addresses
        ]
        if self._before.engine.kind != "local":
            return tuple(Connect(name, address, one.target.port) for name, address in places)
        results = self._pool.map(
            lambda place: get.connect(place[1], one.target.port, deadline=CONNECT_DEADLINE), places
        )
        return tuple(
            Connect(name, address, one.target.port, result)
            for (name, address), result in zip(places, results, strict=True)
        )

    # --- certificates

    def _certificates(self, proxy: ProxyFacts | None) -> tuple[CertificateFacts, ...]:
        stack = self._before.stack
        doors = certificates.https_mounts(stack) if self._engine.is_here else {}
        if proxy is None or proxy.service not in doors:
            return ()
        mounts = doors[proxy.service]
        scan = certificate_files.look(mounts)
        judged = certificates.judge(proxy.service, mounts, scan, stack=stack, now=time.time())
        return tuple(
            CertificateFacts(
                one.name, one.sentence, not one.is_warning, f"file: {one.name}", one.advice
            )
            for one in judged
        )


def _named(url: str, proxy: str) -> Request:
    """The person's own URL."""
    from urllib.parse import urlsplit

    parts = urlsplit(url)
    tls = parts.scheme == "https"
    host = parts.hostname or "localhost"
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Request(
        url, host, parts.port or (443 if tls else 80), path, host, tls, proxy, True, path
    )


def _shown(
    one: Request, engine: EngineFacts, answer: HttpFacts, der: bytes
) -> CertificateFacts | None:
    """What is wrong with the dates of a certificate that the front door has shown."""
    dates = certificate_files.served(der)
    if dates is None:
        return None
    sentence = certificates.date_problem(*dates, answer.began - engine.skew)
    return (
        CertificateFacts(one.url, f"the certificate at {one.url} {sentence}", True, "TLS handshake")
        if sentence
        else None
    )
