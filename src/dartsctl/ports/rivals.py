"""`ports` entries of one stack that exclude each other, and entries that a later file appended."""

from __future__ import annotations

from dartsctl.ports.availability import Reason
from dartsctl.ports.holders import RivalBinding
from dartsctl.records import record
from dartsctl.stack import blocks
from dartsctl.stack.bindings import ANY_IPV4, ANY_IPV6, Endpoint, normal_address
from dartsctl.stack.port_index import PortIndex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from dartsctl.ports.conflicts import Conflict
    from dartsctl.stack.model import PortEntry, Service, Stack
    from dartsctl.stack.port_origins import PortOrigins


@record
class PortWish:
    """An entry of a service's `ports`, and the file that it comes from, if that is known."""

    service: str
    entry: PortEntry
    file: Path | None = None

    @property
    def text(self) -> str:
        """The entry as a Compose file writes it: `127.0.0.1:8080:80`, `53:53/udp`."""
        return str(self.entry).removesuffix("/tcp")

    def excludes(self, other: PortWish) -> bool:
        """Return whether the host cannot have both."""
        mine, theirs = self.entry, other.entry
        if mine.protocol != theirs.protocol or mine.is_ephemeral or theirs.is_ephemeral:
            return False
        if mine.span[0] > theirs.span[1] or theirs.span[0] > mine.span[1]:
            return False
        return any(
            left.excludes(right) for left in _endpoints(mine) for right in _endpoints(theirs)
        )


def _endpoints(entry: PortEntry) -> list[Endpoint]:
    """Return the addresses of an entry, all with one number."""
    addresses: tuple[str, ...] = (ANY_IPV4, ANY_IPV6)
    if entry.host_ip and "%" not in entry.host_ip:
        addresses = (normal_address(entry.host_ip),)
    return [Endpoint(0, address, entry.protocol) for address in addresses]


def is_within_stack(conflict: Conflict) -> bool:
    """Return whether nobody but the stack itself is in the way."""
    is_own = all(isinstance(holder, RivalBinding) for holder in conflict.holders)
    return is_own and (bool(conflict.holders) or conflict.reason is Reason.SAME_STACK)


def has_rivals(conflict: Conflict) -> bool:
    """Return whether the stack itself is in the way, perhaps beside others."""
    return any(isinstance(holder, RivalBinding) for holder in conflict.holders)


def wishes_of(service: Service, origins: PortOrigins) -> list[PortWish]:
    """Return the entries of a service; many in a row from one file are one."""
    by_file: dict[Path | None, list[PortEntry]] = {}
    for entry in service.ports:
        by_file.setdefault(origins.of(service.name, entry), []).append(entry)
    wishes: list[PortWish] = []
    for file, entries in by_file.items():
        wishes += [PortWish(service.name, entry, file) for entry in blocks.fold(entries)]
    return wishes


class Wishes:
    """The entries of a stack, by their numbers: made once, for any number of conflicts."""

    def __init__(self, stack: Stack, origins: PortOrigins) -> None:
        self._stack = stack
        self._origins = origins
        self._placed: dict[str, tuple[list[PortWish], PortIndex]] = {}

    def rivals_in(self, conflict: Conflict) -> tuple[PortWish, ...]:
        """Return the entries of the stack that exclude each other in this conflict."""
        names = {conflict.binding.service: None}
        for holder in conflict.holders:
            if isinstance(holder, RivalBinding):
                names[holder.service] = None
        binding = conflict.binding
        near: list[PortWish] = []
        for name in names:
            wishes, index = self._of(name)
            places = index.meeting(binding.protocol, binding.first, binding.last)
            near += [wishes[place] for place in places]
        index = _index(near)
        return tuple(wish for wish in near if self._has_rival(wish, near, index))

    def _of(self, name: str) -> tuple[list[PortWish], PortIndex]:
        """Return the entries of a service that have a number, and where they are."""
        if name not in self._placed:
            wishes = wishes_of(self._stack.services[name], self._origins)
            numbered = [wish for wish in wishes if not wish.entry.is_ephemeral]
            self._placed[name] = numbered, _index(numbered)
        return self._placed[name]

    def _has_rival(self, wish: PortWish, near: Sequence[PortWish], index: PortIndex) -> bool:
        if self._stack.services[wish.service].replicas > 1:
            return True
        others = [near[place] for place in index.meeting(*_span(wish))]
        return any(other is not wish and wish.excludes(other) for other in others)


