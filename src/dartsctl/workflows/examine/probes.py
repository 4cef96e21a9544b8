"""All probes of one stack. They run at once, each with a deadline."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING

from dartsctl.config import certificates
from dartsctl.diagnosis import proxies
from dartsctl.diagnosis.facts import (
    CertificateEnd,
    CertificateFacts,
    Commands,
    ContainerFacts,
    EngineFacts,
    Facts,
    HttpFacts,
    ProxyFacts,
    ProxyKind,
    ServiceFacts,
)
from dartsctl.diagnosis.limited import has_unexplained_refusal, mark_limited
from dartsctl.diagnosis.proxies import ProxyClues
from dartsctl.edges.project import certificate_files
from dartsctl.records import record, replace
from dartsctl.workflows.examine import nginx as examine_nginx
from dartsctl.workflows.examine import requests as examine_requests
from dartsctl.workflows.examine import upstreams as examine_upstreams
from dartsctl.workflows.examine.connections import ConnectionLooks
from dartsctl.workflows.examine.containers import ContainerProbes
from dartsctl.workflows.examine.nginx import ConfigReading, LogReading
from dartsctl.workflows.examine.requests import ProbeRequest, ProxyLayout
from dartsctl.workflows.examine.sending import RequestProbes, RequestResults

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import ThreadPoolExecutor

    from dartsctl.config.environment import Environment
    from dartsctl.diagnosis.inspection import Inspection
    from dartsctl.diagnosis.nginx.config import Config
    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.stack.model import Stack
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.preflight.preflight import Preflight

_NOT_INSPECTED: Mapping[str, Inspection] = MappingProxyType({})
_LOG_DELAY = 0.3
"""Seconds until nginx's log is read again, where a line of it is late."""
_LOG_LOOKS = 7
"""How often, if it does not come."""


@record
class ExamineRequest:
    """What to examine."""

    environment: Environment
    commands: Commands
    proxy: str = ""
    """The service that is the reverse proxy; empty: found by evidence (diagnosis/proxies.py)."""
    url: str = ""
    """One more URL to request."""


@record
class ProxyView:
    """The proxy of a stack, and the stack as it sees it."""

    layout: ProxyLayout
    kind: ProxyKind
    front: ContainerFacts | None
    """Its container, a running one if there is any."""
    reading: ConfigReading
    control: EngineControl | None
    """What reads its log; None if it has none that is understood."""

    @property
    def services(self) -> Mapping[str, ServiceFacts]:
        return self.layout.services


