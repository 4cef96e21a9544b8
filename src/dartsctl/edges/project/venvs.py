"""Virtual environments: which ones an app may be started from, and where their packages are.

Files are read; no interpreter is started.
"""

from __future__ import annotations

import os
import re
import stat
from pathlib import Path

from dartsctl.errors import DartsctlError, UsageError
from dartsctl.records import record
from dartsctl.system import bounded_file
from dartsctl.system.files import UnsafeFile
from dartsctl.system.path_walk import refuse_links_of_others
from dartsctl.text.phrases import shell_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import Any


@record
class VirtualEnvironment:
    """A virtual environment. `source` says how it was found.

    `path` and `site_packages` are real paths: two links to one environment are not two.
    """

    path: Path
    site_packages: Path
    source: str

    @property
    def python(self) -> Path:
        """Its interpreter."""
        return self.path / "bin" / "python"


def at(path: Path, *, source: str) -> VirtualEnvironment:
    """Return the virtual environment in the folder `path`.

    Raises UsageError, beginning with `source`, where there is none; UnsafeFile for a link of
    another user; DartsctlError for an unreadable one.
    """
    try:
        has_config = _is_file(path / "pyvenv.cfg")
        if has_config:
            refuse_links_of_others(path)
    except OSError as error:
        raise DartsctlError(
            f"{source}: cannot read {path}: {error.strerror}",
            hint=shell_command("ls", "-ld", path),
        ) from error
    if not has_config:
        raise UsageError(
            f"{source}: {_what_it_is_instead(path)}: {path}", hint="python3 -m venv .venv"
        )
    site_packages = _site_packages(path)
    if site_packages is None:
        raise UsageError(
            f"{source}: no site-packages folder of its Python: {path}",
            hint=shell_command("python3", "-m", "venv", "--clear", path),
        )
    return VirtualEnvironment(path.resolve(), site_packages.resolve(), source)


def _is_file(path: Path) -> bool:
    """Return whether it is a regular file. Since Python 3.14 `Path.is_file` hides other errors.

    Raises OSError where nobody can tell.
    """
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return False


def _what_it_is_instead(path: Path) -> str:
    if not path.is_dir():
        return "no such folder"
    if (path / "conda-meta").is_dir():
        return "a conda environment, not a virtual environment"
    return "not a virtual environment (no pyvenv.cfg)"


def find(folders: Sequence[Path], environ: Mapping[str, str]) -> tuple[VirtualEnvironment, ...]:
    """Return those that a server in the first of `folders` may be started from, likeliest first.

    .venv and venv in the order of `{python}`, then env, UV_PROJECT_ENVIRONMENT, VIRTUAL_ENV and
    poetry's. `folders`: that of the server, then that of the settings.
    """
    environments: dict[Path, VirtualEnvironment] = {}
    for path, source in _candidates(folders, environ):
        try:
            environment = at(path, source=source)
        except DartsctlError:
            continue
        environments.setdefault(environment.path, environment)
    return tuple(environments.values())


def _candidates(folders: Sequence[Path], environ: Mapping[str, str]) -> Iterator[tuple[Path, str]]:
    unique = list(dict.fromkeys(folders))
    for names in ((".venv", "venv"), ("env",)):
        for folder in unique:
            yield from ((folder / name, name) for name in names)
    in_uv = environ.get("UV_PROJECT_ENVIRONMENT")
    if in_uv:  # relative to the project's root, as uv's documentation says
        yield from ((folder / in_uv, "UV_PROJECT_ENVIRONMENT") for folder in unique)
    active = environ.get("VIRTUAL_ENV")
    if active:
        yield Path(active), "VIRTUAL_ENV"
    for folder in unique:
        yield from ((path, "poetry") for path in _of_poetry(folder, environ))


def _site_packages(path: Path) -> Path | None:
    """Return lib/python3.12/site-packages, or lib/pypy3.10/site-packages, in lib64 too.

    Of several it is the one of the Python that pyvenv.cfg names.
    """
    versions: dict[Path, str] = {}
    for library in ("lib", "lib64"):
        for folder in sorted(path.glob(f"{library}/py*/site-packages")):
            match = re.fullmatch(r"(?:python|pypy)(\d+\.\d+)t?", folder.parent.name)
            if not match:
                continue
            try:
                refuse_links_of_others(folder)
            except UnsafeFile:  # lib64 is a link, and root looks at another user's environment
                continue
            versions.setdefault(folder.resolve(), match[1])
    if len(versions) > 1:
        wanted = _python_version(path / "pyvenv.cfg")
        versions = {folder: version for folder, version in versions.items() if version == wanted}
    return next(iter(versions)) if len(versions) == 1 else None


