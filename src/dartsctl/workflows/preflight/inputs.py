"""What a preflight reads: the Compose model, production's env files, the engine's containers."""

from __future__ import annotations

from contextlib import suppress
from functools import cache

from dartsctl.config.env_file_names import missing_env_file
from dartsctl.config.environment import Environment, default_env_files
from dartsctl.edges.engine.compose_refusals import MissingVariable
from dartsctl.edges.host import sockets
from dartsctl.errors import DartsctlError
from dartsctl.ports import unmet_needs
from dartsctl.ports.unmet_needs import NothingToStart, UnmetNeed
from dartsctl.records import record, replace
from dartsctl.stack import compose_files
from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.engine_rules import EngineRules
from dartsctl.system import bounded_file

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from dartsctl.edges.engine.compose import Compose
    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.stack.containers import Container
    from dartsctl.stack.model import Network, Stack
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.preflight.production_checks import ProductionEnvFiles

    _Lookup = Callable[[str], Network | None]
    """Returns a network of the engine by its name, None without one."""


@record
class Intent:
    """What `up` is asked to do, as far as it decides which containers stay."""

    services: tuple[str, ...] = ()
    force_recreate: bool = False
    remove_orphans: bool = False
    scales: tuple[tuple[str, int], ...] = ()
    ask_engine: bool = True
    build: bool = False
    """Whether images are built although they exist."""


@record
class Inputs:
    """What a preflight reads. `control` is None if the engine was not asked, or can only list."""

    stack: Stack
    engine: EngineRules
    control: EngineControl | None
    containers: tuple[Container, ...]
    env_files: ProductionEnvFiles | None
    needs: tuple[UnmetNeed, ...] = ()


def read_inputs(
    environment: Environment,
    intent: Intent,
    compose: Compose,
    deps: Deps,
    *,
    starts_hashes: bool = False,
) -> Inputs:
    """Read everything. The engine and the env files are read while Compose resolves the model.

    Waiting for Compose is most of the time that a preflight takes. An error about the files goes
    before one of the engine. `starts_hashes`: those of the services are asked for meanwhile, if
    the project has containers. The caller ends that.
    """
    running = compose.start_config(intent.services)
    env_files = None
    try:
        env_files = _read_env_files(environment, deps.environ)
        engine, containers, engine_error = _ask_engine(intent, deps)
        if starts_hashes and _has_containers(environment, containers):
            compose.start_hashes()
        resolved = compose.finish_config(running)
    except MissingVariable as error:
        raise _missing_variables(error, env_files, environment, compose) from error
    except BaseException:
        running.abandon()
        raise
    if environment.missing_env_file and resolved.unset_variables:
        raise missing_env_file(environment.missing_env_file, resolved.unset_variables)
    if engine_error:
        raise engine_error
    control = deps.engine().control() if intent.ask_engine else None
    stack = read_stack(resolved.model, unset_variables=resolved.unset_variables)
    stack = _scaled(stack, intent.scales)
    network = cache(control.network) if control else None  # an external one matters twice
    needs = _unmet_needs(stack, environment, compose, control, network)
    stack = _with_external_networks(stack, network)
    return Inputs(_with_listens(stack, engine), engine, control, containers, env_files, needs)


def _with_listens(stack: Stack, engine: EngineRules) -> Stack:
    """Return the stack with the ports of the host's network that its services' files name."""
    if not engine.is_here or not stack.uses_host_network:
        return stack
    from dartsctl.workflows.preflight import host_ports  # reads nginx's configuration

    return host_ports.with_listens(stack)


def _has_containers(environment: Environment, containers: Sequence[Container]) -> bool:
    """Return whether the project has any, so that their hashes will be compared."""
    project = environment.project
    return bool(project) and any(container.belongs_to(project) for container in containers)


def _ask_engine(
    intent: Intent, deps: Deps
) -> tuple[EngineRules, tuple[Container, ...], DartsctlError | None]:
    """Return the engine and its containers, or the error that came instead."""
    if not intent.ask_engine:
        return EngineRules(kind="unknown", has_ipv6=sockets.has_ipv6()), (), None
    try:
        engine = deps.engine()
        rules = replace(engine.describe(), has_ipv6=sockets.has_ipv6())
        return rules, engine.containers(), None
    except DartsctlError as error:
        return EngineRules(kind="unknown"), (), error


