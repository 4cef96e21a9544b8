"""`dev`: the dev services in Docker, and the app server on this host, on a leased port.

The services keep running when the server ends: `dartsctl dev down` stops them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from dartsctl.commands.up import UpRequest, up
from dartsctl.edges.project import env_files
from dartsctl.edges.state.moves import MoveBook
from dartsctl.errors import Advice, DartsctlError, DockerUnavailable, ExitCode, UsageError
from dartsctl.ports import remapping
from dartsctl.server.production_port import refuse_production
from dartsctl.server.request import base_environment
from dartsctl.stack.addresses import (
    compose_url_variables,
    fill_templates,
    project_addresses,
    services_named_in,
)
from dartsctl.stack.health import SETTLING_TIME
from dartsctl.stack.model import Stack, read_stack
from dartsctl.workflows.preflight.preflight import Intent
from dartsctl.workflows.serve.run_server import preview_server, run_server
from dartsctl.workflows.up.answers import Answers

if TYPE_CHECKING:
    from dartsctl.config.environment import Environment
    from dartsctl.server.request import ServerRequest
    from dartsctl.workflows.deps import Deps

_STOP_TIMEOUT = 4  # seconds a container has to end: less than the supervisor waits for Compose


@dataclass(frozen=True, slots=True)
class DevRequest:
    """What `dev` was asked for. Without an environment there are no services."""

    environment: Environment | None
    server: ServerRequest
    replaces: tuple[str, ...] = ()
    """The services that the server stands in for."""
    templates: Mapping[str, str] = field(default_factory=dict)
    """`[server.env]`, with its placeholders."""
    required: bool = True
    """Whether the server must not start without the services."""
    wait_timeout: float | None = None
    """Seconds until the services must be healthy. None: as long as their health checks allow."""
    settling_time: float = SETTLING_TIME
    """Seconds that a service without a health check must have run."""
    answers: Answers = field(default_factory=Answers)
    """How conflicts of the services are answered."""
    in_docker: bool = False
    """Run the service of `replaces` as the server, published on the leased port."""
    dry_run: bool = False


def dev(request: DevRequest, *, deps: Deps) -> int:
    """Start the services and then the server with their addresses. Return the server's exit code.

    Raises UsageError if `in_docker` does not know which service is the app; what `up` and
    `run_server` raise.
    """
    environment = request.environment
    # before the services start; `up` and Compose need nothing of it
    refuse_production(
        replace(request.server, extra=request.templates, in_container=request.in_docker)
    )
    if request.dry_run:
        return _preview(request, deps)
    if environment is None:
        return _run_without_services(request, deps)
    if request.in_docker:
        app = _app_in_docker(request, environment, deps)
        _start_services(request, environment, deps)
        return run_server(app, deps=deps)
    try:
        stack = _start_services(request, environment, deps)
    except DockerUnavailable as error:
        if request.required:
            raise
        deps.screen.warn(f"the services are off: {error.message}; the server runs without them")
        return _run_without_services(request, deps)
    return _run_with_services(request, stack, deps)


def host_services(stack: Stack, replaced: tuple[str, ...]) -> tuple[str, ...]:
    """Return the services that are started beside a host server.

    Those that the server stands in for are left out, and those that need one of them to start.
    """
    left_out = set(replaced)
    while True:
        dependents = {
            name
            for name, service in stack.services.items()
            if name not in left_out and left_out.intersection(service.depends_on)
        }
        if not dependents:
            return tuple(name for name in stack.services if name not in left_out)
        left_out |= dependents


def _preview(request: DevRequest, deps: Deps) -> int:
    """Show what would be done. Conflicts are looked for only if the answers resolve them."""
    environment = request.environment
    if environment is None:
        return preview_server(request.server, deps.screen)
    if request.answers.removable or request.answers.policy not in (None, "ask", "fail"):
        stack = read_stack(deps.compose_on(environment).config().model)
        up_request = _up_request(request, environment, stack)
        if up_request is not None:
            up(replace(up_request, dry_run=True), deps=_for_people(deps))
    files = [str(file) for file in environment.files]
    return preview_server(request.server, deps.screen, services_of=files)


def _start_services(request: DevRequest, environment: Environment, deps: Deps) -> Stack:
    """Start the services that the server needs. Return the stack."""
    stack = read_stack(deps.compose_on(environment).config().model)
    up_request = _up_request(request, environment, stack)
    if up_request is None:
        return stack
    code = up(up_request, deps=_for_people(deps))
    if code is not ExitCode.OK:
        raise DartsctlError("the dev services did not start", hint="dartsctl dev ps", code=code)
    return stack


def _run_with_services(request: DevRequest, stack: Stack, deps: Deps) -> int:
    where = project_addresses(stack.project, deps.engine().containers())
    variables, left_out = fill_templates(
        request.templates, where, stack.services, request.server.environment
    )
    if left_out:
        deps.screen.warn(
            f"{', '.join(left_out)} not set: their services are not running or publish no port"
        )
    return _run_on_host(request, variables, deps)


def _run_without_services(request: DevRequest, deps: Deps) -> int:
    """Run the server with the variables that lead to no service."""
    variables, _ = fill_templates(request.templates, {}, None, request.server.environment)
    return _run_on_host(request, variables, deps)


def _run_on_host(request: DevRequest, variables: Mapping[str, str], deps: Deps) -> int:
    filled = _interpolated(variables, request.server)
    server = replace(request.server, extra={**request.server.extra, **filled})
    return run_server(server, deps=deps)


def _interpolated(templates: Mapping[str, str], server: ServerRequest) -> dict[str, str]:
    """Fill `${NAME:-default}` in, as Compose does: the caller's environment before the env files.

    This comes after the placeholders, so that a secret's text is never read as a placeholder.
    """
    known: dict[str, str | None] = {**base_environment(server)}
    return {name: env_files.interpolated(text, known) for name, text in templates.items()}


def _app_in_docker(request: DevRequest, environment: Environment, deps: Deps) -> ServerRequest:
    """Return the request for the app as a service of the dev stack.

    Compose in the foreground is then the server that is leased, watched and stopped.
    """
    if len(request.replaces) != 1:
        named = f"names {', '.join(request.replaces) or 'no service'}"
        raise UsageError(
            f"--in-docker needs exactly one service, and [server] replaces {named}",
            hint=Advice('write replaces = ["SERVICE"] into the settings, below [server]'),
        )
    service = request.replaces[0]
    stack = read_stack(deps.compose_on(environment).config((service,)).model)
    override = remapping.leased_override(
        service,
        _container_port(stack, service),
        request.server.host,
        compose_url_variables(request.templates),
    )
    file = MoveBook(deps.state, stack.project).keep_leased(service, override)
    compose = deps.compose_on(replace(environment, files=(*environment.files, file)))
    words = ["up", "--no-deps", "--no-log-prefix", "--exit-code-from", service]
    command = compose.argv(*words, "--timeout", str(_STOP_TIMEOUT), service)
    return replace(
        request.server, command=tuple(command), in_container=True, enforce="off", handover="none"
    )


def _container_port(stack: Stack, service: str) -> int:
    for entry in stack.services[service].ports:
        if entry.protocol == "tcp":
            return entry.target
    raise UsageError(
        f"{service} publishes no tcp port in the dev stack",
        hint=Advice("publish one in its Compose file, such as ports: [127.0.0.1:15000:PORT]"),
    )


def _up_request(request: DevRequest, environment: Environment, stack: Stack) -> UpRequest | None:
    """Return the `up` of the services beside the server, None if the server replaces them all."""
    wanted = host_services(stack, request.replaces)
    if not wanted:
        return None  # to `up`, no name means every service
    remapped = frozenset[str]()
    if not request.in_docker:
        remapped = services_named_in(request.templates.values()) & stack.services.keys()
    if len(wanted) == len(stack.services):
        wanted = ()
    return UpRequest(
        environment,
        Intent(services=wanted),
        wait_timeout=request.wait_timeout,
        settling_time=request.settling_time,
        next_command="dartsctl dev",
        answers=replace(request.answers, remap_by_itself=remapped),
    )


def _for_people(deps: Deps) -> Deps:
    """Return the dependencies with a screen that prints no JSON: stdout is the server's."""
    return replace(deps, screen=deps.screen.for_people())
