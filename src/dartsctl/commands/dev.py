"""`dev`: the services of the dev stack in Docker, and the server on the host, on a leased port.

The services stay when the server ends: `dartsctl dev down` stops them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from dartsctl.commands.up import UpRequest, up
from dartsctl.config.environment import Environment
from dartsctl.edges.state.moves import MoveBook
from dartsctl.errors import DartsctlError, DockerUnavailable, ExitCode, UsageError
from dartsctl.ports import remapping
from dartsctl.server.request import ServerRequest
from dartsctl.stack.addresses import (
    compose_url_variables,
    fill_templates,
    project_addresses,
    services_named_in,
)
from dartsctl.stack.model import Stack, read_stack
from dartsctl.workflows.deps import Deps
from dartsctl.workflows.up.preflight import Intent
from dartsctl.workflows.up.settle import Answers

_STOP_WITHIN = (
    4  # seconds that the container has to end: less than the supervisor's patience with Compose
)


@dataclass(frozen=True, slots=True)
class DevRequest:
    """`replaces` are the services that the server stands in for; `templates` is `[server.env]`. Without an environment there are no services."""

    environment: Environment | None
    server: ServerRequest
    replaces: tuple[str, ...] = ()
    templates: Mapping[str, str] = field(default_factory=dict)
    interpolate: Callable[[Mapping[str, str]], dict[str, str]] = dict
    """Fills the `${NAME:-default}` of the templates in, after the placeholders: what stands in a secret is never read as one."""
    required: bool = True
    """Whether the server is worth nothing without the services."""
    deadline: float = 120.0
    answers: Answers = field(default_factory=Answers)
    """How conflicts of the services are answered."""
    in_docker: bool = False
    """The server is the service that `replaces` names, in the dev stack, published on the leased port."""


def dev(
    request: DevRequest,
    *,
    serve: Callable[[ServerRequest], int],
    deps: Deps,
) -> int:
    """Services up, their addresses into the server's environment, the server started. Returns the server's own code.

    Raises UsageError where `in_docker` does not know which service is the app, and what `up` and `serve` raise.
    """
    if request.in_docker and request.environment is not None:
        app = _in_docker(request, request.environment, deps)
        _variables(replace(request, templates={}, required=True), deps)
        return serve(app)
    variables = request.interpolate(_variables(request, deps))
    return serve(replace(request.server, extra={**request.server.extra, **variables}))


def _variables(request: DevRequest, deps: Deps) -> dict[str, str]:
    """Bring the services up; the variables that lead to them. Where Docker is not to be had and they are optional, only the others, said loudly."""
    environment = request.environment
    if environment is None:
        return fill_templates(request.templates, {}, None, request.server.environment)[0]
    try:
        model = read_stack(deps.compose_on(environment).config().model)
        asked = _up_request(request, environment, model)
        code = (
            up(asked, deps=replace(deps, screen=deps.screen.for_people())) if asked else ExitCode.OK
        )
    except DockerUnavailable as error:
        if request.required:
            raise
        deps.screen.warn(f"the services are off: {error.message}. The server runs without them.")
        return fill_templates(request.templates, {}, None, request.server.environment)[0]
    if code is not ExitCode.OK:
        raise DartsctlError("the dev services did not come up", hint="dartsctl dev ps", code=code)
    where = project_addresses(model.project, deps.engine().containers())
    filled, left_out = fill_templates(
        request.templates, where, model.services, request.server.environment
    )
    if left_out:
        deps.screen.warn(
            f"{', '.join(left_out)} not set: their services are not running or publish nothing"
        )
    return filled


def preview_services(request: DevRequest, *, deps: Deps) -> None:
    """Say what bringing the services up would do, conflicts included, and do nothing. Raises as `up` does."""
    if request.environment is None:
        return
    model = read_stack(deps.compose_on(request.environment).config().model)
    if asked := _up_request(request, request.environment, model):
        up(replace(asked, dry_run=True), deps=replace(deps, screen=deps.screen.for_people()))


def _in_docker(request: DevRequest, environment: Environment, deps: Deps) -> ServerRequest:
    """The request for the app as a service of the dev stack: Compose in the foreground is the server that is leased, watched and stopped."""
    if len(request.replaces) != 1:
        named = f"names {', '.join(request.replaces)}" if request.replaces else "names no service"
        raise UsageError(
            f"--in-docker runs the one service that the server stands in for, and [server] replaces {named}",
            hint='replaces = ["SERVICE"]',
        )
    service = request.replaces[0]
    model = read_stack(deps.compose_on(environment).config((service,)).model)
    target = next(
        (entry.target for entry in model.services[service].ports if entry.protocol == "tcp"), None
    )
    if target is None:
        raise UsageError(
            f"{service} publishes no port in the dev stack",
            hint="give it one in its Compose file: ports: [127.0.0.1:15000:PORT]",
        )
    text = remapping.leased_override(
        service, target, request.server.host, compose_url_variables(request.templates)
    )
    override = MoveBook(deps.state, model.project).keep_leased(service, text)
    app = deps.compose_on(replace(environment, files=(*environment.files, override)))
    command = app.argv(
        "up",
        "--no-deps",
        "--no-log-prefix",
        "--exit-code-from",
        service,
        "--timeout",
        str(_STOP_WITHIN),
        service,
    )
    return replace(
        request.server, command=tuple(command), in_container=True, enforce="off", handover="none"
    )


def _up_request(request: DevRequest, environment: Environment, model: Stack) -> UpRequest | None:
    """The `up` of the services beside the server; None where the server stands in for all there are: no name means every service to `up`."""
    wanted = host_services(model, request.replaces)
    if not wanted:
        return None
    told = services_named_in(request.templates.values())
    answers = replace(request.answers, remap_by_itself=told & model.services.keys())
    services = () if len(wanted) == len(model.services) else wanted
    return UpRequest(
        environment,
        Intent(services=services),
        wait_timeout=request.deadline,
        next_command="dartsctl dev",
        answers=answers,
    )


def host_services(model: Stack, replaced: tuple[str, ...]) -> tuple[str, ...]:
    """The services that are started beside a host server: not those that it stands in for, nor what needs one of them to start."""
    out = set(replaced)
    while more := {
        name
        for name, service in model.services.items()
        if name not in out and out & set(service.depends_on)
    }:
        out |= more
    return tuple(name for name in model.services if name not in out)
