"""The guard: an audit hook that refuses production's ports, in the environment of a server that dartsctl runs, and in virtual environments.

In a virtual environment it is two things in site-packages: the folder `_dartsctl_guard` with the module, whose list of ports is a literal in it, and
`dartsctl_guard.pth`, which loads it at every start of the interpreter. A folder, so that the bytecode goes with it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from dartsctl import bounded_file
from dartsctl.errors import DartsctlError

FOLDER = Path(__file__).parents[1] / "guard_path"
"""What PYTHONPATH gets: a sitecustomize, and the hook that it loads."""

_PACKAGE = "_dartsctl_guard"
_PTH = "dartsctl_guard.pth"
_PTH_LINE = 'import sys; exec("try: import _dartsctl_guard\\nexcept Exception: pass")  # dartsctl guard; `dartsctl guard remove` takes it away\n'
_PTH_MARK = "# dartsctl guard"
_MODULE_MARK = '"""dartsctl guard'
_PORTS = 'PORTS: "dict[int, str]" = '
_VERSION = "VERSION = "
_OLDEST_PYTHON = (3, 8)


# --- in a server's environment ------------------------------------------------------------------------------------------------


def hooked(environment: Mapping[str, str], *, owners: Mapping[int, str], leased: int, report: Path) -> dict[str, str]:
    """A server's environment with the guard in it, for every Python among its processes; unchanged where DARTSCTL_GUARD is off.

    `owners`: production's ports and their services. `leased`: the port that the message names as the server's own.
    `report`: the file (absolute; made when needed) that `read_report` reads.
    """
    changed = dict(environment)
    if environment.get("DARTSCTL_GUARD", "").lower() == "off":
        return changed
    before = [entry for entry in environment.get("PYTHONPATH", "").split(os.pathsep) if entry != str(FOLDER)]
    changed["PYTHONPATH"] = os.pathsep.join([str(FOLDER), *(before if any(before) else [])])
    changed["DARTSCTL_GUARD"] = "on"
    changed["DARTSCTL_GUARD_PORTS"] = ",".join(f"{port}={_plain(owner)}" for port, owner in owners.items())
    changed["DARTSCTL_GUARD_PORT"] = str(leased)
    changed["DARTSCTL_GUARD_REPORT"] = str(report)
    return changed


def read_report(path: Path) -> frozenset[int]:
    """The ports that the guard has refused to a server, as they stand in its report; none where nothing was written."""
    try:
        lines = path.read_text(encoding="ascii", errors="replace").splitlines()
    except OSError:
        return frozenset()
    return frozenset(int(line) for line in lines if line.isascii() and line.isdigit())


def forget_report(path: Path) -> None:
    """Remove a report, if there is one."""
    with suppress(OSError):
        path.unlink(missing_ok=True)


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


def read(site_packages: Path) -> Guard | None:
    """The guard that is installed there; None where there is none, or only a part of one. Raises DartsctlError where that cannot be read."""
    import ast

    with _reading(site_packages):
        text = _ours(site_packages / _PACKAGE / "__init__.py", _MODULE_MARK)
        if not text or not _ours(site_packages / _PTH, _PTH_MARK):
            return None
    values = {mark: line.removeprefix(mark) for line in text.splitlines() for mark in (_PORTS, _VERSION) if line.startswith(mark)}
    try:
        ports = {int(port): str(owner) for port, owner in ast.literal_eval(values[_PORTS]).items()}
        return Guard(ports, int(values[_VERSION]), current=text == _module(ports))
    except (KeyError, ValueError, SyntaxError, AttributeError):
        return Guard({}, 0, current=False)  # ours, and damaged: to be installed again


def install(site_packages: Path, owners: Mapping[int, str]) -> bool:
    """Put the guard there, or bring its ports and its module up to date; False where nothing had to change.

    An interpreter that starts meanwhile has the old state or the new one, and two installs at once do no harm.
    Raises DartsctlError where the folder cannot be written, or has something of somebody else under the guard's names.
    """
    package, pth = site_packages / _PACKAGE, site_packages / _PTH
    _refuse_foreign(site_packages)
    wanted = {package / "__init__.py": _module(owners), pth: _PTH_LINE}  # the .pth last: what it loads must be there
    with _writing(site_packages):
        fresh = not pth.exists()
        stale = {file: text for file, text in wanted.items() if _text(file) != text}
        try:
            if package / "__init__.py" in stale:
                _make(package, site_packages)
            for file, text in stale.items():
                _replace(file, text, site_packages)
        except BaseException:
            if fresh:
                with suppress(OSError):
                    _take_away(site_packages)
            raise
    return bool(stale)


