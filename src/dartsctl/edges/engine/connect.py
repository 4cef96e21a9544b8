"""Choose the client for an engine's address."""

from __future__ import annotations

from dartsctl.edges.engine.address import is_unix_socket
from dartsctl.edges.engine.unix import UnixEngine

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.edges.engine.protocol import Engine


def engine_at(address: str, *, deadline: float | None = None) -> Engine:
    """Return a client for the engine at `address` (as in DOCKER_HOST), without connecting to it.

    `deadline`: seconds for each answer; by default the client's own.
    """
    options = {} if deadline is None else {"deadline": deadline}
    if is_unix_socket(address):
        return UnixEngine(address, **options)
    from dartsctl.edges.engine.remote import RemoteEngine

    return RemoteEngine(address, **options)
