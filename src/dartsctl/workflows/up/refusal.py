"""Report what keeps `up` from starting, and refuse it."""

from __future__ import annotations

from dartsctl.errors import Advice, DartsctlError, ExitCode
from dartsctl.ports import rivals, unmet_needs
from dartsctl.ports.collisions import NameTaken, Paused, names_taken
from dartsctl.ports.fixed_addresses import AddressTaken
from dartsctl.ports.holders import ForeignContainer
from dartsctl.ports.holders.kinds import PRODUCTION_STOPS
from dartsctl.ports.shared import SharedResource
from dartsctl.workflows.preflight import another_stack, orphans, report
from dartsctl.workflows.preflight.preflight import exit_code_of
from dartsctl.workflows.preflight.rival_words import files_to_change

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from dartsctl.edges.screen.output import Screen
    from dartsctl.workflows.preflight.preflight import Preflight
    from dartsctl.workflows.up.answers import Answers
    from dartsctl.workflows.up.preview import ResolutionPreview

_SHOWN_BEFORE_UP = (
    "uncertain",
    "became-ephemeral",
    "localhost-ambiguous",
    "ports-appended",
    "shared-network",
    "replicas-fixed-port",
    "shared-project",
    "shared-volume",
    "shared-image",
)
"""Codes of the warnings that explain a failure or a surprise of this very `up`."""


class AlreadyReported(DartsctlError):
    """The JSON document is written; only the exit code is left."""

    def __init__(self, code: ExitCode) -> None:
        super().__init__("", code=code)


def refuse_conflicts(
    preflight: Preflight,
    answers: Answers,
    *,
    command: str,
    screen: Screen,
    skip_port_check: bool = False,
    undone: Sequence[str] = (),
    preview: ResolutionPreview | None = None,
    beside: Sequence[str] = (),
) -> None:
    """Raise DartsctlError (3) where anything is in the way. An uncertain binding is only a warning.

    `command` starts the stack again. `undone` is what a failed attempt removed. `preview` is what a
    policy would do (--dry-run). `beside` is what would move with `--on-conflict remap`.
    """
    for notice in preflight.notices:
        if notice.code in _SHOWN_BEFORE_UP:
            screen.warn(notice.line)
    if preview is None or not preview.steps:  # else this stack would get another name first
        another_stack.refuse(preflight, command)
    refuse_unmet_needs(preflight, command, screen)
    if preflight.is_clear or (skip_port_check and not preflight.collisions):
        return
    moves_all = bool(preview and preview.moves_all)
    hint = _hint(preflight, command, will_move=bool(beside) or moves_all)
    if screen.as_json:
        more = {"moves": list(beside), "hint": hint} | (preview.document() if preview else {})
        raise _reported_conflicts(preflight, undone, more, screen)
    ways = _closing_lines(preflight, beside)
    if preview:
        ways = [*preview.lines, *(() if moves_all else ways)]
    raise DartsctlError(
        f"{_services(preflight)} of {preflight.stack.project} cannot start; nothing was changed",
        details=(*report.obstacle_lines(preflight), *production_lines(preflight, answers), *ways),
        hint=hint,
        code=ExitCode.CONFLICT,
    )


def _reported_conflicts(
    preflight: Preflight, undone: Sequence[str], more: Mapping[str, Any], screen: Screen
) -> AlreadyReported:
    """Write the JSON document about conflicts."""
    document = {**report.document(preflight), "exit_code": int(ExitCode.CONFLICT)}
    if undone:
        document["undone"] = list(undone)
    screen.document(document | dict(more))
    return AlreadyReported(ExitCode.CONFLICT)


def refuse_unmet_needs(preflight: Preflight, command: str, screen: Screen) -> None:
    """Raise DartsctlError where something is missing without which the stack cannot start.

    This comes before any conflict is resolved: nobody is asked to stop anything for such a stack.
    Conflicts and collisions are shown with it.
    """
    needs = preflight.unmet_needs
    if not needs:
        return
    code = exit_code_of(preflight)
    hint = unmet_needs.next_command(needs, command)
    if screen.as_json:
        screen.document({**report.document(preflight), "exit_code": int(code), "hint": hint})
        raise AlreadyReported(code)
    raise DartsctlError(
        f"{preflight.stack.project} cannot start: {unmet_needs.summary(needs)};"
        " nothing was changed",
        details=tuple(report.obstacle_lines(preflight)),
        hint=hint,
        code=code,
    )


