"""The folder of a watch in the state folder: `watch/PROJECT/`, private to the user who watches."""

from __future__ import annotations

from urllib.parse import quote

from dartsctl.edges.state.folder import open_shared
from dartsctl.system.files import PRIVATE_FOLDER, Folder, ForeignFile
from dartsctl.system.users import trusted_users

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

_NAME = "watch"


def watch_path(state: Path, project: str) -> Path:
    """Return the path of the folder of `project`, for messages and for a socket."""
    return state / _NAME / quote(project, safe="")


def open_watch(state: Path, project: str, *, make: bool = False) -> Folder:
    """Open the folder of `project`; `make`: create it if it is missing.

    Raises FileNotFoundError, UnsafeFile (also for the folder of another user), OSError.
    """
    mode, name = None, watch_path(state, project).name
    if make:
        mode = PRIVATE_FOLDER
    with open_shared(state, _NAME, make=make) as watches:
        try:
            return watches.subfolder(name, make=mode)
        except PermissionError:
            status = watches.stat(name)
            if status and status.st_uid not in trusted_users():
                raise ForeignFile(watches.path / name, status.st_uid) from None
            raise


def watched_projects(state: Path) -> list[str]:
    """Return the quoted names of the projects that were ever watched."""
    try:
        with open_shared(state, _NAME) as watches:
            return watches.names()
    except OSError:
        return []
