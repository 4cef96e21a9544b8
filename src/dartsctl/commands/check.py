"""`check`: the preflight alone. Says what `up` would meet, and changes nothing."""

from __future__ import annotations

from dataclasses import dataclass, field

from dartsctl.config.environment import Environment
from dartsctl.edges.screen.output import Screen
from dartsctl.errors import ExitCode
from dartsctl.ports import lint
from dartsctl.ports.allocation import Allocation
from dartsctl.workflows.deps import Deps
from dartsctl.workflows.up import report, settle
from dartsctl.workflows.up.another_stack import next_command
from dartsctl.workflows.up.preflight import Intent, Preflight, exit_code_of, run_preflight
from dartsctl.workflows.up.preview import ResolutionPreview
from dartsctl.workflows.up.refresh_guards import refresh_guards
from dartsctl.workflows.up.remap import with_kept_moves


@dataclass(frozen=True, slots=True)
class CheckRequest:
    """What to look at. `allocation` adds what concerns production's ports; `fix` settles what is found, as `up` would."""

    environment: Environment
    intent: Intent
    allocation: Allocation | None = None
    fix: bool = False
    answers: settle.Answers = field(default_factory=settle.Answers)
    next_command: str = "dartsctl check"
    skip_port_check: bool = False
    dry_run: bool = False
    """Nothing is settled, and not even the guards are brought up to date with production's ports."""


def check(request: CheckRequest, *, deps: Deps) -> ExitCode:
    """Report the preflight: 0 clear, 3 conflicts or names that are taken, 4 a project that is another stack's, or an unsafe production."""
    screen = deps.screen
    environment = with_kept_moves(request.environment, deps=deps, dry_run=request.dry_run)
    preflight = run_preflight(environment, request.intent, deps=deps)
    if not request.dry_run:
        refresh_guards(preflight, request.intent, request.allocation, deps=deps)
    preview = None
    if request.fix:
        settle.warn_of_unneeded_removals(preflight, request.answers, screen)
    if request.fix and not preflight.is_clear:
        settle.refuse_unsafe(preflight, screen)
    if request.fix and request.dry_run:
        preview = settle.preview(preflight, request.answers, request.environment)
    elif request.fix and not preflight.is_clear:
        _, preflight = settle.settle(preflight, request, request.environment, deps=deps)
    return _report(preflight, request, preview, screen)


def _report(
    preflight: Preflight, request: CheckRequest, preview: ResolutionPreview | None, screen: Screen
) -> ExitCode:
    notices = (*preflight.notices, *_about_allocation(preflight, request.allocation))
    hint = next_command(preflight, request.next_command)
    code = exit_code_of(preflight)
    document = report.document(preflight)
    document["warnings"] = [
        {"code": one.code, "service": one.service, "message": one.sentence} for one in notices
    ]
    document["exit_code"] = int(code)
    if hint:
        document["hint"] = hint
    document |= preview.document() if preview else {}
    if screen.as_json:
        screen.document(document)
        return code
    screen.table(("SERVICE", "PUBLISHED", "CONTAINER", "VERDICT"), report.rows(preflight))
    for notice in notices:
        screen.warn(f"{notice.service}: {notice.sentence}")
    tell_obstacles(preflight, screen)
    for line in (
        *settle.production_lines(preflight, request.answers, request.environment),
        *(preview.lines if preview else ()),
    ):
        screen.note(line)
    for advice in dict.fromkeys(one.advice for one in preflight.blocking_objections if one.advice):
        screen.note(f"next: {advice}")
    if hint:
        screen.note(f"next: {hint}")
    if code is ExitCode.OK:
        count = len(preflight.verdicts.bindings)
        screen.note(
            f"{preflight.stack.project}: no conflict; {count} binding{'' if count == 1 else 's'} checked{_limits(preflight)}"
        )
    return code


def tell_obstacles(preflight: Preflight, screen: Screen) -> None:
    """What is unsafe, all conflicts and collisions, one under the other."""
    for one in preflight.objections:
        screen.warn(one.sentence)
    for line in (
        *report.conflict_lines(preflight.verdicts.conflicts),
        *report.collision_lines(preflight.collisions),
    ):
        screen.warn(line) if not line.startswith("  ") else screen.note(line)


def _about_allocation(
    preflight: Preflight, allocation: Allocation | None
) -> tuple[lint.Notice, ...]:
    if allocation is None:
        return ()
    if preflight.environment.is_production:
        return lint.drift(preflight.stack, allocation)
    return lint.dev_on_production_ports(preflight.stack, allocation)


def _limits(preflight: Preflight) -> str:
    engine = preflight.engine
    if not engine.is_here:
        return (
            f"; the engine at {engine.endpoint} is not on this host, so only its own list was asked"
        )
    return f" against engine {engine.version}" if engine.version else "; without asking an engine"
