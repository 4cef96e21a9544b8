"""What `up` does with existing containers: which stay, and which give their ports back first.

`up` creates and recreates everything before it starts anything, so released ports are free before
the first new bind (engine-rules.md#own-containers).
"""

from __future__ import annotations

from collections import Counter

from dartsctl.records import record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from dartsctl.stack.bindings import Endpoint, PortBinding
    from dartsctl.stack.containers import Container
    from dartsctl.stack.model import Stack


@record
class Convergence:
    """The containers, sorted by what `up` does to them."""

    kept: tuple[Container, ...]
    """They run on untouched."""
    released: tuple[Container, ...]
    """They are stopped, replaced or removed."""
    staying: tuple[Container, ...]
    """All containers that keep what they hold, including `kept`."""
    paused: tuple[Container, ...]
    """Those of `kept` that `up` cannot start: they are paused (engine-rules.md#gotchas)."""
    orphans: tuple[Container, ...] = ()
    """Containers of the project whose service is not in the files. `--remove-orphans` takes them.
    """

    @property
    def freed(self) -> frozenset[Endpoint]:
        """The endpoints that the engine releases before it binds anything new."""
        endpoints: set[Endpoint] = set()
        for container in self.released:
            endpoints.update(container.published)
        return frozenset(endpoints)


def converge(
    stack: Stack,
    containers: Sequence[Container],
    hashes: Mapping[str, str],
    *,
    force_recreate: bool = False,
    remove_orphans: bool = False,
    inactive: Collection[str] = (),
) -> Convergence:
    """Sort the containers of every project by what `up` on `stack` does to them.

    `hashes`: Compose's config hash of each service. `inactive`: services of the Compose files that
    this `up` does not touch (their profile is off, or they were not named); `--remove-orphans`
    spares their containers.
    """
    kept: list[Container] = []
    released: list[Container] = []
    staying: list[Container] = []
    orphans: list[Container] = []
    by_service: dict[str, list[Container]] = {}
    for container in containers:
        if not container.belongs_to(stack.project):
            staying.append(container)
        elif container.service in stack.services:
            by_service.setdefault(container.service, []).append(container)
        else:
            (staying if container.service in inactive else orphans).append(container)
    (released if remove_orphans else staying).extend(orphans)
    for name, group in by_service.items():
        expected = None if force_recreate else hashes.get(name)
        current, obsolete = _split_by_scale(group, stack.services[name].replicas, expected)
        kept += [container for container in current if container.holds_ports]
        released += obsolete
    paused = tuple(container for container in kept if container.state == "paused")
    everyone = (*staying, *kept)
    return Convergence(tuple(kept), tuple(released), everyone, paused, tuple(orphans))


def _split_by_scale(
    group: Sequence[Container], scale: int, expected: str | None
) -> tuple[list[Container], list[Container]]:
    """Split a service's containers into those that stay and those that are stopped or replaced.

    Without an `expected` hash all are replaced.
    """
    if expected is None:
        return [], list(group)
    current = [container for container in group if container.config_hash == expected]
    current.sort(key=lambda container: container.number)
    wanted = current[:scale]  # Compose removes the highest numbers when it scales down
    staying = {container.id for container in wanted}
    return wanted, [container for container in group if container.id not in staying]


def split_new_and_held(
    bindings: Sequence[PortBinding], convergence: Convergence
) -> tuple[list[PortBinding], list[PortBinding]]:
    """Split bindings into those to be made and those that a kept container already holds.

    Of each service, as many replicas are held as containers are kept.
    """
    kept = Counter(container.service for container in convergence.kept)
    new: list[PortBinding] = []
    held: list[PortBinding] = []
    for binding in bindings:
        is_held = binding.replica <= kept[binding.service]
        (held if is_held else new).append(binding)
    return new, held
