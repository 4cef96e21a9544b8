"""After `up` and `restart`: wait until every service is healthy, and check what is really bound.

A container that has lost its ports or networks is recreated, once.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from dartsctl.errors import DartsctlError
from dartsctl.ports import missing_bindings
from dartsctl.ports.conflicts import Verdict
from dartsctl.ports.missing_bindings import MissingBinding, MissingKind
from dartsctl.stack import compose_errors
from dartsctl.stack.health import (
    StackHealth,
    wait_until_ready,
)
from dartsctl.workflows.up import compose_run
from dartsctl.workflows.up.deadline import Countdown
from dartsctl.workflows.up.outcome import ContainerProblem, UpOutcome
from dartsctl.workflows.up.problems import located, look_at
from dartsctl.workflows.up.proxy_outcome import ProxyOutcome
from dartsctl.workflows.up.readiness import Forgiving, Readiness
from dartsctl.workflows.up.signs_of_life import SignsOfLife
from dartsctl.workflows.up.start_again import StartAgain

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from dartsctl.diagnosis.inspection import Inspection
    from dartsctl.edges.engine.compose import Compose
    from dartsctl.ports.listeners import Listener
    from dartsctl.stack.bindings import Endpoint
    from dartsctl.stack.containers import Container
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.host import Host
    from dartsctl.workflows.preflight.preflight import Preflight
    from dartsctl.workflows.up.through_proxy import ThroughProxy

_BETWEEN_QUESTIONS = 1.0
"""Seconds between two requests to a location of the proxy that does not answer well."""
_LOOK_PAUSE = 0.3
_LOOKS_TIME = 2.0
"""Seconds for which a binding or network must be missing: one that has just been started gets it
a moment later than its state says, and a restarting container has lost nothing."""


def load() -> None:
    """Import what the check needs, while Compose works: importing it takes a tenth of a second."""
    from dartsctl.workflows.up import through_proxy, urls  # noqa: F401 - for the import alone


class Postflight:
    """The check of one stack after its `up`.

    `proxy` is the service that is the reverse proxy, if the settings name it. `scales` are the
    words that Compose needs to keep the number of replicas. `on_line` gets Compose's lines.
    """

    def __init__(
        self,
        before: Preflight,
        compose: Compose,
        *,
        deps: Deps,
        deadline: float,
        settling_time: float,
        proxy: str = "",
        scales: Sequence[str] = (),
        on_line: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._before = before
        self._compose = compose
        self._deps = deps
        self._engine = deps.engine()
        self._screen = deps.screen
        self._deadline = deadline
        self._scales = tuple(scales)
        self._on_line = on_line
        self._wanted = _fixed_endpoints(before)
        self._proxy = proxy
        self._readiness = Readiness(before, settling_time=settling_time, deps=deps)

    def check(self) -> UpOutcome:
        """Recreate containers that miss something, once; wait for health; check again.

        Raises KeyboardInterrupt.
        """
        missing = self._missing()
        recreated: tuple[str, ...] = ()
        failure = ""
        if missing and self._deps.monotonic() < self._deadline:
            recreated = tuple(dict.fromkeys(binding.service for binding in missing))
            failure = self._recreate(missing, recreated)
        from dartsctl.workflows.examine.stack import probe_pool
        from dartsctl.workflows.up.through_proxy import ThroughProxy
        from dartsctl.workflows.up.urls import StackUrls, ask_ports

        with probe_pool() as pool:
            gate = ThroughProxy(self._before, proxy=self._proxy, pool=pool, deps=self._deps)
            state, proxy = self._until_it_answers(gate)
            missing = (*self._missing(), *self._squatters(is_ready=state.is_ready))
            urls = StackUrls()
            if state.is_ready and proxy.is_good:
                own = self._readiness.containers()
                urls = ask_ports(self._before, own, proxy.proxy, pool)
        self._show_unseen()
        return UpOutcome(
            state,
            missing,
            recreated,
            failure,
            problems=self._problems(state, missing),
            proxy=proxy,
            urls=(*proxy.site, *urls.urls),
            places=urls.places if not proxy.proxy else (),
        )

    def _squatters(self, *, is_ready: bool) -> tuple[MissingBinding, ...]:
        """Return the ports of services on the host's network that somebody else serves."""
        if not self._before.stack.uses_host_network:
            return ()
        from dartsctl.workflows.preflight.host_ports import squatters_after

        return squatters_after(self._before, is_ready=is_ready, deps=self._deps)

    def _missing(self) -> tuple[MissingBinding, ...]:
        """Return what running containers miss, if they miss it for a while."""
        until = self._deps.monotonic() + _LOOKS_TIME
        missing = self._missing_now()
        while missing and self._deps.monotonic() < until:
            self._deps.sleep(_LOOK_PAUSE)
            again = self._missing_now()
            missing = tuple(binding for binding in missing if binding in again)
        return missing

    def _missing_now(self) -> tuple[MissingBinding, ...]:
        own = self._readiness.containers()
        running = [container for container in own if self._readiness.is_settled(container)]
        return (
            *missing_bindings.not_listed(self._wanted, running),
            *self._not_listening(running),
            *self._without_network(running),
        )

    def _not_listening(self, running: Sequence[Container]) -> tuple[MissingBinding, ...]:
        """Return the published ports without a listener in the kernel's socket table.

        This applies to an engine on this host with its userland proxy. The socket of an engine
        elsewhere may be forwarded here: then no port of the engine has a listener here, and
        nothing is missing.
        """
        engine = self._before.engine
        if engine.kind != "local" or not engine.userland_proxy or sys.platform != "linux":
            return ()
        published = _published(self._engine.containers())
        ports = {endpoint.port for endpoint in published}
        host = self._deps.host()
        try:
            host.read_ahead(ports)
        except DartsctlError as error:
            self._screen.detail(
                f"skipped the check that published ports have a listener: {error.message}"
            )
            return ()
        rows: list[Listener] = []
        for port in ports:
            rows += host.listeners(port)
        if not _is_heard(published, rows, host):
            return ()
        return missing_bindings.not_listening(
            self._wanted, running, rows, is_engines=lambda pid: _may_be_engine(pid, host)
        )

    def _without_network(self, running: Sequence[Container]) -> tuple[MissingBinding, ...]:
        missing = []
        for container in running:
            inspected = self._inspect(container.id)
            if inspected and inspected.facts.runs and not inspected.has_network:
                kind = MissingKind.NO_NETWORK
                missing.append(MissingBinding(container.service, container.name, kind))
        return tuple(missing)

    def _recreate(self, missing: Sequence[MissingBinding], services: Sequence[str]) -> str:
        """Recreate `services`. Return why that failed, empty if it did not."""
        for binding in missing:
            self._screen.warn(f"{binding.service} {binding.sentence}")
        self._screen.note(f"recreating {', '.join(services)}")
        return self._compose_up("--force-recreate", *services)

    def _compose_up(self, *words: str) -> str:
        """Run Compose's `up` of single services. Return why that failed, empty if it did not."""
        result = compose_run.run(
            self._compose,
            *("up", "--detach", "--no-deps", *self._scales, *words),
            clock=Countdown(
                max(1.0, self._deadline - self._deps.monotonic()),
                deps=self._deps,
                skip_images=True,
            ),
            deps=self._deps,
            on_line=self._on_line,
        )
        if result.code == 0:
            return ""
        if result.is_late:
            return "not done in time"
        return located(compose_errors.classify(result.text))

    def _until_it_answers(self, gate: ThroughProxy) -> tuple[StackHealth, ProxyOutcome]:
        """Wait until the containers are ready and every location of the proxy answers."""
        shown = ""
        again = StartAgain(gate.missed_by, self._compose_up, self._screen)
        while True:
            state = self._wait(gate, again)
            if not state.is_ready:
                return state, ProxyOutcome()
            proxy = gate.look()
            is_late = self._deps.monotonic() >= self._deadline
            if proxy.is_good or is_late:
                state = self._readiness.now()  # the answers may have taken time
                if state.is_ready or is_late:
                    return state, proxy
            line = f"waiting for {', '.join(location.waiting for location in proxy.failing)}"
            if proxy.failing and line != shown:
                self._screen.progress(line)
                shown = line
            self._deps.sleep(_BETWEEN_QUESTIONS)

    def _wait(self, gate: ThroughProxy, again: StartAgain) -> StackHealth:
        """Wait until the stack is ready, or cannot become so, or the deadline has passed."""
        shown = ""
        signs = SignsOfLife(self._deps)

        def show(now: StackHealth) -> None:
            nonlocal shown
            waiting = [
                f"{now.name_of(container)} ({container.reason or container.condition.value})"
                for container in now.waiting_for
            ]
            line = f"waiting for {', '.join(waiting)}"
            if waiting and line != shown:
                signs.said(line)
            shown = line

        def rest(seconds: float) -> None:
            signs.tick(shown)
            self._deps.sleep(seconds)

        def read() -> StackHealth:
            self._readiness.expect(gate.passed_on())
            return again.judge(self._readiness.now())

        state = wait_until_ready(
            Forgiving(read),
            deadline=self._deadline,
            clock=self._deps.monotonic,
            sleep=rest,
            on_change=show,
        )
        signs.end()
        return state

    def _show_unseen(self) -> None:
        for sentence in self._readiness.unseen():
            self._screen.note(sentence)

    def _inspect(self, container: str) -> Inspection | None:
        """Return the engine's description of a container, None if it gives none."""
        control = self._engine.control()
        return control.inspect(container) if control else None

    def _problems(
        self, state: StackHealth, missing: Sequence[MissingBinding]
    ) -> dict[str, ContainerProblem]:
        names = {binding.container for binding in missing}
        names.update(container.container for container in state.waiting_for)
        return {name: look_at(name, self._deps) for name in sorted(names) if name}


