"""Look through the reverse proxy of a stack that was started: does every location answer?

The look is doctor's: the same proxy, the same requests, the same causes. Stale addresses in nginx
are repaired by doctor's step, a reload. What is needed for that alone is imported then: most looks
meet a proxy that answers, or none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.facts import Commands, EngineFacts
from dartsctl.diagnosis.proxy_answers import Reach, reach_of
from dartsctl.errors import DartsctlError
from dartsctl.records import record, replace
from dartsctl.stack.containers import of_project
from dartsctl.stack.site_urls import site_url
from dartsctl.workflows.examine import requests as examine_requests
from dartsctl.workflows.examine.probes import ExamineRequest, ProxyView, StackProbes
from dartsctl.workflows.examine.sending import RequestResults
from dartsctl.workflows.examine.stack import ENGINE_DEADLINE, clock_skew
from dartsctl.workflows.preflight.inputs import Intent
from dartsctl.workflows.preflight.preflight import run_preflight
from dartsctl.workflows.up.engine_reading import EngineReading
from dartsctl.workflows.up.proxy_outcome import BadLocation, ProxyOutcome

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from concurrent.futures import ThreadPoolExecutor

    from dartsctl.diagnosis.facts import Facts, HttpFacts
    from dartsctl.diagnosis.findings import Finding
    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.stack.containers import Container
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.examine.requests import ProbeRequest
    from dartsctl.workflows.examine.sending import RequestProbes
    from dartsctl.workflows.preflight.preflight import Preflight

_Place = tuple[str, int, str, str]
"""Address, port, host name and path of a location."""
_MOST_RELOADS = 2
_MOST_LOCATIONS = 40
"""The others are not asked, and that is said."""


@record
class _Reading:
    """The proxy as it was read, with the probes that read it."""

    probes: StackProbes
    view: ProxyView
    states: object
    """The containers and their states then."""
    missed: str | None = None
    """The service whose name the proxy missed at its start; empty for none, None if not asked."""


class ThroughProxy:
    """The look through one stack's proxy, again and again. A good location is asked only once."""

    def __init__(
        self, before: Preflight, *, proxy: str, pool: ThreadPoolExecutor, deps: Deps
    ) -> None:
        self._before = before
        self._proxy = proxy
        self._pool = pool
        self._deps = deps
        self._started = before.stack.services
        self._whole: Preflight | None = None
        self._reading: _Reading | None = None
        self._known: dict[_Place, tuple[Reach, BadLocation]] = {}
        self._sender: RequestProbes | None = None
        self._stale: set[str] = set()
        self._reloads = 0
        self._problem = ""

    def passed_on(self, reading: EngineReading) -> Mapping[str, Mapping[int, str]]:
        """Return the ports that the proxy passes requests to: service -> port -> proxy.

        Reads the proxy's configuration again only when a container has come, gone or changed its
        state.
        """
        self._read_if_changed(reading)
        ports: dict[str, dict[int, str]] = {}
        if self._reading is None:
            return ports
        layout = self._reading.view.layout
        for upstream in layout.upstreams:
            if upstream.service not in ("", layout.proxy) and upstream.target.port:
                ports.setdefault(upstream.service, {})[upstream.target.port] = layout.proxy
        return ports

    def missed_by(self, service: str) -> str:
        """Return the service whose name nginx missed when it started, empty for none.

        `service` has ended. It is looked at again only after a container has changed its state.
        """
        self._read_if_changed(EngineReading(self._deps.engine()))
        reading = self._reading
        if reading is None or reading.view.layout.proxy != service:
            return ""
        if reading.view.front is None or reading.view.front.runs:
            return ""
        if reading.missed is None:
            from dartsctl.diagnosis.nginx.log import NginxFailure
            from dartsctl.diagnosis.proxy_end import fatal_error

            view = reading.probes.complete(reading.view)
            fatal = fatal_error(reading.probes.facts_of(view, RequestResults(())))
            is_name = fatal is not None and fatal.kind is NginxFailure.HOST_NOT_FOUND
            missed = ""
            if fatal and fatal.service and is_name and not fatal.is_about_networks:
                missed = fatal.service.name
            reading = self._reading = replace(reading, missed=missed)
        return reading.missed or ""

    def look(self) -> ProxyOutcome:
        """Ask every location that did not answer well before, and reload nginx if it is stale."""
        if self._reading is None:
            self._read(EngineReading(self._deps.engine()))
        reading = self._reading
        self._reading = None  # the next look needs another one
        if reading is None:
            return ProxyOutcome(unchecked=(self._problem,))
        view = reading.view
        if not view.layout.proxy:
            return ProxyOutcome()
        every_location = self._locations(view)
        planned = every_location[:_MOST_LOCATIONS]
        if not planned:
            return ProxyOutcome(unchecked=(self._why_unasked(view),))
        pending = [request for request in planned if not self._is_known_well(request)]
        results, facts = self._ask(reading, pending)
        answers = facts.http if facts else results.answers
        sent = [request for request in pending if request not in results.unsent]
        self._take(view, sent, answers)
        outcome = self._outcome(view, planned, every_location[_MOST_LOCATIONS:])
        if facts and self._reload_stale(view, facts):
            self._known.clear()
            return replace(outcome, was_reloaded=True)
        return outcome

    def _ask(
        self, reading: _Reading, pending: Sequence[ProbeRequest]
    ) -> tuple[RequestResults, Facts | None]:
        """Send requests. Return facts too where an answer is bad, or an address may have moved."""
        probes, view = reading.probes, reading.view
        if self._fails or _has_later_service(view):
            view = probes.complete(view)
            results = probes.send(view, pending)
        else:
            results = probes.sender.send(pending)
            if self._are_all_good(view, results.answers):
                return results, None
            view = probes.complete(view)
        return results, probes.facts_of(view, results)

    # --- reading --------------------------------------------------------------------------------

    def _read_if_changed(self, engine: EngineReading) -> None:
        """Read the proxy, unless it was read with the same containers in the same states."""
        if self._reading is None or self._reading.states != self._states(engine.containers()):
            self._read(engine)

    def _read(self, engine: EngineReading) -> None:
        """Read the proxy as it is now; `_problem` says why that failed."""
        try:
            probes = self._probes(engine)
            self._sender = probes.sender  # it knows when the site was asked last
            self._reading = _Reading(probes, probes.proxy(), self._states(engine.containers()))
        except DartsctlError as error:
            self._reading = None
            self._problem = f"skipped the check of the proxy: {error.message}"

    def _states(self, containers: tuple[Container, ...]) -> object:
        own = of_project(containers, self._before.stack.project)
        return sorted((container.id, container.state) for container in own)

    def _probes(self, engine: EngineReading) -> StackProbes:
        """Return the probes of the whole stack with the containers that it has now."""
        containers = engine.containers()
        if self._whole is None:
            self._whole = self._whole_stack(containers)
        preflight, deps = replace(self._whole, containers=containers), self._deps
        control = deps.engine(deadline=ENGINE_DEADLINE).control()
        rules = preflight.engine
        facts = EngineFacts(
            rules.endpoint, rules.version, is_here=rules.is_here, skew=self._skew(control)
        )
        environment = self._before.environment
        commands = Commands(
            doctor=environment.doctor_command(),
            stack=f"dartsctl {environment.name}",
            up=environment.command("up"),
        )
        probes = StackProbes(
            ExamineRequest(environment, commands, self._proxy),
            preflight,
            facts,
            control,
            pool=self._pool,
            deps=deps,
            inspections=engine.inspections,
            is_brief=True,
        )
        if self._sender:
            probes.sender = self._sender
        return probes

    def _skew(self, control: EngineControl | None) -> float:
        """Return the seconds that the engine's clock is ahead of ours; it may be the same clock."""
        if control is None or self._before.engine.kind == "local":
            return 0.0
        return clock_skew(control.clock, self._deps.now)

    def _whole_stack(self, containers: tuple[Container, ...]) -> Preflight:
        """Return the preflight of the whole stack where more of it runs than was started now.

        An `up` of some services may move the address of one that the running proxy looked up.
        """
        own = of_project(containers, self._before.stack.project)
        for container in own:
            if container.state == "running" and container.service not in self._started:
                return run_preflight(self._before.environment, Intent(), deps=self._deps)
        return self._before

    def _locations(self, view: ProxyView) -> list[ProbeRequest]:
        """Return a request for every location, the most useful first; none if none can be asked."""
        if not self._can_ask:
            return []
        planned = examine_requests.plan_requests(view.layout, most=None)
        return [request for request in planned if request.through_proxy]

    @property
    def _can_ask(self) -> bool:
        rules = self._before.engine
        return rules.is_here or rules.kind == "desktop"

    def _why_unasked(self, view: ProxyView) -> str:
        reason = "its ports are published on another machine"
        if self._can_ask:
            reason = "it publishes no port that can be asked"
        return f"skipped the check that {view.layout.proxy} answers: {reason}"

    # --- judging --------------------------------------------------------------------------------

    def _is_known_well(self, request: ProbeRequest) -> bool:
        known = self._known.get(_place(request))
        return known is not None and known[0] is Reach.ANSWERS

    def _reach(self, view: ProxyView, answer: HttpFacts) -> Reach:
        has_config = view.layout.config is not None
        return reach_of(answer, view.kind, has_config=has_config, started=self._started)

    def _take(
        self, view: ProxyView, sent: Sequence[ProbeRequest], answers: Sequence[HttpFacts]
    ) -> None:
        """Remember the answers. A request that was not sent keeps what is known of it."""
        for request, answer in zip(sent, answers, strict=True):
            reach = self._reach(view, answer)
            self._known[_place(request)] = (reach, _bad_location(request, answer))

    def _outcome(
        self, view: ProxyView, planned: Sequence[ProbeRequest], left_out: Sequence[ProbeRequest]
    ) -> ProxyOutcome:
        unchecked = []
        if view.layout.config is None and view.reading.problem:
            unchecked.append(view.reading.problem)
        bad: dict[Reach, list[BadLocation]] = {reach: [] for reach in Reach}
        for request in planned:
            known = self._known.get(_place(request))
            if known is None:
                unchecked.append(f"{_typed(request)} was not asked, to keep the site's limits")
            else:
                bad[known[0]].append(known[1])
        if left_out:
            unchecked.append(_left_out(left_out))
        unsure = bad[Reach.UNKNOWN]
        unchecked += [f"cannot tell whether it works: {row.sentence}" for row in unsure]
        return ProxyOutcome(
            proxy=view.layout.proxy,
            failing=tuple(bad[Reach.FAILS]),
            elsewhere=tuple(bad[Reach.ELSEWHERE]),
            unchecked=tuple(unchecked),
            site=_site(planned),
        )

    # --- stale addresses ------------------------------------------------------------------------

    @property
    def _fails(self) -> bool:
        return any(reach is not Reach.ANSWERS for reach, _ in self._known.values())

    def _are_all_good(self, view: ProxyView, answers: Sequence[HttpFacts]) -> bool:
        return all(self._reach(view, answer) is Reach.ANSWERS for answer in answers)

    def _reload_stale(self, view: ProxyView, facts: Facts) -> bool:
        """Reload nginx if the diagnosis is a stale address. Return whether it was reloaded."""
        if view.kind != "nginx" or self._reloads >= _MOST_RELOADS:
            return False
        from dartsctl.diagnosis.diagnose import diagnose
        from dartsctl.diagnosis.repair_plan import make_plan
        from dartsctl.diagnosis.repairs import RepairAction

        findings = [each for each in diagnose(facts).findings if self._is_new_stale(each)]
        self._stale.update(finding.sentence for finding in findings)
        was_reloaded = False
        for step in make_plan(findings, facts).steps:
            if step.action is RepairAction.RELOAD:
                was_reloaded = self._reload(step.service, step.reason)
        return was_reloaded

    def _is_new_stale(self, finding: Finding) -> bool:
        from dartsctl.diagnosis.findings import Cause

        return finding.cause is Cause.STALE_UPSTREAM and finding.sentence not in self._stale

    def _reload(self, service: str, reason: str) -> bool:
        from dartsctl.diagnosis.repairs import RepairAction
        from dartsctl.edges.state.history import History
        from dartsctl.workflows.up.reload_proxy import reload_proxy

        screen, project = self._deps.screen, self._before.stack.project
        result = "done"
        self._reloads += 1
        try:
            reload_proxy(project, service, deps=self._deps)
            screen.note(f"reloaded {service}: {reason}")
        except DartsctlError as error:
            result = "; ".join((error.message, *error.details))
            screen.warn(f"{reason}, and {result}")
        history = History(self._deps.state, warn=screen.warn, masker=screen.masker)
        history.add(f"repair-{RepairAction.RELOAD.value}", service, reason, result=result)
        return result == "done"


