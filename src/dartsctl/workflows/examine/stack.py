"""Examine a stack: its facts and their diagnosis. Changes nothing."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING

from dartsctl.diagnosis.facts import EngineFacts, Facts
from dartsctl.diagnosis.nginx.log import parse_moment
from dartsctl.errors import DockerUnavailable, ExitCode
from dartsctl.records import record
from dartsctl.workflows.examine.probes import ExamineRequest, StackProbes

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from dartsctl.diagnosis.findings import Diagnosis
    from dartsctl.errors import DartsctlError
    from dartsctl.stack.model import Stack
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.examine.requests import ProbeRequest
    from dartsctl.workflows.preflight.preflight import Preflight

ENGINE_DEADLINE = 6.0
"""Seconds for each answer of an engine that can be inspected. A busy one may need two."""
_SMALLEST_SKEW = 1.0
"""Seconds by which two clocks may differ without harm."""
_THREADS = 16


@record
class Examination:
    """What was measured, and the diagnosis. `request` has the environment that was examined."""

    request: ExamineRequest
    facts: Facts
    diagnosis: Diagnosis
    files_error: DartsctlError | None = None
    """Why the Compose files could not be read: the containers' labels say what the stack is."""
    preflight: Preflight | None = None
    """None if the engine does not answer."""
    requests: tuple[ProbeRequest, ...] = ()
    """The requests that a stack like this is asked by."""

    @property
    def stack(self) -> Stack | None:
        """The stack; None if the engine does not answer."""
        return self.preflight.stack if self.preflight else None

    @property
    def code(self) -> ExitCode:
        """0 healthy, 1 something is wrong, 5 the engine does not answer."""
        if self.diagnosis.healthy:
            return ExitCode.OK
        return self.failure_code

    @property
    def failure_code(self) -> ExitCode:
        """The code for a stack that is not healthy."""
        from dartsctl.diagnosis.findings import Cause

        for finding in self.diagnosis.findings:
            if finding.cause is Cause.ENGINE_DOWN:
                return ExitCode.NO_DOCKER
        return ExitCode.FAILED


def examine(request: ExamineRequest, *, deps: Deps) -> Examination:
    """Return the facts of a stack and their diagnosis.

    Raises DartsctlError if the Compose files cannot be read and nothing runs; Refused if the stack
    runs under another project's name, or another stack under this one's: the hint is the command
    for it.
    """
    from dartsctl.diagnosis.diagnose import diagnose  # an `up` imports this module for less

    facts, preflight, requests = _facts(request, deps)
    files_error = preflight.files_error if preflight else None
    return Examination(request, facts, diagnose(facts), files_error, preflight, requests)


def _facts(
    request: ExamineRequest, deps: Deps
) -> tuple[Facts, Preflight | None, tuple[ProbeRequest, ...]]:
    """Return the facts, the preflight that they are from, and the requests that were planned.

    An engine that does not answer is one of the facts.
    """
    from dartsctl.workflows.preflight import another_stack
    from dartsctl.workflows.preflight.labelled_stack import preflight_of_running

    engine = deps.engine()
    control = deps.engine(deadline=ENGINE_DEADLINE).control()
    skew = 0.0
    try:
        if control:
            skew = clock_skew(control.clock, deps.now)
        version = (control or engine).describe().version
    except DockerUnavailable as error:
        down = Facts(
            EngineFacts(engine.address, problem=error.message, hint=error.hint),
            deps.now(),
            request.environment.name,
            request.environment.project or "",
            commands=request.commands,
        )
        return down, None, ()
    preflight = preflight_of_running(request.environment, deps=deps)
    another_stack.refuse(preflight, request.commands.doctor)
    facts = EngineFacts(engine.address, version, is_here=preflight.engine.is_here, skew=skew)
    with probe_pool() as pool:
        probes = StackProbes(request, preflight, facts, control, pool=pool, deps=deps)
        return probes.facts(), preflight, probes.requests


def clock_skew(read_clock: Callable[[], str], now: Callable[[], float]) -> float:
    """Return the seconds that the engine's clock is ahead of ours (edge-cases.md#79).

    0 if its time lies between our question and its answer, however long that took.
    """
    asked = now()
    engine_time = parse_moment(read_clock())
    answered = now()
    if engine_time is None or asked - _SMALLEST_SKEW <= engine_time <= answered + _SMALLEST_SKEW:
        return 0.0
    return engine_time - (asked if engine_time < asked else answered)


@contextmanager
def probe_pool() -> Iterator[ThreadPoolExecutor]:
    """Yield a pool that does not wait for late probes: each ends by its own deadline."""
    pool = ThreadPoolExecutor(_THREADS, thread_name_prefix="probe")
    try:
        yield pool
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
