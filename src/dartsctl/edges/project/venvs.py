"""Virtual environments: which ones an app may be started from, and where their packages are. Their files are read, no interpreter is started."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dartsctl.errors import DartsctlError, UsageError
from dartsctl.system import bounded_file
from dartsctl.system.files import UnsafeFile, refuse_links_of_others
from dartsctl.text.phrases import shell_command

_ASK_POETRY_WITHIN = 10.0  # seconds; it takes one to start


@dataclass(frozen=True, slots=True)
class VirtualEnvironment:
    """`path` and `site_packages` are real paths: one environment behind two links is one. `source` says how it was found."""

    path: Path
    site_packages: Path
    source: str

    @property
    def python(self) -> Path:
        return self.path / "bin" / "python"


def at(path: Path, *, source: str) -> VirtualEnvironment:
    """The virtual environment in the folder `path`.

    Raises UsageError, beginning with `source`, where there is none; UnsafeFile for a link of another user; DartsctlError: unreadable.
    """
    try:
        is_one = (path / "pyvenv.cfg").is_file()
        if is_one:
            refuse_links_of_others(path)
    except OSError as error:
        raise DartsctlError(
            f"{source}: {path} cannot be read: {error.strerror}",
            hint=shell_command("ls", "-ld", path),
        ) from error
    if not is_one:
        what = (
            "a conda environment, not a virtual one"
            if (path / "conda-meta").is_dir()
            else "no virtual environment (it has no pyvenv.cfg)"
        )
        raise UsageError(
            f"{source}: {path} is {what if path.is_dir() else 'not there'}",
            hint="name the folder of one, such as .venv; to make one: python3 -m venv .venv",
        )
    site_packages = _site_packages(path)
    if site_packages is None:
        raise UsageError(
            f"{source}: {path} has no site-packages folder of its Python",
            hint="make it anew: " + shell_command("python3", "-m", "venv", "--clear", path),
        )
    return VirtualEnvironment(path.resolve(), site_packages.resolve(), source)


def find(folders: Sequence[Path], environ: Mapping[str, str]) -> tuple[VirtualEnvironment, ...]:
    """Those that a server in the first of `folders` may be started from, the likeliest first: .venv and venv as `{python}` takes them, then env,
    UV_PROJECT_ENVIRONMENT, VIRTUAL_ENV and poetry's. `folders`: the server's and the settings' one.
    """
    found: dict[Path, VirtualEnvironment] = {}
    for path, source in _candidates(folders, environ):
        try:
            one = at(path, source=source)
        except DartsctlError:
            continue
        found.setdefault(one.path, one)
    return tuple(found.values())


def _candidates(folders: Sequence[Path], environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    for names in ((".venv", "venv"), ("env",)):
        yield from ((folder / name, name) for folder in dict.fromkeys(folders) for name in names)
    if uv := environ.get(
        "UV_PROJECT_ENVIRONMENT"
    ):  # relative to the project's root (uv's documentation)
        yield from ((folder / uv, "UV_PROJECT_ENVIRONMENT") for folder in dict.fromkeys(folders))
    if active := environ.get("VIRTUAL_ENV"):
        yield Path(active), "VIRTUAL_ENV"
    for folder in dict.fromkeys(folders):
        yield from ((path, "poetry") for path in _of_poetry(folder, environ))


def _site_packages(path: Path) -> Path | None:
    """lib/python3.12/site-packages, lib/pypy3.10/site-packages, in lib64 too; of several the one of the Python that pyvenv.cfg names."""
    found: dict[Path, str] = {}
    for library in ("lib", "lib64"):
        for folder in sorted(path.glob(f"{library}/py*/site-packages")):
            if match := re.fullmatch(r"(?:python|pypy)(\d+\.\d+)t?", folder.parent.name):
                try:
                    refuse_links_of_others(folder)
                except UnsafeFile:  # its lib64, where root looks at another user's
                    continue
                found.setdefault(folder.resolve(), match[1])
    if len(found) > 1:
        version = _python_version(path / "pyvenv.cfg")
        found = {folder: own for folder, own in found.items() if own == version}
    return next(iter(found)) if len(found) == 1 else None


def _python_version(cfg: Path) -> str:
    """`3.12`; venv writes `version`, virtualenv and uv write `version_info`."""
    try:
        text = bounded_file.read_text(cfg)
    except OSError:
        return ""
    match = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+)", text, re.MULTILINE)
    return match[1] if match else ""


# --- poetry -------------------------------------------------------------------------------------------------------------------


def _of_poetry(folder: Path, environ: Mapping[str, str]) -> list[Path]:
    """What poetry has made for the project in `folder`, by its scheme of names. Poetry itself is not asked: it would execute what lies there."""
    project = _poetry_project(folder)
    if project is None:
        return []
    return sorted(
        _poetry_home(folder, environ).glob(f"{_poetry_name(project, folder)}-py*"),
        key=_modified,
        reverse=True,
    )


def _poetry_project(folder: Path) -> str | None:
    """The project's name as poetry knows it; None where this is no project of poetry's."""
    document = _toml(folder / "pyproject.toml")
    poetry = _table(_table(document, "tool"), "poetry")
    if not poetry and not (document and (folder / "poetry.lock").exists()):
        return None
    name = _table(document, "project").get("name") or poetry.get("name") or "non-package-mode"
    return re.sub(r"[-_.]+", "-", str(name))


def _toml(path: Path) -> Mapping[str, Any]:
    """A TOML file's table; empty where there is none, or it is broken."""
    import tomllib

    try:
        return tomllib.loads(bounded_file.read_bytes(path).decode())
    except (OSError, ValueError, RecursionError):
        return {}


