"""What runs of a stack whose files cannot be read: the containers' labels say what they are.

A missing env file, a variable that nothing sets, or a Compose file that is gone keep no verb from
working on what runs. It is said once what is missing.
"""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.edges.host import sockets
from dartsctl.errors import DartsctlError, DockerUnavailable
from dartsctl.ports import collisions
from dartsctl.ports.collisions import ProjectTaken
from dartsctl.stack import compose_files
from dartsctl.stack.containers import Container, of_project
from dartsctl.stack.convergence import converge
from dartsctl.stack.from_containers import ContainerSettings, stack_of
from dartsctl.stack.model import Network, PortEntry
from dartsctl.workflows.preflight.inputs import Inputs, Intent
from dartsctl.workflows.preflight.preflight import Preflight, run_preflight, verdicts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dartsctl.config.environment import Environment
    from dartsctl.diagnosis.inspection import Inspection
    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.workflows.deps import Deps


def readable(environment: Environment, *, deps: Deps) -> Environment:
    """Return the environment if Compose can read its files, else the same project by its labels.

    Raises the error about the files if the project has no containers.
    """
    error = environment.files_error
    if error is None:
        try:
            deps.compose_on(environment).config()
        except DockerUnavailable:
            raise
        except DartsctlError as problem:
            error = problem
    return environment if error is None else by_labels(environment, error, deps=deps)


def by_labels(environment: Environment, error: DartsctlError, *, deps: Deps) -> Environment:
    """Return the environment without its files: Compose then goes by the project's name alone.

    Raises `error` if the project has no containers. Else says once why it goes by their labels.
    """
    containers = deps.engine().containers()
    project = environment.project or _project_of(environment, containers)
    own = of_project(containers, project)
    if not project or not any(_is_from_here(container, environment) for container in own):
        raise error
    deps.screen.note(f"working from the containers' labels: {reason(error)}")
    return replace(
        environment,
        files=(),
        # Compose would read the .env of the working folder, which may be what is broken
        env_files=(Path(os.devnull),),
        project=project,
        profiles=(),
        files_error=error,
    )


def of_another_stack(
    containers: Sequence[Container], environment: Environment
) -> tuple[Container, ...]:
    """Return the project's containers that are another stack's: from other files than ours.

    Where our files are not known, those of this folder are ours. Compose goes by the project's name
    alone, and would stop the others too. None if the project was named on the command line: then
    all of it is meant.
    """
    if environment.project_named:
        return ()
    if environment.files:
        return collisions.of_other_files(containers, list(map(str, environment.files)))
    return tuple(container for container in containers if not _is_from_here(container, environment))


def reason(error: DartsctlError) -> str:
    """Return why files cannot be used, in one sentence."""
    cause = error.__cause__
    return cause.message if isinstance(cause, DartsctlError) else error.message


def preflight_of_running(environment: Environment, *, deps: Deps) -> Preflight:
    """Return a preflight for a verb that looks at what runs, by its labels if it must be.

    Raises DockerUnavailable; the error about the files if the project has no containers.
    """
    error = environment.files_error
    if error is None:
        try:
            return run_preflight(environment, Intent(), deps=deps)
        except DockerUnavailable:
            raise
        except DartsctlError as problem:
            error = problem
    usable = by_labels(environment, error, deps=deps)
    return preflight_by_labels(environment, usable, deps=deps)


def preflight_by_labels(named: Environment, environment: Environment, *, deps: Deps) -> Preflight:
    """Return what a start of the existing containers would meet.

    `named` is the environment as the settings name its files, `environment` the one by labels.
    """
    engine = deps.engine()
    control = engine.control()
    containers = engine.containers()
    project = environment.project or ""
    own = [container for container in containers if container.belongs_to(project)]
    others = of_another_stack(own, named)
    if not named.files:  # then only this folder's are the stack
        own = [container for container in own if container not in others]
    settings: dict[str, ContainerSettings] = {}
    for container in own:
        inspected = _inspect(container, control)
        if inspected:
            deps.screen.masker.learn(inspected.environment)
            settings[container.id] = _settings(inspected)
    rules = replace(engine.describe(), has_ipv6=sockets.has_ipv6())
    stack = stack_of(project, own, settings, _networks(settings.values(), control))
    inputs = Inputs(stack, rules, control, containers, env_files=None)
    hashes = {container.service: container.config_hash for container in own}
    convergence = converge(stack, containers, hashes)
    return Preflight(
        environment=environment,
        engine=rules,
        stack=stack,
        containers=containers,
        convergence=convergence,
        verdicts=verdicts_of(inputs, convergence, deps.host()),
        collisions=_project_taken(others) if named.files else (),
        notices=(),
        files_error=environment.files_error,
    )


def _inspect(container: Container, control: EngineControl | None) -> Inspection | None:
    """Return None where the engine does not answer about this one: the list says less, but true."""
    with suppress(DockerUnavailable):
        return control.inspect(container.id) if control else None
    return None


def _settings(inspected: Inspection) -> ContainerSettings:
    facts = inspected.facts
    has_own_network = facts.network_mode not in ("host", "none") and ":" not in facts.network_mode
    ports = []
    for place in facts.wanted:
        number = str(place.endpoint.port) if place.endpoint.port else ""
        entry = PortEntry(place.target, place.endpoint.protocol, number, place.endpoint.address)
        ports.append(entry)
    return ContainerSettings(
        ports=tuple(ports),
        networks=tuple(facts.networks) if has_own_network else (),
        network_mode="" if has_own_network else facts.network_mode,
        health_check=inspected.health_check,
        mounts=inspected.mounts,
        environment=inspected.environment,
    )


def _networks(
    settings: Iterable[ContainerSettings], control: EngineControl | None
) -> tuple[Network, ...]:
    names: dict[str, None] = {}
    for container in settings:
        names |= dict.fromkeys(container.networks)
    networks = []
    for name in names:
        network = control.network(name) if control else None
        networks.append(network or Network(name))
    return tuple(networks)


def _project_taken(others: Sequence[Container]) -> tuple[ProjectTaken, ...]:
    if not others:
        return ()
    first = others[0]
    return (ProjectTaken(first.project, tuple(others), first.own_config_files, first.working_dir),)


def _project_of(environment: Environment, containers: Sequence[Container]) -> str:
    """Return the project that runs from the environment's files, empty if there is not just one."""
    files = compose_files.identities(list(map(str, environment.files)))
    projects = set()
    for container in containers:
        if files & compose_files.identities(container.own_config_files):
            projects.add(container.project)
    return projects.pop() if len(projects) == 1 else ""


def _is_from_here(container: Container, environment: Environment) -> bool:
    """Return whether a container may be of this environment, whose files may be unknown.

    Then the project's name is not enough: another folder may use the same. It must come from a file
    of this folder.
    """
    if environment.files or environment.project_named or not container.own_config_files:
        return True
    folder = environment.directory
    return any(Path(file).is_relative_to(folder) for file in container.own_config_files)
