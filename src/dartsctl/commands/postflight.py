"""After `up`: wait until every service is healthy, then look whether what was wanted is really bound."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from dartsctl import health
from dartsctl.bindings import Endpoint
from dartsctl.commands.preflight import EngineClient, Preflight
from dartsctl.conflicts import Verdict
from dartsctl.containers import Container
from dartsctl.edges.engine import EngineApi
from dartsctl.edges.output import Screen
from dartsctl.errors import ExitCode, NotHealthy


def wait(before: Preflight, engine: EngineClient, screen: Screen, *, deadline: float, clock: Callable[[], float]) -> health.Health:
    """The stack's health, waited for until `deadline` (a time of `clock`)."""

    told = ""

    def tell(now: health.Health) -> None:
        nonlocal told
        line = "waiting for " + ", ".join(f"{one.service} ({one.condition.value})" for one in now.waiting_for)
        if now.waiting_for and line != told:
            screen.progress(line)
        told = line

    return health.wait(lambda: health.assess(before.stack, engine.containers()), deadline=deadline, clock=clock, sleep=time.sleep, on_change=tell)


def missing_bindings(before: Preflight, containers: Sequence[Container]) -> list[tuple[str, Endpoint]]:
    """Fixed bindings that the engine does not list although `up` ended well: it may report Running and have bound nothing (EDGE 33)."""
    listed: dict[str, set[Endpoint]] = {}
    for one in containers:
        if one.project == before.stack.project and one.holds_ports:
            listed.setdefault(one.service, set()).update(one.published)
    return [
        (finding.binding.service, endpoint)
        for finding in before.answer.findings
        if finding.verdict is not Verdict.UNCERTAIN and not finding.binding.is_range and finding.binding.service in listed
        for endpoint in finding.binding.endpoints(finding.binding.first)
        if endpoint not in listed[finding.binding.service]
    ]


def report(before: Preflight, state: health.Health, missing: Sequence[tuple[str, Endpoint]], engine: EngineClient, screen: Screen) -> ExitCode:
    """Say how the stack is. Raises NotHealthy (6) where something is missing, after it has said what; with --json returns the code."""
    good = state.is_ready and not missing
    code = ExitCode.OK if good else ExitCode.NOT_HEALTHY
    if screen.as_json:
        screen.document(_document(before, state, missing, code))
        return code
    for one in state.waiting_for:
        screen.warn(f"{one.service} is {one.condition.value}: {one.detail}{_error_of(one, engine)}")
    for service, endpoint in missing:
        screen.warn(f"{service} runs without its port {endpoint}")
    if good:
        count = len(state.services)
        screen.note(f"{before.stack.project} is up: {count} container{'' if count == 1 else 's'} ready")
        return code
    services = " ".join(dict.fromkeys([*(one.service for one in state.waiting_for), *(service for service, _ in missing)]))
    raise NotHealthy(f"{before.stack.project} is up, but not healthy", hint=f"dartsctl {before.environment.name} logs {services}")


def _document(before: Preflight, state: health.Health, missing: Sequence[tuple[str, Endpoint]], code: ExitCode) -> dict[str, object]:
    return {
        "ok": code is ExitCode.OK,
        "exit_code": int(code),
        "project": before.stack.project,
        "services": [
            {"service": one.service, "container": one.container, "condition": one.condition.value, "detail": one.detail} for one in state.services
        ],
        "missing_bindings": [{"service": service, "address": one.address, "port": one.port, "protocol": one.protocol} for service, one in missing],
    }


def _error_of(one: health.ServiceHealth, engine: EngineClient) -> str:
    """State.Error of a container that never started: `docker logs` is empty then (EDGE 32)."""
    if not one.container or not isinstance(engine, EngineApi) or one.condition is not health.Condition.FAILED:
        return ""
    text = str(engine.state(one.container).get("Error", ""))
    return f" ({text})" if text else ""
