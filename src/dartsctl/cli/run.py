"""`run -- COMMAND`: any server on a leased port."""

from __future__ import annotations

from dartsctl.cli.parameters import Argument, verb
from dartsctl.cli.server_options import SERVER

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.cli.deps import Common
    from dartsctl.cli.server_options import ServerOptions


@verb(
    command=Argument(
        kind="command",
        text="Command of the server; {port}, {host}, {url}, {fd}, {python} are filled in.",
        metavar="COMMAND...",
    ),
    options=SERVER,
)
def run(*, common: Common, command: list[str], options: ServerOptions) -> int:
    """Run a server on a leased port, never on a production port.

    Works in any folder. The leased port (5001-5099) is passed in PORT, FLASK_RUN_PORT and
    FLASK_PORT, and [server.env] as for `dev`. The exit code is the server's own.

    \b
    dartsctl run -- flask run                      PORT is set
    dartsctl run -- python -m http.server {port}   the port is filled in
    dartsctl run --port 5007 -- gunicorn -b {host}:{port} app:app
    dartsctl run --health /up -- npm run dev       ready when /up answers
    dartsctl run -- bash                           refuses production ports
    """
    from dartsctl.cli.deps import deps_of
    from dartsctl.cli.server_request import run_request, service_lookup
    from dartsctl.commands.run import run as run_server
    from dartsctl.system import collector

    collector.run_as_usual()
    settings = common.settings()
    deps = deps_of(common)
    request = run_request(settings, options, tuple(command), deps.screen)
    services = service_lookup(settings) if settings.server.env else None
    return run_server(request, services=services, dry_run=common.dry_run, deps=deps)
