"""`run`: any server on a leased port."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.workflows.serve.run_server import preview_server, run_server

if TYPE_CHECKING:
    from dartsctl.server.request import ServerRequest
    from dartsctl.workflows.deps import Deps


def run(request: ServerRequest, *, dry_run: bool = False, deps: Deps) -> int:
    """Run the server and return its exit code, or show what would be run.

    Raises what `run_server` raises.
    """
    if dry_run:
        return preview_server(request, deps.screen)
    return run_server(request, deps=deps)