def _index(wishes: Iterable[PortWish]) -> PortIndex:
    return PortIndex(map(_span, wishes))


def _span(wish: PortWish) -> tuple[str, int, int]:
    return wish.entry.protocol, *wish.entry.span


@record
class Appended:
    """A service whose entries come from several files, and what it should publish instead.

    `wanted` is the list without those entries of earlier files that the latest one replaces.
    """

    service: str
    earlier: tuple[Path, ...]
    file: Path
    """The latest file: `ports: !override` belongs there."""
    wanted: tuple[PortWish, ...]


def appended(service: Service, rivals: Sequence[PortWish], origins: PortOrigins) -> Appended | None:
    """Return how `rivals` of one service came together from several files, None if they did not."""
    files = _files_of(service.name, rivals, origins)
    if len(files) < 2:
        return None
    replaced = set(_replaced(rivals, origins))
    wanted = tuple(wish for wish in wishes_of(service, origins) if wish not in replaced)
    return Appended(service.name, tuple(files[:-1]), files[-1], wanted)


def appending_file(service: str, rivals: Iterable[PortWish], origins: PortOrigins) -> Path | None:
    """Return the latest of several files that the `rivals` of one service come from.

    None if they did not come from several ones.
    """
    files = _files_of(service, rivals, origins)
    return files[-1] if len(files) > 1 else None


def _files_of(service: str, rivals: Iterable[PortWish], origins: PortOrigins) -> list[Path]:
    """Return the files that the `rivals` of one service come from, in their order."""
    files: set[Path] = set()
    for wish in rivals:
        if wish.service == service and wish.file:
            files.add(wish.file)
    return sorted(files, key=origins.files.index)


def _replaced(rivals: Sequence[PortWish], origins: PortOrigins) -> Iterator[PortWish]:
    """Yield the entries for whose container or host port a later file has another entry."""
    index = _index(rivals)
    of_target: dict[tuple[str, object], list[PortWish]] = {}
    for wish in rivals:
        of_target.setdefault((wish.service, _target(wish)), []).append(wish)
    latest: dict[tuple[str, object], PortWish] = {}
    for target, wishes in of_target.items():
        latest[target] = max(wishes, key=lambda wish: _rank(wish.file, origins))
    for wish in rivals:
        near = [rivals[place] for place in index.meeting(*_span(wish))]
        others = [other for other in near if other.service == wish.service and wish.excludes(other)]
        others.append(latest[wish.service, _target(wish)])
        if any(origins.is_later(other.file, wish.file) for other in others):
            yield wish


def _rank(file: Path | None, origins: PortOrigins) -> int:
    """Return a file's place in the order of merging, below all others if it is not known."""
    if file is None:
        return -1
    return origins.files.index(file)


def _target(wish: PortWish) -> tuple[int, int, str]:
    """Return which port of the container an entry publishes."""
    return wish.entry.target, wish.entry.count, wish.entry.protocol


def surplus(service: Service, origins: PortOrigins) -> Iterator[tuple[PortWish, ...]]:
    """Yield entries that publish one container port on several host ports, from several files.

    They do not exclude each other, but the later file hardly meant to add one.
    """
    by_target: dict[tuple[int, int, str], list[PortWish]] = {}
    for wish in wishes_of(service, origins):
        if not wish.entry.is_ephemeral:
            by_target.setdefault(_target(wish), []).append(wish)
    for wishes in by_target.values():
        files = {wish.file for wish in wishes}
        numbers = {wish.entry.published for wish in wishes}
        if len(numbers) > 1 and len(files) > 1 and None not in files:
            yield tuple(wishes)


def may_have_surplus(stack: Stack) -> bool:
    """Return whether a service publishes one container port on several host ports at all."""
    for service in stack.services.values():
        published: dict[tuple[int, str], set[str]] = {}
        for entry in service.ports:
            if not entry.is_ephemeral:
                numbers = published.setdefault((entry.target, entry.protocol), set())
                numbers.add(entry.published)
        if any(len(numbers) > 1 for numbers in published.values()):
            return True
    return False
