"""The step before every `up`: read the stack, look at the engine and the host, and say what would happen. Changes nothing."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace

from dartsctl import collisions, conflicts, lint, publishing, stack
from dartsctl.attribution import Attribution
from dartsctl.availability import Availability
from dartsctl.collisions import Collision, ProjectTaken
from dartsctl.commands.host import Host
from dartsctl.containers import Container
from dartsctl.convergence import Convergence, converge, needed
from dartsctl.edges import sockets
from dartsctl.edges.docker import Compose, RemoteEngine
from dartsctl.edges.engine import EngineApi, endpoint
from dartsctl.engines import Engine
from dartsctl.environment import Environment
from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.stack import Stack


@dataclass(frozen=True, slots=True)
class Preflight:
    """Everything that was found out about one `up` before it."""

    environment: Environment
    engine: Engine
    stack: Stack
    containers: tuple[Container, ...]
    convergence: Convergence
    answer: conflicts.Findings
    collisions: tuple[Collision, ...]
    notices: tuple[lint.Notice, ...]

    @property
    def project_taken(self) -> ProjectTaken | None:
        return next((one for one in self.collisions if isinstance(one, ProjectTaken)), None)

    @property
    def is_clear(self) -> bool:
        """Whether `up` can be tried: no conflict and no collision (what is uncertain may be tried)."""
        return not self.answer.conflicts and not self.collisions


@dataclass(frozen=True, slots=True)
class Intent:
    """What `up` is asked to do, as far as it changes what is kept and what is released."""

    services: tuple[str, ...] = ()
    force_recreate: bool = False
    remove_orphans: bool = False
    scales: tuple[tuple[str, int], ...] = ()
    ask_engine: bool = True
    project_named: bool = False
    """The project's name was given on the command line: then running other files under it is a stated wish."""


def verdict(preflight: Preflight) -> ExitCode:
    """The exit code of a preflight."""
    if preflight.project_taken:
        return ExitCode.REFUSED
    return ExitCode.OK if preflight.is_clear else ExitCode.CONFLICT


EngineClient = EngineApi | RemoteEngine


def engine_at(address: str) -> EngineClient:
    """The engine behind an address: our own socket client where it is a unix socket, the library for everything else."""
    return EngineApi(address) if address.startswith("unix://") else RemoteEngine(address)


def look(environment: Environment, intent: Intent, *, compose: Compose, host: Host) -> Preflight:
    """The preflight of `up` with `intent`. Raises DartsctlError where Compose cannot read the files, DockerUnavailable without an engine.

    Compose resolves the model while the engine is asked: the wait for it is most of the time that a preflight takes.
    """
    running = compose.start_config(intent.services)
    try:
        engine, containers, unreachable = _ask_engine(intent)
        resolved = compose.finish_config(running)
    except BaseException:
        running.abandon()
        raise
    if unreachable:
        raise unreachable
    model = _scaled(stack.read(resolved.model, unset_variables=resolved.unset_variables), intent)
    model = _with_external_networks(model, engine)
    own = any(container.project == model.project and container.service in model.services for container in containers)
    hashes = compose.hashes(tuple(model.services)) if own else {}
    convergence = converge(
        model,
        containers,
        hashes,
        force_recreate=intent.force_recreate,
        remove_orphans=intent.remove_orphans,
        inactive=compose.all_services() - model.services.keys() if intent.remove_orphans else (),
    )
    answer = _judge(model, engine, containers, convergence, host)
    found = collisions.find(model, containers, convergence, [str(file) for file in environment.files])
    if intent.project_named:
        found = tuple(one for one in found if not isinstance(one, ProjectTaken))
    notices = lint.notices(
        model,
        answer.findings,
        ephemeral_range=sockets.ephemeral_range() if engine.is_here else None,
        containers=containers,
        restarting_wants=_wants_of_crash_loops(engine, containers),
    )
    return Preflight(environment, engine, model, containers, convergence, answer, found, notices)


def _ask_engine(intent: Intent) -> tuple[Engine, tuple[Container, ...], DartsctlError | None]:
    """The engine and its containers, or the error that keeps them from us: Compose's own complaint about the files comes first."""
    if not intent.ask_engine:
        return Engine(kind="unknown", has_ipv6=sockets.has_ipv6()), (), None
    try:
        api = engine_at(endpoint(os.environ))
        return replace(api.describe(), has_ipv6=sockets.has_ipv6()), api.containers(), None
    except DartsctlError as error:
        return Engine(kind="unknown"), (), error


def _judge(model: Stack, engine: Engine, containers: Sequence[Container], convergence: Convergence, host: Host) -> conflicts.Findings:
    wanted = publishing.published(model, engine)
    new, held = needed(wanted.bindings, convergence)
    attribution = Attribution(model, containers, host)
    findings = conflicts.find(
        new,
        engine=engine,
        availability=Availability(engine, convergence, host),
        attribute=attribution.holders,
        doubtful=wanted.doubtful,
        held=held,
    )
    return conflicts.Findings(findings, wanted.unbound)


def _wants_of_crash_loops(engine: Engine, containers: Sequence[Container]) -> dict[str, tuple[int, ...]]:
    """The ports that containers in a crash loop will take at their next try; in between they hold nothing (PORTS.md 1.3)."""
    looping = [one for one in containers if one.state == "restarting"]
    if not looping or not engine.endpoint.startswith("unix://"):
        return {}
    api = EngineApi(engine.endpoint)
    return {one.id: api.wanted_ports(one.id) for one in looping}


def _scaled(model: Stack, intent: Intent) -> Stack:
    services = dict(model.services)
    for name, replicas in intent.scales:
        if name in services:
            services[name] = replace(services[name], replicas=replicas)
    return replace(model, services=services)


def _with_external_networks(model: Stack, engine: Engine) -> Stack:
    """External networks as the engine describes them: the files say nothing about their driver or whether they are internal."""
    if not engine.endpoint.startswith("unix://") or not model.external_networks:
        return model
    api = EngineApi(engine.endpoint)
    networks = {key: (api.network(network.name) or network) if network.external else network for key, network in model.networks.items()}
    return replace(model, networks=networks)
