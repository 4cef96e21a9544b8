"""What `up` will do with the containers that exist: which stay as they are, which give their ports back first (PORTS.md 1.5).

`up` creates and recreates everything before it starts anything, so what is released is free before the first new bind.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dartsctl.bindings import Endpoint, PortBinding
from dartsctl.containers import Container
from dartsctl.stack import Stack


@dataclass(frozen=True, slots=True)
class Convergence:
    """`kept` run on untouched; `released` are stopped, replaced or removed; `staying` is everybody who keeps what it holds, `kept` included."""

    kept: tuple[Container, ...]
    released: tuple[Container, ...]
    staying: tuple[Container, ...]
    paused: tuple[Container, ...]
    """Our own that `up` cannot start: "cannot start a paused container" (PORTS.md, gotcha 8)."""

    @property
    def freed(self) -> frozenset[Endpoint]:
        """What the engine lets go of before it binds anything new."""
        return frozenset(endpoint for container in self.released for endpoint in container.published)


def converge(
    stack: Stack,
    containers: Sequence[Container],
    hashes: Mapping[str, str],
    *,
    force_recreate: bool = False,
    remove_orphans: bool = False,
) -> Convergence:
    """Sort `containers` (of every project) by what `up` on `stack` does to them; `hashes` are Compose's config hashes of its services."""
    kept: list[Container] = []
    released: list[Container] = []
    staying: list[Container] = []
    paused: list[Container] = []
    own: dict[str, list[Container]] = {}
    for container in containers:
        if container.project != stack.project or container.is_one_off:
            staying.append(container)
        elif container.service in stack.services:
            own.setdefault(container.service, []).append(container)
        elif remove_orphans:
            released.append(container)
        else:
            staying.append(container)
    for name, group in own.items():
        expected = hashes.get(name)

        def is_current(container: Container, expected: str | None = expected) -> bool:
            return not force_recreate and container.config_hash == expected

        # Compose keeps the up-to-date ones with the lowest numbers, and removes what is surplus.
        group.sort(key=lambda container: (not is_current(container), container.number))
        scale = stack.services[name].replicas
        for position, container in enumerate(group):
            if position >= scale or not is_current(container):
                released.append(container)
                continue
            if container.state == "paused":
                paused.append(container)
            if container.holds_ports:
                kept.append(container)
    return Convergence(tuple(kept), tuple(released), (*staying, *kept), tuple(paused))


def needed(bindings: Sequence[PortBinding], convergence: Convergence) -> tuple[list[PortBinding], list[PortBinding]]:
    """Split into (to be bound anew, already held by a container that stays): of each service as many replicas as it keeps."""
    kept: dict[str, int] = {}
    for container in convergence.kept:
        kept[container.service] = kept.get(container.service, 0) + 1
    new = [binding for binding in bindings if binding.replica > kept.get(binding.service, 0)]
    held = [binding for binding in bindings if binding.replica <= kept.get(binding.service, 0)]
    return new, held
