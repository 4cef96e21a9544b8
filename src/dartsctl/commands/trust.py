"""`trust`: the folders of other users whose settings and env files are used."""

from __future__ import annotations

from pathlib import Path

from dartsctl.edges.screen.output import Screen
from dartsctl.edges.state.trust_book import TrustBook
from dartsctl.errors import ExitCode, UsageError


def add(folder: Path, *, book: TrustBook, screen: Screen, dry_run: bool = False) -> ExitCode:
    """Use what lies in `folder` (absolute) and below, whoever wrote it. Raises UsageError where it is no folder."""
    if not folder.is_dir():
        raise UsageError(f"no folder {folder}", hint="name the folder that has the settings")
    changed = folder not in book.folders() if dry_run else book.add(folder)
    word = "would trust" if dry_run else "trusting"
    return _tell(
        folder,
        changed,
        f"{word} {folder} and all below",
        f"{folder} is trusted already",
        screen,
        dry_run,
    )


def remove(folder: Path, *, book: TrustBook, screen: Screen, dry_run: bool = False) -> ExitCode:
    """Trust `folder` (absolute) no longer; it need not be there any more."""
    changed = folder in book.folders() if dry_run else book.remove(folder)
    word = "would no longer trust" if dry_run else "no longer trusting"
    return _tell(
        folder, changed, f"{word} {folder}", f"{folder} is not in the list", screen, dry_run
    )


def show(*, book: TrustBook, screen: Screen) -> ExitCode:
    """List the trusted folders."""
    folders = [str(folder) for folder in book.folders()]
    screen.result({"ok": True, "exit_code": 0, "folders": folders}, folders)
    if not folders:
        screen.note("no folder of another user is trusted")
    return ExitCode.OK


def _tell(
    folder: Path, changed: bool, done: str, nothing: str, screen: Screen, dry_run: bool
) -> ExitCode:
    document = {
        "ok": True,
        "exit_code": 0,
        "folder": str(folder),
        "changed": changed and not dry_run,
        **({"dry_run": True} if dry_run else {}),
    }
    screen.result(document, [done] if changed else [])
    if not changed:
        screen.note(nothing)
    return ExitCode.OK
