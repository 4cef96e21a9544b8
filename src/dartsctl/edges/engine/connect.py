"""Choose the client for an engine's address."""

from __future__ import annotations

from dartsctl.edges.engine.protocol import Engine
from dartsctl.edges.engine.unix import UnixEngine


def engine_at(address: str, *, deadline: float | None = None) -> Engine:
    """Return a client for the engine at `address` (as in DOCKER_HOST); nothing is asked yet.

    `deadline`: seconds for each answer, where the client's own default is not wanted.
    """
    wanted = {} if deadline is None else {"deadline": deadline}
    if address.startswith("unix://"):
        return UnixEngine(address, **wanted)
    from dartsctl.edges.engine.remote import RemoteEngine

    return RemoteEngine(address, **wanted)
