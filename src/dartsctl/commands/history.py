"""`history`: what dartsctl has stopped or changed on this machine, when, why, and who asked for it."""

from __future__ import annotations

import time
from dataclasses import asdict

from dartsctl.edges.state.history import History
from dartsctl.errors import ExitCode
from dartsctl.workflows.deps import Deps


def history(last: int, *, deps: Deps) -> ExitCode:
    """Show the `last` entries, oldest first."""
    screen = deps.screen
    entries = History(deps.state).read()[-last:]
    if screen.as_json:
        screen.document({"ok": True, "exit_code": 0, "entries": [asdict(one) for one in entries]})
        return ExitCode.OK
    if not entries:
        screen.note("nothing has been stopped or changed yet")
    rows = [
        (
            time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(one.when)),
            one.action,
            one.what,
            one.why,
            one.by,
        )
        for one in entries
    ]
    screen.table(("WHEN", "ACTION", "WHAT", "WHY", "BY"), rows)
    return ExitCode.OK
