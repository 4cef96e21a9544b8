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
from dartsctl.stack.containers import of_services
from dartsctl.stack.same_stack import SameStack
from dartsctl.text.numbers import parse_digits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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
    for service in stack.services.values():
        if service.container_name and service.replicas:
            collisions += _taken_names(service, stack, containers)
        elif service.replicas:
            collisions += _taken_default_names(service, stack, containers)
    collisions += map(Paused, convergence.paused)
    own = _touched(stack, containers, convergence)
    if others := of_other_files(own, files, files_of_others):
        first = others[0]
        taken = ProjectTaken(stack.project, others, first.own_config_files, first.working_dir)
        collisions.append(taken)
    return tuple(collisions)


def _taken_names(
    service: Service, stack: Stack, containers: Sequence[Container]
) -> list[NameTaken]:
    """The containers outside of a service that have its container name."""
    named = [container for container in containers if container.name == service.container_name]
    return [
        NameTaken(service.name, container)
        for container in named
        if not container.belongs_to(stack.project) or container.service != service.name
    ]


def _taken_default_names(
    service: Service, stack: Stack, containers: Sequence[Container]
) -> Iterator[NameTaken]:
    """Yield the containers that have a name which Compose gives to new ones of the service.

    Compose counts on from the highest number of those that exist.
    """
    own = of_services(containers, stack.project, (service.name,))
    highest = max((container.number for container in own), default=0)
    numbers = range(highest + 1, highest + 1 + service.replicas - len(own))
    prefix = f"{stack.project}-{service.name}-"
    for container in containers:
        number = parse_digits(container.name.removeprefix(prefix))
        is_named = container.name.startswith(prefix) and number in numbers
        if is_named and container not in own:
            yield NameTaken(service.name, container, is_default=True)


def _touched(
    stack: Stack, containers: Sequence[Container], convergence: Convergence
) -> list[Container]:
    """Return the project's containers that `up` would not leave alone.

    Containers of services that this stack does not have stay as they are: two folders may share a
    project.
    """
    spared = {
        container.id for container in convergence.staying if container not in convergence.kept
    }
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
    for container in containers:
        ours = compose_files.identities(compose_files.without_overrides(files, container.project))
        theirs = compose_files.identities(container.own_config_files)
        if container.is_one_off or not ours or not theirs:
            continue
        if not ours & theirs or overlays & theirs:
            others.append(container)
    return tuple(others)
