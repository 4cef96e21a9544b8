"""Find out whether this stack already exists under the name of another project.

If it does, `up` would start a second, empty stack beside it. A project is the same stack by one of
three signs:

files      One of its containers was made from exactly our Compose files (symbolic links resolved,
           overrides of moved ports left out), and it has one of our services.
names      Its containers have our fixed container names for the same services: at least two, or
           those of all our services. One of the two sets of services contains the other.
services   Only where nobody runs copies on purpose (production, and files without settings). The
           Compose files have the same names, and one of the two sets of services contains the
           other. Of the common services at least two, and at least half of ours, have the same
           image. An image that Compose builds and names after the project does not count. No
           common service may differ in its image (except for tags), its fixed container name or
           its published ports.

So two projects with a `db` from postgres:16 are not the same stack, nor are dev and prod of one
repository from other files or on other ports.

Containers of `compose run` and the projects of our other environments are ignored. Stopped
containers count, because a second stack would lack their data. If our own project runs, there is
no question.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

from dartsctl.records import record
from dartsctl.stack import compose_files
from dartsctl.stack.containers import Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Literal

    from dartsctl.stack.model import Service, Stack

    Sign = Literal["files", "names", "services"]

WantedPorts = Callable[[Container], Collection[int] | None]
"""Returns the host ports that a container would publish; None if unknown."""

_ALIVE = ("running", "paused", "restarting")


@record
class SameStack:
    """The project under which the stack exists, with all its containers."""

    project: str
    containers: tuple[Container, ...]
    sign: Sign
    shared: tuple[str, ...]
    """The evidence: container names, services, or paths of files."""

    @property
    def is_running(self) -> bool:
        return any(container.state in _ALIVE for container in self.containers)


def find_same_stack(
    stack: Stack,
    containers: Sequence[Container],
    files: Sequence[str],
    *,
    siblings: Collection[str] = (),
    has_copies: bool = False,
    wanted_ports: WantedPorts = lambda _: None,
) -> SameStack | None:
    """Return the project under which `stack`, made of `files`, already exists.

    A running project is preferred. `siblings`: the projects of the other environments.
    `has_copies`: other checkouts run copies of the stack on purpose.
    """
    ours = {name: service for name, service in stack.services.items() if service.replicas}
    projects = _by_project(containers)
    own = projects.pop(stack.project, [])
    if any(container.service in ours and container.state in _ALIVE for container in own):
        return None
    own_files = tuple(compose_files.without_overrides(files, stack.project))
    candidates: list[SameStack] = []
    for project, theirs in sorted(projects.items()):
        if project in siblings:
            continue
        sign = _by_files_or_names(ours, theirs, own_files)
        if sign is None and not has_copies:
            sign = _by_services(ours, theirs, own_files, wanted_ports)
        if sign:
            candidates.append(SameStack(project, tuple(theirs), *sign))
    return min(candidates, key=lambda candidate: not candidate.is_running, default=None)


def _by_project(containers: Sequence[Container]) -> dict[str, list[Container]]:
    projects: dict[str, list[Container]] = {}
    for container in containers:
        if container.project and not container.is_one_off:
            projects.setdefault(container.project, []).append(container)
    return projects


def _by_files_or_names(
    ours: Mapping[str, Service], theirs: Sequence[Container], files: Sequence[str]
) -> tuple[Sign, tuple[str, ...]] | None:
    common = [container for container in theirs if container.service in ours]
    if not common:
        return None
    same_files = _same_files(theirs, files)
    if same_files:
        return "files", same_files
    names = [
        container.name
        for container in common
        if container.name == ours[container.service].container_name
    ]
    is_proof = len(names) > 1 or len(names) == len(ours)
    if names and is_proof and _contains(ours, theirs):
        return "names", tuple(sorted(names))
    return None


def _contains(ours: Mapping[str, Service], theirs: Sequence[Container]) -> bool:
    """Return whether one of the two sets of services contains the other."""
    services = {container.service for container in theirs}
    return ours.keys() <= services or services <= ours.keys()


def _same_files(theirs: Sequence[Container], files: Sequence[str]) -> tuple[str, ...]:
    ours = compose_files.identities(files)
    for names in dict.fromkeys(container.own_config_files for container in theirs):
        if names and compose_files.identities(names) == ours:
            return names
    return ()


def _by_services(
    ours: Mapping[str, Service],
    theirs: Sequence[Container],
    files: Sequence[str],
    wanted_ports: WantedPorts,
) -> tuple[Sign, tuple[str, ...]] | None:
    """Return the services with the same image; None if any common service differs."""
    if not _contains(ours, theirs):
        return None
    if not any(_same_file_names(container, files) for container in theirs):
        return None
    proven: set[str] = set()
    for container in theirs:
        service = ours.get(container.service)
        if service is None:
            continue
        if not _may_be(service, container) or not _may_have_ports(service, container, wanted_ports):
            return None
        if service.image and _repository(service.image) == _repository(container.image):
            proven.add(service.name)
    if len(proven) < 2 or 2 * len(proven) < len(ours):
        return None
    return "services", tuple(sorted(proven))


def _may_be(service: Service, container: Container) -> bool:
    """Return whether `container` may be of our service, by its name and image."""
    return _may_have_name(service, container) and _may_have_image(service, container)


def _may_have_name(service: Service, container: Container) -> bool:
    if service.container_name:
        return container.name == service.container_name
    stem = container.name.rstrip("0123456789")
    if stem == container.name or not stem.endswith(("-", "_")):
        return False
    return stem[:-1] in _default_names(container.project, container.service)


def _may_have_image(service: Service, container: Container) -> bool:
    if container.image.startswith("sha256:") or re.fullmatch(r"[0-9a-f]{12,64}", container.image):
        return True  # the engine lists only the id of an image whose tag has moved
    if service.image:
        return _repository(service.image) == _repository(container.image)
    return _repository(container.image) in _default_names(container.project, service.name)


def _default_names(project: str, service: str) -> tuple[str, str]:
    """Return what Compose names after a service: its images, and its containers with a number."""
    return f"{project}-{service}", f"{project}_{service}"


def _may_have_ports(service: Service, container: Container, wanted_ports: WantedPorts) -> bool:
    """Return whether `container` publishes our ports; a stopped one, whether it would."""
    theirs = {endpoint.port for endpoint in container.published}
    if not container.holds_ports:
        wanted = wanted_ports(container)
        if wanted is None:
            return True
        theirs = set(wanted)
    if not service.ports:
        return not theirs
    fixed = [entry for entry in service.ports if not entry.is_ephemeral]
    return all(theirs.intersection(entry.numbers) for entry in fixed)


def _repository(image: str) -> str:
    """Return `registry:5000/shop/web` of `registry:5000/shop/web:1.2@sha256:...`."""
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"


def _same_file_names(container: Container, files: Sequence[str]) -> bool:
    return _file_names(container.own_config_files) == _file_names(files)


def _file_names(files: Iterable[str]) -> list[str]:
    return [Path(file).name for file in files]
