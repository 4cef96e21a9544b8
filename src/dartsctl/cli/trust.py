"""`trust`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dartsctl.cli.deps import Common, deps_of, working_folder
from dartsctl.cli.options import verb
from dartsctl.errors import UsageError

FolderToTrust = Annotated[
    Path | None,
    typer.Argument(
        help="Folder to trust; the current one if none is named.",
        metavar="[FOLDER]",
        show_default=False,
    ),
]


@verb
def trust(
    *,
    common: Common,
    folder: FolderToTrust = None,
    listed: Annotated[bool, typer.Option("--list", help="List the trusted folders.")] = False,
    removed: Annotated[bool, typer.Option("--remove", help="Stop trusting the folder.")] = False,
) -> int:
    """Trust settings and env files that another user wrote.

    The trust covers the folder and everything below it. Read the files first: they decide which
    commands are run.

    \b
    dartsctl trust /srv/app            trust this folder from now on
    dartsctl trust --list              list the trusted folders
    dartsctl trust --remove /srv/app   stop trusting it

    Other files are used only if they belong to you, to root or to the user who called sudo, and
    are not writable by everybody.
    """
    from dartsctl.commands import trust as verbs

    if listed and (removed or folder):
        raise UsageError("--list takes neither a folder nor --remove", hint="dartsctl trust --list")
    deps = deps_of(common)
    if listed:
        return verbs.show(deps=deps)
    path = (working_folder() / (folder or common.project_dir or Path())).resolve()
    if removed:
        return verbs.remove(path, deps=deps, dry_run=common.dry_run)
    return verbs.add(path, deps=deps, dry_run=common.dry_run)
