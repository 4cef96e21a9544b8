"""`init`: find out what a project needs and write it: settings, env files, a certificate.

No file is written over another one, and an existing one is changed only as its diff shows. A second
run has nothing to do.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.edges.project import certificate_files
from dartsctl.edges.project.files import file_transaction
from dartsctl.errors import Advice, DartsctlError, ExitCode, Interrupted
from dartsctl.records import replace
from dartsctl.workflows.init import report
from dartsctl.workflows.init.plan import InitPlan, plan
from dartsctl.workflows.init.verdicts import Verdict, next_command, reloaded, verdicts

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dartsctl.discovery.changes import Change
    from dartsctl.edges.screen.output import Screen
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.init.project import InitRequest


def init(request: InitRequest, *, deps: Deps) -> ExitCode:
    """Write what is missing, after one question.

    Returns 1 with `check` where anything is missing. Raises DartsctlError with code 7 where the
    answer is no, or no prompt is possible.
    """
    screen = deps.screen
    planned = plan(request, deps=deps)
    for note in planned.notes:
        screen.note(f"found: {note}")
    if request.check:
        return _check(request, planned, deps)
    if request.dry_run:
        _show_result(request, planned, (), screen)
        _show_tasks(planned, screen)
        return ExitCode.OK
    new = planned.new
    if new:
        for line in report.file_lines(planned.changes, request.root):
            screen.note(line)
        if not request.yes:
            _confirm(request, deps)
        _write(_with_certificates(new))
    seen = _verdicts(request, planned, deps)
    _show_result(request, planned, seen, screen)
    _show_tasks(planned, screen)
    if not new:
        screen.note(f"nothing to do: all files exist in {request.root}")
    _show_verdicts(request, planned, seen, deps)
    return ExitCode.OK


def _check(request: InitRequest, planned: InitPlan, deps: Deps) -> ExitCode:
    """Say what is missing, and with nothing to write also what the checks refuse or cannot read."""
    screen = deps.screen
    seen: tuple[Verdict, ...] = ()
    if not planned.new:
        seen = _verdicts(request, planned, deps)
    unfit = (ExitCode.FAILED, ExitCode.REFUSED, ExitCode.USAGE)
    refused = [verdict for verdict in seen if verdict.code in unfit]
    code = ExitCode.OK
    if planned.is_incomplete or refused:
        code = ExitCode.FAILED
    _show_result(request, planned, seen, screen, code=code)
    _show_tasks(planned, screen)
    if planned.new:
        screen.note("next: dartsctl init")
    else:
        _show_verdicts(request, planned, seen, deps)
    if code is ExitCode.OK:
        screen.note(f"nothing is missing in {request.root}")
    return code


def _confirm(request: InitRequest, deps: Deps) -> None:
    command = "dartsctl init --yes"
    question = f"Write these files into {request.root}?"
    if deps.screen.as_json:
        raise DartsctlError(
            f"cannot prompt with --json: {question}", hint=command, code=ExitCode.ANSWER_NEEDED
        )
    if not deps.prompts.confirm(question, flags=command):
        raise DartsctlError("nothing was written", hint=command, code=ExitCode.ANSWER_NEEDED)


def _with_certificates(changes: Sequence[Change]) -> list[Change]:
    """Return the changes with new certificates, created before the first file is written."""
    texts: dict[Path, str] = {}
    for pair in dict.fromkeys(change.makes for change in changes):
        if pair:
            certificate, key = certificate_files.self_signed(*pair.names, key=pair.old_key)
            texts |= {pair.certificate: certificate, pair.key: key}
    return [replace(change, text=texts.get(change.path, change.text)) for change in changes]


def _write(changes: Sequence[Change]) -> None:
    try:
        with file_transaction() as files:
            for change in changes:
                match change.action:
                    case "append":
                        files.append(
                            change.path, tuple(change.text.splitlines()), expected=change.old
                        )
                    case "edit":
                        files.edit(change.path, change.old or b"", change.text)
                    case _:
                        files.create(change.path, change.text, change.mode)
    except KeyboardInterrupt:
        raise Interrupted("interrupted; nothing was written", hint="dartsctl init") from None


def _verdicts(request: InitRequest, planned: InitPlan, deps: Deps) -> tuple[Verdict, ...]:
    """Check what there is now. A Ctrl-C meanwhile leaves the files that were written."""
    try:
        return verdicts(reloaded(request.settings, deps), planned.environments, deps)
    except KeyboardInterrupt:
        problem = "interrupted before the checks; the files are written"
        raise Interrupted(problem, hint="dartsctl init --check") from None


def _show_result(
    request: InitRequest,
    planned: InitPlan,
    seen: Sequence[Verdict],
    screen: Screen,
    *,
    code: ExitCode = ExitCode.OK,
) -> None:
    """Show the document, or with --dry-run and --check the files."""
    document = {
        "ok": code is ExitCode.OK,
        "exit_code": int(code),
        "dry_run": request.dry_run,
        "check": request.check,
        "root": str(request.root),
        **report.document(planned, seen),
    }
    lines: list[str] = []
    if request.check:
        lines = report.file_lines(planned.new, request.root)
    elif request.dry_run:
        lines = report.file_lines(planned.changes, request.root, all_files=True)
    screen.result(document, lines)


def _show_tasks(planned: InitPlan, screen: Screen) -> None:
    for line in report.missing_lines(planned.changes):
        screen.warn(line)
    for line in report.task_lines(planned.tasks):
        screen.note(line)


def _show_verdicts(
    request: InitRequest, planned: InitPlan, seen: Sequence[Verdict], deps: Deps
) -> None:
    """End with what the checks say, and what to do next."""
    screen = deps.screen
    for verdict in seen:
        screen.note(verdict.line)
    required = [task for task in planned.tasks if task.is_required]
    command = next_command(reloaded(request.settings, deps), seen)
    if required:
        screen.note(f"hint: do what is left to you, beginning with: {required[0].text}")
    elif isinstance(command, Advice):
        screen.note(f"hint: {command}")
    else:
        screen.note(f"next: {command}")
