"""Beside ports, what else would break an `up` or harm somebody: taken names, a project that is another stack's, a paused container."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dartsctl.stack import compose_files
from dartsctl.stack.containers import Container
from dartsctl.stack.convergence import Convergence
from dartsctl.stack.model import Stack
from dartsctl.stack.same_stack import SameStack


@dataclass(frozen=True, slots=True)
class NameTaken:
    """A `container_name` that a container outside the service already has: `up` would fail after it has begun."""

    service: str
    container: Container


@dataclass(frozen=True, slots=True)
class ProjectTaken:
    """The project's name under which other Compose files run: `up` would replace or remove these containers."""

    project: str
    containers: tuple[Container, ...]
    config_files: tuple[str, ...]
    working_dir: str


@dataclass(frozen=True, slots=True)
class Paused:
    """A container of this project that `up` cannot start."""

    container: Container


Collision = NameTaken | ProjectTaken | SameStack | Paused


def find(
    stack: Stack, containers: Sequence[Container], convergence: Convergence, files: Sequence[str]
) -> tuple[Collision, ...]:
    """All collisions of `stack`, made of `files` (absolute paths, as Compose would label them)."""
    taken = [
        NameTaken(service.name, container)
        for service in stack.services.values()
        for container in containers
        if service.container_name
        and service.replicas
        and container.name == service.container_name
        and not (
            container.project == stack.project
            and container.service == service.name
            and not container.is_one_off
        )
    ]
    paused = [Paused(container) for container in convergence.paused]
    foreign = _project_of_others(stack, containers, convergence, files)
    return (*taken, *paused, *([foreign] if foreign else []))


def _project_of_others(
    stack: Stack, containers: Sequence[Container], convergence: Convergence, files: Sequence[str]
) -> ProjectTaken | None:
    """Return what `up` would take from another stack in the same project.

    Containers of services that we do not have stay as they are: two folders may share a project.
    """
    spared = {
        container.id for container in convergence.staying if container not in convergence.kept
    }
    ours = [
        container
        for container in containers
        if container.project == stack.project and container.id not in spared
    ]
    others = of_other_files(ours, files)
    if not others:
        return None
    return ProjectTaken(stack.project, others, others[0].own_config_files, others[0].working_dir)


def of_other_files(containers: Sequence[Container], files: Sequence[str]) -> tuple[Container, ...]:
    """Return the containers of a project that were made from other Compose files than `files`.

    One file in common makes it our own stack, with another overlay (engine-rules.md#gotchas). Nothing is told apart where
    either side's files are not known.
    """
    found = []
    for container in containers:
        ours = compose_files.identities(compose_files.without_overrides(files, container.project))
        theirs = compose_files.identities(container.own_config_files)
        if not container.is_one_off and ours and theirs and not ours & theirs:
            found.append(container)
    return tuple(found)
