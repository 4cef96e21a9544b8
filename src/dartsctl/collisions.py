"""Beside ports, what else would break an `up` or harm somebody: names that are taken, a project that is another one's, a paused container."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from dartsctl.containers import Container
from dartsctl.convergence import Convergence
from dartsctl.stack import Stack


@dataclass(frozen=True, slots=True)
class NameTaken:
    """A `container_name` that a container outside the service already has: `up` would fail after it has begun."""

    service: str
    container: Container


@dataclass(frozen=True, slots=True)
class ProjectTaken:
    """The project's name under which other Compose files run: `up` would replace those containers by ours."""

    project: str
    containers: tuple[Container, ...]
    config_files: tuple[str, ...]
    working_dir: str


@dataclass(frozen=True, slots=True)
class Paused:
    """A container of this project that `up` cannot start."""

    container: Container


Collision = NameTaken | ProjectTaken | Paused


def find(stack: Stack, containers: Sequence[Container], convergence: Convergence, files: Sequence[str]) -> tuple[Collision, ...]:
    """All collisions of `stack`, made of `files` (absolute paths, as Compose would label them)."""
    taken = [
        NameTaken(service.name, container)
        for service in stack.services.values()
        for container in containers
        if service.container_name
        and service.replicas
        and container.name == service.container_name
        and not (container.project == stack.project and container.service == service.name and not container.is_one_off)
    ]
    paused = [Paused(container) for container in convergence.paused]
    foreign = _project_of_others(stack, containers, files)
    return (*taken, *paused, *([foreign] if foreign else []))


def _project_of_others(stack: Stack, containers: Sequence[Container], files: Sequence[str]) -> ProjectTaken | None:
    """Files that share none with ours mean another stack; one in common means our own with another overlay (PORTS.md, gotcha 10)."""
    ours = set(files)
    others = tuple(
        container
        for container in containers
        if container.project == stack.project and not container.is_one_off and container.config_files and not ours & set(container.config_files)
    )
    if not others or not ours:
        return None
    return ProjectTaken(stack.project, others, others[0].config_files, others[0].working_dir)
