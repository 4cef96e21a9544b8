"""What is said about `ports` entries of one stack that exclude each other, and how to change them.

Nobody can free such a port: one of the Compose files has to change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.config.check_command import typed
from dartsctl.ports import rivals
from dartsctl.ports.holders import RivalBinding

if TYPE_CHECKING:
    from dartsctl.ports.conflicts import Conflict
    from dartsctl.ports.rivals import Appended, PortWish
    from dartsctl.stack.model import Stack
    from dartsctl.stack.port_origins import PortOrigins
    from dartsctl.workflows.preflight.preflight import Preflight

_MOST_ENTRIES = 30
"""Entries that a snippet shows at most."""


def holder_lines(conflict: Conflict, stack: Stack, origins: PortOrigins) -> list[str]:
    """Return one line for each holder, and for each entry of the stack that is in the way."""
    wishes: tuple[PortWish, ...] = ()
    if rivals.has_rivals(conflict):
        wishes = rivals.rivals_in(conflict, stack, origins)
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
    lines: dict[str, None] = {}
    for name, own in of_service.items():
        if change := rivals.appended(stack.services[name], own, origins):
            lines |= dict.fromkeys(_override_lines(change))
            groups = [group for group in groups if any(wish.service != name for wish in group)]
    for group in groups:
        lines[_other_remedy(group, stack, origins)] = None
    return list(lines)


def files_to_change(preflight: Preflight) -> str:
    """Return the files in which the conflicts of the stack with itself can be settled."""
    origins = preflight.port_origins
    places: dict[str, None] = {}
    for wishes in _rivals_of(preflight):
        for wish in wishes:
            change = rivals.appended(preflight.stack.services[wish.service], wishes, origins)
            places[_place(change.file if change else wish.file, origins)] = None
    return _listed(places, "or") if places else "the Compose files"


def _rivals_of(preflight: Preflight) -> Iterator[tuple[PortWish, ...]]:
    for conflict in preflight.verdicts.conflicts:
        wishes = rivals.rivals_in(conflict, preflight.stack, preflight.port_origins)
        if wishes and rivals.has_rivals(conflict):
            yield wishes


def _override_lines(change: Appended) -> list[str]:
    """Return the lines that replace the earlier entries, for the file that appended to them."""
    file = typed(change.file)
    earlier = _listed(typed(path) for path in change.earlier)
    why = f"Compose adds the `ports` of {file} to those of {earlier}"
    lines = [
        f"{why}; to replace them, write in {file} (Compose 2.24.4 or newer):",
        "  services:",
        f"    {change.service}:",
        "      ports: !override",
    ]
    lines += [f'        - "{wish.text}"' for wish in change.wanted[:_MOST_ENTRIES]]
    if len(change.wanted) > _MOST_ENTRIES:
        lines.append("        # and the other entries")
    return lines


def _other_remedy(wishes: Iterable[PortWish], stack: Stack, origins: PortOrigins) -> str:
    services = sorted({wish.service for wish in wishes})
    files = _listed(sorted({_place(wish.file, origins) for wish in wishes}), "or")
    if len(services) > 1:
        return f"give {_listed(services, 'or')} another host port, in {files}"
    if stack.services[services[0]].replicas > 1:
        return f"publish a range of host ports for {services[0]}, in {files}, or run one replica"
    return f"keep only one of these `ports` of {services[0]}, in {files}"


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
