"""What only a person can do about the variables of an env file, with the reason."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

from dartsctl.config.secrets import judge_mode
from dartsctl.discovery.proposal import Proposal, Task
from dartsctl.discovery.secrets.secret_owners import issuer
from dartsctl.edges.project import env_files
from dartsctl.edges.project.compose_places import ComposePlaces
from dartsctl.text.phrases import relative
from dartsctl.workflows.init.env_changes import EnvTarget, data_of, is_unwritten
from dartsctl.workflows.init.existing_data import UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dartsctl.discovery.changes import Change
    from dartsctl.discovery.secrets.env_choices import Choice
    from dartsctl.workflows.init.project import Project


def env_tasks(target: EnvTarget, decided: Sequence[Choice], project: Project) -> Proposal:
    """Return a task for each variable that only a person can give a value."""
    file = relative(project.root, target.path)
    files = itertools.chain.from_iterable(facts.files for facts in target.read_by)
    places = ComposePlaces(tuple(dict.fromkeys(files)), project.root)
    proposal = Proposal()
    for choice in decided:
        used = places.of_variable(choice.name)
        if used:
            used = f" ({used})"
        if choice.kind == "new":
            proposal += _of_unknown_data(choice, target, file, project)
        elif choice.kind == "current":
            proposal += Proposal(tasks=(_current(choice, target, file, project),))
        elif choice.kind == "literal":
            proposal += Proposal(tasks=(_literal(choice, file, used),))
        elif choice.kind == "ask" or (choice.kind == "may-ask" and target.production):
            text = f"set {choice.name} in {file}: {_purpose(choice)}{used}"
            task = Task(text, (f"{choice.name}=",), is_required=_is_required(choice, target))
            proposal += Proposal(tasks=(task,))
    return proposal


def _of_unknown_data(choice: Choice, target: EnvTarget, file: str, project: Project) -> Proposal:
    """Return a task for a new secret, where nobody can say whether old data wants another one."""
    secret = choice.secret
    if secret is None or not secret.keeps_data:
        return Proposal()
    for facts in target.read_by:
        if data_of(secret, facts, project) == UNKNOWN:
            text = (
                f"{choice.name} is new, and {UNKNOWN}: if {secret.server} has data there already, "
                f"write its current password into {file} instead"
            )
            return Proposal(tasks=(Task(text, is_required=False),))
    return Proposal()


def _current(choice: Choice, target: EnvTarget, file: str, project: Project) -> Task:
    secret = choice.secret
    evidence, server = "", ""
    if secret:
        server = secret.server
        data = [data_of(secret, facts, project) for facts in target.read_by]
        evidence = next(filter(None, data), "")
    text = (
        f"set {choice.name} in {file} to the current password of {server}: {evidence} exists, and "
        "a new password would not fit its data"
    )
    return Task(text, (f"{choice.name}=",))


def _literal(choice: Choice, file: str, used: str) -> Task:
    secret = choice.secret
    places = ", ".join(map(str, secret.literals)) if secret else ""
    text = (
        f"write ${{{choice.name}:?}} for the password in {places}, then set {choice.name} in {file}"
        f"{used}: a new one would not fit the fixed text"
    )
    return Task(text, (f"{choice.name}=",))


def _is_required(choice: Choice, target: EnvTarget) -> bool:
    """Whether the stack does not start without it: a placeholder is refused in production alone."""
    if choice.kind != "ask" or target.production:
        return choice.kind == "ask"
    variables = [facts.variables.get(choice.name) for facts in target.read_by]
    return any(variable.is_required for variable in variables if variable)


def _purpose(choice: Choice) -> str:
    secret = choice.secret
    if secret is None:
        if choice.kind == "ask":
            return "the Compose files require it"
        return issuer(choice.name) or "its default is a placeholder"
    users = ", ".join(dict.fromkeys(place.service for place in secret.places))
    for_whom = f" for {users}" if users else ""
    who = issuer(choice.name)
    if who:
        return f"a secret {who}{for_whom}"
    return f"a secret{for_whom} whose value cannot be known from the files"


def empty_tasks(target: EnvTarget, change: Change, project: Project) -> Proposal:
    """Return the task to write an env file that services read, and of which nothing is known."""
    is_empty = not env_files.values_in(change.text)
    if change.action == "keep":
        is_empty = is_unwritten(target.path)
    if not target.services or not is_empty:
        return Proposal()
    file, names = relative(project.root, target.path), ", ".join(dict.fromkeys(target.services))
    text = f"write the variables of {names} into {file}: it is new, and no example names them"
    return Proposal(tasks=(Task(text, is_required=target.serves_production),))


def mode_tasks(target: EnvTarget, project: Project) -> Proposal:
    """Return a task where others may read production's existing env file, which it refuses."""
    path = target.path
    mode = env_files.mode(path) if target.production and path.exists() else None
    tasks: list[Task] = []
    for problem in judge_mode(str(path), mode or 0):
        text = f"{relative(project.root, path)} can be read by others: production refuses it"
        tasks.append(Task(text, (problem.advice,)))
    return Proposal(tasks=tuple(tasks))


def unfinished_tasks(names: Sequence[str], path: Path, project: Project) -> Proposal:
    """Return a task for each variable of an env file whose value must not stay."""
    file = relative(project.root, path)
    texts = [f"replace the value of {name} in {file}: production refuses it" for name in names]
    return Proposal(tasks=tuple(map(Task, texts)))