def _python_version(cfg: Path) -> str:
    """Return `3.12`; venv writes `version`, virtualenv and uv write `version_info`."""
    text = bounded_file.readable_text(cfg)
    match = re.search(r"^version(?:_info)?\s*=\s*(\d+\.\d+)", text, re.MULTILINE)
    return match[1] if match else ""


# --- poetry --------------------------------------------------------------------------------------


def _of_poetry(folder: Path, environ: Mapping[str, str]) -> list[Path]:
    """Return what poetry has created for the project in `folder`, newest first.

    They are found by poetry's naming scheme. Poetry itself is not started: it would execute code of
    the project.
    """
    project = _poetry_project(folder)
    if project is None:
        return []
    environments = _poetry_home(folder, environ).glob(f"{_poetry_name(project, folder)}-py*")
    return sorted(environments, key=_modified, reverse=True)


def _poetry_project(folder: Path) -> str | None:
    """Return the project's name as poetry writes it; None where poetry does not manage it."""
    document = _toml(folder / "pyproject.toml")
    poetry = _table(_table(document, "tool"), "poetry")
    if not poetry and not (document and (folder / "poetry.lock").exists()):
        return None
    name = _table(document, "project").get("name") or poetry.get("name") or "non-package-mode"
    return re.sub(r"[-_.]+", "-", str(name))


def _toml(path: Path) -> Mapping[str, Any]:
    """Return the content of a TOML file; empty where it is missing or broken."""
    import tomllib

    try:
        return tomllib.loads(bounded_file.read_bytes(path).decode())
    except (OSError, ValueError, RecursionError):
        return {}


def _table(document: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    table = document.get(key)
    return table if isinstance(table, dict) else {}


def _poetry_home(folder: Path, environ: Mapping[str, str]) -> Path:
    """Return the folder of poetry's virtual environments.

    A variable names it, else the project's poetry.toml, else poetry's config.toml; else it is in
    the cache.
    """
    explicit = environ.get("POETRY_VIRTUALENVS_PATH")
    if explicit:
        return _expanded(explicit)
    cache = _poetry_cache(environ)
    for configured in (_toml(folder / "poetry.toml"), _toml(_poetry_config(environ))):
        cache_dir = configured.get("cache-dir")
        if cache_dir and "POETRY_CACHE_DIR" not in environ:
            cache = _expanded(str(cache_dir))
        path = _table(configured, "virtualenvs").get("path")
        if path:
            return _expanded(str(path).replace("{cache-dir}", str(cache)))
    return cache / "virtualenvs"


def _expanded(text: str) -> Path:
    return Path(os.path.expanduser(text))  # noqa: PTH111 - pathlib fails without a home


def _poetry_cache(environ: Mapping[str, str]) -> Path:
    cache = environ.get("POETRY_CACHE_DIR")
    if cache:
        return _expanded(cache)
    return _user_folder(environ, "Caches", "XDG_CACHE_HOME", ".cache") / "pypoetry"


def _poetry_config(environ: Mapping[str, str]) -> Path:
    folder = environ.get("POETRY_CONFIG_DIR")
    if folder:
        return _expanded(folder) / "config.toml"
    parent = _user_folder(environ, "Application Support", "XDG_CONFIG_HOME", ".config")
    return parent / "pypoetry" / "config.toml"


def _user_folder(environ: Mapping[str, str], on_macos: str, variable: str, default: str) -> Path:
    """Return ~/Library/`on_macos` if it exists, else what `variable` names, else ~/`default`."""
    home = Path(environ.get("HOME") or "/")
    library = home / "Library" / on_macos
    if library.is_dir():
        return library
    return Path(environ.get(variable) or home / default)


def _poetry_name(project: str, folder: Path) -> str:
    """Return `shop-6sY0G6cN`: the name, and a hash of the folder's real path.

    Poetry does it in EnvManager.generate_env_name.
    """
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
