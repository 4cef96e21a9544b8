"""Remapped ports and names of a dev stack on this machine, saved for the next `up`."""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, contextmanager, suppress

from dartsctl.edges.state.folder import open_state, parse_json, write_errors_as
from dartsctl.ports.moves import AnyMove, Move, NameMove, SharedMove
from dartsctl.records import as_dict
from dartsctl.stack.bindings import parse_protocol
from dartsctl.system.files import PRIVATE_FOLDER, Folder, ForeignFile, UnsafeFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

_FOLDER = "overrides"
_LARGEST = 1 << 20  # bytes of a record


class MoveBook:
    """The moves of a Compose project.

    `override` is the Compose file that publishes them; it exists only while there are moves.
    """

    def __init__(self, folder: Path, project: str) -> None:
        self._state = folder
        self._record = f"{project}.json"
        self.override = folder / _FOLDER / f"{project}.yml"

    def read(self) -> tuple[AnyMove, ...]:
        """Return the moves.

        None where the record is broken or belongs to another user: then the Compose files
        apply. Raises UnsafeFile.
        """
        try:
            with self._opened() as folder:
                document = parse_json(folder.read(self._record, limit=_LARGEST))
            if not isinstance(document, list):
                return ()
            return tuple(_move(item) for item in document)
        except (OSError, ValueError, TypeError, ForeignFile):
            return ()

    def keep(self, moves: Sequence[AnyMove], override: str) -> Path:
        """Write both files (mode 0600, atomically); return the override. Raises DartsctlError.

        A file that says the same already stays: `down` has to work on a full disk.
        """
        record = json.dumps([as_dict(move) for move in moves], indent=1)
        with self._writing(), self._opened(make=True) as folder:
            for name, text in ((self.override.name, override), (self._record, record)):
                if not _says(folder, name, text.encode()):
                    folder.replace(name, text.encode())
        return self.override

    def keep_leased(self, service: str, override: str) -> Path:
        """Write and return the override that publishes `service` on a leased port.

        Raises DartsctlError.
        """
        path = self.override.with_name(f"{self.override.stem}.{service}.yml")
        with self._writing(), self._opened(make=True) as folder:
            folder.replace(path.name, override.encode())
        return path

    def forget(self) -> bool:
        """Restore the ports of the Compose files; False where nothing had moved.

        Raises DartsctlError where that cannot be written.
        """
        with self._writing():
            try:
                with self._opened() as folder:
                    removed = [folder.remove(name) for name in (self._record, self.override.name)]
            except (FileNotFoundError, ForeignFile):
                return False
        return any(removed)

    @contextmanager
    def _opened(self, *, make: bool = False) -> Iterator[Folder]:
        """Open the folder of the overrides.

        Compose gets paths in it, so nobody else may be able to replace the files there.
        """
        with (
            open_state(self._state, make=make) as state,
            state.subfolder(_FOLDER, make=PRIVATE_FOLDER if make else None) as folder,
        ):
            state.refuse_replaceable()
            folder.refuse_replaceable()
            yield folder

    def _writing(self) -> AbstractContextManager[None]:
        return write_errors_as(f"cannot save the remapped ports in {self.override.parent}")


def _says(folder: Folder, name: str, data: bytes) -> bool:
    with suppress(OSError, UnsafeFile):  # `replace` says what is wrong with it
        return folder.read(name, limit=_LARGEST) == data
    return False


def _move(item: object) -> AnyMove:
    """Return a move. Raises TypeError for anything else."""
    if not isinstance(item, dict):
        raise TypeError("not a move")
    if item.keys() == {"service", "old"}:
        return _name_move(NameMove(**item))
    if "kind" in item:
        return _shared_move(SharedMove(**item))
    move = Move(**item)
    is_text = all(isinstance(value, str) for value in (move.service, move.protocol, move.old))
    if not is_text or not _is_port(move.target) or not _is_port(move.new):
        raise TypeError("not a move")
    parse_protocol(move.protocol)
    return move


def _name_move(move: NameMove) -> NameMove:
    if not isinstance(move.service, str) or not isinstance(move.old, str):
        raise TypeError("not a move")
    return move


def _shared_move(move: SharedMove) -> SharedMove:
    is_text = isinstance(move.key, str) and isinstance(move.old, str)
    if not is_text or move.kind not in ("volume", "network", "subnet", "image"):
        raise TypeError("not a move")
    return move


def _is_port(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 1 << 16
