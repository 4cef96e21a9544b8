"""Find a running server of dartsctl, and stop it with everything that it started."""

from __future__ import annotations

import time

from dartsctl.errors import DartsctlError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from dartsctl.edges.state.leases import LeaseBook
    from dartsctl.server.lease_record import LeaseRecord

STOP_GRACE = 7.0
"""Seconds until SIGKILL: longer than the supervisor waits for the server, so that it can end the
other processes in good order."""
_RELEASE_TIME = 2.0
"""Seconds until the lease of a stopped server is free."""


def server_of(checkout: str, leases: LeaseBook) -> LeaseRecord | None:
    """Return the checkout's server: its `dev` one, else the newest that `run` started."""
    own = [record for record in leases.held() if record.checkout == checkout]
    return max(own, key=lambda record: (record.kind == "dev", record.since), default=None)


def server_to_stop(checkout: str, *, port: int | None, leases: LeaseBook) -> LeaseRecord:
    """Return the server on `port`, or the checkout's.

    Raises DartsctlError (1) if there is none, or the kernel does not confirm whose it is.
    """
    if port is not None:
        record = leases.holder(port)
        missing = f"no dartsctl server is running on port {port}"
    else:
        record = server_of(checkout, leases)
        missing = f"no server of {checkout} is running"
    if record is None:
        raise DartsctlError(missing, hint="dartsctl dev list")
    if not record.confirmed:
        raise _unconfirmed(record.port)
    return record


def stop(record: LeaseRecord, *, leases: LeaseBook) -> None:
    """Stop a server of `server_to_stop`. Return once its lease is free.

    Raises DartsctlError (1) if it is another user's or does not end, Refused from inside its own
    process tree.
    """
    from dartsctl.edges.host import processes  # `dev url` and `dev list` do without

    if processes.birth(record.supervisor) != record.birth:
        raise _unconfirmed(record.port)

    def still_holds_lease() -> bool:
        holder = leases.holder(record.port)
        if holder is None or not holder.confirmed:
            return False
        return (holder.supervisor, holder.birth) == (record.supervisor, record.birth)

    ended = processes.terminate(
        record.supervisor,
        record.birth,
        grace=STOP_GRACE,
        leads_group=True,
        still_wanted=still_holds_lease,
    )
    if not (ended and _released(still_holds_lease)):
        raise DartsctlError(
            f"the server on port {record.port} (pid {record.pid}) did not end",
            hint=f"ps -fp {record.pid}",
        )


def _unconfirmed(port: int) -> DartsctlError:
    return DartsctlError(
        f"port {port} is leased, but the kernel does not confirm whose server it is; "
        "nothing was stopped",
        hint=f"sudo ss -tlnp sport = :{port}",
    )


def _released(still_holds_lease: Callable[[], bool]) -> bool:
    until = time.monotonic() + _RELEASE_TIME
    while still_holds_lease():
        if time.monotonic() >= until:
            return False
        time.sleep(0.01)
    return True
