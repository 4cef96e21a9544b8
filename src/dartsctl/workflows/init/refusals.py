"""What `init` refuses before it writes anything: an empty folder, two frameworks in one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dartsctl.config.listing import names_in
from dartsctl.discovery.app.server_settings import command_choices, name_of
from dartsctl.errors import Advice, DartsctlError, UsageError
from dartsctl.stack import compose_files
from dartsctl.text.phrases import listed, shell_command
from dartsctl.workflows.init.verdicts import has_app

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from dartsctl.config.settings import Settings
    from dartsctl.discovery.app.app import App
    from dartsctl.discovery.proposal import Proposal
    from dartsctl.workflows.init.project import Project

_DEPTH = 2
_MOST_FOLDERS = 2000
_NO_PROJECTS = frozenset({"node_modules", "vendor", "venv", "site-packages", "__pycache__"})


def refuse_empty(project: Project, server: Proposal) -> None:
    """Raise DartsctlError for a folder without settings, Compose files that fit, and an app.

    `server` is what was found out about an app.
    """
    root = project.root
    if project.settings.source or project.environments:
        return
    if server.settings or has_app(project.settings):
        return
    folders = _with_compose_files(root)
    if names := names_in(root):
        details: tuple[str, ...] = ()
        if folders:
            details = (f"or change into an app with files of its own: {listed(folders)}",)
        raise UsageError(
            f"cannot tell which of the Compose files in {root} is for dev or prod: {listed(names)}",
            details=details,
            hint=shell_command("dartsctl", "init", "--dev-file", names[0]),
        )
    _refuse_special_files(root)
    if folders:
        raise DartsctlError(
            f"no Compose file and no app in {root}, but below it: {listed(folders)}",
            hint=f"{shell_command('cd', folders[0])} && dartsctl init",
        )
    for folder in root.parents:
        if compose_files.in_folder(folder):
            raise DartsctlError(
                f"no Compose file and no app in {root}, but in {folder}",
                hint=f"{shell_command('cd', folder)} && dartsctl init",
            )
    raise DartsctlError(
        f"nothing to prepare in {root}: no Compose file and no app",
        details=("change into the folder of the app, or start with dartsctl's example stack:",),
        hint="dartsctl init --stack",
    )


def _refuse_special_files(root: Path) -> None:
    """Raise UsageError for a Compose file's name that has something else: a folder, a pipe."""
    for name in compose_files.COMPOSE_NAMES:
        path = root / name
        if path.exists() and not path.is_file():
            raise UsageError(f"not a regular file: {path}", hint=shell_command("ls", "-ld", path))


def refuse_frameworks(app: App, settings: Settings) -> None:
    """Raise UsageError for entry points of several frameworks, of which the settings name none."""
    candidates = app.choice.candidates
    frameworks = {entry.framework for entry in candidates if entry.framework}
    if settings.source or app.entry is not None or len(frameworks) < 2:
        return
    names = list(map(name_of, candidates))
    lines = [f"  {line}" for line in command_choices(app)]
    raise UsageError(
        f"several frameworks in {app.folder}, and nothing says which one `dartsctl dev` starts:"
        f" {listed(names)}",
        details=(f"add to {settings.path} one of these:", "  [server]", *lines),
        hint=Advice("write that file, then `dartsctl init` adds the rest"),
    )


def _with_compose_files(root: Path) -> tuple[str, ...]:
    """Return the folders below `root`, relative to it, that have Compose files."""
    folders: list[str] = []
    for count, folder in enumerate(_below(root, _DEPTH)):
        if count == _MOST_FOLDERS:
            break
        if compose_files.in_folder(folder):
            folders.append(folder.relative_to(root).as_posix())
    return tuple(sorted(folders))


def _below(folder: Path, depth: int) -> Iterator[Path]:
    """Yield the folders below, breadth first at each level; hidden ones and libraries left out."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return
    inside = [name for name in sorted(names) if name[0] != "." and name not in _NO_PROJECTS]
    for name in inside:
        yield folder / name
    if depth > 1:
        for name in inside:
            yield from _below(folder / name, depth - 1)
