"""`trust`: the folders of other users whose settings and env files are used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.edges.state.trust_book import TrustBook
from dartsctl.errors import Advice, ExitCode, UsageError

if TYPE_CHECKING:
    from pathlib import Path

    from dartsctl.edges.screen.output import Screen
    from dartsctl.workflows.deps import Deps


def add(folder: Path, *, deps: Deps, dry_run: bool = False) -> ExitCode:
    """Trust the files in `folder` (absolute) and below, whoever wrote them.

    Raises UsageError where there is no such folder.
    """
    if not folder.is_dir():
        raise UsageError(
            f"no such folder: {folder}", hint=Advice("name the folder of the settings")
        )
    book = TrustBook(deps.state)
    changed = folder not in book.folders() if dry_run else book.add(folder)
    if changed:
        doing = "would trust" if dry_run else "trusting"
        line = f"{doing} {folder} and all below"
    else:
        line = f"already trusted: {folder}"
    return _show_change(folder, line, changed=changed, dry_run=dry_run, screen=deps.screen)


def remove(folder: Path, *, deps: Deps, dry_run: bool = False) -> ExitCode:
    """Stop trusting `folder` (absolute), which need not exist any more."""
    book = TrustBook(deps.state)
    changed = folder in book.folders() if dry_run else book.remove(folder)
    if changed:
        doing = "would no longer trust" if dry_run else "no longer trusting"
        line = f"{doing} {folder}"
    else:
        line = f"not in the list: {folder}"
    return _show_change(folder, line, changed=changed, dry_run=dry_run, screen=deps.screen)


def show(*, deps: Deps) -> ExitCode:
    """List the trusted folders."""
    folders = [str(folder) for folder in TrustBook(deps.state).folders()]
    deps.screen.result({"ok": True, "exit_code": 0, "folders": folders}, folders)
    if not folders:
        deps.screen.note("no folder of another user is trusted")
    return ExitCode.OK


def _show_change(
    folder: Path, line: str, *, changed: bool, dry_run: bool, screen: Screen
) -> ExitCode:
    document = {
        "ok": True,
        "exit_code": 0,
        "folder": str(folder),
        "changed": changed and not dry_run,
    }
    if dry_run:
        document["dry_run"] = True
    if changed:
        screen.result(document, [line])
    else:
        screen.result(document, [])
        screen.note(line)
    return ExitCode.OK
