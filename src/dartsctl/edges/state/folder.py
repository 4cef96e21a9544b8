"""The state folder: where it is, and how it is opened. Its files are read and written through `files.Folder`."""

from __future__ import annotations

import json
import os
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from dartsctl.errors import DartsctlError, UsageError
from dartsctl.system.files import (
    EVERYBODY,
    PRIVATE,
    PRIVATE_FOLDER,
    Folder,
    ForeignFile,
    open_folder,
)
from dartsctl.system.users import sudo_caller, trusted_users


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """DARTSCTL_STATE_DIR, else XDG_STATE_HOME/dartsctl, else ~/.local/state/dartsctl; without a home, dartsctl-UID in the temporary folder.

    Under sudo it is the folder of the user who called sudo (edge-cases.md#84): root's servers and theirs must not be given one port twice.
    """
    if explicit := environment.get("DARTSCTL_STATE_DIR"):
        return _absolute(explicit)
    if (xdg := environment.get("XDG_STATE_HOME", "")).startswith(
        "/"
    ):  # a relative one is to be ignored (XDG base directory specification)
        return Path(xdg) / "dartsctl"
    if home := _home(environment):
        return home / ".local" / "state" / "dartsctl"
    return Path(environment.get("TMPDIR") or "/tmp") / f"dartsctl-{os.geteuid()}"  # noqa: S108 - opened as one that anybody may have made


def is_makeshift(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether the state folder is only a temporary one, because this user has no home."""
    is_named = environment.get("DARTSCTL_STATE_DIR") or environment.get(
        "XDG_STATE_HOME", ""
    ).startswith("/")
    return not is_named and _home(environment) is None


def open_state(path: Path, *, make: bool = False, shared: bool = False) -> Folder:
    """Open the state folder `path`. It must belong to a trusted user.

    `make`: make it where there is none; under sudo it is the caller's. `shared`: one of another user will do, if its group or
    everybody may write to it. Raises FileNotFoundError, UnsafeFile, OSError.
    """
    folder = open_folder(path, make=PRIVATE_FOLDER if make else None, heir=sudo_caller())
    if folder.status.st_uid not in trusted_users() and not (shared and folder.is_shared):
        os.close(folder.descriptor)
        raise ForeignFile(folder.path, folder.status.st_uid)
    return folder


@contextmanager
def opened(path: Path, name: str, *, make: bool = False) -> Iterator[Folder]:
    """Within it the private folder `name` of the state folder `path` is open. Raises FileNotFoundError, UnsafeFile, OSError."""
    with (
        open_state(path, make=make) as state,
        state.subfolder(name, make=PRIVATE_FOLDER if make else None) as folder,
    ):
        yield folder


def open_shared(path: Path, name: str, *, make: bool = False) -> Folder:
    """Open the folder `name` of the state folder `path`, shared with those to whom that one is open for writing.

    `make`: make it where there is none, open to the same users. Raises FileNotFoundError, UnsafeFile, OSError.
    """
    with open_state(path, make=make, shared=True) as state:
        mode = PRIVATE_FOLDER | _shared_bits(state)
        folder = state.subfolder(name, make=mode if make else None, owners=owners_in(state))
        if make:
            _share_group(folder.descriptor, state)
    return folder


def open_shared_file(folder: Folder, name: str) -> int:
    """Return a descriptor, to read and write, of a file in a folder that may be shared; it is made if need be. Raises UnsafeFile, OSError."""
    descriptor = folder.open_or_create(name, shared_mode(folder), owners=owners_in(folder))
    _share_group(descriptor, folder)
    return descriptor


def owners_in(folder: Folder) -> Collection[int] | None:
    """Whose files in it are used: in a shared folder anybody's, else (None) those of the trusted users."""
    return EVERYBODY if folder.is_shared else None


def shared_mode(folder: Folder) -> int:
    """The mode of a new file in it: private, or open to those to whom the folder is open for writing."""
    return PRIVATE | _shared_bits(folder) & 0o066


def _shared_bits(folder: Folder) -> int:
    mode = folder.status.st_mode
    shared = (0o070 if mode & 0o020 else 0) | (0o007 if mode & 0o002 else 0)
    return mode & (shared | 0o3000) if shared else 0


def _share_group(descriptor: int, folder: Folder) -> None:
    """Give what we have made in it to the folder's group, where that may write to it."""
    if folder.status.st_mode & 0o020 and os.fstat(descriptor).st_uid == os.geteuid():
        with suppress(PermissionError):  # not our group: the folder is open to everybody
            os.fchown(descriptor, -1, folder.status.st_gid)


@contextmanager
def writing(sentence: str) -> Iterator[None]:
    """Within it an OSError becomes a DartsctlError: `sentence` and the reason."""
    try:
        yield
    except OSError as error:
        raise DartsctlError(
            f"{sentence}: {error.strerror or error}",
            hint="make room or rights there, or name another folder: DARTSCTL_STATE_DIR=/a/folder dartsctl ...",
        ) from error


def parse_json(data: bytes) -> object:
    """Return the JSON document `data`. Raises ValueError for anything else, NaN and nesting that is too deep too."""
    try:
        document: object = json.loads(data, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    return document


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


def _absolute(text: str) -> Path:
    try:
        return Path(text).absolute()
    except FileNotFoundError:  # the working folder has been deleted
        raise UsageError(
            f"DARTSCTL_STATE_DIR: {text} lies in a folder that no longer exists",
            hint="name it from the root: /a/folder",
        ) from None


def _home(environment: Mapping[str, str]) -> Path | None:
    """The home folder; None where this user has none: no entry in passwd and no HOME, or the / that Docker gives such a user."""
    caller = sudo_caller(environment)
    if caller is not None:
        return _home_of(caller[0])
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return home if os.geteuid() == 0 or home != Path("/") else None


def _home_of(uid: int) -> Path:
    import pwd

    try:
        return Path(pwd.getpwuid(uid).pw_dir)
    except KeyError as error:
        raise DartsctlError(
            "there is no home folder for dartsctl's state",
            hint="name a folder: DARTSCTL_STATE_DIR=/a/folder dartsctl ...",
        ) from error
