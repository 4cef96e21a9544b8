"""What `up` will do with the containers that exist: which stay as they are, which give their ports back first (engine-rules.md#own-containers).

`up` creates and recreates everything before it starts anything, so what is released is free before the first new bind.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from dartsctl.stack.bindings import Endpoint, PortBinding
from dartsctl.stack.containers import Container
from dartsctl.stack.model import Stack


@dataclass(frozen=True, slots=True)
class Convergence:
    """`kept` run on untouched; `released` are stopped, replaced or removed; `staying` is everybody who keeps what it holds, `kept` included."""

    kept: tuple[Container, ...]
    released: tuple[Container, ...]
    staying: tuple[Container, ...]
    paused: tuple[Container, ...]
    """Our own that `up` cannot start: "cannot start a paused container" (engine-rules.md#gotchas)."""

    @property
    def freed(self) -> frozenset[Endpoint]:
        """What the engine lets go of before it binds anything new."""
        return frozenset(
            endpoint for container in self.released for endpoint in container.published
        )


def converge(
    stack: Stack,
    containers: Sequence[Container],
    hashes: Mapping[str, str],
    *,
    force_recreate: bool = False,
    remove_orphans: bool = False,
    inactive: Collection[str] = (),
) -> Convergence:
    """Sort `containers` (of every project) by what `up` on `stack` does to them; `hashes` are Compose's config hashes of its services.

    `inactive` are services that the files define and this `up` leaves alone (profile off, not named): `--remove-orphans` spares their containers.
    """
    kept: list[Container] = []
    released: list[Container] = []
    staying: list[Container] = []
    own: dict[str, list[Container]] = {}
    for container in containers:
        if container.project != stack.project or container.is_one_off:
            staying.append(container)
        elif container.service in stack.services:
            own.setdefault(container.service, []).append(container)
        elif remove_orphans and container.service not in inactive:
            released.append(container)
        else:
            staying.append(container)
    for name, group in own.items():
        current, obsolete = _by_scale(
            group, stack.services[name].replicas, None if force_recreate else hashes.get(name)
        )
        kept += [container for container in current if container.holds_ports]
        released += obsolete
    paused = tuple(container for container in kept if container.state == "paused")
    return Convergence(tuple(kept), tuple(released), (*staying, *kept), paused)


def _by_scale(
    group: Sequence[Container], scale: int, expected: str | None
) -> tuple[list[Container], list[Container]]:
    """One service's containers as (up to date and wanted, stopped or replaced); without an `expected` hash all are replaced."""
    current = [
        container
        for container in group
        if expected is not None and container.config_hash == expected
    ]
    current.sort(
        key=lambda container: container.number
    )  # Compose removes the highest numbers when it scales down
    wanted = current[:scale]
    return wanted, [container for container in group if container not in wanted]


def needed(
    bindings: Sequence[PortBinding], convergence: Convergence
) -> tuple[list[PortBinding], list[PortBinding]]:
    """Split into (to be bound anew, already held by a container that stays): of each service as many replicas as it keeps."""
    kept: dict[str, int] = {}
    for container in convergence.kept:
        kept[container.service] = kept.get(container.service, 0) + 1
    new = [binding for binding in bindings if binding.replica > kept.get(binding.service, 0)]
    held = [binding for binding in bindings if binding.replica <= kept.get(binding.service, 0)]
    return new, held
