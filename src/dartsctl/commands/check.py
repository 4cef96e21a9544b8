"""`check`: the preflight alone. Says what `up` would meet, and changes nothing."""

from __future__ import annotations

from dartsctl import lint
from dartsctl.allocation import Allocation
from dartsctl.commands import report
from dartsctl.commands.host import Host
from dartsctl.commands.preflight import Intent, Preflight, look, verdict
from dartsctl.edges.docker import Compose
from dartsctl.edges.output import Screen
from dartsctl.environment import Environment
from dartsctl.errors import ExitCode


def check(
    environment: Environment, intent: Intent, *, compose: Compose, host: Host, screen: Screen, allocation: Allocation | None = None
) -> ExitCode:
    """Report the preflight: 0 clear, 3 conflicts or names that are taken, 4 a project that is another stack's.

    `allocation` adds what concerns production's ports.
    """
    preflight = look(environment, intent, compose=compose, host=host)
    notices = (*preflight.notices, *_about_allocation(preflight, allocation))
    code = verdict(preflight)
    document = report.document(preflight)
    document["warnings"] = [{"code": one.code, "service": one.service, "message": one.sentence} for one in notices]
    document["exit_code"] = int(code)
    if screen.as_json:
        screen.document(document)
        return code
    screen.table(("SERVICE", "PUBLISHED", "CONTAINER", "VERDICT"), report.rows(preflight))
    for notice in notices:
        screen.warn(f"{notice.service}: {notice.sentence}")
    tell_obstacles(preflight, screen)
    if code is ExitCode.OK:
        count = len(preflight.answer.findings)
        screen.note(f"{preflight.stack.project}: no conflict; {count} binding{'' if count == 1 else 's'} checked{_limits(preflight)}")
    return code


def tell_obstacles(preflight: Preflight, screen: Screen) -> None:
    """All conflicts and collisions, one under the other."""
    for line in (*report.conflict_lines(preflight.answer.conflicts), *report.collision_lines(preflight.collisions)):
        screen.warn(line) if not line.startswith("  ") else screen.note(line)


def _about_allocation(preflight: Preflight, allocation: Allocation | None) -> tuple[lint.Notice, ...]:
    if allocation is None:
        return ()
    if preflight.environment.is_production:
        return lint.drift(preflight.stack, allocation)
    return lint.dev_on_production_ports(preflight.stack, allocation)


def _limits(preflight: Preflight) -> str:
    engine = preflight.engine
    if not engine.is_here:
        return f"; the engine at {engine.endpoint} is not on this host, so only its own list was asked"
    return f" against engine {engine.version}" if engine.version else "; without asking an engine"
