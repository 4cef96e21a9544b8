"""A project folder with settings and empty Compose files."""

from __future__ import annotations

from pathlib import Path

from dartsctl.config.load_settings import load
from dartsctl.config.settings import Settings


def touch(folder: Path, *names: str) -> None:
    """Create empty files, with their folders."""
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def settings_of(folder: Path, text: str = "", environ: dict[str, str] | None = None) -> Settings:
    """Write dartsctl.toml and return the settings."""
    (folder / "dartsctl.toml").write_text(text)
    return load(folder, environ or {})
