"""What `init` finds out about a project: settings with their reasons, files, and open tasks."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dartsctl.config.templates import Change

SettingValue = str | float | bool | Sequence[str] | Sequence[int] | Mapping[str, int]
"""A value as TOML has it. A mapping is an inline table, which may be empty."""


@dataclass(frozen=True, slots=True)
class FoundSetting:
    """A line for the settings file.

    `table` is its TOML table (`server.env`), empty for the top level. `why` is where the value
    comes from, and becomes the line's comment: `Dockerfile:7`. `is_default`: dartsctl does so
    without the line, which is only shown, as a comment.
    """

    table: str
    key: str
    value: SettingValue
    why: str = ""
    is_default: bool = False


@dataclass(frozen=True, slots=True)
class EnvLine:
    """A variable that an env file needs. `why` becomes a comment above it."""

    file: Path
    name: str
    value: str
    why: str = ""


@dataclass(frozen=True, slots=True)
class Task:
    """What only a person can do.

    `text` is a sentence without a full stop; `paste` are the lines to write where it says so.
    `is_required`: production does not start, or does not work, without it.
    """

    text: str
    paste: tuple[str, ...] = ()
    is_required: bool = True


@dataclass(frozen=True, slots=True)
class Findings:
    """What a part of `init` finds out. `notes` are sentences for people, with their evidence."""

    notes: tuple[str, ...] = ()
    settings: tuple[FoundSetting, ...] = ()
    env_lines: tuple[EnvLine, ...] = ()
    changes: tuple[Change, ...] = ()
    tasks: tuple[Task, ...] = ()

    def __add__(self, other: Findings) -> Findings:
        return Findings(
            notes=self.notes + other.notes,
            settings=self.settings + other.settings,
            env_lines=self.env_lines + other.env_lines,
            changes=self.changes + other.changes,
            tasks=self.tasks + other.tasks,
        )
