"""The env files that a project needs: from their examples, or from what the files require."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.config.conventional_files import ENV_FILES
from dartsctl.config.settings import PRODUCTION
from dartsctl.discovery import bundled_texts
from dartsctl.discovery.proposal import Proposal
from dartsctl.discovery.secrets import new_secrets
from dartsctl.edges.project import env_files
from dartsctl.edges.project.files import template
from dartsctl.workflows.init.env_changes import (
    EnvTarget,
    env_change,
    env_file,
    is_unwritten,
    kept,
)
from dartsctl.workflows.init.env_facts import read_env_facts
from dartsctl.workflows.init.env_tasks import (
    empty_tasks,
    env_tasks,
    mode_tasks,
    unfinished_tasks,
)
from dartsctl.workflows.init.read_project import new_env_file
from dartsctl.workflows.init.secret_files import find_secret_files
from dartsctl.workflows.init.shared_passwords import Planned, with_shared_passwords

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from dartsctl.discovery.changes import Change
    from dartsctl.workflows.init.env_facts import EnvFacts
    from dartsctl.workflows.init.project import Project


def find_env_files(project: Project, known: Mapping[str, EnvFacts]) -> Proposal:
    """Return the env files of every environment: those to write, and those that are kept.

    `known`: the facts of environments, as far as they were read already.
    """
    if project.bundled:
        proposal = Proposal()
        for change in _bundled(project):
            proposal += Proposal(changes=(change,))
            proposal += unfinished_tasks(change.to_fill_in, change.path, project)
        return proposal
    known = dict(known)
    for name in project.environments:
        if name not in known:
            known[name] = read_env_facts(project, name)
    proposal = Proposal()
    if PRODUCTION in known:
        proposal += find_secret_files(project, known[PRODUCTION])
    all_planned: list[Planned] = []
    for target in _env_targets(project, known):
        own = env_change(target, project)
        if own is not None:
            all_planned.append((target, own))
    for target, planned in with_shared_passwords(all_planned):
        proposal += Proposal(changes=(planned.change,))
        proposal += env_tasks(target, planned.decided, project)
        proposal += empty_tasks(target, planned.change, project)
        proposal += unfinished_tasks(planned.unfinished, target.path, project)
        proposal += mode_tasks(target, project)
    return proposal


def _env_targets(project: Project, known: Mapping[str, EnvFacts]) -> tuple[EnvTarget, ...]:
    """Return the env files in use, and those that the Compose files name and that are missing."""
    targets: dict[Path, EnvTarget] = {}
    for name in project.environments:
        facts = known[name]
        paths = env_paths(project, name)
        for path in paths:
            if path.is_dir():  # `.env/`, with an env file for each environment
                continue
            target = targets.setdefault(path, EnvTarget(path))
            target.production |= name == PRODUCTION
            target.read_by.append(facts)
            target.takes_variables |= path == paths[-1]
            target.beside += [other for other in paths if other != path]
        for service in facts.services.values():
            for file in service.env_files:
                if not file.is_required or not is_unwritten(file.path):
                    continue
                target = targets.setdefault(file.path, EnvTarget(file.path))
                target.services.append(service.name)
                target.serves_production |= name == PRODUCTION
                if not target.read_by:
                    target.production = name == PRODUCTION
                    target.read_by.append(facts)
    return tuple(targets.values())


def env_paths(project: Project, name: str) -> tuple[Path, ...]:
    """Return the env files of an environment: its own, those that Compose reads, or a new one."""
    configured = project.settings.environments[name].env_files
    if configured is not None:
        return configured
    stack = project.stacks[name]
    return stack.env_files or (new_env_file(project.settings, name, stack.files),)


def _bundled(project: Project) -> Iterator[Change]:
    """Plan the env files of the bundled stack, all of whose secrets are its own."""
    for name in project.environments:
        configured = project.settings.environments[name].env_files
        for path in configured or (project.root / ENV_FILES[name],):
            if path.exists():
                yield kept(path)
            else:
                yield _from_template(project, name, path)


def _from_template(project: Project, name: str, path: Path) -> Change:
    text = template(f"{ENV_FILES[name]}.example")
    if project.own_app:
        text = bundled_texts.built_from_here(text)
    production = name == PRODUCTION
    text, generated = env_files.filled_in(
        text, lambda variable, value: new_secrets.renewed(variable, value, production=production)
    )
    left = new_secrets.left_to_fill_in(env_files.values_in(text))
    return env_file(path, text, generated, to_fill_in=left)
