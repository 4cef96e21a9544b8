"""The guard: an audit hook that refuses production ports, in servers and in virtual environments.

A server that dartsctl runs has it through its environment variables. In a virtual environment it
consists of two parts in site-packages: the folder `_dartsctl_guard` with the module, which contains
the ports as a literal, and `dartsctl_guard.pth`, which loads it at every start of the interpreter.
It is a folder, so that the byte code is removed with it.
"""

from __future__ import annotations

import os
import re
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from dartsctl.errors import Advice, DartsctlError
from dartsctl.records import record
from dartsctl.system.files import EVERYBODY, PUBLIC_FOLDER, Folder, UnsafeFile
from dartsctl.system.path_walk import open_folder
from dartsctl.system.users import trusted_users
from dartsctl.text.phrases import shell_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

FOLDER = Path(__file__).parents[2] / "guard_path"
"""The folder for PYTHONPATH: a sitecustomize, and the hook that it loads."""

_PACKAGE = "_dartsctl_guard"
_SAID = "DARTSCTL_GUARD_SAID"
_MODULE = "__init__.py"
_PTH = "dartsctl_guard.pth"
_PTH_LINE = (
    'import sys; exec("try: import _dartsctl_guard\\nexcept Exception: pass")'
    "  # dartsctl guard; `dartsctl guard remove` takes it away\n"
)
_PTH_MARK = "# dartsctl guard"
_MODULE_MARK = '"""dartsctl guard'
_PORTS = 'PORTS: "dict[int, str]" = '
_VERSION = "VERSION = "
_OLDEST_PYTHON = (3, 8)
_LARGEST = 256 << 10  # bytes


# --- in a server's environment -----------------------------------------------------------------


def guarded_environment(
    environment: Mapping[str, str], *, owners: Mapping[int, str], leased: int, report: Path
) -> dict[str, str]:
    """Return a server's environment with the guard, for every Python among its processes.

    Unchanged where DARTSCTL_GUARD is off. `owners`: production ports and their services. `leased`:
    the port that the message names as the server's own. `report`: the absolute path of the file
    that `read_report` reads; it is created when needed.
    """
    changed = dict(environment)
    if environment.get("DARTSCTL_GUARD", "").lower() == "off":
        return changed
    entries = environment.get("PYTHONPATH", "").split(os.pathsep)
    others = [entry for entry in entries if entry != str(FOLDER)]
    if not any(others):  # an empty entry would be the working folder
        others = []
    listed = ",".join(f"{port}={_plain(owner)}" for port, owner in owners.items())
    changed["PYTHONPATH"] = os.pathsep.join([str(FOLDER), *others])
    changed["DARTSCTL_GUARD"] = "on"
    changed.pop(_SAID, None)  # what a server was told in which this one is started
    changed["DARTSCTL_GUARD_PORTS"] = listed
    changed["DARTSCTL_GUARD_PORT"] = str(leased)
    changed["DARTSCTL_GUARD_REPORT"] = str(report)
    return changed


def read_report(path: Path) -> frozenset[int]:
    """Return the ports that the guard has refused to a server; none where there is no report."""
    try:
        with open_folder(path.parent) as folder:
            data = folder.read(path.name, limit=_LARGEST, owners=(os.geteuid(),))
    except (OSError, UnsafeFile):
        return frozenset()
    ports = [line.partition(" ")[0] for line in data.decode("ascii", errors="replace").splitlines()]
    return frozenset(int(port) for port in ports if _is_port(port))


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 6


def forget_report(path: Path) -> None:
    """Remove a report, if there is one."""
    with suppress(OSError, UnsafeFile), open_folder(path.parent) as folder:
        folder.remove(path.name)


def _plain(owner: str) -> str:
    """Return a service's name for the list in a variable; the settings allow any character."""
    return "".join(" " if letter == "," or not letter.isprintable() else letter for letter in owner)


# --- in a virtual environment ------------------------------------------------------------------


@record
class Guard:
    """An installed guard."""

    ports: Mapping[int, str]
    version: int
    """That of the module."""
    current: bool
    """Whether this dartsctl would install the same module, whatever its ports."""
    damaged: bool
    """Whether a part is missing or foreign; `install` and `remove` repair it."""


