"""`dev`: the dev services in Docker, and the app server on this host, on a leased port.

The services keep running when the server ends: `dartsctl dev down` stops them.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.commands.up import UpRequest, up
from dartsctl.edges.engine import early_config
from dartsctl.edges.state.moves import MoveBook
from dartsctl.errors import Advice, DartsctlError, ExitCode, UsageError
from dartsctl.ports import remapping
from dartsctl.records import field, record, replace
from dartsctl.server.production_port import refuse_production
from dartsctl.stack.addresses import compose_url_variables
from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.containers import of_services
from dartsctl.stack.waits import SETTLING_TIME
from dartsctl.text.phrases import shell_command
from dartsctl.workflows.preflight.inputs import Intent
from dartsctl.workflows.serve.run_server import preview_server, run_server
from dartsctl.workflows.serve.services import ServiceLookup, with_services
from dartsctl.workflows.up.answers import Answers

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.config.environment import Environment
    from dartsctl.server.request import ServerRequest
    from dartsctl.stack.model import Stack
    from dartsctl.workflows.deps import Deps

_CODES_OF_SERVICES = (ExitCode.NO_DOCKER, ExitCode.CONFLICT)
"""Failures in spite of which the server starts, if its services are optional."""
_STOP_TIMEOUT = 4  # seconds a container has to end: less than the supervisor waits for Compose


@record
class DevRequest:
    """What `dev` was asked for. Without an environment no services are started."""

    environment: Environment | None
    server: ServerRequest
    services: ServiceLookup = field(default_factory=ServiceLookup)
    """`[server.env]`, and where its services are."""
    services_problem: str = ""
    """Why there is no environment, if nobody asked for that."""
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
        replace(request.server, extra=request.services.templates, in_container=request.in_docker)
    )
    if request.dry_run:
        return _preview(request, deps)
    if environment is None:
        return _run_without_services(request, deps, request.services_problem)
    if request.in_docker:
        app = _app_in_docker(request, environment, deps)
        stack = _start_services(request, environment, deps)
        (service,) = request.services.replaces
        return run_server(
            app, deps=deps, at_end=lambda port: _stop_app(service, stack.project, port, deps)
        )
    try:
        stack = _start_services(request, environment, deps)
    except DartsctlError as error:
        if request.required or error.code not in _CODES_OF_SERVICES:
            raise
        return _run_without_services(request, deps, error.message, error.details)
    lookup = replace(request.services, project=stack.project, known=tuple(stack.services))
    return run_server(with_services(request.server, lookup, deps), deps=deps)


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
    server = replace(request.server, in_container=request.in_docker)
    if environment is None:
        return preview_server(server, deps.screen)
    if request.answers.removable or request.answers.policy not in (None, "ask", "fail"):
        stack = read_stack(deps.compose_on(environment).config().model)
        up_request = _up_request(request, environment, stack)
        if up_request is not None:
            up(replace(up_request, dry_run=True), deps=_for_people(deps))
    files = [str(file) for file in environment.files]
    return preview_server(server, deps.screen, services_of=files)


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


def _run_without_services(
    request: DevRequest, deps: Deps, problem: str, details: Sequence[str] = ()
) -> int:
    """Run the server alone, and say why if that was not asked for."""
    if problem:
        deps.screen.warn(f"the services are off: {problem}; the server runs without them")
    for line in details:
        deps.screen.note(f"  {line}")
    early_config.end()  # nobody waits for it, and the server may run for hours
    return run_server(with_services(request.server, request.services, deps, alone=True), deps=deps)


def _app_in_docker(request: DevRequest, environment: Environment, deps: Deps) -> ServerRequest:
    """Return the request for the app as a service of the dev stack.

    Compose in the foreground is then the server that is leased, watched and stopped.
    """
    if len(request.services.replaces) != 1:
        named = f"names {', '.join(request.services.replaces) or 'no service'}"
        raise UsageError(
            f"--in-docker needs exactly one service, and [server] replaces {named}",
            hint=Advice('write replaces = ["SERVICE"] into the settings, below [server]'),
        )
    service = request.services.replaces[0]
    stack = read_stack(deps.compose_on(environment).config((service,)).model)
    override = remapping.leased_override(
        service,
        _container_port(stack, service),
        request.server.host,
        compose_url_variables(request.services.templates),
    )
    file = MoveBook(deps.state, stack.project).keep_leased(service, override)
    compose = deps.compose_on(replace(environment, files=(*environment.files, file)))
    words = ["up", "--no-deps", "--no-log-prefix", "--exit-code-from", service]
    command = compose.argv(*words, "--timeout", str(_STOP_TIMEOUT), service)
    return replace(
        request.server, command=tuple(command), in_container=True, enforce="off", handover="none"
    )


def _stop_app(service: str, project: str, port: int, deps: Deps) -> None:
    """Stop the app's container if Compose ended before it did: nobody has the lease any more."""
    try:
        engine = deps.engine()
        control = engine.control()
        for container in of_services(engine.containers(), project, (service,)):
            if port not in {endpoint.port for endpoint in container.published}:
                continue
            if control is None:
                command = shell_command("docker", "stop", container.name)
                deps.screen.warn(f"container {container.name} still runs; to stop it: {command}")
            else:
                control.stop_container(container.id, grace=0)
                deps.screen.note(f"stopped container {container.name}")
    except DartsctlError as error:
        deps.screen.warn(f"{service} may still run in its container: {error.message}")


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
    wanted = host_services(stack, request.services.replaces)
    if not wanted:
        return None  # to `up`, no name means every service
    remapped = frozenset[str]()
    if not request.in_docker:
        remapped = frozenset(request.services.services).intersection(stack.services)
    if len(wanted) == len(stack.services):
        wanted = ()
    return UpRequest(
        environment,
        Intent(services=wanted),
        wait_timeout=request.wait_timeout,
        settling_time=request.settling_time,
        next_command="dartsctl dev --in-docker" if request.in_docker else "dartsctl dev",
        answers=replace(request.answers, remap_by_itself=remapped),
    )


def _for_people(deps: Deps) -> Deps:
    """Return the dependencies with a screen that prints no JSON: stdout is the server's."""
    return replace(deps, screen=deps.screen.for_people())
