"""The state folder: where it is, and how it is opened. Its files are read and written through `files.Folder`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from dartsctl.errors import DartsctlError
from dartsctl.files import PRIVATE_FOLDER, Folder, ForeignFile, open_folder
from dartsctl.users import sudo_caller, trusted_users


def state_folder(environment: Mapping[str, str] = os.environ) -> Path:
    """DARTSCTL_STATE_DIR, else XDG_STATE_HOME/dartsctl, else ~/.local/state/dartsctl.

    Under sudo it is the folder of the user who called sudo (EDGE 84): root's servers and theirs must not be given one port twice.
    """
    if explicit := environment.get("DARTSCTL_STATE_DIR"):
        return Path(explicit).absolute()
    if (xdg := environment.get("XDG_STATE_HOME", "")).startswith("/"):  # a relative one is to be ignored (XDG base directory specification)
        return Path(xdg) / "dartsctl"
    return _home(environment) / ".local" / "state" / "dartsctl"


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
    with open_state(path, make=make) as state, state.subfolder(name, make=PRIVATE_FOLDER if make else None) as folder:
        yield folder


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


def _home(environment: Mapping[str, str]) -> Path:
    caller = sudo_caller(environment)
    try:
        if caller is None:
            return Path.home()
        import pwd

        return Path(pwd.getpwuid(caller[0]).pw_dir)
    except (KeyError, RuntimeError) as error:
        raise DartsctlError(
            "there is no home folder for dartsctl's state", hint="name a folder: DARTSCTL_STATE_DIR=/a/folder dartsctl ..."
        ) from error
