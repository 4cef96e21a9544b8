"""After `up` and `restart`: wait until every service is healthy, and check what is really bound.

A container that has lost its ports or networks is recreated, once.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.stack import compose_errors
from dartsctl.stack.health import (
    StackHealth,
    wait_until_ready,
)
from dartsctl.workflows.up import compose_run
from dartsctl.workflows.up.deadline import Countdown, StartClock
from dartsctl.workflows.up.engine_reading import EngineReading
from dartsctl.workflows.up.missing import MissingCheck
from dartsctl.workflows.up.outcome import ContainerProblem, UpOutcome
from dartsctl.workflows.up.problems import located, look_at
from dartsctl.workflows.up.proxy_outcome import ProxyOutcome
from dartsctl.workflows.up.readiness import Forgiving, Readiness
from dartsctl.workflows.up.rest import Rest
from dartsctl.workflows.up.signs_of_life import SignsOfLife
from dartsctl.workflows.up.start_again import StartAgain

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dartsctl.edges.engine.compose import Compose
    from dartsctl.ports.missing_bindings import MissingBinding
    from dartsctl.workflows.deps import Deps
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
        clock: StartClock,
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
        self._clock = clock
        self._scales = tuple(scales)
        self._on_line = on_line
        self._missing_check = MissingCheck(before, self._engine, deps=deps)
        self._proxy = proxy
        self._readiness = Readiness(before, settling_time=settling_time, deps=deps)
        self._reading = EngineReading(self._engine)
        """The latest one."""
        self._complete: EngineReading | None = None
        """The latest one in which nothing was missing."""

    def check(self) -> UpOutcome:
        """Recreate containers that miss something, once; wait for health; check again.

        Raises KeyboardInterrupt.
        """
        missing = self._missing()
        recreated: tuple[str, ...] = ()
        failure = ""
        if missing and not self._is_late():
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
                own = self._reading.own(self._before.stack)
                urls = ask_ports(self._before, own, proxy.proxy, pool)
        for sentence in self._readiness.unseen(self._reading):
            self._screen.note(sentence)
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

    def _is_late(self) -> bool:
        """Whether the deadline has passed. It is decided when this is asked first."""
        return self._deps.monotonic() >= self._clock.until

    def _read_again(self) -> EngineReading:
        """Read the engine again: time has passed, or something was changed."""
        self._reading = EngineReading(self._engine)
        return self._reading

    def _squatters(self, *, is_ready: bool) -> tuple[MissingBinding, ...]:
        """Return the ports of services on the host's network that somebody else serves."""
        if not self._before.stack.uses_host_network:
            return ()
        from dartsctl.workflows.preflight.host_ports import squatters_after

        return squatters_after(self._before, is_ready=is_ready, deps=self._deps)

    def _missing(self) -> tuple[MissingBinding, ...]:
        """Return what running containers miss, if they miss it for a while."""
        if self._reading is self._complete:
            return ()
        until = self._deps.monotonic() + _LOOKS_TIME
        missing = self._missing_now()
        while missing and self._deps.monotonic() < until:
            self._deps.sleep(_LOOK_PAUSE)
            self._read_again()
            again = self._missing_now()
            missing = tuple(binding for binding in missing if binding in again)
        if not missing:
            self._complete = self._reading
        return missing

    def _missing_now(self) -> tuple[MissingBinding, ...]:
        reading = self._reading
        return self._missing_check.look(reading, self._readiness.settled(reading))

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
                max(1.0, self._clock.until - self._deps.monotonic()),
                deps=self._deps,
                skip_images=True,
            ),
            deps=self._deps,
            on_line=self._on_line,
        )
        self._read_again()
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
            if proxy.is_good or self._is_late():
                if proxy.site:  # the answers may have taken time
                    state = self._readiness.judge(self._read_again())
                if state.is_ready or self._is_late():
                    return state, proxy
            line = f"waiting for {', '.join(location.waiting for location in proxy.failing)}"
            if proxy.failing and line != shown:
                self._screen.progress(line)
                shown = line
            self._deps.sleep(_BETWEEN_QUESTIONS)
            self._read_again()

    def _wait(self, gate: ThroughProxy, again: StartAgain) -> StackHealth:
        """Wait until the stack is ready, or cannot become so, or the deadline has passed."""
        shown = ""
        signs = SignsOfLife(self._deps)
        pause = Rest(self._engine, self._before.stack.project, self._deps)

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
            pause.rest(seconds, until=self._readiness.settles_at)
            self._read_again()

        def read() -> StackHealth:
            self._readiness.expect(gate.passed_on(self._reading))
            return again.judge(self._readiness.judge(self._reading))

        try:
            state = wait_until_ready(
                Forgiving(read), is_over=self._is_late, sleep=rest, on_change=show
            )
        finally:
            pause.close()
        signs.end()
        return state

    def _problems(
        self, state: StackHealth, missing: Sequence[MissingBinding]
    ) -> dict[str, ContainerProblem]:
        names = {binding.container for binding in missing}
        names.update(container.container for container in state.waiting_for)
        return {name: look_at(name, self._deps) for name in sorted(names) if name}
