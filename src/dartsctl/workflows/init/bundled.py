"""The bundled stack, for a project that asks for it: its Compose files and settings."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.discovery.changes import Change
from dartsctl.discovery.proposal import Proposal
from dartsctl.edges.project.files import template, template_mode, template_names

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dartsctl.workflows.init.project import Project


def find_bundled(project: Project) -> Proposal:
    """Return the Compose files of the bundled stack; nothing for a project with its own."""
    return Proposal(changes=tuple(_templates(project)))


def _templates(project: Project) -> Iterable[Change]:
    """Plan the Compose files of the bundled stack."""
    if not project.bundled:
        return
    for name in template_names("compose"):
        path, about = project.root / name, "the bundled stack"
        if project.own_app and name.startswith("compose/sample/"):
            continue
        if path.exists():
            yield Change("keep", path, about)
        else:
            yield Change("create", path, about, text=template(name), mode=template_mode(name))