def _published(containers: Sequence[Container]) -> set[Endpoint]:
    published: set[Endpoint] = set()
    for container in containers:
        if container.holds_ports:
            published.update(container.published)
    return published


def _is_heard(published: Collection[Endpoint], rows: Sequence[Listener], host: Host) -> bool:
    """Return whether the engine has a listener on this host for any port that it publishes."""
    for row in rows:
        if any(row.overlaps(endpoint) for endpoint in published) and (
            not row.pids or any(_may_be_engine(pid, host) for pid in row.pids)
        ):
            return True
    return False


def _may_be_engine(pid: int, host: Host) -> bool:
    """Return whether a listener's process may belong to the engine: hidden ones count as such."""
    process = host.describe(pid)
    return process is None or host.is_forwarder(process)


def _fixed_endpoints(before: Preflight) -> dict[str, list[Endpoint]]:
    """Return what each service must have bound: fixed ports, without those that were uncertain."""
    wanted: dict[str, list[Endpoint]] = {}
    for verdict in before.verdicts.bindings:
        binding = verdict.binding
        if binding.on_host:
            continue
        if verdict.verdict is not Verdict.UNCERTAIN and not binding.is_range:
            for port in binding.numbers:
                wanted.setdefault(binding.service, []).extend(binding.endpoints(port))
    return wanted
