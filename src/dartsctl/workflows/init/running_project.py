"""`project` of each stack in the settings: the name that exists, or that Compose would use."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.config.settings import PRODUCTION, environment_key
from dartsctl.config.values import normal_project
from dartsctl.discovery.existing_projects import (
    Existing,
    ProjectName,
    chosen_of,
    dev_name,
    existing_projects,
    files_of,
    production_name,
)
from dartsctl.discovery.proposal import Proposal, ProposedSetting, Task
from dartsctl.discovery.settings_text import setting_line
from dartsctl.errors import DartsctlError
from dartsctl.records import replace
from dartsctl.stack import compose_files
from dartsctl.stack.same_stack import find_same_stack
from dartsctl.text.phrases import relative

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.discovery.stack_facts import StackFacts
    from dartsctl.workflows.init.project import Project


def find_projects(project: Project) -> Proposal:
    """Return the project names that the environments need in the settings, and what exists."""
    existing = existing_projects(
        {name: facts.files for name, facts in project.stacks.items()}, project.containers
    )
    proposal, taken = Proposal(), ""
    if production := project.stacks.get(PRODUCTION):
        default = current_project(project, PRODUCTION)
        own = existing.get(PRODUCTION) or _elsewhere(project, production, default)
        decided = production_name(production.stack.project, default, own, project.root)
        taken = decided.name
        proposal += _findings(project, PRODUCTION, decided)
        proposal += _other_files(project, production, own)
    if dev := project.stacks.get("dev"):
        proposal += _dev(project, dev, existing.get("dev", ()), taken)
    return proposal


def current_project(project: Project, name: str) -> str:
    """Return the project of an environment as the settings have it, in no worktree."""
    environment = project.settings.environments[name]
    return environment.copy_of or environment.project


def _dev(project: Project, dev: StackFacts, existing: Sequence[Existing], taken: str) -> Proposal:
    """Return dev's project. `taken`: production's, empty where there is no production here."""
    default = current_project(project, "dev")
    named = _named_by_files(dev)
    is_unknown = not (existing or taken or named) and dev.stack.project != default
    if is_unknown and (why := _volumes(project, dev)):
        return _findings(project, "dev", ProjectName(dev.stack.project, why, (why,)))
    decided = dev_name(named, default, existing, taken, project.root)
    proposal = _findings(project, "dev", decided)
    for other in existing:
        if other.project == taken:
            text = (
                f"{other.evidence(project.root)}, but that is production's project name: "
                f"dev starts as {decided.name}, with volumes of its own; remove the others"
            )
            command = f"docker compose -p {taken} down"
            proposal += Proposal(tasks=(Task(text, (command,), is_required=False),))
    return proposal


def _named_by_files(facts: StackFacts) -> str:
    """Return the project name that the files or COMPOSE_PROJECT_NAME say, empty without one."""
    own = facts.stack.project
    return "" if own == normal_project(facts.files[0].parent.name) else own


def _volumes(project: Project, facts: StackFacts) -> str:
    """Return which volumes of a stack are on the engine, as Compose itself names them."""
    mounted: set[str] = set()
    for service in facts.stack.services.values():
        mounted.update(service.volumes)
    names = [f"{facts.stack.project}_{key}" for key in sorted(mounted)]
    try:
        control = project.deps.engine().control()
        kept = [name for name in names if control and control.has_volume(name)]
    except DartsctlError:
        return ""
    if not kept:
        return ""
    return f"volume {kept[0]} exists" if len(kept) == 1 else f"volumes {', '.join(kept)} exist"


def _elsewhere(project: Project, facts: StackFacts, default: str) -> list[Existing]:
    """Return production as it exists from the same files of another folder."""
    outside = [
        container
        for container in project.containers
        if not any(Path(file).is_relative_to(project.root) for file in files_of(container))
    ]
    same = find_same_stack(
        replace(facts.stack, project=default), outside, list(map(str, facts.files))
    )
    if same is None:
        return []
    return [Existing(same.project, same.containers, files_of(same.containers[0]))]


def _other_files(project: Project, facts: StackFacts, existing: Sequence[Existing]) -> Proposal:
    """Say which files production was started from, where `prod up` would use others."""
    chosen = chosen_of(existing, "")
    is_said = project.settings.environments[facts.name].files is not None
    if chosen is None or is_said or not all(_is_here(project, file) for file in chosen.files):
        return Proposal()
    if compose_files.identities(chosen.files) == compose_files.identities(map(str, facts.files)):
        return Proposal()
    picked = ", ".join(relative(project.root, file) for file in facts.files)
    files = [relative(project.root, Path(file)) for file in chosen.files]
    line = setting_line(ProposedSetting(facts.name, "files", files))
    text = f"{chosen.evidence(project.root)}, and `prod up` uses {picked}; to keep the former"
    return Proposal(tasks=(Task(text, (f"[{facts.name}]", line), is_required=False),))


def _is_here(project: Project, file: str) -> bool:
    """Return whether a file of the label exists in this project."""
    return Path(file).is_relative_to(project.root) and Path(file).is_file()


def _findings(project: Project, name: str, decided: ProjectName) -> Proposal:
    """Return the line of the settings, if dartsctl would use another name without it."""
    current = current_project(project, name)
    is_chosen = environment_key(name, "project") in project.settings.origins
    if decided.name == current or (is_chosen and not decided.notes):
        return Proposal(notes=decided.notes)
    setting = ProposedSetting(name, "project", decided.name, decided.why)
    return Proposal(notes=decided.notes, settings=(setting,))
