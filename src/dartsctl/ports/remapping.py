"""Move a dev stack to other host ports, and to names of its own: the override file for Compose.

The override replaces the whole `ports:` of a service (`!override`, Compose 2.24 and newer). Lists
of several files are otherwise appended, and the old port would be published as well
(engine-rules.md#compose-config). A fixed name is reset (`!reset null`): Compose then makes one from
the project's. What is `external: true` is never moved.
"""

from __future__ import annotations

import json

from dartsctl.ports.moves import Move, NameMove, SharedMove, port_moves
from dartsctl.ports.shared import own_image, subnets_of
from dartsctl.records import replace
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence

    from dartsctl.ports.moves import AnyMove
    from dartsctl.ports.shared import SharedKind
    from dartsctl.stack.bindings import TransportProtocol
    from dartsctl.stack.model import PortEntry, Service, Stack

OFFSET = 10000
FIRST, LAST = 16000, 31999
"""Where new numbers come from: above documented ports, below the kernel's client ports (32768)."""


def choose(old: int, *, is_free: Callable[[int], bool], avoid: Container[int]) -> int | None:
    """Return a free number for what was published on `old`, None where there is none.

    It is the same number every time, as long as that is free.
    """
    span = LAST - FIRST + 1
    start = (old + OFFSET - FIRST) % span
    for step in range(span):
        number = FIRST + (start + step) % span
        if number not in avoid and is_free(number):
            return number
    return None


def override(stack: Stack, moves: Sequence[AnyMove]) -> str:
    """Return the text of the override file.

    Each moved service has all of its ports, the moved ones on their new numbers, or no container
    name.
    """
    head = "# Written by dartsctl: ports and names that had to move on this machine."
    lines = [f"{head} `dartsctl dev up --reset-ports` returns to the files' own."]
    changes = _Changes(moves, stack)
    services: list[str] = []
    for name, service in sorted(stack.services.items()):
        if own := _service_lines(service, changes):
            services += [f"  {json.dumps(name)}:", *own]
    if services:
        lines += ["services:", *services]
    lines += _resource_lines("volumes", stack.fixed_volumes, {"volume": "name"}, changes)
    resets: dict[SharedKind, str] = {"network": "name", "subnet": "ipam"}
    lines += _resource_lines("networks", stack.networks, resets, changes)
    return "\n".join(lines) + "\n"


class _Changes:
    """Moves by the services and resources that they change."""

    def __init__(self, moves: Iterable[AnyMove], stack: Stack) -> None:
        self.unnamed: set[str] = set()
        """The services that lose their container name."""
        self.images: dict[str, str] = {}
        """The new name of each image."""
        self.shared: dict[SharedKind, dict[str, None]] = {}
        """The keys of what the stack gets for itself."""
        self._ports: dict[tuple[str, int, TransportProtocol, str], Move] = {}
        self.renumbered: set[str] = set()
        """The services of which a port moves."""
        for move in moves:
            if isinstance(move, NameMove):
                self.unnamed.add(move.service)
            elif isinstance(move, Move):
                self.renumbered.add(move.service)
                self._ports.setdefault((move.service, move.target, move.protocol, move.old), move)
            else:
                self.shared.setdefault(move.kind, {})[move.key] = None
                if move.kind == "image":
                    self.images[move.old] = own_image(stack, move.key)

    def ports(self, service: Service) -> list[PortEntry]:
        """Return all ports of a service, those that move on their new numbers."""
        entries: list[PortEntry] = []
        for entry in service.ports:
            move = self._ports.get((service.name, entry.target, entry.protocol, entry.published))
            entries.append(replace(entry, published=str(move.new)) if move else entry)
        return entries

    def has(self, kind: SharedKind, key: str) -> bool:
        return key in self.shared.get(kind, ())


def _service_lines(service: Service, changes: _Changes) -> list[str]:
    """What changes of one service."""
    lines: list[str] = []
    if service.name in changes.unnamed:
        lines.append("    container_name: !reset null")
    if service.image in changes.images:
        lines.append(f"    image: {json.dumps(changes.images[service.image])}")
    if service.name in changes.renumbered:
        lines.append("    ports: !override")
        lines += [f"      - {json.dumps(_entry(entry))}" for entry in changes.ports(service)]
    keys = [key for key in changes.shared.get("subnet", ()) if key in service.fixed_addresses]
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
    changes: _Changes,
) -> list[str]:
    """What is reset of the volumes, or of the networks."""
    lines: list[str] = []
    for key in keys:
        own = [f"    {resets[kind]}: !reset null" for kind in resets if changes.has(kind, key)]
        if own:
            lines += [f"  {json.dumps(key)}:", *own]
    return [f"{section}:", *lines] if lines else []


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
    files = _Files(stack)
    return tuple(move for move in moves if files.have(move))


class _Files:
    """What the files of a stack say now, as moves name it."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._volumes = stack.fixed_volumes
        self._networks = stack.fixed_networks
        self._ports: set[tuple[str, int, TransportProtocol, str]] = set()
        for service in stack.services.values():
            for entry in service.ports:
                self._ports.add((service.name, entry.target, entry.protocol, entry.published))

    def have(self, move: AnyMove) -> bool:
        """Return whether the files still say what has moved."""
        if isinstance(move, SharedMove):
            return self._have_shared(move)
        if isinstance(move, Move):
            return (move.service, move.target, move.protocol, move.old) in self._ports
        service = self._stack.services.get(move.service)
        return service is not None and service.container_name == move.old

    def _have_shared(self, move: SharedMove) -> bool:
        stack = self._stack
        match move.kind:
            case "volume":
                return self._volumes.get(move.key) == move.old
            case "network":
                return self._networks.get(move.key) == move.old
            case "subnet":
                return move.key in stack.networks and subnets_of(stack, move.key) == move.old
            case _:
                service = stack.services.get(move.key)
                return service is not None and service.is_built and service.image == move.old
