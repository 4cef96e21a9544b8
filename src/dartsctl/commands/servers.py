"""`dev list`, `dev url` and `dev stop`: the leased servers of this machine."""

from __future__ import annotations

from dartsctl.edges.state.leases import LeaseBook
from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.server.lease_record import LeaseRecord, lease_document
from dartsctl.text.phrases import duration
from dartsctl.workflows.serve import stop as serve_stop

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dartsctl.workflows.deps import Deps

_COLUMNS = ("PORT", "URL", "CHECKOUT", "BRANCH", "USER", "AGE", "PID", "COMMAND")


def list_servers(*, deps: Deps) -> ExitCode:
    """Show every leased server on this machine, by port."""
    screen, now = deps.screen, deps.now()
    records = LeaseBook(deps.state).held()
    if screen.as_json:
        servers = [{**lease_document(record), "age": _age(record, now)} for record in records]
        screen.document({"ok": True, "exit_code": 0, "servers": servers})
        return ExitCode.OK
    if not records:
        screen.note("no server is running; to start one: dartsctl dev")
    screen.table(_COLUMNS, [_row(record, now) for record in records])
    return ExitCode.OK


def show_url(checkout: str, *, deps: Deps) -> ExitCode:
    """Print the URL of the checkout's server. Raises DartsctlError (1) if none runs."""
    record = serve_stop.server_of(checkout, LeaseBook(deps.state))
    if record is None:
        raise DartsctlError(f"no server of {checkout} is running", hint="dartsctl dev")
    deps.screen.result({"ok": True, "exit_code": 0, **lease_document(record)}, [record.url])
    return ExitCode.OK


def stop_server(checkout: str, *, port: int | None, dry_run: bool, deps: Deps) -> ExitCode:
    """Stop the server on `port`, or the checkout's, with everything that it started.

    Raises what `serve.stop` raises, also for a dry run.
    """
    leases = LeaseBook(deps.state)
    record = serve_stop.server_to_stop(checkout, port=port, leases=leases)
    server = f"the server on port {record.port}"
    document: dict[str, Any] = {"ok": True, "exit_code": 0}
    if dry_run:
        document |= {"dry_run": True, "would_stop": lease_document(record)}
        deps.screen.result(document, [f"would stop {server} (pid {record.pid})"])
        return ExitCode.OK
    serve_stop.stop(record, leases=leases)
    deps.screen.result(document | {"stopped": lease_document(record)}, [])
    deps.screen.note(f"stopped {server}")
    return ExitCode.OK


def _age(record: LeaseRecord, now: float) -> float | None:
    return round(now - record.since, 1) if record.since else None


def _row(record: LeaseRecord, now: float) -> tuple[str, ...]:
    age = duration(now - record.since) if record.since else "-"
    return (
        str(record.port),
        record.url,
        record.checkout,
        record.branch or "-",
        record.user or "-",
        age,
        str(record.pid),
        " ".join(record.shown_command),
    )
