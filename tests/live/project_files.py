"""The files of a test's project: written from texts, and read to see what a verb has changed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path


def write_files(folder: Path, files: Mapping[str, str]) -> None:
    """Write files by their paths in `folder`."""
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def read_files(folder: Path) -> dict[str, bytes]:
    """Return the content of every file in `folder`, without those of git."""
    content: dict[str, bytes] = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder)
        if path.is_file() and ".git" not in name.parts:
            content[name.as_posix()] = path.read_bytes()
    return content