def is_installed(site_packages: Path) -> bool:
    """Whether a guard was installed there and not removed, in whatever state it is. Raises DartsctlError where that cannot be read."""
    with _reading(site_packages):
        return bool(_ours(site_packages / _PTH, _PTH_MARK))


def remove(site_packages: Path) -> bool:
    """Take the guard away, its bytecode too; False where there was none.

    Raises DartsctlError where the folder cannot be written, or has something of somebody else under the guard's names.
    """
    _refuse_foreign(site_packages)
    with _writing(site_packages):
        return _take_away(site_packages)


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
    text = (FOLDER / _PACKAGE / "__init__.py").read_text(encoding="utf-8")
    return text.replace(f"{_PORTS}{{}}\n", f"{_PORTS}{dict(sorted(owners.items()))!a}\n", 1)


def _refuse_foreign(site_packages: Path) -> None:
    """Raises DartsctlError for a file or folder that has the guard's name and is not the guard's."""
    package, pth = site_packages / _PACKAGE, site_packages / _PTH
    with _reading(site_packages):
        module = package / "__init__.py"
        foreign = [pth] if _text(pth) is not None and not _ours(pth, _PTH_MARK) else []
        leftover = package.is_dir() and not package.is_symlink() and {one.name for one in package.iterdir()} <= {"__pycache__"}
        if (package.exists() or package.is_symlink()) and not leftover and (package.is_symlink() or not _ours(module, _MODULE_MARK)):
            foreign.append(package)
    if foreign:
        raise DartsctlError(f"{foreign[0]} is not dartsctl's", hint="move it away if nobody needs it, and try again")


def _ours(file: Path, mark: str) -> str:
    """The file's text if it has the guard's mark in its first line, else empty."""
    text = _text(file) or ""
    return text if mark in text.partition("\n")[0] else ""


def _text(file: Path) -> str | None:
    try:
        return bounded_file.read_text(file)
    except (FileNotFoundError, NotADirectoryError):
        return None


def _make(package: Path, site_packages: Path) -> None:
    with suppress(FileExistsError):
        package.mkdir()
        package.chmod(0o755)
        _give(package, site_packages)


def _replace(file: Path, text: str, site_packages: Path) -> None:
    """Atomically, readable for all who use the virtual environment."""
    partial = file.with_name(f".{file.name}.{os.getpid()}.tmp")
    try:
        partial.write_text(text, encoding="utf-8")
        partial.chmod(0o644)
        with suppress(FileNotFoundError):  # another second than the last one's: by that Python tells whether its bytecode is still good
            after = max(partial.stat().st_mtime, int(file.stat().st_mtime) + 1)
            os.utime(partial, (after, after))
        _give(partial, site_packages)
        partial.replace(file)
    except BaseException:
        with suppress(OSError):
            partial.unlink()
        raise


def _take_away(site_packages: Path) -> bool:
    import shutil

    package, pth = site_packages / _PACKAGE, site_packages / _PTH
    if not pth.exists() and not package.exists():
        return False
    pth.unlink(missing_ok=True)
    parting = site_packages / f".{_PACKAGE}.{os.getpid()}.tmp"
    with suppress(FileNotFoundError):
        package.rename(parting)  # at once: an interpreter that is starting must not put its bytecode into a folder that is being emptied
        shutil.rmtree(parting)
    return True


def _give(path: Path, site_packages: Path) -> None:
    """Under sudo what is in somebody's virtual environment must stay theirs to remove."""
    if os.geteuid() == 0:
        owner = site_packages.stat()
        os.chown(path, owner.st_uid, owner.st_gid)


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
            f"the virtual environment cannot be read in {site_packages}: {error.strerror or error}", hint=f"ls -la {site_packages}"
        ) from error
