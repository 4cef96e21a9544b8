"""`init`: what a project needs to be brought up: settings, env files with secrets of their own, Compose files, a certificate.

Nothing that is there is ever overwritten; a second run finds everything and does nothing.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dartsctl.config.templates import Change
from dartsctl.edges.project import certificate_files
from dartsctl.edges.project.files import file_transaction
from dartsctl.edges.screen.output import Screen
from dartsctl.edges.screen.prompts import Prompts
from dartsctl.errors import DartsctlError, ExitCode, Interrupted
from dartsctl.workflows.deps import ComposeOn
from dartsctl.workflows.init.plan import InitRequest, plan

_MANY = 3


def init(
    request: InitRequest, *, compose_on: ComposeOn, prompts: Prompts, screen: Screen
) -> ExitCode:
    """Write what is missing, after one question. Raises with code 7 where the answer is needed and nobody is there, or it was no."""
    wanted = plan(request, compose_on)
    changes = wanted.changes
    new = [one for one in changes if one.action != "keep"]
    document = _document(request, changes)
    if request.dry_run or not new:
        screen.result(document, [_line(one, request) for one in changes] if request.dry_run else [])
        if not request.dry_run:
            _tell_what_is_left(changes, screen)
            screen.note(f"everything is there already: {request.root}")
        return ExitCode.OK
    for line in _short(changes, request):
        screen.note(line)
    if not request.yes:
        _ask(request, prompts, screen)
    _write(_with_certificate(new, wanted.tls_name))
    screen.result(document, [])
    _tell_what_is_left(changes, screen)
    screen.note("next: dartsctl prod up")
    return ExitCode.OK


def _ask(request: InitRequest, prompts: Prompts, screen: Screen) -> None:
    flags = "dartsctl init --yes (or look first: --dry-run)"
    if screen.as_json:
        raise DartsctlError(
            "an answer is needed, and --json asks nobody: write these files?",
            hint=flags,
            code=ExitCode.ANSWER_NEEDED,
        )
    if not prompts.confirm(f"Write this into {request.root}?", flags=flags):
        raise DartsctlError("nothing was written", hint=flags, code=ExitCode.ANSWER_NEEDED)


def _with_certificate(changes: Sequence[Change], name: str) -> list[Change]:
    """The plan with the certificate in it, made before the first file is written."""
    if not any(one.path.suffix == ".key" for one in changes):
        return list(changes)
    certificate, key = certificate_files.self_signed(name)
    texts = {".crt": certificate, ".key": key}
    return [replace(one, text=texts.get(one.path.suffix, one.text)) for one in changes]


def _write(changes: Sequence[Change]) -> None:
    try:
        with file_transaction() as files:
            for one in changes:
                if one.action == "append":
                    files.append(one.path, tuple(one.text.splitlines()))
                else:
                    files.create(one.path, one.text, one.mode)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; nothing was written", hint="dartsctl init") from None


def _tell_what_is_left(changes: Sequence[Change], screen: Screen) -> None:
    for one in changes:
        if one.to_fill_in:
            screen.warn(f"fill in by hand, in {one.path}: {', '.join(one.to_fill_in)}")
        if one.missing:
            screen.warn(
                f"{one.path} is kept as it is; its example has more: {', '.join(one.missing)}"
            )


def _short(changes: Sequence[Change], request: InitRequest) -> list[str]:
    """The plan for a person: files of one kind that stand together are one line."""
    lines = []
    for (action, about), group in itertools.groupby(
        changes, key=lambda one: (one.action, one.about)
    ):
        files = list(group)
        if len(files) > _MANY:
            folder = Path(os.path.commonpath([one.path for one in files]))
            files = [Change(action, folder, f"{about}: {len(files)} files (--dry-run names them)")]
        lines += [_line(one, request) for one in files]
    return lines


def _line(one: Change, request: InitRequest) -> str:
    path = one.path.relative_to(request.root) if one.path.is_relative_to(request.root) else one.path
    return f"{one.action:6}  {path}  {one.about}" if one.about else f"{one.action:6}  {path}"


def _document(request: InitRequest, changes: Sequence[Change]) -> dict[str, Any]:
    files = [
        {
            "action": one.action,
            "path": str(one.path),
            "mode": None if one.action == "keep" else f"{one.mode:04o}",
            "about": one.about,
            "generated": list(one.generated),
            "fill_in": list(one.to_fill_in),
            "missing": list(one.missing),
        }
        for one in changes
    ]
    return {
        "ok": True,
        "exit_code": 0,
        "dry_run": request.dry_run,
        "root": str(request.root),
        "files": files,
    }
