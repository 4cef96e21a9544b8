"""The settings file that `init` writes: one line for each finding, with its reason."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from dartsctl.config import templates
from dartsctl.config.conventional_files import ENV_FILES
from dartsctl.config.templates import Change
from dartsctl.edges.project.files import template
from dartsctl.workflows.init.project import Project, relative


def plan_settings(project: Project, written: Iterable[Path]) -> Change:
    """Plan the settings file; `written` are the env files of the plan."""
    settings, path = project.settings, project.root / "dartsctl.toml"
    if settings.source:
        return Change("keep", settings.source, "")
    if project.bundled:
        text = templates.own_settings(
            template("dartsctl.toml"), settings.name, own_app=project.own_app
        )
        return Change("create", path, f"settings of {settings.name}", text)
    files: dict[str, list[str]] = {}
    own_env_files: dict[str, list[str]] = {}
    for name, stack in project.stacks.items():
        files[name] = [relative(settings.root, file) for file in stack.files]
        if settings.root / ENV_FILES[name] in written:
            own_env_files[name] = [ENV_FILES[name]]
    about = "; ".join(f"{name}: {', '.join(listed)}" for name, listed in files.items())
    text = templates.settings_text(settings.name, files, own_env_files)
    return Change("create", path, about, text)
