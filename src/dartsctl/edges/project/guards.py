"""The guard: an audit hook that refuses production's ports, in the environment of a server that dartsctl runs, and in virtual environments.

In a virtual environment it is two things in site-packages: the folder `_dartsctl_guard` with the module, whose list of ports is a literal in it, and
`dartsctl_guard.pth`, which loads it at every start of the interpreter. A folder, so that the bytecode goes with it.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dartsctl.errors import DartsctlError
from dartsctl.system.files import EVERYBODY, PUBLIC_FOLDER, Folder, UnsafeFile, open_folder
from dartsctl.system.users import trusted_users
from dartsctl.text.phrases import shell_command

FOLDER = Path(__file__).parents[2] / "guard_path"
"""What PYTHONPATH gets: a sitecustomize, and the hook that it loads."""

_PACKAGE = "_dartsctl_guard"
_MODULE = "__init__.py"
_PTH = "dartsctl_guard.pth"
_PTH_LINE = 'import sys; exec("try: import _dartsctl_guard\\nexcept Exception: pass")  # dartsctl guard; `dartsctl guard remove` takes it away\n'
_PTH_MARK = "# dartsctl guard"
_MODULE_MARK = '"""dartsctl guard'
_PORTS = 'PORTS: "dict[int, str]" = '
_VERSION = "VERSION = "
_OLDEST_PYTHON = (3, 8)
_LARGEST = 256 << 10  # bytes


# --- in a server's environment ------------------------------------------------------------------------------------------------


def hooked(
    environment: Mapping[str, str], *, owners: Mapping[int, str], leased: int, report: Path
) -> dict[str, str]:
    """A server's environment with the guard in it, for every Python among its processes; unchanged where DARTSCTL_GUARD is off.

    `owners`: production's ports and their services. `leased`: the port that the message names as the server's own.
    `report`: the file (absolute; made when needed) that `read_report` reads.
    """
    changed = dict(environment)
    if environment.get("DARTSCTL_GUARD", "").lower() == "off":
        return changed
    before = [
        entry
        for entry in environment.get("PYTHONPATH", "").split(os.pathsep)
        if entry != str(FOLDER)
    ]
    changed["PYTHONPATH"] = os.pathsep.join([str(FOLDER), *(before if any(before) else [])])
    changed["DARTSCTL_GUARD"] = "on"
    changed["DARTSCTL_GUARD_PORTS"] = ",".join(
        f"{port}={_plain(owner)}" for port, owner in owners.items()
    )
    changed["DARTSCTL_GUARD_PORT"] = str(leased)
    changed["DARTSCTL_GUARD_REPORT"] = str(report)
    return changed


def read_report(path: Path) -> frozenset[int]:
    """The ports that the guard has refused to a server, as they stand in its report; none where nothing was written."""
    try:
        with open_folder(path.parent) as folder:
            lines = (
                folder.read(path.name, limit=_LARGEST, owners=(os.geteuid(),))
                .decode("ascii", errors="replace")
                .splitlines()
            )
    except (OSError, UnsafeFile):
        return frozenset()
    return frozenset(
        int(line) for line in lines if line.isascii() and line.isdigit() and len(line) < 6
    )


def forget_report(path: Path) -> None:
    """Remove a report, if there is one."""
    with suppress(OSError, UnsafeFile), open_folder(path.parent) as folder:
        folder.remove(path.name)


def _plain(owner: str) -> str:
    """A service's name as it may stand in a variable; a settings file may call a service anything."""
    return "".join(" " if letter == "," or not letter.isprintable() else letter for letter in owner)


# --- in a virtual environment -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Guard:
    """A guard as it stands in a virtual environment."""

    ports: Mapping[int, str]
    version: int
    """The module's."""
    current: bool
    """Whether it is the module that this dartsctl would install, whatever its ports."""
    damaged: bool
    """Whether a part of it is missing or not what any dartsctl has installed; `install` and `remove` mend that."""


