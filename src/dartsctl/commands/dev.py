"""`dev`: the services of the dev stack in Docker, and the server on the host, on a leased port.

The services stay when the server ends: `dartsctl dev down` stops them.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from dartsctl import addresses, stack
from dartsctl.commands.obstacles import Answers
from dartsctl.commands.preflight import Intent, engine_at
from dartsctl.commands.up import UpRequest, up
from dartsctl.edges.docker import Compose
from dartsctl.edges.engine import endpoint
from dartsctl.edges.output import Screen
from dartsctl.edges.prompts import Prompts
from dartsctl.environment import Environment
from dartsctl.errors import DartsctlError, DockerUnavailable, ExitCode
from dartsctl.serving import ServerRequest
from dartsctl.stack import Stack


@dataclass(frozen=True, slots=True)
class DevRequest:
    """`replaces` are the services that the server stands in for; `templates` is `[server.env]`. Without an environment there are no services."""

    environment: Environment | None
    server: ServerRequest
    replaces: tuple[str, ...] = ()
    templates: Mapping[str, str] | None = None
    required: bool = True
    """Whether the server is worth nothing without the services."""
    deadline: float = 120.0
    answers: Answers = field(default_factory=Answers)
    """How conflicts of the services are answered."""


def dev(
    request: DevRequest, *, compose: Callable[[Environment], Compose], prompts: Prompts, serve: Callable[[ServerRequest], int], screen: Screen
) -> int:
    """Services up, their addresses into the server's environment, the server started. Returns the server's own code."""
    variables = _services(request, compose, prompts, screen) if request.environment else {}
    return serve(replace(request.server, extra={**request.server.extra, **variables}))


def _services(request: DevRequest, compose: Callable[[Environment], Compose], prompts: Prompts, screen: Screen) -> dict[str, str]:
    """Bring the services up; the variables that lead to them. Where Docker is not to be had and they are optional, none, said loudly."""
    environment = request.environment
    if environment is None:
        return {}
    try:
        own = compose(environment)
        model = stack.read(own.config().model)
        code = up(_up_request(request, environment, model), compose_on=compose, prompts=prompts, screen=_on_stderr(screen))
    except DockerUnavailable as error:
        if request.required:
            raise
        screen.warn(f"the services are off: {error.message}. The server runs without them.")
        return {}
    if code is not ExitCode.OK:
        raise DartsctlError("the dev services did not come up", hint="dartsctl dev ps", code=code)
    where = addresses.of_project(model.project, engine_at(endpoint(os.environ)).containers())
    filled, left_out = addresses.fill(request.templates or {}, where, model.services, request.server.environment)
    if left_out:
        screen.warn(f"{', '.join(left_out)} not set: their services are not running or publish nothing")
    return filled


def _on_stderr(screen: Screen) -> Screen:
    """stdout is the server's: what `up` has to say goes to people alone."""
    return Screen(as_json=False, quiet=screen.quiet, verbose=screen.verbose, color=screen.color)


def _up_request(request: DevRequest, environment: Environment, model: Stack) -> UpRequest:
    wanted = host_services(model, request.replaces)
    told = addresses.services_named((request.templates or {}).values())
    answers = replace(request.answers, remap_by_itself=told & model.services.keys())
    services = () if len(wanted) == len(model.services) else wanted
    return UpRequest(environment, Intent(services=services), deadline=request.deadline, next_command="dartsctl dev", answers=answers)


def host_services(model: Stack, replaced: tuple[str, ...]) -> tuple[str, ...]:
    """The services that are started beside a host server: not those that it stands in for, nor what needs one of them to start."""
    out = set(replaced)
    while more := {name for name, service in model.services.items() if name not in out and out & set(service.depends_on)}:
        out |= more
    return tuple(name for name in model.services if name not in out)
