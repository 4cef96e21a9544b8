"""What is said about `ports` entries of one stack that exclude each other, and how to change them.

Nobody can free such a port: one of the Compose files has to change.
"""

from __future__ import annotations

from dartsctl.config.check_command import typed
from dartsctl.ports import rivals
from dartsctl.ports.holders import RivalBinding
from dartsctl.ports.rivals import Wishes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable, Iterator, Sequence
    from pathlib import Path

    from dartsctl.ports.conflicts import Conflict
    from dartsctl.ports.rivals import Appended, PortWish
    from dartsctl.stack.model import Stack
    from dartsctl.stack.port_origins import PortOrigins
    from dartsctl.workflows.preflight.preflight import Preflight

_MOST_ENTRIES = 30
"""Entries that a snippet shows at most."""


def holder_lines(
    conflict: Conflict, entries: Wishes, stack: Stack, origins: PortOrigins
) -> list[str]:
    """Return one line for each holder, and for each of the stack's entries that is in the way."""
    wishes: tuple[PortWish, ...] = ()
    if rivals.has_rivals(conflict):
        wishes = entries.rivals_in(conflict)
    others = [holder for holder in conflict.holders if not isinstance(holder, RivalBinding)]
    lines = [holder.line for holder in (others if wishes else conflict.holders)]
    for wish in wishes:
        who = f"service {wish.service}"
        replicas = stack.services[wish.service].replicas
        if replicas > 1:
            who = f"each of the {replicas} replicas of {who}"
        lines.append(f"wanted by {who}: {wish.text} [{_place(wish.file, origins)}]")
    return lines


def remedy_lines(preflight: Preflight) -> list[str]:
    """Return how to change the files, for every conflict of the stack with itself."""
    stack, origins = preflight.stack, preflight.port_origins
    groups = list(_rivals_of(preflight))
    of_service: dict[str, list[PortWish]] = {}
    for wishes in groups:
        for wish in wishes:
            of_service.setdefault(wish.service, []).append(wish)
    changes: list[Appended] = []
    for name, own in of_service.items():
        if change := rivals.appended(stack.services[name], own, origins):
            changes.append(change)
    lines = list(_override_lines(changes))
    overridden = {change.service for change in changes}
    others: dict[str, None] = {}
    for group in groups:
        others |= dict.fromkeys(_other_remedies(group, overridden, stack, origins))
    return [*lines, *others]


def files_to_change(preflight: Preflight) -> str:
    """Return the files in which the conflicts of the stack with itself can be settled."""
    origins = preflight.port_origins
    places: dict[str, None] = {}
    for wishes in _rivals_of(preflight):
        latest: dict[str, Path | None] = {}
        for wish in wishes:
            if wish.service not in latest:
                latest[wish.service] = rivals.appending_file(wish.service, wishes, origins)
            places[_place(latest[wish.service] or wish.file, origins)] = None
    return _listed(places, "or") if places else "the Compose files"


def _rivals_of(preflight: Preflight) -> Iterator[tuple[PortWish, ...]]:
    entries = Wishes(preflight.stack, preflight.port_origins)
    for conflict in filter(rivals.has_rivals, preflight.verdicts.conflicts):
        if wishes := entries.rivals_in(conflict):
            yield wishes


def _override_lines(changes: Iterable[Appended]) -> Iterator[str]:
    """Yield what replaces the earlier entries, once for each file that appended to others."""
    by_files: dict[tuple[Path, tuple[Path, ...]], list[Appended]] = {}
    for change in changes:
        by_files.setdefault((change.file, change.earlier), []).append(change)
    for (path, before), services in by_files.items():
        file, earlier = typed(path), _listed(typed(other) for other in before)
        why = f"Compose adds the `ports` of {file} to those of {earlier}"
        yield f"{why}; to replace them, write in {file} (Compose 2.24.4 or newer):"
        yield "  services:"
        for change in services:
            yield f"    {change.service}:"
            yield "      ports: !override"
            for wish in change.wanted[:_MOST_ENTRIES]:
                yield f'        - "{wish.text}"'
            if len(change.wanted) > _MOST_ENTRIES:
                yield "        # and the other entries"


def _other_remedies(
    wishes: Sequence[PortWish], overridden: Container[str], stack: Stack, origins: PortOrigins
) -> Iterator[str]:
    services = sorted({wish.service for wish in wishes})
    for name in services:
        own = [wish for wish in wishes if wish.service == name]
        if name in overridden:
            continue
        if stack.services[name].replicas > 1:
            where = _places(own, origins)
            yield f"publish a range of host ports for {name}, in {where}, or run one replica"
        elif any(wish is not other and wish.excludes(other) for wish in own for other in own):
            yield f"keep only one of these `ports` of {name}, in {_places(own, origins)}"
    if len(services) > 1:
        where = _places(wishes, origins)
        yield f"give {_listed(services, 'or')} another host port, in {where}"


def _places(wishes: Iterable[PortWish], origins: PortOrigins) -> str:
    return _listed(sorted({_place(wish.file, origins) for wish in wishes}), "or")


def _place(file: Path | None, origins: PortOrigins) -> str:
    if file is None:
        return "the Compose files"
    if file in origins.composite:
        return f"{typed(file)} or a file that it includes or extends"
    return str(typed(file))


def _listed(names: Iterable[object], word: str = "and") -> str:
    """`a`, `a and b`, `a, b and c`."""
    *first, last = map(str, names)
    return f"{', '.join(first)} {word} {last}" if first else last
