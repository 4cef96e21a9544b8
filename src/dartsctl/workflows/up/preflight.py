"""The step before every `up`: read the stack, look at the engine and the host, and say what would happen. Changes nothing."""

from __future__ import annotations

import functools
import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.config.environment import Environment, default_env_files
from dartsctl.edges.engine.compose import Compose, MissingVariable, Resolved
from dartsctl.edges.host import sockets
from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.ports import collisions, conflicts, lint
from dartsctl.ports.attribution import Attribution
from dartsctl.ports.availability import Availability
from dartsctl.ports.collisions import Collision, ProjectTaken
from dartsctl.stack import compose_files, publishing, same_stack
from dartsctl.stack.containers import Container
from dartsctl.stack.convergence import Convergence, converge, needed
from dartsctl.stack.engine_rules import EngineRules
from dartsctl.stack.model import Stack, read_stack
from dartsctl.stack.same_stack import RunsAs, WantedPorts
from dartsctl.system import bounded_file
from dartsctl.workflows.deps import Deps

if TYPE_CHECKING:
    from dartsctl.config.secrets import Objection
    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.workflows.host import Host
    from dartsctl.workflows.up.production_checks import ProductionEnvFiles


@dataclass(frozen=True, slots=True)
class Preflight:
    """Everything that was found out about one `up` before it."""

    environment: Environment
    engine: EngineRules
    stack: Stack
    containers: tuple[Container, ...]
    convergence: Convergence
    verdicts: conflicts.PortVerdicts
    collisions: tuple[Collision, ...]
    notices: tuple[lint.Notice, ...]
    objections: tuple[Objection, ...] = ()
    """What is unsafe about production, warnings included; nothing for any other environment."""
    files: tuple[Path, ...] = ()
    """The Compose files, those that Compose has found by itself too."""

    @property
    def blocking_objections(self) -> tuple[Objection, ...]:
        """The objections that keep it from starting."""
        return tuple(
            one for one in self.objections if self.environment.refuses_unsafe and not one.is_warning
        )

    @property
    def another_stack(self) -> ProjectTaken | RunsAs | None:
        """The stack that `up` would replace, or beside which it would start a second one."""
        return next(
            (one for one in self.collisions if isinstance(one, ProjectTaken | RunsAs)), None
        )

    @property
    def is_clear(self) -> bool:
        """Whether the engine could start it: no conflict and no collision (what is uncertain may be tried)."""
        return not self.verdicts.conflicts and not self.collisions


@dataclass(frozen=True, slots=True)
class Intent:
    """What `up` is asked to do, as far as it changes what is kept and what is released."""

    services: tuple[str, ...] = ()
    force_recreate: bool = False
    remove_orphans: bool = False
    scales: tuple[tuple[str, int], ...] = ()
    ask_engine: bool = True


def exit_code_of(preflight: Preflight) -> ExitCode:
    """The exit code of a preflight: what is refused whatever the ports are stands above a conflict."""
    if preflight.another_stack or preflight.blocking_objections:
        return ExitCode.REFUSED
    return ExitCode.OK if preflight.is_clear else ExitCode.CONFLICT


def run_preflight(environment: Environment, intent: Intent, *, deps: Deps) -> Preflight:
    """The preflight of `up` with `intent`. Raises DartsctlError where Compose cannot read the files, DockerUnavailable without an engine.

    Refused where production's files require variables that nothing sets.
    """
    compose = deps.compose_on(environment)
    resolved, env_files, engine, containers = _read(environment, intent, compose, deps)
    model = _scaled(read_stack(resolved.model, unset_variables=resolved.unset_variables), intent)
    control = deps.engine().control() if intent.ask_engine else None
    model = _with_external_networks(model, control)
    own = any(
        container.project == model.project and container.service in model.services
        for container in containers
    )
    hashes = compose.hashes(tuple(model.services)) if own else {}
    convergence = converge(
        model,
        containers,
        hashes,
        force_recreate=intent.force_recreate,
        remove_orphans=intent.remove_orphans,
        inactive=compose.all_services() - model.services.keys() if intent.remove_orphans else (),
    )
    compose.spare(
        name
        for container in containers
        for name in (container.project, container.service, container.name)
    )
    answer = _judge(model, engine, containers, convergence, deps.host())
    files = environment.files or _files_of_compose(environment, deps.environ)
    wanted_ports = functools.partial(_wanted_ports, control)
    found = _collisions(
        environment, model, containers, convergence, [str(file) for file in files], wanted_ports
    )
    notices = lint.notices(
        model,
        answer.bindings,
        ephemeral_range=sockets.ephemeral_range() if engine.is_here else None,
        containers=containers,
        restarting_wants=_wants_of_crash_loops(control, containers),
    )
    objections = _objections(env_files, model, engine, deps)
    return Preflight(
        environment,
        engine,
        model,
        containers,
        convergence,
        answer,
        found,
        notices,
        objections,
        files,
    )


def _collisions(
    environment: Environment,
    model: Stack,
    containers: Sequence[Container],
    convergence: Convergence,
    files: Sequence[str],
    wanted_ports: WantedPorts,
) -> tuple[Collision, ...]:
    """A project that was named on the command line is a stated wish: no other stack is looked for."""
    found = collisions.find(model, containers, convergence, files)
    if environment.project_named:
        return tuple(one for one in found if not isinstance(one, ProjectTaken))
    elsewhere = same_stack.find(
        model,
        containers,
        files,
        siblings=environment.siblings,
        has_copies=environment.has_copies,
        wanted_ports=wanted_ports,
    )
    return (elsewhere, *found) if elsewhere else found