def read(site_packages: Path) -> Guard | None:
    """The guard that is installed there; None where there is none. Raises DartsctlError where that cannot be read."""
    with _reading(site_packages), open_folder(site_packages) as site:
        parts = _parts(site)
    if not parts.are_ours:
        return None
    try:
        ports, version = _values(parts.module or "")
    except ValueError:
        return Guard({}, 0, current=False, damaged=True)
    current = parts.module == _module(ports)
    edited = version == _values(_module({}))[1] and not current
    return Guard(ports, version, current=current, damaged=edited or not parts.are_marked)


def install(site_packages: Path, owners: Mapping[int, str]) -> bool:
    """Put the guard there, bring its ports and its module up to date, or mend it; False where nothing had to change.

    An interpreter that starts meanwhile has the old state or the new one, and two installs at once do no harm.
    Raises DartsctlError where the folder cannot be written, or has something of somebody else under the guard's names;
    UnsafeFile where root would work in the virtual environment of a user who has not called sudo.
    """
    wanted = _module(owners)
    with _writing(site_packages), _open_own(site_packages) as site:
        parts = _parts(site)
        _refuse_foreign(site, parts)
        if (parts.module, parts.pth) == (wanted, _PTH_LINE):
            return False
        try:
            if site.exists(_PACKAGE) and not site.is_folder(_PACKAGE):
                site.remove(_PACKAGE)
            with site.subfolder(_PACKAGE, make=PUBLIC_FOLDER, owners=_owners()) as package:
                if parts.module != wanted:
                    _replace(package, _MODULE, wanted)
            if parts.pth != _PTH_LINE:  # the last one: what it loads must be there
                _replace(site, _PTH, _PTH_LINE)
        except BaseException:
            if parts.pth is None:
                with suppress(OSError):
                    _take_away(site)
            raise
    return True


def is_installed(site_packages: Path) -> bool:
    """Whether a guard was installed there and not removed, in whatever state it is. Raises DartsctlError where that cannot be read."""
    with _reading(site_packages), open_folder(site_packages) as site:
        parts = _parts(site)
    return parts.pth is not None and parts.are_ours


def remove(site_packages: Path) -> bool:
    """Take the guard away, its bytecode too, in whatever state it is; False where there was none. Raises as `install`."""
    with _writing(site_packages), _open_own(site_packages) as site:
        _refuse_foreign(site, _parts(site))
        return _take_away(site)


def would_be_active(python: Path, site_packages: Path) -> bool:
    """Whether a program that this interpreter would start now is kept off production's ports by a guard in `site_packages`.

    Nothing is executed to find out: the interpreter may be another user's program.
    """
    version = re.fullmatch(r"[a-z]+(\d+)\.(\d+)t?", site_packages.parent.name)
    is_known = version is not None and (int(version[1]), int(version[2])) >= _OLDEST_PYTHON
    if not is_known or not os.access(python, os.X_OK):
        return False
    from dartsctl.guard_path import _dartsctl_guard  # what decides is there, not here

    return _dartsctl_guard.is_wanted()


def _module(owners: Mapping[int, str]) -> str:
    text = (FOLDER / _PACKAGE / _MODULE).read_text(encoding="utf-8")
    return text.replace(f"{_PORTS}{{}}\n", f"{_PORTS}{dict(sorted(owners.items()))!a}\n", 1)


def _values(module: str) -> tuple[dict[int, str], int]:
    """The ports and the version that stand in a module. Raises ValueError."""
    import ast

    values = {
        mark: line.removeprefix(mark)
        for line in module.splitlines()
        for mark in (_PORTS, _VERSION)
        if line.startswith(mark)
    }
    try:
        ports = {int(port): str(owner) for port, owner in ast.literal_eval(values[_PORTS]).items()}
        return ports, int(values[_VERSION])
    except (
        KeyError,
        ValueError,
        TypeError,
        SyntaxError,
        AttributeError,
        RecursionError,
        MemoryError,
    ) as error:
        raise ValueError("not the guard's module") from error


@dataclass(frozen=True, slots=True)
class _Parts:
    """What has the guard's names: the texts, None where a name is free or is no file's."""

    pth: str | None
    module: str | None
    others: tuple[str, ...]
    """The names that something else has than a file and a folder with the module or bytecode."""

    @property
    def are_marked(self) -> bool:
        """Whether both are there, and begin as every dartsctl has written them."""
        texts = {_PTH_MARK: self.pth, _MODULE_MARK: self.module}
        return all(
            text is not None and mark in text.partition("\n")[0] for mark, text in texts.items()
        )

    @property
    def are_ours(self) -> bool:
        """Whether one of them is the guard's, if only the half of it: then it vouches for the other."""
        texts = {_PTH_LINE: self.pth, _module({}): self.module}
        return any(text is not None and _is_ours(text, whole) for whole, text in texts.items())