def is_all_within_stack(preflight: Preflight) -> bool:
    """Return whether nobody else is in the way: then nothing can be freed."""
    conflicts = preflight.verdicts.conflicts
    return not preflight.collisions and all(map(rivals.is_within_stack, conflicts))


def beside_lines(preflight: Preflight, moves: Sequence[str]) -> list[str]:
    """Return what would move with `--on-conflict remap`; nothing where that is no way out."""
    if not moves:
        return []
    start = f"`--on-conflict remap` starts {preflight.stack.project} beside that"
    return [f"{start}, on this machine only:", *(f"  {move}" for move in moves)]


def _closing_lines(preflight: Preflight, beside: Sequence[str]) -> list[str]:
    if beside:
        return beside_lines(preflight, beside)
    if is_all_within_stack(preflight):
        return []
    if another_stack.neighbours_down(preflight):
        return ["take that stack down, then start this one again"]
    if any(map(rivals.is_within_stack, preflight.verdicts.conflicts)):
        return ["change the files, free what else is named above, then start it again"]
    return ["free what is named above, then start it again"]


def _hint(preflight: Preflight, command: str, *, will_move: bool) -> str:
    """Return the next command; advice where a file has to change before."""
    if will_move:
        return f"{command} --on-conflict remap"
    if is_all_within_stack(preflight):
        return Advice(f"change `ports` in {files_to_change(preflight)}, then `{command}`")
    ways = (another_stack.neighbours_down(preflight), orphans.next_command(preflight))
    return next(filter(None, ways), command)


def _services(preflight: Preflight) -> str:
    """`2 services`: how many of the stack's services cannot start."""
    names = {conflict.binding.service for conflict in preflight.verdicts.conflicts}
    for collision in preflight.collisions:
        match collision:
            case NameTaken(service):
                names.add(service)
            case Paused(container):
                names.add(container.service)
            case AddressTaken(service=service):
                names.add(service)
            case SharedResource(services=services) if services:
                names |= set(services)
            case _:  # it concerns the whole project
                names |= preflight.stack.services.keys()
    return "1 service" if len(names) == 1 else f"{len(names)} services"


def refuse_unsafe(preflight: Preflight, screen: Screen) -> None:
    """Raise Refused (4) where production would start with weak secrets or a bad certificate.

    Conflicts and collisions are shown with it. This comes before anything is resolved: nobody is
    asked to stop a process for a stack that is refused anyway.
    """
    blocking = preflight.blocking_objections
    for objection in preflight.objections:
        if objection not in blocking:
            screen.warn(objection.sentence)
    if not blocking:
        return
    if screen.as_json:
        screen.document({**report.document(preflight), "exit_code": int(ExitCode.REFUSED)})
        raise AlreadyReported(ExitCode.REFUSED)
    from dartsctl.workflows.preflight.production_checks import unsafe_error

    raise unsafe_error(blocking, report.obstacle_lines(preflight))


def warn_of_unneeded_removals(preflight: Preflight, answers: Answers, screen: Screen) -> None:
    """Say which containers of --remove-container are not in the way: they are not removed."""
    taken = {collision.container.name for collision in names_taken(preflight.collisions)}
    for name in sorted(answers.removable - taken):
        screen.warn(
            f"--remove-container {name}: no container of that name is in the way; "
            "nothing is removed for it"
        )


def production_lines(preflight: Preflight, answers: Answers) -> list[str]:
    """Return which containers in the way are production's, and what stops them.

    Empty for production itself.
    """
    production = answers.production_project
    is_production = preflight.environment.is_production or preflight.stack.project == production
    if is_production or not production:
        return []
    holders: list[object] = []
    for conflict in preflight.verdicts.conflicts:
        holders += conflict.holders
    names: dict[str, None] = {}
    for holder in (*holders, *preflight.collisions):
        match holder:
            case ForeignContainer(container) | NameTaken(_, container):
                if container.project == production:
                    names[container.name] = None
    return [f"{name} is production's: {PRODUCTION_STOPS}" for name in names]