def _has_later_service(view: ProxyView) -> bool:
    """Return whether a service was started after nginx had looked its address up.

    Then another one may have the address, and answer in its place.
    """
    since = view.front.started or 0.0 if view.front else 0.0
    for upstream in view.layout.upstreams:
        service = view.services.get(upstream.service)
        for container in service.running if service and upstream.looked_up_once else ():
            if (container.started or 0.0) > since:
                return True
    return False


def _typed(request: ProbeRequest) -> str:
    """Return the URL of a request as a person would type it."""
    return site_url(request.address, request.port, tls=request.tls, path=request.path)


def _left_out(requests: Sequence[ProbeRequest]) -> str:
    url, others = _typed(requests[0]), len(requests) - 1
    which = f"{url} and {others} more locations were" if others else f"{url} was"
    return f"{which} not asked: only the first {_MOST_LOCATIONS} locations are"


def _place(request: ProbeRequest) -> _Place:
    return request.address, request.port, request.host, request.path


def _bad_location(request: ProbeRequest, answer: HttpFacts) -> BadLocation:
    return BadLocation(
        url=_typed(request),
        host=request.host,
        answer=answer.answer,
        proxy=answer.service,
        service=answer.upstream,
        target=answer.target,
    )


def _site(planned: Sequence[ProbeRequest]) -> tuple[str, ...]:
    """Return one URL for each port of the proxy."""
    ways = dict.fromkeys((request.address, request.port, request.tls) for request in planned)
    return tuple(site_url(address, port, tls=tls) for address, port, tls in ways)
