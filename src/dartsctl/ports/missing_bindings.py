"""What a running container is missing: published ports, and its networks.

An engine may report Running and have bound nothing, or have no network at all (edge-cases.md#33;
engines 29.1 and 29.2, moby#51758). A docker-proxy that was killed leaves a port in the engine's
list on which nobody, or another process, listens (edge-cases.md#31).
"""

from __future__ import annotations

from enum import Enum

from dartsctl.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from dartsctl.ports.listeners import Listener
    from dartsctl.stack.bindings import Endpoint
    from dartsctl.stack.containers import Container


class MissingKind(Enum):
    """What is missing. The values are the words of the JSON document."""

    NOT_LISTED = "not-listed"
    NO_LISTENER = "no-listener"
    TAKEN = "taken"
    NO_NETWORK = "no-network"
    HOST_PORT_TAKEN = "host-port-taken"


_SENTENCES: Mapping[MissingKind, str] = {
    MissingKind.NOT_LISTED: "runs without its port {0}: the engine has not bound it",
    MissingKind.NO_LISTENER: (
        "runs without its port {0}: the engine lists it, and nothing listens there"
    ),
    MissingKind.TAKEN: "runs without its port {0}: the engine lists it, and pid {1} listens there",
    MissingKind.NO_NETWORK: "runs without a network",
    MissingKind.HOST_PORT_TAKEN: "runs without its port {0} of the host: {2}",
}


@record
class MissingBinding:
    """One thing that one running container is missing.

    `endpoint` is None for a network. `pids` are those of a listener that is not the engine's.
    """

    service: str
    container: str
    kind: MissingKind
    endpoint: Endpoint | None = None
    pids: tuple[int, ...] = ()
    holder: str = field(default="", compare=False)
    """Who has the port, in words, if that is known."""

    @property
    def sentence(self) -> str:
        pids = ", ".join(map(str, self.pids))
        return _SENTENCES[self.kind].format(self.endpoint, pids, self.holder)


def not_listed(
    wanted: Mapping[str, Sequence[Endpoint]], running: Sequence[Container]
) -> tuple[MissingBinding, ...]:
    """Return the endpoints (by service) that the engine lists for no running container of it."""
    missing: list[MissingBinding] = []
    for service, endpoints in wanted.items():
        own = [container for container in running if container.service == service]
        if not own:
            continue
        listed: set[Endpoint] = set()
        for container in own:
            listed.update(container.published)
        missing += [
            MissingBinding(service, own[0].name, MissingKind.NOT_LISTED, endpoint)
            for endpoint in endpoints
            if endpoint not in listed
        ]
    return tuple(missing)


def to_be_heard(
    wanted: Mapping[str, Sequence[Endpoint]], running: Sequence[Container]
) -> frozenset[Endpoint]:
    """Return the endpoints that the engine lists, and on which it must listen."""
    needed: set[Endpoint] = set()
    for container in running:
        needed |= frozenset(wanted.get(container.service, ())).intersection(container.published)
    return frozenset(needed)


def not_listening(
    wanted: Mapping[str, Sequence[Endpoint]],
    running: Sequence[Container],
    rows: Sequence[Listener],
    *,
    is_engines: Callable[[int], bool],
) -> tuple[MissingBinding, ...]:
    """Return the endpoints that the engine lists, and on which it does not listen.

    Only for an engine on this host with its userland proxy. A listener whose owner is not visible
    (root's) counts as the engine's. `is_engines` tells whether a pid is the engine's.
    """
    on_port: dict[int, list[Listener]] = {}
    for row in rows:
        if row.surely_blocks:
            on_port.setdefault(row.port, []).append(row)
    missing: list[MissingBinding] = []
    for container in running:
        needed = frozenset(wanted.get(container.service, ()))
        for endpoint in container.published:
            if endpoint not in needed:
                continue
            there = [row for row in on_port.get(endpoint.port, ()) if row.overlaps(endpoint)]
            pids = _foreign_pids(there, is_engines)
            if pids is None:
                continue
            kind = MissingKind.TAKEN if there else MissingKind.NO_LISTENER
            missing.append(MissingBinding(container.service, container.name, kind, endpoint, pids))
    return tuple(missing)


def _foreign_pids(
    rows: Sequence[Listener], is_engines: Callable[[int], bool]
) -> tuple[int, ...] | None:
    """The pids that listen, where none of them is the engine's. None where one is, or may be."""
    pids: set[int] = set()
    for row in rows:
        if not row.pids or any(map(is_engines, row.pids)):
            return None
        pids.update(row.pids)
    return tuple(sorted(pids))
