"""The step that moves bindings of a stack to other host ports, and the one that finds the moves of an earlier time again."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from dartsctl import remapping, stack
from dartsctl.bindings import Endpoint, PortBinding
from dartsctl.commands.host import Host
from dartsctl.commands.preflight import Intent, Preflight, look
from dartsctl.edges.docker import Compose
from dartsctl.edges.leases import state_folder
from dartsctl.edges.moves import MoveBook
from dartsctl.edges.output import Screen
from dartsctl.environment import Environment
from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.listeners import Probe
from dartsctl.remapping import Move
from dartsctl.cases import Case

ComposeOn = Callable[[Environment], Compose]


def book_of(environment: Environment) -> MoveBook:
    """The moves of an environment's project."""
    return MoveBook(state_folder(), environment.project or environment.name)


def with_kept_moves(environment: Environment, compose_on: ComposeOn, screen: Screen) -> Environment:
    """The environment with the override of an earlier time, where its moves still fit the files; production never has one."""
    book = book_of(environment)
    moves = () if environment.is_production else book.read()
    if not moves:
        return environment
    model = stack.read(compose_on(environment).config().model)
    fitting = remapping.still_fit(moves, model.services)
    if not fitting:
        book.forget()
        screen.note("the files have changed: their ports are the files' own again")
        return environment
    book.keep(fitting, remapping.override(model, fitting))
    for move in fitting:
        screen.note(
            f"{move.service}: port {move.old} is {move.new} on this machine (dartsctl {environment.name} up --reset-ports returns to {move.old})"
        )
    return replace(environment, files=(*environment.files, book.override))


def move(
    cases: Sequence[Case], before: Preflight, plain: Environment, compose_on: ComposeOn, *, avoid: frozenset[int], screen: Screen
) -> Environment:
    """Give every binding of `cases` a free number, keep that, and return the environment with the override.

    `plain` is the environment without any override. Raises DartsctlError (3) where no number is free.
    """
    book = book_of(plain)
    model = stack.read(compose_on(plain).config().model)
    kept = {(one.service, one.target, one.protocol, one.old): one for one in remapping.still_fit(book.read(), model.services)}
    taken = set(avoid) | set(model.published_ports) | {one.new for one in kept.values()}
    host = Host()
    for binding in dict.fromkeys(conflict.binding for case in cases for conflict in case.conflicts):
        old = next((one.old for one in kept.values() if _is(one, binding)), binding.published)
        new = remapping.choose(int(old.partition("-")[0]), is_free=lambda port, binding=binding: _is_free(binding, port, before, host), avoid=taken)  # type: ignore[misc]  # the default binds the loop's binding
        if new is None:
            raise DartsctlError(f"no free port is left for {binding.service}", hint="free one, or name another range", code=ExitCode.CONFLICT)
        taken.add(new)
        kept[(binding.service, binding.target, binding.protocol, old)] = Move(binding.service, binding.target, binding.protocol, old, new)
        screen.warn(f"{binding.service}: port {old} is published on {new} here")
    moves = tuple(kept.values())
    return replace(plain, files=(*plain.files, book.keep(moves, remapping.override(model, moves))))


def _is(move: Move, binding: PortBinding) -> bool:
    return (move.service, move.target, move.protocol, str(move.new)) == (binding.service, binding.target, binding.protocol, binding.published)


def _is_free(binding: PortBinding, port: int, before: Preflight, host: Host) -> bool:
    published = {one.port for container in before.containers for one in container.published}
    return port not in published and all(
        host.probe(Endpoint(port, address, binding.protocol), udp_reuse_address=False) is Probe.FREE for address in binding.addresses
    )


def look_again(environment: Environment, intent: Intent, compose_on: ComposeOn) -> Preflight:
    """A fresh preflight: nothing of an earlier look is believed."""
    return look(environment, intent, compose=compose_on(environment), host=Host())
