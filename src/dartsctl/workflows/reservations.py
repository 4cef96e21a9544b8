"""The ports that watches reserve (`watch --reserve`), as those who want them see it.

Each watch is asked on its own socket in the state folder. A record in a file could be stale; who
answers on a socket lives.
"""

from __future__ import annotations

from urllib.parse import unquote

from dartsctl.edges.state.watch_folder import open_watch, watched_projects
from dartsctl.errors import DartsctlError
from dartsctl.ports.reservation import Reservation

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

    from dartsctl.edges.reserve.ask import Connection

_SHORT = 2.0
"""Seconds for an answer. It takes less than one millisecond, and longer on a busy machine."""


def read_reservations(state: Path) -> tuple[Reservation, ...]:
    """Return what the watches of this state folder reserve now."""
    reservations: list[Reservation] = []
    for name in watched_projects(state):
        project = unquote(name)
        connection = connect(state, project)
        if connection is None:
            continue
        with connection:
            reservations.append(_read(connection, project))
    return tuple(reservations)


def connect(state: Path, project: str) -> Connection | None:
    """Connect to the process that reserves the ports of `project`; None if there is none."""
    from dartsctl.edges.reserve import ask

    try:
        with open_watch(state, project) as folder:
            return ask.connect(folder)
    except (OSError, DartsctlError):  # nobody watches it, or somebody whose ports are not ours
        return None


def _read(connection: Connection, project: str) -> Reservation:
    answer = connection.ask("state", within=_SHORT)
    if answer is None:
        return Reservation(project, connection.parent, connection.pid, answers=False)
    return Reservation(
        answer.project, answer.watch, connection.pid, answer.endpoints, answer.usable
    )
