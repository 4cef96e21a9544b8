"""The state folder: where it is, and how it is opened.

Its files are read and written through `files.Folder`.
"""

from __future__ import annotations

import json
import os
from contextlib import suppress
from pathlib import Path

from dartsctl.errors import Advice, DartsctlError, UsageError
from dartsctl.system.files import EVERYBODY, PRIVATE, PRIVATE_FOLDER, Folder, ForeignFile
from dartsctl.system.path_walk import open_folder
from dartsctl.system.users import is_trusted, sudo_caller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """Return the path of the state folder.

    It is DARTSCTL_STATE_DIR, else XDG_STATE_HOME/dartsctl, else ~/.local/state/dartsctl; for a user
    without a home, dartsctl-UID in the temporary folder. Under sudo it is the folder of the caller
    (edge-cases.md#84): otherwise root's servers and theirs could get the same port.
    """
    explicit = environment.get("DARTSCTL_STATE_DIR")
    if explicit:
        return _absolute(explicit)
    xdg = environment.get("XDG_STATE_HOME", "")
    if xdg.startswith("/"):  # the XDG specification says to ignore a relative path
        return Path(xdg) / "dartsctl"
    home = _home(environment)
    if home:
        return home / ".local" / "state" / "dartsctl"
    temporary = environment.get("TMPDIR") or "/tmp"  # noqa: S108 - opened with a check of its owner
    return Path(temporary) / f"dartsctl-{os.geteuid()}"


def is_makeshift(environment: Mapping[str, str] = os.environ) -> bool:
    """Return whether the state folder is only a temporary one: this user has no home."""
    if environment.get("DARTSCTL_STATE_DIR"):
        return False
    if environment.get("XDG_STATE_HOME", "").startswith("/"):
        return False
    return _home(environment) is None


def open_state(path: Path, *, make: bool = False, shared: bool = False) -> Folder:
    """Open the state folder `path`. It must belong to a trusted user.

    `make`: create a missing folder; under sudo it belongs to the caller. `shared`: a folder of
    another user is accepted if its group or everybody may write to it. Raises FileNotFoundError,
    UnsafeFile, OSError.
    """
    try:
        folder = open_folder(path)
    except FileNotFoundError:
        if not make:
            raise
        folder = open_folder(path, make=PRIVATE_FOLDER, owner=sudo_caller())
    if not is_trusted(folder.status.st_uid) and not (shared and folder.is_shared):
        os.close(folder.descriptor)
        raise ForeignFile(folder.path, folder.status.st_uid)
    return folder


def replace_losable(path: Path, name: str, content: bytes) -> None:
    """Write a file of the state folder `path` that can do without. Raises nothing."""
    with suppress(OSError, DartsctlError), open_state(path, make=True) as folder:
        folder.replace(name, content)


def open_private(path: Path, name: str, *, make: bool = False) -> Folder:
    """Open the private folder `name` of the state folder `path`.

    `make`: create a missing folder. Raises FileNotFoundError, UnsafeFile, OSError.
    """
    with open_state(path, make=make) as state:
        return state.subfolder(name, make=PRIVATE_FOLDER if make else None)


def open_shared(path: Path, name: str, *, make: bool = False) -> Folder:
    """Open the folder `name` of the state folder `path`, shared with the users of that one.

    `make`: create a missing folder, writable for the same users. Raises FileNotFoundError,
    UnsafeFile, OSError.
    """
    with open_state(path, make=make, shared=True) as state:
        return shared_subfolder(state, name, make=make)


def shared_subfolder(state: Folder, name: str, *, make: bool = False) -> Folder:
    """Do the same in the opened state folder."""
    mode = PRIVATE_FOLDER | _shared_bits(state)
    folder = state.subfolder(name, make=mode if make else None, owners=owners_in(state))
    if make:
        _share_group(folder.descriptor, state)
    return folder


def open_shared_file(folder: Folder, name: str) -> int:
    """Return a descriptor, to read and write, of a file in a folder that may be shared.

    A missing file is created. Raises UnsafeFile, OSError.
    """
    descriptor = folder.open_or_create(name, shared_mode(folder), owners=owners_in(folder))
    _share_group(descriptor, folder)
    return descriptor


def owners_in(folder: Folder) -> Collection[int] | None:
    """Return whose files in it are used: anybody's in a shared one, else None (trusted users)."""
    return EVERYBODY if folder.is_shared else None


def shared_mode(folder: Folder) -> int:
    """Return the mode of a new file: private, or open to those who may write to the folder."""
    return PRIVATE | _shared_bits(folder) & 0o066


def _shared_bits(folder: Folder) -> int:
    mode = folder.status.st_mode
    shared = 0
    if mode & 0o020:
        shared |= 0o070
    if mode & 0o002:
        shared |= 0o007
    if not shared:
        return 0
    return mode & (shared | 0o3000)


def _share_group(descriptor: int, folder: Folder) -> None:
    """Give what we have created to the folder's group, where that group may write to it."""
    if folder.status.st_mode & 0o020 and os.fstat(descriptor).st_uid == os.geteuid():
        with suppress(PermissionError):  # not our group: the folder is open to everybody
            os.fchown(descriptor, -1, folder.status.st_gid)


class write_errors_as:  # noqa: N801 - used like a function
    """Convert an OSError inside this context to a DartsctlError: `sentence` and the reason."""

    def __init__(self, sentence: str) -> None:
        self._sentence = sentence

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _trace: object) -> None:
        if not isinstance(error, OSError):
            return
        raise DartsctlError(
            f"{self._sentence}: {error.strerror or error}",
            hint=Advice(
                "free space or correct the permissions there, "
                "or set DARTSCTL_STATE_DIR to another folder"
            ),
        ) from error


def parse_json(data: bytes) -> object:
    """Return the JSON document `data`.

    Raises ValueError for anything else, also for NaN and for nesting that is too deep.
    """
    try:
        document: object = json.loads(data, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return document


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is not JSON")


def _absolute(text: str) -> Path:
    try:
        return Path(text).absolute()
    except FileNotFoundError:  # the working folder was deleted
        raise UsageError(
            f"DARTSCTL_STATE_DIR: a relative path in a folder that no longer exists: {text}",
            hint=Advice("set it to an absolute path, such as /a/folder"),
        ) from None


def _home(environment: Mapping[str, str]) -> Path | None:
    """Return the home folder, or None.

    A user without an entry in passwd and without HOME has none. Docker sets HOME to / for a user
    without an entry.
    """
    caller = sudo_caller(environment)
    if caller is not None:
        return _home_of(caller[0])
    try:
        home = Path.home()
    except RuntimeError:
        return None
    if home == Path("/") and os.geteuid() != 0:
        return None
    return home


def _home_of(uid: int) -> Path:
    import pwd

    try:
        return Path(pwd.getpwuid(uid).pw_dir)
    except KeyError as error:
        raise DartsctlError(
            f"no home folder for dartsctl's state: user {uid}",
            hint=Advice("set DARTSCTL_STATE_DIR to a folder"),
        ) from error
