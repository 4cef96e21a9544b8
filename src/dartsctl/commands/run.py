"""`run`: any server on a leased port."""

from __future__ import annotations

from dartsctl.records import replace
from dartsctl.server.production_port import refuse_production
from dartsctl.workflows.serve.run_server import preview_server, run_server

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.server.request import ServerRequest
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.serve.services import ServiceLookup


def run(
    request: ServerRequest,
    *,
    services: ServiceLookup | None = None,
    dry_run: bool = False,
    deps: Deps,
) -> int:
    """Run the server and return its exit code, or show what would be run.

    `services`: `[server.env]`, which is filled in as for `dev`; services are not started.

    Raises what `run_server` raises, UsageError for a wrong placeholder.
    """
    if services is not None:
        refuse_production(replace(request, extra=services.templates))
    if dry_run:
        return preview_server(request, deps.screen)
    if services is not None:
        from dartsctl.workflows.serve.services import with_services

        request = with_services(request, services, deps)
    return run_server(request, deps=deps)
