"""What a running container lacks of what was asked for: published ports, in the engine's list and in the kernel's table, and its networks.

An engine may report Running and have bound nothing, or have no network at all (edge-cases.md#33; engines 29.1 and 29.2, moby#51758); a docker-proxy that was
killed leaves a port in the engine's list on which nobody, or somebody else, listens (edge-cases.md#31).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from dartsctl.ports.listeners import Listener
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import Container


class MissingKind(Enum):
    """What is missing; the values are the words of the JSON document."""

    NOT_LISTED = "not-listed"
    NO_LISTENER = "no-listener"
    TAKEN = "taken"
    NO_NETWORK = "no-network"


_SENTENCES: Mapping[MissingKind, str] = {
    MissingKind.NOT_LISTED: "runs without its port {0}: the engine has not bound it",
    MissingKind.NO_LISTENER: "runs without its port {0}: the engine lists it, and nothing listens there",
    MissingKind.TAKEN: "runs without its port {0}: the engine lists it, and pid {1} listens there",
    MissingKind.NO_NETWORK: "runs without a network",
}


@dataclass(frozen=True, slots=True)
class MissingBinding:
    """One thing that one running container lacks. `endpoint` is None for a network; `pids` are those of a listener that is not the engine's."""

    service: str
    container: str
    kind: MissingKind
    endpoint: Endpoint | None = None
    pids: tuple[int, ...] = ()

    @property
    def sentence(self) -> str:
        return _SENTENCES[self.kind].format(self.endpoint, ", ".join(map(str, self.pids)))


def unlisted(
    wanted: Mapping[str, Sequence[Endpoint]], running: Sequence[Container]
) -> tuple[MissingBinding, ...]:
    """The endpoints (by service) that the engine lists for no running container of the service."""
    found: list[MissingBinding] = []
    for service, endpoints in wanted.items():
        own = [one for one in running if one.service == service]
        listed = {endpoint for one in own for endpoint in one.published}
        found += [
            MissingBinding(service, own[0].name, MissingKind.NOT_LISTED, endpoint)
            for endpoint in endpoints
            if own and endpoint not in listed
        ]
    return tuple(found)


def unheard(
    wanted: Mapping[str, Sequence[Endpoint]],
    running: Sequence[Container],
    rows: Sequence[Listener],
    *,
    is_engines: Callable[[int], bool],
) -> tuple[MissingBinding, ...]:
    """The endpoints that the engine lists and on which the kernel's table has nobody, or only somebody who is not the engine's.

    For an engine on this host with its userland proxy alone. A listener whose owner is not visible (they are root's) counts as the engine's.
    """
    on_port: dict[int, list[Listener]] = {}
    for row in rows:
        if row.surely_blocks:
            on_port.setdefault(row.port, []).append(row)
    needed = {service: frozenset(endpoints) for service, endpoints in wanted.items()}
    found: list[MissingBinding] = []
    for one in running:
        for endpoint in one.published:
            if endpoint not in needed.get(one.service, ()):
                continue
            there = [row for row in on_port.get(endpoint.port, ()) if row.overlaps(endpoint)]
            if not there:
                found.append(
                    MissingBinding(one.service, one.name, MissingKind.NO_LISTENER, endpoint)
                )
            elif all(row.pids and not any(is_engines(pid) for pid in row.pids) for row in there):
                pids = tuple(sorted({pid for row in there for pid in row.pids}))
                found.append(
                    MissingBinding(one.service, one.name, MissingKind.TAKEN, endpoint, pids)
                )
    return tuple(found)
