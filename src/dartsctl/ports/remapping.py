"""Move a dev stack to other host ports, and to names of its own: the override file for Compose.

The override replaces the whole `ports:` of a service (`!override`, Compose 2.24 and newer). Lists
of several files are otherwise appended, and the old port would be published as well
(engine-rules.md#compose-config). A fixed name is reset (`!reset null`): Compose then makes one from
the project's. What is `external: true` is never moved.
"""

from __future__ import annotations

import json

from dartsctl.ports.moves import NameMove, SharedMove, name_moves, port_moves
from dartsctl.ports.shared import own_image, subnets_of
from dartsctl.records import replace
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from dartsctl.ports.moves import AnyMove, Move
    from dartsctl.ports.shared import SharedKind
    from dartsctl.stack.model import PortEntry, Service, Stack

OFFSET = 10000
FIRST, LAST = 16000, 31999
"""Where new numbers come from: above documented ports, below the kernel's client ports (32768)."""


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
    head = "# Written by dartsctl: ports and names that had to move on this machine."
    lines = [f"{head} `dartsctl dev up --reset-ports` returns to the files' own."]
    services: list[str] = []
    for name, service in sorted(stack.services.items()):
        if own := _service_lines(service, stack, moves):
            services += [f"  {json.dumps(name)}:", *own]
    if services:
        lines += ["services:", *services]
    lines += _resource_lines("volumes", stack.fixed_volumes, {"volume": "name"}, moves)
    resets: dict[SharedKind, str] = {"network": "name", "subnet": "ipam"}
    lines += _resource_lines("networks", stack.networks, resets, moves)
    return "\n".join(lines) + "\n"


def _service_lines(service: Service, stack: Stack, moves: Sequence[AnyMove]) -> list[str]:
    """What changes of one service."""
    lines: list[str] = []
    if any(move.service == service.name for move in name_moves(moves)):
        lines.append("    container_name: !reset null")
    images = {move.old: own_image(stack, move.key) for move in _shared(moves, "image")}
    if service.image in images:
        lines.append(f"    image: {json.dumps(images[service.image])}")
    if ports := [move for move in port_moves(moves) if move.service == service.name]:
        lines.append("    ports: !override")
        entries = [_entry(_moved(entry, ports)) for entry in service.ports]
        lines += [f"      - {json.dumps(entry)}" for entry in entries]
    keys = [move.key for move in _shared(moves, "subnet") if move.key in service.fixed_addresses]
    if keys:
        lines.append("    networks:")
    for key in keys:  # a `!reset` of one that is not there does nothing
        lines.append(f"      {json.dumps(key)}:")
        lines += [f"        {version}_address: !reset null" for version in ("ipv4", "ipv6")]
    return lines


def _resource_lines(
    section: str,
    keys: Iterable[str],
    resets: Mapping[SharedKind, str],
    moves: Sequence[AnyMove],
) -> list[str]:
    """What is reset of the volumes, or of the networks."""
    lines: list[str] = []
    for key in keys:
        own = [f"    {resets[kind]}: !reset null" for kind in resets if _has(moves, kind, key)]
        if own:
            lines += [f"  {json.dumps(key)}:", *own]
    return [f"{section}:", *lines] if lines else []


def _shared(moves: Iterable[AnyMove], kind: SharedKind) -> list[SharedMove]:
    return [move for move in moves if isinstance(move, SharedMove) and move.kind == kind]


def _has(moves: Iterable[AnyMove], kind: SharedKind, key: str) -> bool:
    return any(move.key == key for move in _shared(moves, kind))


_ON_THIS_HOST = regex(
    r"(?:\blocalhost|\b127\.0\.0\.1|\[::1\]|\bhost\.docker\.internal):(\d{1,5})\b"
)


def stale_addresses(stack: Stack, moves: Iterable[AnyMove]) -> Iterator[str]:
    """Yield each variable of a service that names a port of this host that has moved."""
    moved = {move.old: move for move in port_moves(moves)}
    for service in stack.services.values():
        for name, text in service.environment.items():
            for number in dict.fromkeys(_ON_THIS_HOST.findall(text)):
                if move := moved.get(number):
                    now = f"{move.service} has it as {move.new} here"
                    yield f"{service.name}: {name} still names port {number} of this host; {now}"


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


def still_fit(moves: Iterable[AnyMove], stack: Stack) -> tuple[AnyMove, ...]:
    """Return the moves whose entry in the files is still as it was when they were made."""
    return tuple(move for move in moves if _fits(move, stack))


def _fits(move: AnyMove, stack: Stack) -> bool:
    if isinstance(move, SharedMove):
        return _shared_fits(move, stack)
    service = stack.services.get(move.service)
    if service is None:
        return False
    if isinstance(move, NameMove):
        return service.container_name == move.old
    return any(
        (entry.target, entry.protocol, entry.published) == (move.target, move.protocol, move.old)
        for entry in service.ports
    )


def _shared_fits(move: SharedMove, stack: Stack) -> bool:
    match move.kind:
        case "volume":
            return stack.fixed_volumes.get(move.key) == move.old
        case "network":
            return stack.fixed_networks.get(move.key) == move.old
        case "subnet":
            return move.key in stack.networks and subnets_of(stack, move.key) == move.old
        case _:
            service = stack.services.get(move.key)
            return service is not None and service.is_built and service.image == move.old
