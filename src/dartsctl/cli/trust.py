"""`trust`."""

from __future__ import annotations

from dartsctl.cli.parameters import Argument, Option, verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from dartsctl.cli.deps import Common


@verb(
    folder=Argument(
        kind="path",
        text="Folder to trust; the current one if none is named.",
        metavar="[FOLDER]",
    ),
    listed=Option("--list", text="List the trusted folders."),
    removed=Option("--remove", text="Stop trusting the folder."),
)
def trust(
    *, common: Common, folder: Path | None = None, listed: bool = False, removed: bool = False
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
    from pathlib import Path

    from dartsctl.cli.deps import deps_of, working_folder
    from dartsctl.commands import trust as verbs
    from dartsctl.errors import UsageError

    if listed and (removed or folder):
        raise UsageError("--list takes neither a folder nor --remove", hint="dartsctl trust --list")
    deps = deps_of(common)
    if listed:
        return verbs.show(deps=deps)
    path = (working_folder() / (folder or common.project_dir or Path())).resolve()
    if removed:
        return verbs.remove(path, deps=deps, dry_run=common.dry_run)
    return verbs.add(path, deps=deps, dry_run=common.dry_run)
