"""Which folders of other users this user trusts: one private file in the state folder for each user."""

from __future__ import annotations

import json
import os
from collections.abc import Collection
from pathlib import Path

from dartsctl.edges.state.folder import open_state, parse_json, writing
from dartsctl.errors import DartsctlError
from dartsctl.system.files import UnsafeFile
from dartsctl.system.users import sudo_caller

_LARGEST = 1 << 20  # bytes of the list


class TrustBook:
    """The list in the state folder `state`. Under sudo it is the caller's."""

    def __init__(self, state: Path) -> None:
        self._state = state
        caller = sudo_caller()
        self._name = f"trusted.{caller[0] if caller else os.geteuid()}.json"

    def folders(self) -> tuple[Path, ...]:
        """Return the trusted folders, sorted; none where the list cannot be read, or another user could have written it."""
        try:
            with open_state(self._state, shared=True) as folder:
                document = parse_json(folder.read(self._name, limit=_LARGEST))
        except (OSError, ValueError, UnsafeFile):
            return ()
        listed = document.get("folders") if isinstance(document, dict) else None
        paths = (
            [text for text in listed if isinstance(text, str) and text.startswith("/")]
            if isinstance(listed, list)
            else []
        )
        return tuple(sorted(map(Path, paths)))

    def add(self, folder: Path) -> bool:
        """Trust `folder` (absolute) and all below; False where it was trusted before. Raises DartsctlError."""
        return self._write({*self.folders(), folder})

    def remove(self, folder: Path) -> bool:
        """Trust `folder` no longer; False where it was not in the list. Raises DartsctlError."""
        return self._write(set(self.folders()) - {folder})

    def _write(self, folders: Collection[Path]) -> bool:
        if sorted(folders) == list(self.folders()):
            return False
        text = json.dumps({"folders": sorted(map(str, folders))}, indent=1)
        sentence = f"the list of trusted folders in {self._state} cannot be written"
        with writing(sentence), open_state(self._state, make=True, shared=True) as state:
            state.replace(self._name, text.encode())
        return True


def trusted_folders() -> tuple[Path, ...]:
    """Return TrustBook.folders of the default state folder; none where that has no place."""
    from dartsctl.edges.state.folder import state_folder

    try:
        return TrustBook(state_folder()).folders()
    except DartsctlError:
        return ()
