"""The settings that name the environments' Compose files, where their names do not say enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.config.conventional_names import bases_for
from dartsctl.config.settings import PRODUCTION
from dartsctl.discovery.dev_stack.needed_services import uses
from dartsctl.discovery.proposal import Proposal, ProposedSetting, Task
from dartsctl.discovery.service_roles import role_of
from dartsctl.discovery.settings_text import setting_line
from dartsctl.text.phrases import listed, relative

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dartsctl.discovery.stack_facts import StackFacts
    from dartsctl.workflows.init.project import Project


def find_stacks(project: Project, known: Iterable[ProposedSetting]) -> Proposal:
    """Return the Compose files of each environment; defaults where every verb picks the same.

    Those in `known` are settings already.
    """
    own_name = project.settings.name
    settings = [ProposedSetting("", "name", own_name, "the folder's name", is_default=True)]
    chosen = {setting.table: setting for setting in known if setting.key == "files"}
    notes: list[str] = []
    for name, stack in project.stacks.items():
        setting = chosen.get(name) or _files(project, stack)
        settings.append(setting)
        note = f"{name}: {' + '.join(map(str, _items(setting)))}"
        if stack.profiles and not project.settings.environments[name].profiles:
            note += f", profile {', '.join(stack.profiles)}"
            settings.append(_profiles(stack, setting))
        notes.append(note)
        if names := sorted(stack.stack.unset_variables):
            notes.append(f"{name}: nothing sets {listed(names)}, which Compose leaves empty")
        if stack.error:
            notes.append(f"{name}: what these files need is not checked: {stack.error.message}")
    if not (project.stacks or chosen or project.bundled or project.settings.source):
        settings.append(ProposedSetting("dev", "files", [], "no Compose file: the server alone"))
    return Proposal(tuple(notes), tuple(settings), tasks=_overlay_tasks(project))


def _overlay_tasks(project: Project) -> tuple[Task, ...]:
    """Return the task to merge production's file over dev's base, if it was written for that.

    Compose reads it alone, but its services then lack what they use in the base.
    """
    dev, production = project.stacks.get("dev"), project.stacks.get(PRODUCTION)
    if dev is None or production is None or len(production.files) != 1:
        return ()
    base, overlay = dev.files[0], production.files[0]
    names = [relative(project.root, file) for file in (base, overlay)]
    is_chosen = project.settings.environments[PRODUCTION].files is not None
    if is_chosen or base == overlay or names[0] not in bases_for(names[1], names):
        return ()
    own = production.stack.services
    lacking: dict[str, str] = {}
    for name in own:
        for other in sorted(uses(dev.stack, name) - own.keys()):
            if role_of(dev.stack.services[other]) in ("database", "cache", "broker"):
                lacking.setdefault(other, name)
    if not lacking:
        return ()
    users = dict.fromkeys(lacking.values())
    text = (
        f"prod: {names[1]} alone has no {listed(tuple(lacking))}, used by {listed(tuple(users))} "
        f"in {names[0]}; if it is meant to lie over that file"
    )
    line = setting_line(ProposedSetting(PRODUCTION, "files", names))
    return (Task(text, (f"[{PRODUCTION}]", line), is_required=False),)


def _files(project: Project, stack: StackFacts) -> ProposedSetting:
    """Return the files of an environment as a setting."""
    files = [relative(project.root, file) for file in stack.files]
    if project.request.named.get(stack.name):
        return ProposedSetting(stack.name, "files", files, "named on the command line")
    why = "by its name"
    if project.settings.compose[stack.name].files:
        why = "as COMPOSE_FILE says"
    return ProposedSetting(stack.name, "files", files, why, is_default=True)


def _profiles(stack: StackFacts, files: ProposedSetting) -> ProposedSetting:
    """Return the profiles as a setting: dartsctl picks them only together with the files."""
    why = f"the profile for {stack.name}, by its name"
    value = list(stack.profiles)
    return ProposedSetting(stack.name, "profiles", value, why, is_default=files.is_default)


def _items(setting: ProposedSetting) -> Sequence[object]:
    if isinstance(setting.value, str | int | float):
        return [setting.value]
    return list(setting.value)
