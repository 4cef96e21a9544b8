"""The step that refuses to replace another stack, or to start this one a second time under another project's name."""

from __future__ import annotations

import shlex

from dartsctl.errors import Refused
from dartsctl.ports.collisions import ProjectTaken
from dartsctl.stack.same_stack import RunsAs
from dartsctl.workflows.up import report
from dartsctl.workflows.up.preflight import Preflight


def refuse(preflight: Preflight, command: str) -> None:
    """Raise Refused where the preflight has met another stack, or this one elsewhere.

    `command` is what was typed: the same with a project's name says which one is meant.
    """
    another = preflight.another_stack
    if another is None:
        return
    if isinstance(another, RunsAs):
        ours = preflight.stack.project
        ways = (
            f"to mean that one, by the files here: {with_project(command, another.project)}",
            f"to have {ours} beside it: {with_project(command, ours)}",
        )
    else:
        ways = (
            f"to replace it on purpose: {with_project(command, another.project)}",
            "to keep both, give this stack a name of its own: project = ... in dartsctl.toml, or --project NAME",
        )
    sentence = report.collision_lines([another])[0]
    raise Refused(
        sentence, details=("nothing was changed", *ways), hint=next_command(preflight, command)
    )


def next_command(preflight: Preflight, command: str) -> str:
    """Return what to type after a refusal, which replaces nothing of another folder's stack unasked; empty where none is met.

    A dev stack beside its copy gets names of its own. A project that another stack has is looked at first.
    """
    environment, another = preflight.environment, preflight.another_stack
    if another is None:
        return ""
    if _is_copy(preflight):
        return f"dartsctl {environment.name} up --on-conflict remap"
    if isinstance(another, ProjectTaken) and environment.project:
        return f"dartsctl {environment.name} ps"
    return with_project(command, another.project)


def refuse_unless_copy(preflight: Preflight, command: str) -> None:
    """Raise as `refuse` does, except for a copy: that may be settled first, ours gets other names."""
    if not _is_copy(preflight):
        refuse(preflight, command)


def _is_copy(preflight: Preflight) -> bool:
    """Whether another checkout's copy is in the way by its container names alone."""
    another = preflight.another_stack
    return (
        preflight.environment.has_copies and isinstance(another, RunsAs) and another.sign == "names"
    )


def with_project(command: str, project: str) -> str:
    """Return `command` for a project by its name. `dartsctl dev` takes none: its services are the business of `dev up`."""
    words = "dartsctl dev up" if command == "dartsctl dev" else command
    return f"{words} --project {shlex.quote(project)}"
