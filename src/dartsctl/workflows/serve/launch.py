"""The start of a server on its leased port: its command line, environment and descriptors."""

from __future__ import annotations

from dartsctl.edges.project import guards
from dartsctl.edges.supervisor.client import SupervisedServer
from dartsctl.records import record
from dartsctl.server.command_line import fill_placeholders
from dartsctl.server.handover import Handover, plan_handover
from dartsctl.server.request import ServerRequest, base_environment, server_environment
from dartsctl.server.urls import url_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dartsctl.edges.state.leases import LeaseBook
    from dartsctl.workflows.serve.lease import LeasedPort


@record
class Launch:
    """A server's command line and environment, with the placeholders filled in.

    `handed`: it takes the leased port's bound socket. `restart_on`: the exit code with which it
    asks to be started again.
    """

    command: tuple[str, ...]
    url: str
    environment: dict[str, str]
    handed: bool
    restart_on: int | None


def plan_launch(request: ServerRequest, leased: LeasedPort, leases: LeaseBook) -> Launch:
    """Return how the server is started on the leased port."""
    url = url_of(request.host, leased.port, request.url_host)
    values = {"port": str(leased.port), "host": request.host, "url": url, "python": request.python}
    command = fill_placeholders(request.command, values)
    plan = _handover(request, command, leased)
    if plan is None:
        environment = _environment(request, values, {}, leases)
        return Launch(command, url, environment, handed=False, restart_on=None)
    if leased.listener is not None:
        values["fd"] = str(leased.listener.fileno())
    environment = _environment(request, values, plan.variables, leases)
    command = fill_placeholders(plan.command, values)
    return Launch(command, url, environment, handed=True, restart_on=plan.restart_on)


def start(
    request: ServerRequest, launch: Launch, leased: LeasedPort, claims: Sequence[int]
) -> SupervisedServer:
    """Start the supervisor. It inherits the lease, the socket and `claims`; `leased` is closed.

    Raises DartsctlError if it cannot be started.
    """
    closed_ports = request.allocation.owners if request.enforce == "auto" else ()
    try:
        return SupervisedServer(
            launch.command,
            directory=request.directory,
            environment=launch.environment,
            descriptors=_descriptors(leased, claims, handed=launch.handed),
            closed_ports=closed_ports,
            restart_on=launch.restart_on,
        )
    finally:
        leased.close()


def _handover(
    request: ServerRequest, command: tuple[str, ...], leased: LeasedPort
) -> Handover | None:
    """Return how the server takes the bound socket.

    If it takes none after all, the socket is closed and the server binds the port itself.
    """
    if leased.listener is None:
        return None
    plan = plan_handover(command, mode=request.handover, host=request.host, port=leased.port)
    if plan is None:
        leased.listener.close()
    return plan


def _environment(
    request: ServerRequest,
    values: Mapping[str, str],
    variables: Mapping[str, str],
    leases: LeaseBook,
) -> dict[str, str]:
    """Return the server's environment. `variables` tell it of a bound socket."""
    if request.in_container:
        # Compose reads the env files itself, and would use PORT and FLASK_HOST in its files
        addresses = {"DARTSCTL_PORT": values["port"], "DARTSCTL_URL": values["url"]}
        # its menu would read Ctrl-C as a key, and nobody else would notice it
        return {**request.environment, **addresses, "COMPOSE_MENU": "false"}
    port = int(values["port"])
    environment = server_environment(
        base_environment(request),
        port=port,
        host=request.host,
        port_variables=request.port_variables,
        extra=_filled(request.extra, values),
    )
    environment.update(_filled(variables, values))
    if request.enforce not in ("auto", "hook"):
        return environment
    return guards.guarded_environment(
        environment,
        owners=request.allocation.owners,
        leased=port,
        report=leases.report_path(port),
    )


def _filled(variables: Mapping[str, str], values: Mapping[str, str]) -> dict[str, str]:
    return dict(zip(variables, fill_placeholders(tuple(variables.values()), values), strict=True))


def _descriptors(leased: LeasedPort, claims: Sequence[int], *, handed: bool) -> list[int]:
    descriptors = [leased.lease.descriptor, *claims]
    if handed and leased.listener is not None:
        descriptors.append(leased.listener.fileno())
    return descriptors
