"""The dev stack beside production: an override file where the two would share something."""

from __future__ import annotations

import tempfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.config.settings import PRODUCTION
from dartsctl.discovery.app.app_service import possible_apps
from dartsctl.discovery.changes import Change
from dartsctl.discovery.dev_stack.dev_override import (
    HEADER,
    LOOPBACK,
    OVERRIDE_NAME,
    IsFree,
    Numbers,
    lacks_ports,
    new_ports,
    override_text,
)
from dartsctl.discovery.dev_stack.needed_services import (
    DevServices,
    services_for_development,
)
from dartsctl.discovery.dev_stack.shared_with_production import (
    Shared,
    published_by,
    shared_with,
)
from dartsctl.discovery.proposal import Proposal, ProposedSetting, Task
from dartsctl.discovery.stack_facts import StackFacts
from dartsctl.errors import DartsctlError
from dartsctl.ports.listeners import Probe
from dartsctl.records import record, replace
from dartsctl.stack.bindings import Endpoint
from dartsctl.system import bounded_file
from dartsctl.text.phrases import relative
from dartsctl.workflows.init.read_project import stack_facts
from dartsctl.workflows.init.running_project import current_project

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dartsctl.discovery.app.app import App
    from dartsctl.stack.bindings import TransportProtocol
    from dartsctl.stack.model import Stack
    from dartsctl.workflows.init.project import Project


_SHIFTS = 16
"""How many projects have different numbers, of which the last three digits stay."""


@record
class DevStack:
    """What is found about the dev stack, and the project with the stack as it will be."""

    proposal: Proposal
    project: Project
    services: DevServices | None = None
    """What `dev` starts; None where nothing is known about the dev stack."""


@record
class _Needs:
    """What the dev stack's own files lack beside production."""

    base: StackFacts
    services: DevServices
    shared: Shared
    unreachable: tuple[str, ...]

    @property
    def is_nothing(self) -> bool:
        return self.shared.is_nothing and not self.unreachable


def without_override(project: Project) -> Project:
    """Return the project without the override file of an earlier run: as its own files are."""
    dev = project.stacks.get("dev")
    if dev is None or _path(project) not in dev.files:
        return project
    production = project.stacks.get(PRODUCTION)
    files = tuple(file for file in dev.files if file != _path(project))
    if not files or replace(dev, files=files).is_same_as(production):
        return project.without_stack("dev")
    return project.with_stack(_resolved(project, files))


def find_dev_stack(project: Project, plain: Project, app: App) -> DevStack:
    """Return the dev stack, with an override file of its own where it needs one.

    `plain` is the project without that file. The dev stack needs it where it shares names, ports or
    volumes with production, and where a server on this host would not reach its services. Without
    files of its own it is made of production's.
    """
    base = _base(plain, app)
    if base is None or base.error:
        return DevStack(Proposal(), project)
    services = _services(plain, base, app)
    if not services.started and "dev" not in plain.stacks:
        return _alone(plain, base)
    needs = _needs(plain, base, services)
    if needs.is_nothing:
        return DevStack(Proposal(), project, services)
    existing = _existing(project, base)
    if existing and _is_enough(plain, existing, services):
        return _as_it_is(plain, base, existing, services)
    return _with_override(plain, needs, existing)


def _base(plain: Project, app: App) -> StackFacts | None:
    """Return the dev stack without the override file; of production's files if it has no others."""
    if "dev" in plain.stacks:
        return plain.stacks["dev"]
    production = plain.stacks.get(PRODUCTION)
    wants_none = plain.settings.environments["dev"].files == ()
    if wants_none or production is None or production.error or not _has_server(plain, app):
        return None
    return _resolved(plain, production.files)


def _path(project: Project) -> Path:
    return project.root / OVERRIDE_NAME


def _services(project: Project, base: StackFacts, app: App) -> DevServices:
    """Return the services that `dev` starts from these files: all, without a server on the host."""
    if not _has_server(project, app):
        return DevServices(tuple(base.stack.services))
    production = project.stacks.get(PRODUCTION)
    of_production = base.is_same_as(production)
    apps = _replaced_by(project, app)
    services = services_for_development(base.stack, apps, of_production=of_production)
    if len(apps) > 1 and not project.settings.server.replaces:
        unsure = dict.fromkeys(apps, "may be the app")
        services = replace(services, left_out={**services.left_out, **unsure})
    if services.started or "dev" not in project.stacks:
        return services
    return DevServices(tuple(base.stack.services))


