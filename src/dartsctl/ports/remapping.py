"""Moving a dev service to another host port or container name, and the override file that tells Compose (DESIGN 4).

The override replaces the service's whole `ports:` (`!override`, Compose 2.24 and newer), because lists of several files are otherwise
appended, and the old port would be wanted as well (engine-rules.md#compose-config).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from dartsctl.stack.model import PortEntry, Service, Stack

OFFSET = 10000
FIRST, LAST = 16000, 31999
"""Where new numbers come from: above what anybody documents, below the kernel's own client ports (32768)."""


@dataclass(frozen=True, slots=True)
class Move:
    """One entry of a service's ports, and the number that it is published on instead. `old` is what the files say."""

    service: str
    target: int
    protocol: str
    old: str
    new: int


@dataclass(frozen=True, slots=True)
class NameMove:
    """A service that gets Compose's default container name; `old` is the `container_name` of the files."""

    service: str
    old: str


AnyMove = Move | NameMove


def choose(old: int, *, is_free: Callable[[int], bool], avoid: Iterable[int]) -> int | None:
    """A free number for what was published on `old`: the same every time as long as it is free. None when there is none."""
    taken = set(avoid)
    span = LAST - FIRST + 1
    start = (old + OFFSET - FIRST) % span
    for step in range(span):
        number = FIRST + (start + step) % span
        if number not in taken and is_free(number):
            return number
    return None


def override(stack: Stack, moves: Sequence[AnyMove]) -> str:
    """The override file's text: for each moved service all of its ports, the moved ones on their new numbers, or no container name."""
    by_service: dict[str, list[AnyMove]] = {}
    for move in moves:
        by_service.setdefault(move.service, []).append(move)
    head = "# Written by dartsctl: ports and container names that had to move on this machine."
    lines = [f"{head} `dartsctl dev up --reset-ports` returns to the files' own.", "services:"]
    for name, moved in sorted(by_service.items()):
        lines.append(f"  {json.dumps(name)}:")
        if any(isinstance(move, NameMove) for move in moved):
            lines.append("    container_name: !reset null")
        if ports := [move for move in moved if isinstance(move, Move)]:
            lines.append("    ports: !override")
            lines += [
                f"      - {json.dumps(_entry(_moved(entry, ports)))}"
                for entry in stack.services[name].ports
            ]
    return "\n".join(lines) + "\n"


def leased_override(service: str, target: int, host: str, environment: Mapping[str, str]) -> str:
    """The override file's text for a service that is published on a leased port alone, and knows its URL.

    Compose fills DARTSCTL_PORT in when it starts the service: a lease that moves on to another port needs no other file.
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
    """Compose's long form; JSON is YAML."""
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
    """Those of an earlier time whose entry still stands in the files as it was; the others have been overtaken by an edit."""
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