class StackProbes:
    """All probes of one stack, one after the other where one needs another's result.

    `inspections`: the containers' descriptions that were just read, by id. `is_brief`: the view of
    the proxy lacks the containers' logs and sockets until `complete`.
    """

    def __init__(
        self,
        request: ExamineRequest,
        preflight: Preflight,
        engine: EngineFacts,
        control: EngineControl | None,
        *,
        pool: ThreadPoolExecutor,
        deps: Deps,
        inspections: Mapping[str, Inspection] = _NOT_INSPECTED,
        is_brief: bool = False,
    ) -> None:
        self._request = request
        self._preflight = preflight
        self._stack = preflight.stack
        self._engine = engine
        self._control = control
        self._pool = pool
        self._deps = deps
        self._containers = ContainerProbes(
            preflight,
            control,
            pool,
            deps=deps,
            skew=engine.skew,
            inspections=inspections,
            is_brief=is_brief,
        )
        self.sender = RequestProbes(pool, deps, skew=engine.skew)
        """Sends the requests. Examinations of one run share it: it knows the site's limits."""
        self.requests: tuple[ProbeRequest, ...] = ()
        """The requests of `facts`."""
        self._unknown = self._containers.unknown
        if preflight.files_error:
            self._unknown.append("services that have no container are not known")

    def facts(self) -> Facts:
        """Return all facts."""
        view = self.proxy()
        self.requests = self._wanted_requests(view.layout)
        return self.facts_of(view, self.send(view, self.requests))

    def proxy(self) -> ProxyView:
        """Examine the containers, find the proxy and read its configuration."""
        services = self._containers.services()
        readings = self._candidates(services)
        name, kind = self._find_proxy(services, readings)
        front = _front_container(services, name)
        control = self._control if kind == "nginx" else None
        reading = ConfigReading(None)
        if front and front.id in self._containers.silent:
            control = None
        if front and control:
            reading = readings.get(name) or self._configuration(front, control)
            if reading.config is None:
                self._unknown.append(reading.problem)
        layout = ProxyLayout(self._stack, services, name, reading.config)
        return ProxyView(layout, kind, front, reading, control)

    def complete(self, view: ProxyView) -> ProxyView:
        """Return a brief view with all that `send` and `facts_of` need."""
        if not self._containers.is_brief:
            return view
        services = self._containers.complete(view.services)
        return replace(view, layout=replace(view.layout, services=services))

    def send(self, view: ProxyView, requests: Sequence[ProbeRequest]) -> RequestResults:
        """Send the requests, and read the proxy's connections meanwhile."""
        ports = {upstream.target.port for upstream in view.layout.upstreams}
        looks = ConnectionLooks(
            view.front, view.services, ports, containers=self._containers, pool=self._pool
        )
        return self.sender.send(requests, look=looks.now)

    def facts_of(self, view: ProxyView, results: RequestResults) -> Facts:
        """Return the facts of a stack whose requests were sent. The log is read after them."""
        services, name = view.services, view.layout.proxy
        is_local = self._preflight.engine.kind == "local"
        log = self._error_log(view, results.answers)
        answers = mark_limited(results.answers, log.limited, is_log_read=bool(log.source))
        unasked = [f"{http.url} {http.answer}" for http in answers if http.limited]
        unasked += [_unsent(request) for request in results.unsent]
        certificate_facts: tuple[CertificateFacts, ...] = ()
        ends: tuple[CertificateEnd, ...] = ()
        if name:
            certificate_facts, ends = self._certificates(name)
        return Facts(
            engine=self._engine,
            now=self._deps.now() + self._engine.skew,
            environment=self._request.environment.name,
            project=self._stack.project,
            services=services,
            proxy=_proxy_facts(name, view, log, self._stack),
            upstreams=tuple(
                examine_upstreams.measured(
                    upstream, services, results.answers, is_local=is_local, pool=self._pool
                )
                for upstream in view.layout.upstreams
            ),
            http=answers,
            turns=results.turns,
            busy=results.busy,
            certificates=(*certificate_facts, *results.certificates),
            certificate_ends=(*ends, *results.certificate_ends),
            unknown=tuple(dict.fromkeys((*self._unknown, *unasked))),
            commands=self._request.commands,
        )

    def _error_log(self, view: ProxyView, answers: Sequence[HttpFacts]) -> LogReading:
        """Return what nginx's log says; once more where a line about an answer is late."""
        if view.front is None or view.control is None:
            return LogReading()
        log = examine_nginx.error_log(view.front, view.reading.config, view.control)
        for _ in range(_LOG_LOOKS):
            if not has_unexplained_refusal(answers, log.limited):
                break
            self._deps.sleep(_LOG_DELAY)
            log = examine_nginx.error_log(view.front, view.reading.config, view.control)
        return log

    def _candidates(self, services: Mapping[str, ServiceFacts]) -> dict[str, ConfigReading]:
        """Return the configurations that help to find the proxy, where there is a choice."""
        control = self._control
        if control is None or self._request.proxy:
            return {}
        fronts: dict[str, ContainerFacts] = {}
        for name in proxies.to_read(self._stack, self._clues(services, {})):
            front = _front_container(services, name)
            if front and front.id not in self._containers.silent:
                fronts[name] = front
        readings = self._pool.map(
            lambda front: self._configuration(front, control), fronts.values()
        )
        return dict(zip(fronts, readings, strict=True))

    def _configuration(self, front: ContainerFacts, control: EngineControl) -> ConfigReading:
        command = self._containers.commands.get(front.id, ())
        root = self._containers.root(front)
        return examine_nginx.configuration(front, command, control, root)

    def _find_proxy(
        self, services: Mapping[str, ServiceFacts], readings: Mapping[str, ConfigReading]
    ) -> tuple[str, ProxyKind]:
        configs: dict[str, Config] = {}
        for name, reading in readings.items():
            if reading.config:
                configs[name] = reading.config
        clues = self._clues(services, configs)
        return proxies.find_proxy(self._stack, clues, self._request.proxy) or ("", "other")

    def _clues(
        self, services: Mapping[str, ServiceFacts], configs: Mapping[str, Config]
    ) -> ProxyClues:
        commands: dict[str, tuple[str, ...]] = {}
        for service in services.values():
            for container in service.containers:
                commands[container.service] = self._containers.commands.get(container.id, ())
        return ProxyClues(commands, configs, services)

    def _wanted_requests(self, layout: ProxyLayout) -> tuple[ProbeRequest, ...]:
        requests: tuple[ProbeRequest, ...] = ()
        if self._engine.is_here or self._preflight.engine.kind == "desktop":
            requests = examine_requests.plan_requests(layout)
        else:
            self._unknown.append("no request was sent: the ports are published on another machine")
        if self._request.url:
            requests += (examine_requests.request_for_url(self._request.url, layout),)
        return requests

    def _certificates(
        self, proxy: str
    ) -> tuple[tuple[CertificateFacts, ...], tuple[CertificateEnd, ...]]:
        """Return the problems of the certificate files that the proxy mounts, and their ends."""
        mounts_of = certificates.https_mounts(self._stack)
        if not self._engine.is_here or proxy not in mounts_of:
            return (), ()
        mounts = mounts_of[proxy]
        scan = certificate_files.look(mounts)
        objections = certificates.judge(
            proxy, mounts, scan, stack=self._stack, now=self._deps.now()
        )
        problems = tuple(
            CertificateFacts(
                where=objection.name,
                sentence=objection.sentence,
                refusing=not objection.is_warning,
                source=f"file: {objection.name}",
                advice=objection.advice,
            )
            for objection in objections
        )
        usable = [pair for pair in scan.certificates if pair.key in ("fits", "unreadable")]
        ends = (CertificateEnd(str(pair.path), pair.not_after) for pair in usable)
        return problems, tuple(ends)


def _proxy_facts(name: str, view: ProxyView, log: LogReading, stack: Stack) -> ProxyFacts | None:
    if not name:
        return None
    reading = view.reading
    return ProxyFacts(
        service=name,
        kind=view.kind,
        config=reading.config,
        config_problem=reading.problem,
        config_source=reading.source,
        listens=reading.listens,
        failures=log.failures,
        log_source=log.source,
        mounts=stack.services[name].mounts if name in stack.services else (),
    )


def _unsent(request: ProbeRequest) -> str:
    limits = ", ".join(map(str, request.limits))
    return f"{request.url} was not requested: the site's own limits leave no time ({limits})"


def _front_container(services: Mapping[str, ServiceFacts], proxy: str) -> ContainerFacts | None:
    """Return the proxy's container, a running one if there is any."""
    if not proxy:
        return None
    service = services[proxy]
    return next(iter(service.running or service.containers), None)
