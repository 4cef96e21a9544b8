"""Where a host server finds its services: `[server.env]` filled in, and what that leads to."""

from __future__ import annotations

from dartsctl.edges.host import sockets
from dartsctl.edges.project import env_files
from dartsctl.errors import DartsctlError
from dartsctl.records import field, record, replace
from dartsctl.server.request import base_environment
from dartsctl.server.service_targets import service_targets
from dartsctl.stack.addresses import (
    fill_templates,
    project_addresses,
    services_named_in,
    targets_named_in,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from dartsctl.server.request import ServerRequest
    from dartsctl.stack.addresses import ServiceAddress
    from dartsctl.stack.containers import Container
    from dartsctl.workflows.deps import Deps

_ENGINE_DEADLINE = 3.0
"""Seconds for the engine's list: a server starts without it too."""
_ENTRANCES = frozenset({80, 443})
"""Ports that no application has as its default for a service."""


@record
class ServiceLookup:
    """`[server.env]`, and the Compose project whose containers its placeholders mean."""

    project: str = ""
    templates: Mapping[str, str] = field(default_factory=dict)
    known: tuple[str, ...] | None = None
    """The services of the stack; None if its Compose files were not read."""
    replaces: tuple[str, ...] = ()
    """The services that the server stands in for."""

    @property
    def services(self) -> tuple[str, ...]:
        """The services whose addresses are asked for."""
        return tuple(sorted(services_named_in(self.templates.values())))


def with_services(
    request: ServerRequest, lookup: ServiceLookup, deps: Deps, *, alone: bool = False
) -> ServerRequest:
    """Return the request with `[server.env]` filled in from the containers that run.

    What is not set is said. `alone`: the services were not started, so it is also said where the
    server will look for them, because that may be production.

    Raises UsageError for a wrong placeholder.
    """
    containers, problem = _containers(lookup, deps, alone=alone)
    addresses = project_addresses(lookup.project, containers)
    environment = base_environment(request)
    filled, left_out = fill_templates(lookup.templates, addresses, lookup.known, environment)
    known: dict[str, str | None] = {**environment}
    # after the placeholders, so that a secret's text is never read as one
    extra = {name: env_files.interpolated(text, known) for name, text in filled.items()}
    request = replace(request, extra={**request.extra, **extra})
    _tell_left_out(left_out, lookup, request, deps, problem)
    if alone:
        _tell_where(request, lookup, addresses, deps)
    return request


def _containers(
    lookup: ServiceLookup, deps: Deps, *, alone: bool
) -> tuple[tuple[Container, ...], str]:
    """Return the engine's containers if they matter, and why they are not known."""
    if not lookup.services and not alone:
        return (), ""
    try:
        return deps.engine(deadline=_ENGINE_DEADLINE).containers(), ""
    except DartsctlError as error:
        return (), error.message


def _tell_left_out(
    left_out: Collection[str],
    lookup: ServiceLookup,
    request: ServerRequest,
    deps: Deps,
    problem: str,
) -> None:
    """Say which variables have no value, and what their services have in production."""
    environment = {**request.app_values, **base_environment(request)}
    unset = {name: text for name, text in lookup.templates.items() if name in left_out}
    for name in unset.keys() & environment.keys():
        del unset[name]
    if not unset:
        return
    services = services_named_in(unset.values())
    targets = targets_named_in(unset.values())
    claims = [
        f"; on this host, port {port} {request.allocation.claim(port)}"
        for port, owner in sorted(request.allocation.owners.items())
        if owner in services or port in targets
    ]
    state = "does not run, or publishes no such port"
    if problem:
        state = f"may or may not run ({problem})"
    deps.screen.warn(
        f"{', '.join(unset)} not set: {', '.join(sorted(services))} of {lookup.project} {state}; "
        f"the app's own default applies{''.join(claims)}"
    )


def _tell_where(
    request: ServerRequest,
    lookup: ServiceLookup,
    addresses: Mapping[str, tuple[ServiceAddress, ...]],
    deps: Deps,
) -> None:
    """Say where the server will look for its services, and which of that is production's."""
    own: set[int] = set()
    for places in addresses.values():
        own.update(place.port for place in places)
    production = {
        port: owner
        for port, owner in request.allocation.owners.items()
        if port not in own and owner not in lookup.replaces
    }
    variables = {**request.app_values, **base_environment(request), **request.extra}
    targets = service_targets(variables)
    names = {*request.app_values, *request.extra}
    if named := [target.shown for target in targets if target.name in names]:
        deps.screen.note(
            f"the dev services are not started; the app will look at {', '.join(named)}"
        )
    in_use = sockets.listening_ports(production)
    here = sockets.own_names()
    covered: set[int] = set()
    for target in targets:
        if target.port in production and target.is_on_this_host(here):
            covered.add(target.port)
            now = "it is in use now" if target.port in in_use else "nothing listens there now"
            claim = request.allocation.claim(target.port)
            deps.screen.warn(f"{target.shown}: on this host, port {target.port} {claim}; {now}")
    rest = in_use - covered - _ENTRANCES
    _tell_defaults({port: production[port] for port in rest}, deps)


def _tell_defaults(in_use: Mapping[int, str], deps: Deps) -> None:
    """Say which of production's ports the app's own defaults may lead to."""
    ports: list[str] = []
    for port, owner in sorted(in_use.items()):
        ports.append(f"{port} ({owner})" if owner else str(port))
    if ports:
        deps.screen.warn(
            "where no variable names a service, the app's own default applies; production's ports "
            f"in use on this host: {', '.join(ports)}"
        )
