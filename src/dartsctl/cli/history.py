"""`history`."""

from __future__ import annotations

from dartsctl.cli.parameters import Option, verb

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.cli.deps import Common


@verb(
    last=Option(
        "--last", "-n", kind="number", least=1, text="Number of entries to show.", metavar="N"
    )
)
def history(*, common: Common, last: int = 50) -> int:
    """Show what dartsctl has stopped or changed on this machine.

    Each entry says when, what, why and by whom.
    """
    from dartsctl.cli.deps import deps_of
    from dartsctl.commands.history import history as run_history

    return run_history(last, deps=deps_of(common))