def read(site_packages: Path) -> Guard | None:
    """Return the installed guard; None where there is none. Raises DartsctlError if unreadable."""
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
    """Install the guard, update it, or repair it; False where nothing had to change.

    An interpreter that starts meanwhile sees the old state or the new one; two installs at once are
    safe. Raises DartsctlError where the folder cannot be written, or somebody else's file has a
    name of the guard; UnsafeFile where root would change the virtual environment of a user who has
    not called sudo.
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
            if parts.pth != _PTH_LINE:  # last: what it loads must exist
                _replace(site, _PTH, _PTH_LINE)
        except BaseException:
            if parts.pth is None:
                with suppress(OSError):
                    _remove_all(site)
            raise
    return True


def is_installed(site_packages: Path) -> bool:
    """Return whether a guard is installed, in any state. Raises DartsctlError if unreadable."""
    with _reading(site_packages), open_folder(site_packages) as site:
        parts = _parts(site)
    return parts.pth is not None and parts.are_ours


def remove(site_packages: Path) -> bool:
    """Remove the guard and its byte code, in whatever state; False where there was none.

    Raises as `install`.
    """
    with _writing(site_packages), _open_own(site_packages) as site:
        _refuse_foreign(site, _parts(site))
        return _remove_all(site)


def would_be_active(python: Path, site_packages: Path) -> bool:
    """Return whether a guard in `site_packages` would restrict a program of this interpreter.

    Nothing is executed to find out: the interpreter may be another user's program.
    """
    version = re.fullmatch(r"[a-z]+(\d+)\.(\d+)t?", site_packages.parent.name)
    is_known = version is not None and (int(version[1]), int(version[2])) >= _OLDEST_PYTHON
    if not is_known or not os.access(python, os.X_OK):
        return False
    from dartsctl.guard_path import _dartsctl_guard  # the module itself decides

    return _dartsctl_guard.is_wanted()


def _module(owners: Mapping[int, str]) -> str:
    text = (FOLDER / _PACKAGE / _MODULE).read_text(encoding="utf-8")
    return text.replace(f"{_PORTS}{{}}\n", f"{_PORTS}{dict(sorted(owners.items()))!a}\n", 1)


def _values(module: str) -> tuple[dict[int, str], int]:
    """Return the ports and the version in a module's text. Raises ValueError."""
    import ast

    values: dict[str, str] = {}
    for line in module.splitlines():
        for mark in (_PORTS, _VERSION):
            if line.startswith(mark):
                values[mark] = line.removeprefix(mark)
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


@record
class _Parts:
    """What has the names of the guard: the texts, None where no file has the name."""

    pth: str | None
    module: str | None
    others: tuple[str, ...]
    """The names of other things than a file, or a folder with the module or byte code."""

    @property
    def are_marked(self) -> bool:
        """Whether both exist, and begin as every version of dartsctl has written them."""
        return _has_mark(self.pth, _PTH_MARK) and _has_mark(self.module, _MODULE_MARK)

    @property
    def are_ours(self) -> bool:
        """Whether one of them is the guard's, or a damaged version; then the other is too."""
        return _is_ours(self.pth, _PTH_LINE) or _is_ours(self.module, _module({}))


def _has_mark(text: str | None, mark: str) -> bool:
    return text is not None and mark in text.partition("\n")[0]


def _is_ours(text: str | None, complete: str) -> bool:
    """Return whether it is the guard's own text: edited, truncated, or lost in a crash.

    A file that was lost in a crash is empty, or contains NUL bytes.
    """
    if text is None:
        return False
    is_lost = not text.strip("\0 \r\n")
    return is_lost or complete.startswith(text) or _has_mark(text, "dartsctl guard")


def _parts(site: Folder) -> _Parts:
    """Raises OSError."""
    module: str | None = None
    others: list[str] = []
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
    """Return a file's text; None where no file has the name. Raises OSError."""
    try:
        return folder.read(name, limit=_LARGEST, owners=EVERYBODY).decode(errors="replace")
    except (FileNotFoundError, UnsafeFile):
        return None


def _refuse_foreign(site: Folder, parts: _Parts) -> None:
    """Raise DartsctlError where a name of the guard is taken, and nothing there is the guard's."""
    names = list(parts.others)
    if parts.pth is not None:
        names.append(_PTH)
    if parts.module is not None:
        names.append(_PACKAGE)
    if names and not parts.are_ours:
        raise DartsctlError(
            f"dartsctl did not create this file: {site.path / names[0]}",
            hint=Advice("move it away if nobody needs it, and try again"),
        )


def _owners() -> Collection[int]:
    """Return whose virtual environments may be changed.

    Root changes none of a user who has not called sudo.
    """
    if os.geteuid() == 0:
        return trusted_users()
    return EVERYBODY


def _open_own(site_packages: Path) -> Folder:
    return open_folder(site_packages, owners=_owners())


def _replace(folder: Folder, name: str, text: str) -> None:
    """Replace whatever has the name, atomically; all users of the environment may read it."""
    with folder.temporary_file(text.encode(), 0o644) as temporary:
        after = _second_after(folder, name)
        if after:
            os.utime(temporary, (after, after), dir_fd=folder.descriptor, follow_symlinks=False)
        if folder.is_folder(name):
            _clear(folder, name)
        folder.rename(temporary, name)


def _second_after(folder: Folder, name: str) -> float | None:
    """Return a time in another second than that of the file; None where there is no file.

    Python recognizes outdated byte code by the second (and size) of its source.
    """
    status = folder.stat(name)
    if status is None:
        return None
    return max(time.time(), int(status.st_mtime) + 1)


def _remove_all(site: Folder) -> bool:
    removed = [_clear(site, name) for name in (_PTH, _PACKAGE)]
    return any(removed)


def _clear(folder: Folder, name: str) -> bool:
    """Remove a file, a link itself, or a folder with its content; False where there was none."""
    import shutil

    if not folder.is_folder(name):
        return folder.remove(name)
    # renamed first: a starting interpreter could write byte code into a folder being emptied
    temporary = f".{os.urandom(8).hex()}.tmp"
    folder.rename(name, temporary)
    shutil.rmtree(temporary, dir_fd=folder.descriptor)
    return True


@contextmanager
def _writing(site_packages: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DartsctlError(
            f"cannot change the virtual environment in {site_packages}: {error.strerror or error}",
            hint=Advice(
                "free space or correct the permissions there, or use another one: --venv PATH"
            ),
        ) from error


@contextmanager
def _reading(site_packages: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise DartsctlError(
            f"cannot read the virtual environment in {site_packages}: {error.strerror or error}",
            hint=shell_command("ls", "-la", site_packages),
        ) from error
