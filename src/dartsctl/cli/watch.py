"""`watch`."""

from __future__ import annotations

from dartsctl.cli.deps import Common, deps_of
from dartsctl.cli.doctor import Name, request_for
from dartsctl.cli.options import verb


@verb
def watch(*, common: Common, environment: Name = None) -> int:
    """Watch a stack, and alert when it fails.

    An alert names the root cause, with evidence and the command that repairs it. Planned stops and
    deploys are no alerts.

    \b
    dartsctl watch          watch production
    dartsctl watch dev      watch the dev stack
    """
    from dartsctl.commands.watch import WatchRequest
    from dartsctl.commands.watch import watch as run_watch

    examine = request_for(common, environment, project=None, profiles=[], proxy="", url="")
    return run_watch(WatchRequest(examine), deps=deps_of(common))
