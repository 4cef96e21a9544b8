"""The preflight of a stack whose files cannot be read: what its containers' labels say."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from dartsctl.edges.host import sockets
from dartsctl.errors import DartsctlError, DockerUnavailable
from dartsctl.ports.collisions import ProjectTaken
from dartsctl.records import replace
from dartsctl.stack.convergence import converge
from dartsctl.stack.from_containers import ContainerSettings, stack_of
from dartsctl.stack.model import Network, PortEntry
from dartsctl.workflows.preflight.from_labels import by_labels, of_another_stack
from dartsctl.workflows.preflight.inputs import Inputs, Intent
from dartsctl.workflows.preflight.preflight import Preflight, run_preflight, verdicts_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from dartsctl.config.environment import Environment
    from dartsctl.diagnosis.inspection import Inspection
    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.stack.containers import Container
    from dartsctl.workflows.deps import Deps


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
