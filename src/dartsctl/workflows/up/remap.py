"""The step that moves bindings of a stack to other host ports, and the one that finds the moves of an earlier time again."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from dartsctl.config.environment import Environment
from dartsctl.edges.state.moves import MoveBook
from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.ports import remapping
from dartsctl.ports.cases import Case
from dartsctl.ports.collisions import NameTaken
from dartsctl.ports.listeners import Probe
from dartsctl.ports.remapping import AnyMove, Move, NameMove
from dartsctl.stack.bindings import Endpoint, PortBinding, TransportProtocol
from dartsctl.stack.model import read_stack
from dartsctl.workflows.deps import Deps
from dartsctl.workflows.host import Host
from dartsctl.workflows.up.preflight import Preflight


def book_of(environment: Environment, deps: Deps) -> MoveBook:
    """The moves of an environment's project."""
    return MoveBook(deps.state, environment.project or environment.name)


def with_kept_moves(environment: Environment, *, deps: Deps, dry_run: bool = False) -> Environment:
    """The environment with the override of an earlier time, where its moves still fit the files; production never has one.

    On a dry run the override that Compose is given is a temporary file, and the book stays as it is.
    """
    screen = deps.screen
    book = book_of(environment, deps)
    moves = () if environment.is_production else book.read()
    if not moves:
        return environment
    model = read_stack(deps.compose_on(environment).config().model)
    fitting = remapping.still_fit(moves, model.services)
    if not fitting:
        screen.note("the Compose files have changed: their own ports and names count again")
        return environment
    text = remapping.override(model, fitting)
    override = _draft(book, text) if dry_run else book.keep(fitting, text)
    for move in fitting:
        screen.note(
            f"{move.service}: {_kept(move)} (dartsctl {environment.name} up --reset-ports returns to {move.old})"
        )
    return replace(environment, files=(*environment.files, override))


def _draft(book: MoveBook, text: str) -> Path:
    """Write an override for this call alone, outside of the state folder, and named as the real one."""
    folder = Path(tempfile.mkdtemp(prefix="dartsctl-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    path = folder / book.override.parent.name / book.override.name
    path.parent.mkdir()
    path.write_text(text, encoding="utf-8")
    return path


def _kept(move: AnyMove) -> str:
    if isinstance(move, NameMove):
        return f"the container name {move.old} is not used on this machine"
    return f"port {move.old} is {move.new} on this machine"


def move(
    cases: Sequence[Case],
    before: Preflight,
    plain: Environment,
    *,
    avoid: frozenset[int],
    deps: Deps,
) -> Environment:
    """Give every binding of `cases` a free number, every taken container name up, keep that, and return the environment with the override.

    `plain` is the environment without any override. Raises DartsctlError (3) where no number is free.
    """
    book = book_of(plain, deps)
    model = read_stack(deps.compose_on(plain).config().model)
    said = []
    fitting = remapping.still_fit(book.read(), model.services)
    names = [move for move in fitting if isinstance(move, NameMove)]
    for collision in (case.holder for case in cases if isinstance(case.holder, NameTaken)):
        service, name = collision.service, collision.container.name
        names.append(NameMove(service, name))
        said.append(
            f"{service}: its container is {before.stack.project}-{service}-1 here; {name} is another one's"
        )
    kept = {
        (move.service, move.target, move.protocol, move.old): move
        for move in fitting
        if isinstance(move, Move)
    }
    taken = set(avoid) | set(model.published_ports) | {move.new for move in kept.values()}
    for (service, target, protocol, old), addresses in _wanted(
        (conflict.binding for case in cases for conflict in case.conflicts), kept.values()
    ).items():
        is_free = functools.partial(_is_free, addresses, protocol, before, deps.host())
        new = remapping.choose(int(old.partition("-")[0]), is_free=is_free, avoid=taken)
        if new is None:
            raise DartsctlError(
                f"no free port is left for {service}",
                hint="free one, then try again",
                code=ExitCode.CONFLICT,
            )
        taken.add(new)
        kept[(service, target, protocol, old)] = Move(service, target, protocol, old, new)
        said.append(f"{service}: port {old} is published on {new} here")
    moves: tuple[AnyMove, ...] = (*names, *kept.values())
    override = book.keep(moves, remapping.override(model, moves))
    for sentence in said:  # not before it is true: the disk may be full
        deps.screen.warn(sentence)
    return replace(plain, files=(*plain.files, override))


def pin(before: Preflight, plain: Environment, *, deps: Deps) -> Environment | None:
    """Publish one free number instead of each range of which this engine may pick a busy one; None where there is nothing to pin.

    Only where one container wants the range: a number cannot be shared. Production keeps what its files say (it is told).
    """
    doubtful = [
        one.binding
        for one in before.verdicts.bindings
        if one.pinnable and before.stack.services[one.binding.service].replicas == 1
    ]
    if plain.is_production or not doubtful:
        return None
    book = book_of(plain, deps)
    model = read_stack(deps.compose_on(plain).config().model)
    moves = list(remapping.still_fit(book.read(), model.services))
    said = []
    for (service, target, protocol, old), addresses in _wanted(
        doubtful, [move for move in moves if isinstance(move, Move)]
    ).items():
        first, last = (int(number) for number in old.split("-"))
        is_free = functools.partial(_is_free, addresses, protocol, before, deps.host())
        number = next((port for port in range(first, last + 1) if is_free(port)), None)
        if number is not None:
            moves.append(Move(service, target, protocol, old, number))
            said.append(
                f"{service}: of {old} this engine might pick a busy number; published on {number}"
            )
    if not moves:
        return None
    override = book.keep(moves, remapping.override(model, moves))
    for sentence in said:
        deps.screen.note(sentence)
    return replace(plain, files=(*plain.files, override))


def _wanted(
    bindings: Iterable[PortBinding], kept: Iterable[Move]
) -> dict[tuple[str, int, TransportProtocol, str], tuple[str, ...]]:
    """What is to move, by (service, target, protocol, the files' own number), with every host address on which it is wanted: one number for all."""
    known = {(move.service, move.target, move.protocol, str(move.new)): move.old for move in kept}
    found: dict[tuple[str, int, TransportProtocol, str], tuple[str, ...]] = {}
    for binding in dict.fromkeys(single for wanted in bindings for single in wanted.singles()):
        moved = binding.service, binding.target, binding.protocol, binding.published
        old = known.get(moved, binding.published)
        key = (binding.service, binding.target, binding.protocol, old)
        found[key] = tuple(dict.fromkeys((*found.get(key, ()), *binding.addresses)))
    return found


def _is_free(
    addresses: Sequence[str], protocol: TransportProtocol, before: Preflight, host: Host, port: int
) -> bool:
    published = {one.port for container in before.containers for one in container.published}
    return port not in published and all(
        host.probe(Endpoint(port, address, protocol), udp_reuse_address=False) is Probe.FREE
        for address in addresses
    )
