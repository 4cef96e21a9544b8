"""Stop a server that dartsctl runs, with all that it has started: a step of `dev stop`, and of settling a conflict with one."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from dartsctl.edges.state.leases import LeaseBook
from dartsctl.errors import DartsctlError
from dartsctl.server.request import LeaseRecord, as_document

STOP_GRACE = 7.0
"""Seconds until SIGKILL: longer than the supervisor's own patience with the server, so that it can end the rest in good order."""


class Processes(Protocol):
    """What `stop` asks of edges/host/processes.py."""

    def birth(self, pid: int) -> int | None: ...

    def terminate(
        self,
        pid: int,
        birth_mark: int,
        *,
        grace: float,
        leads_group: bool = False,
        still_wanted: Callable[[], bool] = ...,
    ) -> bool: ...


@dataclass(frozen=True, slots=True)
class Stopped:
    """What `stop` ended."""

    record: LeaseRecord

    def as_document(self) -> dict[str, Any]:
        return {"stopped": as_document(self.record)}


def stop(
    checkout: str, *, port: int | None = None, leases: LeaseBook, processes: Processes
) -> Stopped:
    """Stop the server on `port`, or this checkout's, with all that it started; returns once its lease is free.

    Raises DartsctlError (1) when there is none, when it is another user's, or when it does not end; Refused from inside its own tree.
    """
    record = server_to_stop(checkout, port=port, leases=leases)
    if processes.birth(record.supervisor) != record.birth:
        raise _unknown_owner(record.port)

    def still_its_lease() -> bool:
        now = leases.holder(record.port)
        return (
            now is not None
            and now.confirmed
            and (now.supervisor, now.birth) == (record.supervisor, record.birth)
        )

    gone = processes.terminate(
        record.supervisor,
        record.birth,
        grace=STOP_GRACE,
        leads_group=True,
        still_wanted=still_its_lease,
    )
    if not (gone and _freed(still_its_lease)):
        raise DartsctlError(
            f"the server on port {record.port} (pid {record.pid}) does not end",
            hint=f"look at it: ps -fp {record.pid}",
        )
    return Stopped(record)


def server_to_stop(checkout: str, *, port: int | None, leases: LeaseBook) -> LeaseRecord:
    """The one on `port`, or this checkout's. Raises DartsctlError (1) when there is none, or the kernel does not confirm whose it is."""
    record = leases.holder(port) if port is not None else of_checkout(checkout, leases)
    if record is None:
        what = (
            f"of dartsctl runs on port {port}" if port is not None else f"of {checkout} is running"
        )
        raise DartsctlError(f"no server {what}", hint="dartsctl dev list")
    if not record.confirmed:
        raise _unknown_owner(record.port)
    return record


def _unknown_owner(port: int) -> DartsctlError:
    return DartsctlError(
        f"port {port} is leased, but the kernel does not confirm whose server it is; nothing was stopped",
        hint=f"look who listens: sudo ss -tlnp sport = :{port}",
    )


def _freed(still_its_lease: Callable[[], bool]) -> bool:
    until = time.monotonic() + 2
    while still_its_lease():
        if time.monotonic() >= until:
            return False
        time.sleep(0.01)
    return True


def of_checkout(checkout: str, leases: LeaseBook) -> LeaseRecord | None:
    """This checkout's server: its `dev` one, else the newest that `run` started."""
    mine = [record for record in leases.held() if record.checkout == checkout]
    return max(mine, key=lambda record: (record.kind == "dev", record.since), default=None)
