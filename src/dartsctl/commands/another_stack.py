"""The step that refuses to replace another stack, or to start this one a second time under another project's name."""

from __future__ import annotations

import shlex

from dartsctl.commands import report
from dartsctl.commands.preflight import Preflight
from dartsctl.errors import Refused
from dartsctl.same_stack import RunsAs


def refuse(preflight: Preflight, command: str) -> None:
    """Raise Refused where the preflight has met another stack, or this one elsewhere.

    `command` is what was typed: the hint is the same with the project that is meant.
    """
    another = preflight.another_stack
    if another is None:
        return
    if isinstance(another, RunsAs):
        own = preflight.stack.project
        more = f"where {own} is meant to exist beside it: {for_project(command, own)}"
    else:
        more = "to keep both, give this stack a name of its own: project = ... in dartsctl.toml, or --project NAME"
    sentence = report.collision_lines([another])[0]
    raise Refused(sentence, details=("nothing was changed", more), hint=for_project(command, another.project))


def refuse_unless_copy(preflight: Preflight, command: str) -> None:
    """Raise as `refuse` does, except where another checkout's copy is in the way by its container names alone.

    That may be settled first: ours get other names.
    """
    another = preflight.another_stack
    is_copy = preflight.environment.has_copies and isinstance(another, RunsAs) and another.sign == "names"
    if not is_copy:
        refuse(preflight, command)


def for_project(command: str, project: str) -> str:
    """Return `command` for a project by its name. `dartsctl dev` takes none: its services are the business of `dev up`."""
    words = "dartsctl dev up" if command == "dartsctl dev" else command
    return f"{words} --project {shlex.quote(project)}"
