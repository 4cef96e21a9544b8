"""The options of `dev` and `run` for the server."""

from __future__ import annotations

from dartsctl.cli.parameters import Option, Options
from dartsctl.records import record


@record
class ServerOptions:
    """How a server is started. None: the settings', or the default."""

    port: str | None = None
    host: str = "127.0.0.1"
    open_page: bool = False
    health: str | None = None
    enforce: str | None = None
    handover: str | None = None


SERVER = Options(
    ServerOptions,
    port=Option(
        "--port",
        kind="text",
        text="Use this port instead of the checkout's own.",
        metavar="PORT",
    ),
    host=Option("--host", kind="text", text="Address to bind.", metavar="ADDRESS"),
    open_page=Option("--open", text="Open the browser when the server is ready."),
    health=Option(
        "--health",
        kind="text",
        text="Path that must answer before the server counts as ready.",
        metavar="PATH",
    ),
    enforce=Option(
        "--enforce",
        kind="text",
        text="Refuse production ports by: auto, hook (no kernel filter: sudo works), watch, off.",
        metavar="LAYERS",
    ),
    handover=Option(
        "--handover",
        kind="text",
        text="Pass the bound socket: auto, werkzeug (the command ends in app.run()) or none.",
        metavar="KIND",
    ),
)