def _wanted_ports(control: EngineControl | None, container: Container) -> tuple[int, ...] | None:
    """The host ports that a container asks for, whether it has them now or not; None where the engine does not tell."""
    if control is None:
        return None
    inspected = control.inspect(container.id)
    return tuple(place.endpoint.port for place in inspected.facts.wanted) if inspected else None


def _files_of_compose(environment: Environment, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The files that Compose picks where none is named: COMPOSE_FILE's, else what it finds from the working folder."""
    folder = environment.directory
    separator = environ.get("COMPOSE_PATH_SEPARATOR") or os.pathsep
    if named := environ.get("COMPOSE_FILE") or _in_env_file("COMPOSE_FILE", environment, environ):
        return compose_files.named_by(named, folder, separator)
    return compose_files.found_from(folder)


def _in_env_file(name: str, environment: Environment, environ: Mapping[str, str]) -> str:
    """What the env files say of a variable of Compose's own; those that cannot be read are Compose's to complain about."""
    for file in reversed(environment.env_files or default_env_files(environment)):
        with suppress(OSError, DartsctlError):
            if name in bounded_file.read_text(file):  # dotenv is loaded for it alone
                from dartsctl.edges.project.env_files import read

                value = read((file,), environ=environ).get(name)
                return value.value if value else ""
    return ""


def _read(
    environment: Environment, intent: Intent, compose: Compose, deps: Deps
) -> tuple[Resolved, ProductionEnvFiles | None, EngineRules, tuple[Container, ...]]:
    """Compose resolves the model while env files are read and the engine is asked: the wait for it is most of the time that a preflight takes."""
    running = compose.start_config(intent.services)
    env_files = None
    try:
        env_files = _read_env_files(environment, deps.environ)
        engine, containers, unreachable = _ask_engine(intent, deps)
        resolved = compose.finish_config(running)
    except MissingVariable as error:
        raise _refusal(error, env_files, environment, compose) from None
    except BaseException:
        running.abandon()
        raise
    if unreachable:
        raise unreachable
    return resolved, env_files, engine, containers


def _read_env_files(
    environment: Environment, environ: Mapping[str, str]
) -> ProductionEnvFiles | None:
    """What production's env files say; None for every other environment, which pays nothing for this."""
    if not environment.is_production:
        return None
    from dartsctl.workflows.up.production_checks import read_env_files

    return read_env_files(environment, environ)


def _objections(
    env_files: ProductionEnvFiles | None, model: Stack, engine: EngineRules, deps: Deps
) -> tuple[Objection, ...]:
    if env_files is None:
        return ()
    from dartsctl.workflows.up.production_checks import objections_to

    return objections_to(env_files, model, engine, now=deps.now())


def _refusal(
    error: MissingVariable,
    env_files: ProductionEnvFiles | None,
    environment: Environment,
    compose: Compose,
) -> DartsctlError:
    """Compose names one missing variable; production is told all of them, and what else is wrong with its env files."""
    if env_files is None:
        return error
    from dartsctl.config import secrets
    from dartsctl.workflows.up.production_checks import unsafe_error

    names = (
        [name for name in compose.required_variables() if env_files.lacks(name)]
        if environment.env_files
        else []
    )
    others = [
        one for one in env_files.objections if environment.refuses_unsafe and not one.is_warning
    ]
    return unsafe_error([*secrets.missing(names or [error.name]), *others])


def _ask_engine(
    intent: Intent, deps: Deps
) -> tuple[EngineRules, tuple[Container, ...], DartsctlError | None]:
    """The engine and its containers, or the error that keeps them from us: Compose's own complaint about the files comes first."""
    if not intent.ask_engine:
        return EngineRules(kind="unknown", has_ipv6=sockets.has_ipv6()), (), None
    try:
        api = deps.engine()
        return replace(api.describe(), has_ipv6=sockets.has_ipv6()), api.containers(), None
    except DartsctlError as error:
        return EngineRules(kind="unknown"), (), error


def _judge(
    model: Stack,
    engine: EngineRules,
    containers: Sequence[Container],
    convergence: Convergence,
    host: Host,
) -> conflicts.PortVerdicts:
    wanted = publishing.published(model, engine)
    new, held = needed(wanted.bindings, convergence)
    attribution = Attribution(model, containers, host)
    host.expect({port for binding in new for port in binding.numbers})
    findings = conflicts.find(
        new,
        engine=engine,
        availability=Availability(engine, convergence, host),
        attribute=attribution.holders,
        doubtful=wanted.doubtful,
        held=held,
    )
    return conflicts.PortVerdicts(findings, wanted.unbound)


def _wants_of_crash_loops(
    control: EngineControl | None, containers: Sequence[Container]
) -> dict[str, tuple[int, ...]]:
    """The ports that containers in a crash loop will take at their next try; in between they hold nothing (engine-rules.md#other-containers)."""
    if control is None:
        return {}
    looping = [one for one in containers if one.state == "restarting"]
    described = {container.id: control.inspect(container.id) for container in looping}
    return {identity: seen.fixed_ports for identity, seen in described.items() if seen}


def _scaled(model: Stack, intent: Intent) -> Stack:
    services = dict(model.services)
    for name, replicas in intent.scales:
        if name in services:
            services[name] = replace(services[name], replicas=replicas)
    return replace(model, services=services)


def _with_external_networks(model: Stack, control: EngineControl | None) -> Stack:
    """External networks as the engine describes them: the files say nothing about their driver or whether they are internal."""
    if control is None:
        return model
    networks = {
        key: (control.network(network.name) or network) if network.external else network
        for key, network in model.networks.items()
    }
    return replace(model, networks=networks)
