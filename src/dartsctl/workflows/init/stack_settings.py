"""The settings that name the environments' Compose files, where their names do not say enough."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.workflows.init.findings import Findings, FoundSetting
from dartsctl.workflows.init.project import relative

if TYPE_CHECKING:
    from dartsctl.workflows.init.project import Project


def find_stacks(project: Project) -> Findings:
    """Return the Compose files of each environment; defaults where every verb picks the same."""
    own_name = project.settings.name
    settings = [FoundSetting("", "name", own_name, "the folder's name", is_default=True)]
    notes: list[str] = []
    for name, stack in project.stacks.items():
        is_default = not project.request.named.get(name)
        why = "named on the command line"
        if is_default:
            why = "by its name"
        files = [relative(project.root, file) for file in stack.files]
        settings.append(FoundSetting(name, "files", files, why, is_default))
        notes.append(f"{name}: {' + '.join(files)}")
        if stack.error:
            notes.append(f"{name}: what these files need is not checked: {stack.error.message}")
    if not (project.stacks or project.bundled or project.settings.source):
        settings.append(FoundSetting("dev", "files", [], "no Compose file: the server alone"))
    return Findings(tuple(notes), tuple(settings))