def _read_env_files(
    environment: Environment, environ: Mapping[str, str]
) -> ProductionEnvFiles | None:
    """Return production's env files, None for other environments: they are not judged."""
    if not environment.is_production:
        return None
    from dartsctl.workflows.preflight.production_checks import read_env_files

    return read_env_files(environment, environ)


def _missing_variables(
    error: MissingVariable,
    env_files: ProductionEnvFiles | None,
    environment: Environment,
    compose: Compose,
) -> DartsctlError:
    """Return the error for production that names every missing variable; Compose names only one."""
    if env_files is None:
        return error
    from dartsctl.config import secrets
    from dartsctl.workflows.preflight.production_checks import unsafe_error

    names: list[str] = []
    if environment.missing_env_file:
        return needed_env_file(error, environment, compose, env_files.environ)
    if environment.env_files:
        names = [name for name in compose.required_variables() if env_files.is_unset(name)]
    objections = list(secrets.missing(names or [error.name]))
    if environment.refuses_unsafe:
        objections += [objection for objection in env_files.objections if not objection.is_warning]
    return unsafe_error(objections)


def needed_env_file(
    error: MissingVariable,
    environment: Environment,
    compose: Compose,
    environ: Mapping[str, str],
) -> DartsctlError:
    """Return the error about production's missing env file, which names all that it would set.

    The error itself where another file is there, or for another environment.
    """
    if environment.missing_env_file is None:
        return error
    names = [name for name in compose.required_variables() if not environ.get(name)]
    names = names or [error.name]
    with suppress(DartsctlError):  # the same again, to see which others Compose finds unset
        running = compose.start_config(placeholders=dict.fromkeys(names, "1"))
        names += compose.finish_config(running).unset_variables
    return missing_env_file(environment.missing_env_file, names)


def _scaled(stack: Stack, scales: Sequence[tuple[str, int]]) -> Stack:
    services = dict(stack.services)
    for name, replicas in scales:
        if name in services:
            services[name] = replace(services[name], replicas=replicas)
    return replace(stack, services=services)


def _unmet_needs(
    stack: Stack,
    environment: Environment,
    compose: Compose,
    control: EngineControl | None,
    network: _Lookup | None,
) -> tuple[UnmetNeed, ...]:
    """Return what is missing. Where the engine can only be listed, externals are not looked for."""
    if not stack.services:
        return (NothingToStart(compose.profiles(), environment.profiles),)
    if control is None or network is None:
        return ()
    missing = unmet_needs.missing_externals(
        stack,
        has_network=lambda name: network(name) is not None,
        has_volume=control.has_volume,
    )
    return tuple(missing)


def _with_external_networks(stack: Stack, look_up: _Lookup | None) -> Stack:
    """Return the stack with its external networks as the engine describes them.

    The files do not say which driver such a network has, nor whether it is internal.
    """
    if look_up is None:
        return stack
    networks = dict(stack.networks)
    for key, network in stack.networks.items():
        if network.external:
            networks[key] = look_up(network.name) or network
    return replace(stack, networks=networks)


def files_of_compose(environment: Environment, environ: Mapping[str, str]) -> tuple[Path, ...]:
    """Return the files that Compose picks by itself: COMPOSE_FILE, else what it finds."""
    named = ""
    if not environ.get("COMPOSE_FILE"):
        named = _from_env_files("COMPOSE_FILE", environment, environ)
    return compose_files.picked(environment.directory, environ, named)


def _from_env_files(name: str, environment: Environment, environ: Mapping[str, str]) -> str:
    """Return a variable from the env files, empty without one. Unreadable files are skipped."""
    for file in reversed(environment.env_files or default_env_files(environment)):
        with suppress(OSError, DartsctlError):
            if name in bounded_file.read_text(file):  # importing dotenv takes time
                from dartsctl.edges.project.env_files import read

                value = read((file,), environ=environ).get(name)
                return value.value if value else ""
    return ""
