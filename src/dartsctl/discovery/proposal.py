"""What `init` proposes for a project: settings with their reasons, files, and open tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.discovery.settings_text import ProposedSetting
from dartsctl.records import record

if TYPE_CHECKING:
    from dartsctl.discovery.changes import Change

__all__ = ["Proposal", "ProposedSetting", "Task"]


@record
class Task:
    """What only a person can do.

    `text` is a sentence without a full stop; `paste` are the lines to write where it says so.
    `is_required`: production does not start, or does not work, without it.
    """

    text: str
    paste: tuple[str, ...] = ()
    is_required: bool = True


@record
class Proposal:
    """What a part of `init` proposes. `notes` are sentences for people, with their evidence."""

    notes: tuple[str, ...] = ()
    settings: tuple[ProposedSetting, ...] = ()
    changes: tuple[Change, ...] = ()
    tasks: tuple[Task, ...] = ()

    def __add__(self, other: Proposal) -> Proposal:
        return Proposal(
            notes=self.notes + other.notes,
            settings=self.settings + other.settings,
            changes=self.changes + other.changes,
            tasks=self.tasks + other.tasks,
        )
