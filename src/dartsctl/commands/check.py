"""`check`: the preflight alone. It says what `up` would meet, and changes nothing."""

from __future__ import annotations

from dartsctl.errors import ExitCode
from dartsctl.ports import drift, unmet_needs
from dartsctl.records import field, record
from dartsctl.workflows.preflight import orphans, report
from dartsctl.workflows.preflight.another_stack import neighbours_down, next_command
from dartsctl.workflows.preflight.preflight import Preflight, exit_code_of, run_preflight
from dartsctl.workflows.preflight.rival_words import remedy_lines
from dartsctl.workflows.up import refusal
from dartsctl.workflows.up.answers import Answers
from dartsctl.workflows.up.refresh_guards import refresh_guards
from dartsctl.workflows.up.remap import with_kept_moves

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.config.environment import Environment
    from dartsctl.edges.screen.output import Screen
    from dartsctl.ports.allocation import Allocation
    from dartsctl.ports.notices import Notice
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.preflight.inputs import Intent
    from dartsctl.workflows.up.preview import ResolutionPreview


@record
class CheckRequest:
    """What to check. With `fix`, conflicts are settled as `up` would settle them."""

    environment: Environment
    intent: Intent
    next_command: str
    allocation: Allocation | None = None
    """Production's documented ports, None without settings."""
    answers: Answers = field(default_factory=Answers)
    fix: bool = False
    dry_run: bool = False
    """Settle nothing, and do not update the guards either."""
    skip_port_check: bool = False


def check(request: CheckRequest, *, deps: Deps) -> ExitCode:
    """Report the preflight.

    Ends with 0 (clear), 1 (something is missing), 3 (conflicts, taken names) or 4 (another stack's
    project, unsafe production).
    """
    screen = deps.screen
    environment = with_kept_moves(request.environment, deps=deps, dry_run=request.dry_run)
    preflight = run_preflight(environment, request.intent, deps=deps)
    if not request.dry_run:
        refresh_guards(preflight, request.intent, request.allocation, deps=deps)
    preview = None
    beside: tuple[str, ...] = ()
    if request.fix or not preflight.is_clear:
        from dartsctl.workflows.up import settle
    if request.fix:
        refusal.warn_of_unneeded_removals(preflight, request.answers, screen)
        if not preflight.is_clear:
            refusal.refuse_unsafe(preflight, screen)
            refusal.refuse_unmet_needs(preflight, request.next_command, screen)
        if request.dry_run:
            preview = settle.preview(preflight, request.answers, request.environment, deps=deps)
        elif not preflight.is_clear:
            _, preflight = settle.settle(
                preflight,
                request.environment,
                request.answers,
                intent=request.intent,
                command=request.next_command,
                deps=deps,
            )
    if not request.fix and not preflight.is_clear:
        beside = settle.way_beside(preflight, request.answers, request.environment, deps=deps)
    return _report(preflight, request, preview, beside, screen)


def _report(
    preflight: Preflight,
    request: CheckRequest,
    preview: ResolutionPreview | None,
    beside: Sequence[str],
    screen: Screen,
) -> ExitCode:
    notices = (*preflight.notices, *_notices_of_allocation(preflight, request.allocation))
    hint = _hint(preflight, request, beside)
    code = exit_code_of(preflight)
    if screen.as_json:
        document = report.document(preflight)
        document |= {"warnings": [notice.document() for notice in notices], "exit_code": int(code)}
        if hint:
            document["hint"] = hint
        document |= preview.document() if preview else {"moves": list(beside)}
        screen.document(document)
        return code
    screen.table(("SERVICE", "PUBLISHED", "CONTAINER", "VERDICT"), report.rows(preflight))
    for notice in notices:
        screen.warn(notice.line)
    _show_obstacles(preflight, screen)
    for line in refusal.production_lines(preflight, request.answers):
        screen.note(line)
    for line in preview.lines if preview else refusal.beside_lines(preflight, beside):
        screen.note(line)
    advice = [objection.advice for objection in preflight.blocking_objections]
    for command in dict.fromkeys([*advice, hint]):
        if command:
            screen.note(f"next: {command}")
    if code is ExitCode.OK:
        screen.note(report.clear_line(preflight))
    return code


def _hint(preflight: Preflight, request: CheckRequest, beside: Sequence[str]) -> str:
    """Return the next command; empty where none is known."""
    hint = next_command(preflight, request.next_command) or orphans.next_command(preflight)
    hint = hint or unmet_needs.next_command(preflight.unmet_needs, request.next_command)
    if beside and not hint:
        return request.environment.command("up", *preflight.services, "--on-conflict", "remap")
    return hint or neighbours_down(preflight)


def _show_obstacles(preflight: Preflight, screen: Screen) -> None:
    """Show what is unsafe, all conflicts with their holders, and all collisions."""
    for objection in preflight.objections:
        screen.warn(objection.sentence)
    for conflict in report.conflict_texts(preflight):
        screen.warn(conflict.sentence)
        for holder in conflict.holders:
            screen.note(f"  {holder}")
    for line in remedy_lines(preflight):
        screen.note(line)
    for line in report.collision_lines(preflight.collisions):
        screen.warn(line)


def _notices_of_allocation(
    preflight: Preflight, allocation: Allocation | None
) -> tuple[Notice, ...]:
    if allocation is None:
        return ()
    if preflight.environment.is_production:
        return drift.drift(preflight.stack, allocation)
    return drift.dev_on_production_ports(preflight.stack, allocation)
