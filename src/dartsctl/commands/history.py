"""`history`: what dartsctl has stopped or changed on this machine, when, why, and by whom."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dartsctl.edges.state.history import History, HistoryEntry
from dartsctl.errors import ExitCode
from dartsctl.records import as_dict

if TYPE_CHECKING:
    from dartsctl.workflows.deps import Deps


def history(last: int, *, deps: Deps) -> ExitCode:
    """Show the `last` entries, oldest first."""
    screen = deps.screen
    entries = History(deps.state).read()[-last:]
    if screen.as_json:
        documents = [as_dict(entry) for entry in entries]
        screen.document({"ok": True, "exit_code": 0, "entries": documents})
        return ExitCode.OK
    if not entries:
        screen.note("nothing has been stopped or changed yet")
    screen.table(("WHEN", "ACTION", "WHAT", "WHY", "BY"), [_row(entry) for entry in entries])
    return ExitCode.OK


def _row(entry: HistoryEntry) -> tuple[str, ...]:
    when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(entry.when))
    return (when, entry.action, entry.what, entry.why, entry.by)
