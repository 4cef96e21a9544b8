"""LeaseRecord: who has a dev port, as the lease book describes it."""

from __future__ import annotations

from dartsctl.records import record
from dartsctl.text.masking import mask_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from dartsctl.server.request import ServerKind


@record
class LeaseRecord:
    """Who has a dev port, since when and why.

    Only `port` is certain while a server starts, or if its record is lost.
    """

    port: int
    kind: ServerKind = "run"
    host: str = ""
    url: str = ""
    checkout: str = ""
    branch: str = ""
    user: str = ""
    command: tuple[str, ...] = ()
    """As it was started. It may contain secrets: show `shown_command`."""
    since: float = 0.0
    """Unix time, in seconds."""
    pid: int = 0
    """The server's main process; 0 while it starts."""
    started: float | None = None
    """When that process started: Unix time, in seconds."""
    supervisor: int = 0
    """The leader of the server's process group, which gets signals (edges/supervisor/main.py)."""
    birth: int = 0
    """The supervisor's Process.birth."""
    confirmed: bool = False
    """Whether the kernel confirms that `supervisor` holds the lease.

    It is never read from the record, and nothing is signalled without it.
    """

    @property
    def shown_command(self) -> tuple[str, ...]:
        return mask_command(self.command)

    @property
    def holder(self) -> str:
        """The holder, for messages: `leased by /src/app (pid 4711, user ann)`."""
        details: list[str] = []
        if self.pid:
            details.append(f"pid {self.pid}")
        if self.user:
            details.append(f"user {self.user}")
        text = f"leased by {self.checkout or 'another dartsctl'}"
        return f"{text} ({', '.join(details)})" if details else text


def lease_document(record: LeaseRecord) -> dict[str, Any]:
    """Return the record for `--json`: secrets masked, internal fields left out."""
    return {
        "port": record.port,
        "kind": record.kind,
        "url": record.url,
        "host": record.host,
        "checkout": record.checkout,
        "branch": record.branch,
        "user": record.user,
        "pid": record.pid,
        "started": record.started,
        "since": record.since,
        "command": list(record.shown_command),
    }