def _has_server(project: Project, app: App) -> bool:
    """Return whether there is an app that can run on this host."""
    return app.entry is not None or bool(project.settings.server.command)


def _replaced_by(project: Project, app: App) -> tuple[str, ...]:
    """Return the services that a server on this host replaces, or may replace."""
    if project.settings.server.replaces:
        return project.settings.server.replaces
    if app.service is not None:
        return (app.service.name,)
    return tuple(service.name for service in possible_apps(app.services))


def _alone(project: Project, base: StackFacts) -> DevStack:
    """Return the dev stack of a server that needs no service of production's files."""
    why = f"the server on this host needs no service of {_listed(project, base.files)}"
    setting = ProposedSetting("dev", "files", (), why)
    return DevStack(Proposal(notes=(f"dev: {why}",), settings=(setting,)), project)


def _needs(project: Project, facts: StackFacts, services: DevServices) -> _Needs:
    production = project.stacks.get(PRODUCTION)
    shared = Shared()
    if production and not production.error:
        shared = shared_with(production.stack, facts.stack)
    return _Needs(facts, services, shared, lacks_ports(facts.stack, services))


def _existing(project: Project, base: StackFacts) -> StackFacts | None:
    """Return the dev stack with the override file as it is; None without one."""
    path = _path(project)
    if not path.is_file():
        return None
    files = (*base.files, path)
    dev = project.stacks.get("dev")
    if dev and dev.files == files:
        return dev
    return _resolved(project, files)


def _resolved(project: Project, files: tuple[Path, ...]) -> StackFacts:
    """Return the dev stack of these files, with the error of files that Compose rejects."""
    try:
        return stack_facts(project.request, "dev", files, project.deps)
    except DartsctlError as error:
        return StackFacts("dev", files, error=error)


def _is_enough(project: Project, facts: StackFacts, services: DevServices) -> bool:
    """Return whether a dev stack with an override shares nothing, as Compose resolves it."""
    if facts.error:
        return False
    return _needs(project, facts, _services_of(facts, services)).is_nothing


def _services_of(facts: StackFacts, services: DevServices) -> DevServices:
    """Return what a server needs of the services that these files start."""
    started = tuple(facts.stack.services)
    ports = {name: own for name, own in services.ports.items() if name in started}
    return replace(services, started=started, ports=ports)


def _as_it_is(
    project: Project, base: StackFacts, existing: StackFacts, services: DevServices
) -> DevStack:
    """Return the dev stack with an override file that still fits."""
    change = Change("keep", _path(project), "")
    return DevStack(
        Proposal(settings=_settings(project, base), changes=(change,)),
        project.with_stack(existing),
        _services_of(existing, services),
    )


def _with_override(project: Project, needs: _Needs, existing: StackFacts | None) -> DevStack:
    """Return the dev stack with a new override file, or an edited one."""
    path, base = _path(project), needs.base
    configured = project.settings.environments["dev"].files
    if configured is not None and path not in configured:
        return DevStack(Proposal(tasks=(_task(project, needs),)), project, needs.services)
    dev = base.stack
    numbers = _numbers(project, existing)
    ports = new_ports(dev, needs.services, needs.shared, numbers)
    over = _listed(project, base.files)
    text = override_text(dev, needs.services, needs.shared, ports, over=over)
    planned = _planned(project, base, text)
    about = f"the dev stack: {', '.join(needs.services.started)}"
    change = Change("create", path, about, text)
    if existing:
        change = Change("edit", path, about, text, old=bounded_file.read_bytes(path))
    is_ours = change.action == "create" or (change.old or b"").startswith(HEADER.encode())
    if not (is_ours and _is_enough(project, planned, needs.services)):
        return DevStack(Proposal(tasks=(_task(project, needs),)), project, needs.services)
    proposal = Proposal(
        notes=tuple(_notes(project, needs)),
        settings=_settings(project, base),
        changes=(change,),
    )
    return DevStack(proposal, project.with_stack(planned), needs.services)


