"""`history`."""

from __future__ import annotations

from typing import Annotated

import typer

from dartsctl.cli.deps import Common, deps_of
from dartsctl.cli.options import verb


@verb
def history(
    common: Common,
    last: Annotated[
        int, typer.Option("--last", "-n", min=1, help="Number of entries to show.", metavar="N")
    ] = 50,
) -> int:
    """Show what dartsctl has stopped or changed on this machine.

    Each entry says when, what, why and by whom.
    """
    from dartsctl.commands.history import history as run_history

    return run_history(last, deps=deps_of(common))