def _is_ours(text: str, whole: str) -> bool:
    """Whether it is the guard's own text, edited, cut off, or lost by a crash (empty, or NUL bytes)."""
    return (
        not text.strip("\0 \r\n")
        or whole.startswith(text)
        or "dartsctl guard" in text.partition("\n")[0]
    )


def _parts(site: Folder) -> _Parts:
    """Raises OSError."""
    module, others = None, []
    try:
        with site.subfolder(_PACKAGE, owners=EVERYBODY) as package:
            module = _text(package, _MODULE)
            if module is None and set(package.names()) - {"__pycache__"}:
                others.append(_PACKAGE)
    except FileNotFoundError:
        pass
    except UnsafeFile:
        others.append(_PACKAGE)
    pth = _text(site, _PTH)
    if pth is None and site.exists(_PTH):
        others.append(_PTH)
    return _Parts(pth, module, tuple(others))


def _text(folder: Folder, name: str) -> str | None:
    """A file's text; None where there is no file of that name. Raises OSError."""
    try:
        return folder.read(name, limit=_LARGEST, owners=EVERYBODY).decode(errors="replace")
    except (FileNotFoundError, UnsafeFile):
        return None


def _refuse_foreign(site: Folder, parts: _Parts) -> None:
    """Raises DartsctlError for what has a name of the guard's while nothing there is the guard's."""
    names = [
        *parts.others,
        *([_PTH] if parts.pth is not None else []),
        *([_PACKAGE] if parts.module is not None else []),
    ]
    if names and not parts.are_ours:
        raise DartsctlError(
            f"{site.path / names[0]} is not dartsctl's",
            hint="move it away if nobody needs it, and try again",
        )


def _owners() -> Collection[int]:
    """Whose virtual environments may be changed: root changes none of a user who has not called sudo."""
    return trusted_users() if os.geteuid() == 0 else EVERYBODY


def _open_own(site_packages: Path) -> Folder:
    return open_folder(site_packages, owners=_owners())


def _replace(folder: Folder, name: str, text: str) -> None:
    """Atomically, readable for all who use the virtual environment; whatever has the name goes."""
    with folder.fresh(text.encode(), 0o644) as temporary:
        after = _second_after(folder, name)
        if after:
            os.utime(temporary, (after, after), dir_fd=folder.descriptor, follow_symlinks=False)
        if folder.is_folder(name):
            _clear(folder, name)
        folder.rename(temporary, name)


def _second_after(folder: Folder, name: str) -> float | None:
    """Another second than the last file's: by that Python tells whether its bytecode is still good. None where there was none."""
    try:
        before = os.stat(name, dir_fd=folder.descriptor, follow_symlinks=False).st_mtime
    except FileNotFoundError:
        return None
    return max(time.time(), int(before) + 1)


def _take_away(site: Folder) -> bool:
    removed = [_clear(site, name) for name in (_PTH, _PACKAGE)]
    return any(removed)


def _clear(folder: Folder, name: str) -> bool:
    """Remove a file, a link itself, or a folder with all that is in it; False where there was none."""
    import shutil

    if not folder.is_folder(name):
        return folder.remove(name)
    parting = f".{os.urandom(8).hex()}.tmp"
    folder.rename(
        name, parting
    )  # at once: an interpreter that is starting must not put its bytecode into a folder that is being emptied
    shutil.rmtree(parting, dir_fd=folder.descriptor)
    return True


@contextmanager
def _writing(site_packages: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DartsctlError(
            f"the virtual environment cannot be changed in {site_packages}: {error.strerror or error}",
            hint="make room or rights there, or name another one: --venv PATH",
        ) from error


@contextmanager
def _reading(site_packages: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DartsctlError(
            f"the virtual environment cannot be read in {site_packages}: {error.strerror or error}",
            hint=shell_command("ls", "-la", site_packages),
        ) from error
