"""Move a dev service to another host port or container name: the override file for Compose.

The override replaces the whole `ports:` of a service (`!override`, Compose 2.24 and newer). Lists
of several files are otherwise appended, and the old port would be published as well
(engine-rules.md#compose-config).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dartsctl.stack.bindings import TransportProtocol
    from dartsctl.stack.model import PortEntry, Service, Stack

OFFSET = 10000
FIRST, LAST = 16000, 31999
"""Where new numbers come from: above documented ports, below the kernel's client ports (32768)."""


@dataclass(frozen=True, slots=True)
class Move:
    """One entry of a service's ports, published on `new` instead. `old` is what the files say."""

    service: str
    target: int
    protocol: TransportProtocol
    old: str
    new: int


@dataclass(frozen=True, slots=True)
class NameMove:
    """A service that gets Compose's default container name. `old` is what the files say."""

    service: str
    old: str


AnyMove = Move | NameMove


def port_moves(moves: Iterable[AnyMove]) -> list[Move]:
    """Return the moves that are of ports."""
    return [move for move in moves if isinstance(move, Move)]


def name_moves(moves: Iterable[AnyMove]) -> list[NameMove]:
    """Return the moves that are of container names."""
    return [move for move in moves if isinstance(move, NameMove)]


def choose(old: int, *, is_free: Callable[[int], bool], avoid: Iterable[int]) -> int | None:
    """Return a free number for what was published on `old`, None where there is none.

    It is the same number every time, as long as that is free.
    """
    taken = set(avoid)
    span = LAST - FIRST + 1
    start = (old + OFFSET - FIRST) % span
    for step in range(span):
        number = FIRST + (start + step) % span
        if number not in taken and is_free(number):
            return number
    return None


def override(stack: Stack, moves: Sequence[AnyMove]) -> str:
    """Return the text of the override file.

    Each moved service has all of its ports, the moved ones on their new numbers, or no container
    name.
    """
    by_service: dict[str, list[AnyMove]] = {}
    for move in moves:
        by_service.setdefault(move.service, []).append(move)
    head = "# Written by dartsctl: ports and container names that had to move on this machine."
    lines = [f"{head} `dartsctl dev up --reset-ports` returns to the files' own.", "services:"]
    for name, moved in sorted(by_service.items()):
        lines.append(f"  {json.dumps(name)}:")
        if name_moves(moved):
            lines.append("    container_name: !reset null")
        if ports := port_moves(moved):
            lines.append("    ports: !override")
            lines += [
                f"      - {json.dumps(_entry(_moved(entry, ports)))}"
                for entry in stack.services[name].ports
            ]
    return "\n".join(lines) + "\n"


def leased_override(service: str, target: int, host: str, environment: Mapping[str, str]) -> str:
    """Return the override for a service that is published on a leased port alone.

    Compose fills in DARTSCTL_PORT when it starts the service, so a lease that changes to another
    port needs no other file.
    """
    port = {"target": target, "protocol": "tcp", "mode": "ingress", "host_ip": host}
    published = json.dumps(port)[:-1] + ', "published": "${DARTSCTL_PORT}"}'
    lines = [
        "# Written by dartsctl: the app on its leased port (dartsctl dev --in-docker).",
        "services:",
        f"  {json.dumps(service)}:",
    ]
    lines += ["    ports: !override", f"      - {published}"]
    if environment:
        lines.append("    environment:")
        lines += [
            f"      {json.dumps(name)}: {json.dumps(text)}"
            for name, text in sorted(environment.items())
        ]
    return "\n".join(lines) + "\n"


def _moved(entry: PortEntry, moves: Sequence[Move]) -> PortEntry:
    for move in moves:
        if (move.target, move.protocol, move.old) == (
            entry.target,
            entry.protocol,
            entry.published,
        ):
            return replace(entry, published=str(move.new))
    return entry


def _entry(entry: PortEntry) -> dict[str, object]:
    """Compose's long form, as a JSON object. JSON is YAML."""
    shown: dict[str, object] = {
        "target": entry.target,
        "protocol": entry.protocol,
        "mode": "ingress",
    }
    if entry.published:
        shown["published"] = entry.published
    if entry.host_ip:
        shown["host_ip"] = entry.host_ip
    return shown


def still_fit(moves: Iterable[AnyMove], services: Mapping[str, Service]) -> tuple[AnyMove, ...]:
    """Return the moves whose entry in the files is still as it was when they were made."""
    return tuple(
        move for move in moves if move.service in services and _fits(move, services[move.service])
    )


def _fits(move: AnyMove, service: Service) -> bool:
    if isinstance(move, NameMove):
        return service.container_name == move.old
    return any(
        (entry.target, entry.protocol, entry.published) == (move.target, move.protocol, move.old)
        for entry in service.ports
    )
