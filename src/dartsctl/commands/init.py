"""`init`: create what a project needs: settings, env files with new secrets, a certificate.

Existing files are never overwritten; a second run has nothing to do.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dartsctl.config.templates import Change
from dartsctl.edges.project import certificate_files
from dartsctl.edges.project.files import file_transaction
from dartsctl.errors import DartsctlError, ExitCode, Interrupted
from dartsctl.workflows.init.plan import plan

if TYPE_CHECKING:
    from dartsctl.edges.screen.output import Screen
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.init.findings import FoundSetting, Task
    from dartsctl.workflows.init.plan import InitPlan
    from dartsctl.workflows.init.project import InitRequest

_MANY = 3


def init(request: InitRequest, *, deps: Deps) -> ExitCode:
    """Write what is missing, after one question.

    Raises DartsctlError with code 7 where the answer is no, or no prompt is possible.
    """
    screen = deps.screen
    planned = plan(request, deps=deps)
    changes = planned.changes
    new = [change for change in changes if change.action != "keep"]
    document = _document(request, planned)
    for note in planned.notes:
        screen.note(f"found: {note}")
    if request.dry_run:
        screen.result(document, [_line(change, request) for change in changes])
        _show_tasks(planned, screen)
        return ExitCode.OK
    if not new:
        screen.result(document, [])
        _warn_about_variables(changes, screen)
        _show_tasks(planned, screen)
        screen.note(f"nothing to do: all files exist in {request.root}")
        return ExitCode.OK
    for line in _summary(changes, request):
        screen.note(line)
    if not request.yes:
        _confirm(request, deps)
    _write(_with_certificate(new, planned.tls_name))
    screen.result(document, [])
    _warn_about_variables(changes, screen)
    _show_tasks(planned, screen)
    screen.note("next: dartsctl prod up")
    return ExitCode.OK


def _show_tasks(planned: InitPlan, screen: Screen) -> None:
    """Show what is left to a person, with the lines to paste."""
    if planned.tasks:
        screen.note("left to you:")
    for task in planned.tasks:
        screen.note(f"  {task.text}")
        for line in task.paste:
            screen.note(f"    {line}")


def _confirm(request: InitRequest, deps: Deps) -> None:
    command = "dartsctl init --yes"
    question = f"Write these files into {request.root}?"
    if deps.screen.as_json:
        raise DartsctlError(
            f"cannot prompt with --json: {question}", hint=command, code=ExitCode.ANSWER_NEEDED
        )
    if not deps.prompts.confirm(question, flags=command):
        raise DartsctlError("nothing was written", hint=command, code=ExitCode.ANSWER_NEEDED)


def _with_certificate(changes: Sequence[Change], name: str) -> list[Change]:
    """Return the changes with a new certificate, created before the first file is written."""
    if not any(change.path.suffix == ".key" for change in changes):
        return list(changes)
    certificate, key = certificate_files.self_signed(name)
    texts = {".crt": certificate, ".key": key}
    return [replace(change, text=texts.get(change.path.suffix, change.text)) for change in changes]


def _write(changes: Sequence[Change]) -> None:
    try:
        with file_transaction() as files:
            for change in changes:
                match change.action:
                    case "append":
                        files.append(change.path, tuple(change.text.splitlines()))
                    case "edit":
                        files.edit(change.path, change.old, change.text)
                    case _:
                        files.create(change.path, change.text, change.mode)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; nothing was written", hint="dartsctl init") from None


def _warn_about_variables(changes: Sequence[Change], screen: Screen) -> None:
    for change in changes:
        if change.missing:
            missing = ", ".join(change.missing)
            screen.warn(f"{change.path} lacks variables of its example: {missing}")


def _summary(changes: Sequence[Change], request: InitRequest) -> list[str]:
    """Return the plan for a person: neighbouring files of one kind are one line."""
    lines: list[str] = []
    for (action, about), group in itertools.groupby(
        changes, key=lambda change: (change.action, change.about)
    ):
        files = list(group)
        if len(files) > _MANY:
            folder = Path(os.path.commonpath([change.path for change in files]))
            files = [Change(action, folder, f"{about}: {len(files)} files (--dry-run lists them)")]
        lines += [_line(change, request) for change in files]
    return lines


def _line(change: Change, request: InitRequest) -> str:
    path = change.path
    if path.is_relative_to(request.root):
        path = path.relative_to(request.root)
    return f"{change.action:6}  {path}  {change.about}".rstrip()


def _document(request: InitRequest, planned: InitPlan) -> dict[str, Any]:
    return {
        "ok": True,
        "exit_code": 0,
        "dry_run": request.dry_run,
        "root": str(request.root),
        "files": [_file_document(change) for change in planned.changes],
        "settings": [_setting_document(setting) for setting in planned.settings],
        "notes": list(planned.notes),
        "tasks": [_task_document(task) for task in planned.tasks],
    }


def _setting_document(setting: FoundSetting) -> dict[str, Any]:
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


def _file_document(change: Change) -> dict[str, Any]:
    return {
        "action": change.action,
        "path": str(change.path),
        "mode": None if change.action == "keep" else f"{change.mode:04o}",
        "about": change.about,
        "generated": list(change.generated),
        "fill_in": list(change.to_fill_in),
        "missing": list(change.missing),
    }