def _numbers(project: Project, existing: StackFacts | None) -> Numbers:
    """Return which ports the dev stack may have; those of an earlier override stay."""
    production = project.stacks.get(PRODUCTION)
    reserved = set(project.settings.ports.dev_range.numbers)
    if production:
        reserved |= {number for _, number in published_by(production.stack)}
    kept: dict[tuple[str, int, str], int] = {}
    for service in existing.stack.services.values() if existing else ():
        for entry in service.ports:
            if entry.host_ip == LOOPBACK and not entry.is_ephemeral:
                kept[service.name, entry.target, entry.protocol] = entry.span[0]
    shift = zlib.crc32(project.settings.name.encode()) % _SHIFTS * 1000
    return Numbers(reserved, _free_port_check(project), kept, shift)


def _free_port_check(project: Project) -> IsFree:
    """Return a function that tells whether nobody has a port of this host's loopback."""
    published: set[int] = set()
    for container in project.containers:
        published.update(endpoint.port for endpoint in container.published)
    host = project.deps.host()

    def is_free(protocol: TransportProtocol, port: int) -> bool:
        endpoint = Endpoint(port, LOOPBACK, protocol)
        is_unbound = host.probe(endpoint, udp_reuse_address=False) is Probe.FREE
        return port not in published and is_unbound

    return is_free


def _planned(project: Project, base: StackFacts, text: str) -> StackFacts:
    """Return the dev stack with an override that is not written yet, as Compose resolves it."""
    with tempfile.TemporaryDirectory(prefix="dartsctl-") as folder:
        draft = Path(folder) / OVERRIDE_NAME
        draft.write_text(text, encoding="utf-8")
        facts = _resolved(project, (*base.files, draft))
    return replace(facts, files=(*base.files, _path(project)))


def _settings(project: Project, base: StackFacts) -> tuple[ProposedSetting, ...]:
    """Return the lines of `[dev]`. With `files` there, Compose's project name is no default."""
    files = [relative(project.root, file) for file in (*base.files, _path(project))]
    why = f"{OVERRIDE_NAME}: what the dev stack has of its own"
    settings = [ProposedSetting("dev", "files", files, why)]
    name = current_project(project, "dev")
    if name != f"{project.settings.name}-dev":
        settings.append(ProposedSetting("dev", "project", name, "as `docker compose up` names it"))
    return tuple(settings)


def _notes(project: Project, needs: _Needs) -> Iterator[str]:
    """Say why there is an override, and what `dev` starts."""
    files = _listed(project, needs.base.files)
    if words := needs.shared.words():
        yield f"dev: {files} has production's {words}; {OVERRIDE_NAME} gives it its own"
    if needs.unreachable:
        names = ", ".join(needs.unreachable)
        yield f"dev: {OVERRIDE_NAME} publishes {names} for the server on this host"
    services = needs.services
    line = f"dev starts {', '.join(services.started) or 'no service'}"
    if services.left_out:
        others = [f"{name} ({why})" for name, why in services.left_out.items()]
        line += f"; not {', '.join(others)}"
    yield line
    yield from _broker_notes(needs.base.stack, services)
    providers = [name for name, why in services.left_out.items() if why == "identity provider"]
    if providers:
        yield (
            f"if the login needs {', '.join(providers)} in dev: "
            f"`dartsctl dev up --profile {providers[0]}`, or profiles in [dev]"
        )


def _broker_notes(stack: Stack, services: DevServices) -> Iterator[str]:
    """Say which brokers send their clients to a name that this host does not know."""
    for name in services.ports:
        for variable, text in stack.services[name].environment.items():
            is_local = "localhost" in text or LOOPBACK in text
            if variable.endswith("ADVERTISED_LISTENERS") and not is_local:
                yield (
                    f"{name} sends its clients to {variable}, which has no address of this host: "
                    "a server on this host needs a listener for localhost"
                )


def _task(project: Project, needs: _Needs) -> Task:
    """Return what to do where the override cannot be used."""
    files = _listed(project, needs.base.files)
    words = needs.shared.words()
    text = f"dev: {files} has production's {words}; this gives it its own on this machine"
    if not words:
        text = f"dev: {', '.join(needs.unreachable)} publishes no port for a server on this host"
        return Task(text, is_required=False)
    return Task(text, ("dartsctl dev up --on-conflict remap",), is_required=False)


def _listed(project: Project, files: Iterable[Path]) -> str:
    return " + ".join(relative(project.root, file) for file in files)
