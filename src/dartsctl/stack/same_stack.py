"""Does this very stack already exist under another project's name? Then `up` would start a second, empty one beside it.

A project is the same stack by one of three signs:

files      One of its containers was made from exactly our Compose files (symbolic links resolved, overrides of
           moved ports left out), and it has one of our services.
names      Fixed container names of ours are its containers' for the same services: two or more, or those of all our
           services; and one of the two sets of services contains the other.
services   Only where nobody runs copies on purpose (production, and files without settings). The Compose files have
           the same names, one of the two sets of services contains the other, and of the services in common two or
           more, and at least half of ours, have the same image. An image that Compose builds and names after the
           project proves nothing. No service in common may differ in its image (tags aside), its fixed container
           name or its published ports.

So it is no sign that two projects have a `db` from postgres:16, nor that dev and prod of one repository, from other
files or on other ports, share most of their services. Never counted: the projects of the other environments of our
settings, and containers of `compose run`. Stopped containers count: their data is what a second stack would lack. A
project of ours that runs is past the question.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from dartsctl.stack import compose_files
from dartsctl.stack.containers import Container
from dartsctl.stack.model import Service, Stack

Sign = Literal["files", "names", "services"]
WantedPorts = Callable[[Container], Collection[int] | None]
"""The host ports that a container would publish; None where that cannot be told."""

_ALIVE = ("running", "paused", "restarting")


@dataclass(frozen=True, slots=True)
class RunsAs:
    """The stack exists as `project`; `containers` are that project's, stopped ones too."""

    project: str
    containers: tuple[Container, ...]
    sign: Sign
    shared: tuple[str, ...]
    """What shows it: container names, services, or paths of files."""

    @property
    def is_running(self) -> bool:
        return any(container.state in _ALIVE for container in self.containers)


def find(
    stack: Stack,
    containers: Sequence[Container],
    files: Sequence[str],
    *,
    siblings: Collection[str] = (),
    has_copies: bool = False,
    wanted_ports: WantedPorts = lambda _: None,
) -> RunsAs | None:
    """Return the project under which `stack`, made of `files`, exists already; one that runs before a stopped one.

    `siblings` are the projects of the other environments. `has_copies`: other checkouts run copies of it on purpose.
    """
    ours = {name: service for name, service in stack.services.items() if service.replicas}
    projects: dict[str, list[Container]] = {}
    for container in containers:
        if container.project and not container.is_one_off:
            projects.setdefault(container.project, []).append(container)
    own = projects.pop(stack.project, [])
    if any(container.service in ours and container.state in _ALIVE for container in own):
        return None
    own_files = tuple(compose_files.own_files(files, stack.project))
    found = []
    for project, theirs in sorted(projects.items()):
        sign = None if project in siblings else _by_files_or_names(ours, theirs, own_files)
        if sign is None and project not in siblings and not has_copies:
            sign = _by_services(ours, theirs, own_files, wanted_ports)
        if sign:
            found.append(RunsAs(project, tuple(theirs), *sign))
    return next(iter(sorted(found, key=lambda one: not one.is_running)), None)


def _by_files_or_names(
    ours: Mapping[str, Service], theirs: Sequence[Container], files: Sequence[str]
) -> tuple[Sign, tuple[str, ...]] | None:
    in_common = [container for container in theirs if container.service in ours]
    if in_common and (shared := _same_files(theirs, files)):
        return "files", shared
    named = [one.name for one in in_common if one.name == ours[one.service].container_name]
    if named and _contains(ours, theirs) and (len(named) > 1 or len(named) == len(ours)):
        return "names", tuple(sorted(named))
    return None


def _contains(ours: Mapping[str, Service], theirs: Sequence[Container]) -> bool:
    """Whether one of the two sets of services has nothing that the other lacks."""
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
    """Return the services that prove it by their images; nothing where one of those in common is another one."""
    if not _contains(ours, theirs) or not any(
        _same_file_names(container, files) for container in theirs
    ):
        return None
    proven = set()
    for container in theirs:
        service = ours.get(container.service)
        if service is None:
            continue
        if not _may_be(service, container) or not _may_be_ports(service, container, wanted_ports):
            return None
        if service.image and _repository(service.image) == _repository(container.image):
            proven.add(service.name)
    if len(proven) < 2 or 2 * len(proven) < len(ours):
        return None
    return "services", tuple(sorted(proven))


def _may_be(service: Service, container: Container) -> bool:
    """Whether neither the name nor the image of `container` says that it is another service than ours."""
    usual = re.fullmatch(
        rf"{re.escape(container.project)}[-_]{re.escape(container.service)}[-_]\d+", container.name
    )
    has_name = container.name == service.container_name if service.container_name else bool(usual)
    return has_name and _may_be_image(service, container)


def _may_be_image(service: Service, container: Container) -> bool:
    """An image whose tag has moved on is listed by its id alone."""
    if container.image.startswith("sha256:") or re.fullmatch(r"[0-9a-f]{12,64}", container.image):
        return True
    if service.image:
        return _repository(service.image) == _repository(container.image)
    built = (f"{container.project}-{service.name}", f"{container.project}_{service.name}")
    return _repository(container.image) in built


def _may_be_ports(service: Service, container: Container, wanted_ports: WantedPorts) -> bool:
    """A stopped container publishes nothing: what counts is what it would publish, where that can be told."""
    theirs = {endpoint.port for endpoint in container.published}
    if not container.holds_ports:
        wanted = wanted_ports(container)
        if wanted is None:
            return True
        theirs = set(wanted)
    if not service.ports:
        return not theirs
    fixed = [
        range(entry.span[0], entry.span[1] + 1) for entry in service.ports if not entry.is_ephemeral
    ]
    return all(theirs.intersection(numbers) for numbers in fixed)


def _repository(image: str) -> str:
    """`registry:5000/shop/web` of `registry:5000/shop/web:1.2@sha256:...`."""
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}"


def _same_file_names(container: Container, files: Sequence[str]) -> bool:
    return [Path(file).name for file in container.own_config_files] == [
        Path(file).name for file in files
    ]