def _table(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    found = document.get(key)
    return found if isinstance(found, dict) else {}


def _poetry_home(folder: Path, environ: Mapping[str, str]) -> Path:
    """Where poetry keeps its virtual environments: a variable, else the project's poetry.toml, else its own config.toml, else the cache."""
    if explicit := environ.get("POETRY_VIRTUALENVS_PATH"):
        return _expanded(explicit)
    cache = _poetry_cache(environ)
    for configured in (_toml(folder / "poetry.toml"), _toml(_poetry_config(environ))):
        if (cache_dir := configured.get("cache-dir")) and "POETRY_CACHE_DIR" not in environ:
            cache = _expanded(str(cache_dir))
        if path := _table(configured, "virtualenvs").get("path"):
            return _expanded(str(path).replace("{cache-dir}", str(cache)))
    return cache / "virtualenvs"


def _expanded(text: str) -> Path:
    return Path(os.path.expanduser(text))  # noqa: PTH111 - without a home `~` stays, where pathlib fails


def _poetry_cache(environ: Mapping[str, str]) -> Path:
    if cache := environ.get("POETRY_CACHE_DIR"):
        return _expanded(cache)
    home = Path(environ.get("HOME") or "/")
    on_macos = home / "Library" / "Caches"
    return (
        on_macos if on_macos.is_dir() else Path(environ.get("XDG_CACHE_HOME") or home / ".cache")
    ) / "pypoetry"


def _poetry_config(environ: Mapping[str, str]) -> Path:
    if folder := environ.get("POETRY_CONFIG_DIR"):
        return _expanded(folder) / "config.toml"
    home = Path(environ.get("HOME") or "/")
    on_macos = home / "Library" / "Application Support"
    return (
        (
            on_macos
            if on_macos.is_dir()
            else Path(environ.get("XDG_CONFIG_HOME") or home / ".config")
        )
        / "pypoetry"
        / "config.toml"
    )


def _poetry_name(project: str, folder: Path) -> str:
    """`shop-6sY0G6cN`: the name, and a hash of the folder's real path (poetry's EnvManager.generate_env_name)."""
    import base64
    import hashlib

    digest = hashlib.sha256(os.fsencode(os.path.realpath(folder))).digest()
    cleaned = re.sub(r'[ $`!*@"\\\r\n\t]', "_", project.lower())[:42]
    return f"{cleaned}-{base64.urlsafe_b64encode(digest).decode()[:8]}"


def _modified(path: Path) -> float:
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
