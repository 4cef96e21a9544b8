"""The texts of an app's source files: a limited number, none followed by links."""

from __future__ import annotations

import os

from dartsctl.discovery.app.sources import Sources
from dartsctl.system import bounded_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SKIPPED = frozenset(
    [
        *("node_modules", "site-packages", "__pycache__", "tests", "test", "testing", "migrations"),
        *("venv", "env", "virtualenv", "build", "dist", "docs", "static", "htmlcov", "vendor"),
    ]
)
"""Folders without the app's own source."""
_ENDINGS = (".py", ".sh", ".toml", ".ini")
_NAMES = ("Makefile", "Procfile", "Pipfile", "environment.yml", "package.json")
_PREFIXES = ("Dockerfile", "Procfile", "requirements", "Containerfile")
_MOST_FILES = 600
_DEEPEST = 5
_LIMIT = 512 << 10
"""Bytes of one file: source that a person wrote is smaller."""


def read_sources(folder: Path) -> Sources:
    """Return the app's source files below a folder. What cannot be read is left out."""
    texts: dict[str, str] = {}
    for path in _paths(folder):
        if len(texts) >= _MOST_FILES:
            break
        try:
            texts[path] = bounded_file.read_text(folder / path, limit=_LIMIT)
        except OSError:
            continue
    return Sources(texts)


def _paths(folder: Path) -> Iterator[str]:
    """Yield the relative paths, those near the root first."""
    waiting = [""]
    for _ in range(_DEEPEST):
        below: list[str] = []
        for parent in waiting:
            try:
                with os.scandir(folder / parent) as entries:
                    listed = sorted(entries, key=lambda entry: entry.name)
            except OSError:
                continue
            for entry in listed:
                path = f"{parent}/{entry.name}".lstrip("/")
                if entry.is_dir(follow_symlinks=False):
                    if entry.name not in _SKIPPED and not entry.name.startswith("."):
                        below.append(path)
                elif _is_source(entry.name):
                    yield path
        waiting = below


def _is_source(name: str) -> bool:
    return name.endswith(_ENDINGS) or name in _NAMES or name.startswith(_PREFIXES)
