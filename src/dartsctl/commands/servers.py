"""`dev list` and `dev url`: the leased servers of this machine, and the one of this checkout."""

from __future__ import annotations

from dartsctl.edges.state.leases import LeaseBook
from dartsctl.errors import DartsctlError
from dartsctl.server.request import LeaseRecord
from dartsctl.workflows.up.stop_server import of_checkout


def list_servers(*, leases: LeaseBook) -> tuple[LeaseRecord, ...]:
    """Every leased server on this machine, by port; `serving.as_document` is each one's form for `--json`."""
    return leases.held()


def url(checkout: str, *, leases: LeaseBook) -> LeaseRecord:
    """This checkout's server: its `dev` one, else the newest that `run` started. Raises DartsctlError (1) when none runs."""
    record = of_checkout(checkout, leases)
    if record is None:
        raise DartsctlError(f"no server of {checkout} is running", hint="start it: dartsctl dev")
    return record
