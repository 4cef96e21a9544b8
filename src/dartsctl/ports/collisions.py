"""Collisions: what besides ports breaks an `up` or harms somebody.

These are taken container names and addresses, volumes and networks of another stack, the project of
another stack, paused containers, and what `up` needs and does not have (ports/unmet_needs.py).
"""

from __future__ import annotations

from dartsctl.ports.fixed_addresses import AddressTaken
from dartsctl.ports.shared import SharedResource
from dartsctl.ports.unmet_needs import UnmetNeed
from dartsctl.records import record
from dartsctl.stack import compose_files
from dartsctl.stack.same_stack import SameStack
from dartsctl.text.numbers import parse_digits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dartsctl.stack.containers import Container
    from dartsctl.stack.convergence import Convergence
    from dartsctl.stack.model import Service, Stack


@record
class NameTaken:
    """A container name that a container outside of the service has: `up` would fail halfway."""

    service: str
    container: Container
    is_default: bool = False
    """Whether it is Compose's `PROJECT-SERVICE-NUMBER`, not a `container_name` in the files."""


@record
class ProjectTaken:
    """A project name under which other Compose files run: `up` would replace these containers."""

    project: str
    containers: tuple[Container, ...]
    config_files: tuple[str, ...]
    working_dir: str


@record
class Paused:
    """A container of this project that `up` cannot start."""

    container: Container


Collision = (
    NameTaken | ProjectTaken | SameStack | Paused | UnmetNeed | AddressTaken | SharedResource
)
Taken = NameTaken | SharedResource
"""What another stack has, and what this one can do without by names of its own."""


def names_taken(collisions: Sequence[Collision]) -> list[NameTaken]:
    """Return the collisions that are of container names."""
    return [collision for collision in collisions if isinstance(collision, NameTaken)]


def taken_by_others(collisions: Sequence[Collision]) -> list[Taken]:
    """Return the collisions that end when this stack gets names of its own."""
    return [collision for collision in collisions if isinstance(collision, Taken)]


def find(
    stack: Stack,
    containers: Sequence[Container],
    convergence: Convergence,
    files: Sequence[str],
    *,
    files_of_others: Sequence[str] = (),
) -> tuple[Collision, ...]:
    """Return all collisions of a stack made of `files` (absolute paths, as Compose labels them).

    `files_of_others`: see `of_other_files`.
    """
    collisions: list[Collision] = []
    known = _KnownContainers(stack.project, containers)
    for service in stack.services.values():
        if service.container_name and service.replicas:
            collisions += _taken_names(service, known)
        elif service.replicas:
            collisions += _taken_default_names(service, known)
    collisions += map(Paused, convergence.paused)
    own = _touched(stack, containers, convergence)
    if others := of_other_files(own, files, files_of_others):
        first = others[0]
        taken = ProjectTaken(stack.project, others, first.own_config_files, first.working_dir)
        collisions.append(taken)
    return tuple(collisions)


class _KnownContainers:
    """The engine's containers by what the services of a project may find taken."""

    def __init__(self, project: str, containers: Iterable[Container]) -> None:
        self.project = project
        self.by_name: dict[str, list[Container]] = {}
        self.by_stem: dict[str, list[Container]] = {}
        """By all but the last part of their names: `shop-web` of `shop-web-1`."""
        self._by_service: dict[str, list[Container]] = {}
        for container in containers:
            self.by_name.setdefault(container.name, []).append(container)
            stem = container.name.rpartition("-")[0]
            self.by_stem.setdefault(stem, []).append(container)
            if container.belongs_to(project):
                self._by_service.setdefault(container.service, []).append(container)

    def of_service(self, service: Service) -> Sequence[Container]:
        """Return the containers of a service, without those of `run`."""
        return self._by_service.get(service.name, ())


def _taken_names(service: Service, known: _KnownContainers) -> Iterator[NameTaken]:
    """Yield the containers outside of a service that have its container name."""
    for container in known.by_name.get(service.container_name, ()):
        if container not in known.of_service(service):
            yield NameTaken(service.name, container)


def _taken_default_names(service: Service, known: _KnownContainers) -> Iterator[NameTaken]:
    """Yield the containers that have a name which Compose gives to new ones of the service.

    Compose counts on from the highest number of those that exist.
    """
    own = known.of_service(service)
    highest = max((container.number for container in own), default=0)
    numbers = range(highest + 1, highest + 1 + service.replicas - len(own))
    for container in known.by_stem.get(f"{known.project}-{service.name}", ()):
        number = parse_digits(container.name.rpartition("-")[2])
        if number in numbers and container not in own:
            yield NameTaken(service.name, container, is_default=True)


def _touched(
    stack: Stack, containers: Sequence[Container], convergence: Convergence
) -> list[Container]:
    """Return the project's containers that `up` would not leave alone.

    Containers of services that this stack does not have stay as they are: two folders may share a
    project.
    """
    spared = {container.id for container in convergence.staying}
    spared -= {container.id for container in convergence.kept}
    return [
        container
        for container in containers
        if container.project == stack.project and container.id not in spared
    ]


def of_other_files(
    containers: Sequence[Container], files: Sequence[str], files_of_others: Sequence[str] = ()
) -> tuple[Container, ...]:
    """Return the containers of a project that were made from other Compose files than `files`.

    One file in common makes it the same stack with another overlay (engine-rules.md#gotchas), but
    not if the overlay is one of `files_of_others`: those that only other environments here have.
    Where the files of either side are not known, a container counts as this stack's.
    """
    overlays = compose_files.identities(files_of_others)
    others = []
    is_other: dict[tuple[str, tuple[str, ...]], bool] = {}
    for container in containers:
        if container.is_one_off:
            continue
        made_from = container.project, container.config_files
        if made_from not in is_other:  # asking for the real paths takes time
            ours = compose_files.without_overrides(files, container.project)
            is_other[made_from] = _is_other_stack(ours, container.own_config_files, overlays)
        if is_other[made_from]:
            others.append(container)
    return tuple(others)


def _is_other_stack(ours: Iterable[str], theirs: Iterable[str], overlays: frozenset[str]) -> bool:
    own, others = compose_files.identities(ours), compose_files.identities(theirs)
    if not own or not others:
        return False
    return not own & others or bool(overlays & others)
