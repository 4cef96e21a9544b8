"""Which Compose file each `ports` entry of a stack comes from.

Compose appends the `ports` of a later file to those of the earlier ones. Its model does not say
which entry came from where. So it is asked for the first file, the first two files and so on: an
entry comes from the file with which it appears.
"""

from __future__ import annotations

from dartsctl.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from dartsctl.stack.model import PortEntry, Stack


@record
class PortOrigins:
    """The files that were merged, in order, and the one of each entry, as far as it is known."""

    files: tuple[Path, ...] = ()
    _by_entry: Mapping[tuple[str, PortEntry], Path] = field(default_factory=dict)
    composite: frozenset[Path] = frozenset()
    """The files that include or extend others: their entries may stand there."""

    def of(self, service: str, entry: PortEntry) -> Path | None:
        """Return the file that adds `entry` to `service`, None where it is not known."""
        return self._by_entry.get((service, entry))

    def is_later(self, file: Path | None, other: Path | None) -> bool:
        """Return whether `file` is merged over `other`."""
        if file is None or other is None:
            return False
        return self.files.index(file) > self.files.index(other)


def trace(
    stack: Stack,
    files: Sequence[Path],
    partial: Sequence[Stack | None],
    composite: frozenset[Path] = frozenset(),
) -> PortOrigins:
    """Return the origin of every entry of `stack`, which is made of `files`.

    `partial` are the stacks of the first file, the first two and so on, without that of all files;
    None where Compose cannot read these files without the others.
    """
    origins: dict[tuple[str, PortEntry], Path] = {}
    for service in stack.services.values():
        before = [_entries(part, service.name) for part in partial]
        for entry in service.ports:
            file = _origin(entry, files, before)
            if file is not None:
                origins[service.name, entry] = file
    return PortOrigins(tuple(files), origins, composite)


def _entries(stack: Stack | None, service: str) -> frozenset[PortEntry] | None:
    if stack is None:
        return None
    if service not in stack.services:
        return frozenset()
    return frozenset(stack.services[service].ports)


def _origin(
    entry: PortEntry, files: Sequence[Path], before: Sequence[frozenset[PortEntry] | None]
) -> Path | None:
    """Return the first of the files from which on the entry is always there."""
    origin = len(files) - 1
    for position in range(len(before) - 1, -1, -1):
        entries = before[position]
        if entries is None:
            return None
        if entry not in entries:
            break
        origin = position
    return files[origin]
