"""What `init` found and plans, in words and as JSON. No secret is shown."""

from __future__ import annotations

import itertools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dartsctl.discovery.diff import diff_lines
from dartsctl.text.phrases import relative

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from dartsctl.discovery.changes import Change
    from dartsctl.discovery.proposal import ProposedSetting, Task
    from dartsctl.workflows.init.plan import InitPlan
    from dartsctl.workflows.init.verdicts import Verdict

_MANY = 3


def file_lines(changes: Sequence[Change], root: Path, *, all_files: bool = False) -> list[str]:
    """Return each file with its diff. More than three of one kind are one line without a diff.

    `all_files`: a line for each.
    """
    lines: list[str] = []
    for (action, about), group in itertools.groupby(
        changes, key=lambda change: (change.action, change.about)
    ):
        files = list(group)
        if len(files) <= _MANY:
            lines += itertools.chain.from_iterable(_with_diff(change, root) for change in files)
        elif all_files:
            lines += [_line(action, change.path, root, about) for change in files]
        else:
            folder = Path(os.path.commonpath([change.path for change in files]))
            count = f"{about}: {len(files)} files (--dry-run lists them)"
            lines.append(_line(action, folder, root, count))
    return lines


def _with_diff(change: Change, root: Path) -> Iterator[str]:
    yield _line(change.action, change.path, root, change.about)
    for line in diff_lines(change):
        yield f"  {line}"


def _line(action: str, path: Path, root: Path, about: str) -> str:
    return f"{action:6}  {relative(root, path)}  {about}".rstrip()


def missing_lines(changes: Sequence[Change]) -> list[str]:
    """Return which variables of their examples env files lack."""
    lines: list[str] = []
    for change in changes:
        if change.missing:
            names = ", ".join(change.missing)
            lines.append(f"{change.path} lacks variables of its example: {names}")
    return lines


def task_lines(tasks: Sequence[Task]) -> list[str]:
    """Return what is left to a person, with the lines to paste."""
    lines = ["left to you:"] if tasks else []
    for task in tasks:
        lines.append(f"  {task.text}")
        lines += [f"    {line}" for line in task.paste]
    return lines


def document(planned: InitPlan, verdicts: Sequence[Verdict]) -> dict[str, Any]:
    """Return the JSON fields of a plan."""
    return {
        "files": [_file_document(change) for change in planned.changes],
        "settings": [_setting_document(setting) for setting in planned.settings],
        "notes": list(planned.notes),
        "tasks": [_task_document(task) for task in planned.tasks],
        "checks": [_verdict_document(verdict) for verdict in verdicts],
    }


def _file_document(change: Change) -> dict[str, Any]:
    return {
        "action": change.action,
        "path": str(change.path),
        "mode": None if change.action == "keep" else f"{change.mode:04o}",
        "about": change.about,
        "diff": list(diff_lines(change)),
        "generated": list(change.generated),
        "fill_in": list(change.to_fill_in),
        "missing": list(change.missing),
    }


def _setting_document(setting: ProposedSetting) -> dict[str, Any]:
    value: object = setting.value
    if not isinstance(setting.value, str | int | float):
        value = list(setting.value)
    return {
        "table": setting.table,
        "key": setting.key,
        "value": value,
        "why": setting.why,
        "is_default": setting.is_default,
    }


def _task_document(task: Task) -> dict[str, Any]:
    return {"text": task.text, "paste": list(task.paste), "required": task.is_required}


def _verdict_document(verdict: Verdict) -> dict[str, Any]:
    return {
        "command": verdict.command,
        "exit_code": int(verdict.code),
        "message": verdict.sentence,
        "next": verdict.next_command,
    }
