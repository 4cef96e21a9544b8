"""The settings that name the environments' Compose files, where their names do not say enough."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dartsctl.discovery.findings import Findings, FoundSetting
from dartsctl.text.phrases import relative

if TYPE_CHECKING:
    from dartsctl.discovery.stack_facts import StackFacts
    from dartsctl.workflows.init.project import Project


def find_stacks(project: Project, known: Iterable[FoundSetting]) -> Findings:
    """Return the Compose files of each environment; defaults where every verb picks the same.

    Those in `known` are settings already.
    """
    own_name = project.settings.name
    settings = [FoundSetting("", "name", own_name, "the folder's name", is_default=True)]
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
        if stack.error:
            notes.append(f"{name}: what these files need is not checked: {stack.error.message}")
    if not (project.stacks or chosen or project.bundled or project.settings.source):
        settings.append(FoundSetting("dev", "files", [], "no Compose file: the server alone"))
    return Findings(tuple(notes), tuple(settings))


def _files(project: Project, stack: StackFacts) -> FoundSetting:
    """Return the files of an environment as a setting."""
    files = [relative(project.root, file) for file in stack.files]
    if project.request.named.get(stack.name):
        return FoundSetting(stack.name, "files", files, "named on the command line")
    why = "by its name"
    if project.settings.compose[stack.name].files:
        why = "as COMPOSE_FILE says"
    return FoundSetting(stack.name, "files", files, why, is_default=True)


def _profiles(stack: StackFacts, files: FoundSetting) -> FoundSetting:
    """Return the profiles as a setting: dartsctl picks them only together with the files."""
    why = f"the profile for {stack.name}, by its name"
    value = list(stack.profiles)
    return FoundSetting(stack.name, "profiles", value, why, is_default=files.is_default)


def _items(setting: FoundSetting) -> Sequence[object]:
    if isinstance(setting.value, str | int | float):
        return [setting.value]
    return list(setting.value)
