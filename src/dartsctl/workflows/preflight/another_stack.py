"""Refuse to replace another stack, and to start this one again under another project name."""

from __future__ import annotations

from dartsctl.config.settings import PRODUCTION
from dartsctl.config.values import normal_project
from dartsctl.errors import Refused
from dartsctl.ports.collisions import NameTaken, ProjectTaken
from dartsctl.ports.fixed_addresses import AddressTaken
from dartsctl.ports.holders import ForeignContainer
from dartsctl.ports.shared import SharedResource
from dartsctl.records import replace
from dartsctl.stack.containers import Container
from dartsctl.stack.same_stack import SameStack
from dartsctl.text.phrases import shell_command
from dartsctl.workflows.preflight import report

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.config.environment import Environment
    from dartsctl.workflows.preflight.preflight import Preflight


def refuse(preflight: Preflight, command: str) -> None:
    """Raise Refused if the preflight met another stack, or this one under another name.

    `command` is what was typed: the same with `--project` says which stack is meant.
    """
    another = preflight.another_stack
    if another is None:
        return
    if isinstance(another, SameStack):
        ours = preflight.stack.project
        beside = with_project(command, ours)
        if _is_copy(preflight):
            beside = next_command(preflight, command)
        ways = (
            f"to use that project with these files: {with_project(command, another.project)}",
            f"to start {ours} beside it: {beside}",
        )
    else:
        keep = f"set another project in dartsctl.toml, or add --project {_name_of(preflight)}"
        ways = (
            f"to replace it: {with_project(command, another.project)}",
            f"to keep both: {keep}",
        )
    sentence = report.collision_line(another)
    others = [line for line in report.obstacle_lines(preflight) if line != sentence]
    raise Refused(
        sentence,
        details=("nothing was changed", *others, *ways),
        hint=next_command(preflight, command),
    )


def _name_of(preflight: Preflight) -> str:
    """Return a project name for this checkout that the other one does not have."""
    project, folder = preflight.stack.project, preflight.environment.directory
    name = normal_project(folder.name)
    if name in project:  # the other checkout's folder has the same name
        name = normal_project(folder.parent.name)
    return f"{project}-{name}"


def next_command(preflight: Preflight, command: str) -> str:
    """Return the command to type after a refusal, empty without another stack.

    It never replaces another folder's stack. A dev stack beside its copy gets ports and names of
    its own. A project of another stack is looked at first.
    """
    environment, another = preflight.environment, preflight.another_stack
    if another is None:
        return ""
    if _is_copy(preflight):
        return environment.command("up", *preflight.services, "--on-conflict", "remap")
    if isinstance(another, ProjectTaken) and environment.project:
        return environment.command("ps")
    return with_project(command, another.project)


def neighbours_down(preflight: Preflight) -> str:
    """Return the `down` of another environment here that alone is in the way, else "".

    Production's is no next step of another environment.
    """
    environment = preflight.environment
    holders: list[object] = []
    for conflict in preflight.verdicts.conflicts:
        holders += conflict.holders or (None,)
    owners: set[str] = set()
    for holder in (*holders, *preflight.collisions):
        match holder:
            case (
                ForeignContainer(container=Container(project=project))
                | NameTaken(container=Container(project=project))
                | AddressTaken(container=Container(project=project))
                | SharedResource(project=project)
            ):
                owners.add(environment.siblings.get(project, ""))
            case _:
                return ""
    if len(owners) != 1 or owners & {"", PRODUCTION}:
        return ""
    other = replace(environment, name=owners.pop(), project_named=False, typed_profiles=())
    return other.command("down")


def refuse_unless_copy(preflight: Preflight, command: str) -> None:
    """Raise like `refuse`, but not for a copy: its conflict can be settled with other names."""
    if not _is_copy(preflight):
        refuse(preflight, command)


def refuse_to_touch(
    others: Sequence[Container], environment: Environment, verb: str, *, effect: str
) -> None:
    """Raise Refused if there are `others`: Compose's `verb` goes by the project's name alone.

    `effect` is what it would do to them.
    """
    if not others:
        return
    files = ", ".join(others[0].own_config_files)
    names = ", ".join(container.name for container in others)
    command = with_project(environment.command(verb), others[0].project)
    raise Refused(
        f"project name {environment.project} belongs to another stack, from {files}:"
        f" `{verb}` would {effect} {names}",
        details=("nothing was changed", f"to {effect} it too: {command}"),
        hint=environment.command("ps"),
    )


def _is_copy(preflight: Preflight) -> bool:
    """Return whether another checkout's copy is in the way only by its container names."""
    another = preflight.another_stack
    return (
        preflight.environment.has_copies
        and isinstance(another, SameStack)
        and another.sign == "names"
    )


def with_project(command: str, project: str) -> str:
    """Return `command` for a project by name. `dartsctl dev` takes none, but `dev up` does."""
    words = "dartsctl dev up" if command == "dartsctl dev" else command
    return f"{words} {shell_command('--project', project)}"
