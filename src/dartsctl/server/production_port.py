"""Production ports that a request for a server names: refused, or replaced by the leased port."""

from __future__ import annotations

from dartsctl.errors import Advice, Refused
from dartsctl.server.command_line import ports_named, with_port_placeholder
from dartsctl.text.masking import mask_command
from dartsctl.text.numbers import parse_digits
from dartsctl.text.phrases import shell_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dartsctl.server.request import FilePort, ServerRequest


def refuse_production(request: ServerRequest) -> None:
    """Refuse a production port that somebody has asked for.

    That is one in `--port`, in the caller's environment, in `[server.env]` or in the command. One
    that only stands in an env file is replaced: see `replaced_ports`.

    Raises:
        Refused: the message names the source, the hint how to start without it.
    """
    if request.port is not None:
        _refuse(request, request.port, "--port", _without_port(request))
    if request.in_container:
        return  # a container may listen on any port of its own
    for name, port in _port_values(request, request.environment):
        _refuse(request, port, f"{name} in the environment", f"unset {name}")
    for name, port in _port_values(request, request.extra):
        advice = Advice(f"remove {name} from [server.env]; dartsctl sets it to the leased port")
        _refuse(request, port, f"{name} in [server.env]", advice)
    for port, words, index in ports_named(request.command, request.port_variables):
        _refuse(request, port, f"`{words}` in the command", _with_placeholder(request, port, index))


def replaced_ports(request: ServerRequest) -> tuple[FilePort, ...]:
    """Return the production ports in env files that the leased port replaces.

    A variable that the caller exports hides the file's.
    """
    if request.in_container:
        return ()
    return tuple(
        named
        for named in request.file_ports
        if named.port in request.allocation.owners and named.name not in request.environment
    )


def replaced_note(replaced: Sequence[FilePort], instead: str) -> str:
    """Return the note about `replaced_ports`; `instead` is what the server uses."""
    places = " and ".join(f"{named.name}={named.port} in {named.origin}" for named in replaced)
    verb = "is a production port" if len(replaced) == 1 else "are production ports"
    return f"{places} {verb}: using {instead} instead"


def override_details(request: ServerRequest, port: int) -> tuple[str, ...]:
    """Return what explains that a server binds `port` in spite of its environment."""
    return tuple(
        f"{named.origin} has {named.name}={port}: an app that loads this file over its environment "
        "(load_dotenv with override=True) does not see the leased port"
        for named in replaced_ports(request)
        if named.port == port
    )


def _refuse(request: ServerRequest, port: int, source: str, hint: str) -> None:
    allocation = request.allocation
    if port not in allocation.owners:
        return
    raise Refused(
        f"port {port} ({source}) {allocation.claim(port)}; a host server must not take it",
        details=(
            "without a port number, dartsctl leases a free one",
            *allocation.how_to_change(port),
        ),
        hint=hint,
    )


def _port_values(request: ServerRequest, variables: Mapping[str, str]) -> Iterator[tuple[str, int]]:
    for name in request.port_variables:
        port = parse_digits(variables.get(name, "").strip())
        if port is not None:
            yield name, port


def _without_port(request: ServerRequest) -> str:
    """Return the command that starts the same server without `--port`."""
    if request.kind == "dev":
        return "dartsctl dev"
    return _run(request.command)


def _with_placeholder(request: ServerRequest, port: int, index: int) -> str:
    """Return how to start the server with `{port}` in place of the number."""
    if request.kind == "dev":
        return Advice(f"write {{port}} in place of {port} into [server] command")
    return _run(with_port_placeholder(request.command, port, index))


def _run(command: Sequence[str]) -> str:
    return shell_command("dartsctl", "run", "--", *mask_command(command))
