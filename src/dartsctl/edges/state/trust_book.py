"""The folders of other users that this user trusts: a private file for each user."""

from __future__ import annotations

import json
import os
from pathlib import Path

from dartsctl.edges.state.folder import open_state, parse_json, state_folder, write_errors_as
from dartsctl.errors import DartsctlError
from dartsctl.system.files import UnsafeFile
from dartsctl.system.users import sudo_caller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection

_LARGEST = 1 << 20  # bytes of the list


class TrustBook:
    """The list in the state folder `state`. Under sudo it is that of the caller."""

    def __init__(self, state: Path) -> None:
        self._state = state
        caller = sudo_caller()
        self._name = f"trusted.{caller[0] if caller else os.geteuid()}.json"

    def folders(self) -> tuple[Path, ...]:
        """Return the trusted folders, sorted.

        None where the list is unreadable, or another user could have written it.
        """
        try:
            with open_state(self._state, shared=True) as folder:
                document = parse_json(folder.read(self._name, limit=_LARGEST))
        except (OSError, ValueError, UnsafeFile):
            return ()
        if not isinstance(document, dict) or not isinstance(document.get("folders"), list):
            return ()
        listed = document["folders"]
        paths = [text for text in listed if isinstance(text, str) and text.startswith("/")]
        return tuple(sorted(map(Path, paths)))

    def add(self, folder: Path) -> bool:
        """Trust `folder` (absolute) and all below; False where it was already trusted.

        Raises DartsctlError.
        """
        return self._write({*self.folders(), folder})

    def remove(self, folder: Path) -> bool:
        """Stop trusting `folder`; False where it was not in the list. Raises DartsctlError."""
        return self._write(set(self.folders()) - {folder})

    def _write(self, folders: Collection[Path]) -> bool:
        if sorted(folders) == list(self.folders()):
            return False
        text = json.dumps({"folders": sorted(map(str, folders))}, indent=1)
        sentence = f"cannot write the list of trusted folders in {self._state}"
        with write_errors_as(sentence), open_state(self._state, make=True, shared=True) as state:
            state.replace(self._name, text.encode())
        return True


def trusted_folders() -> tuple[Path, ...]:
    """Return TrustBook.folders of the default state folder; none where there is no such folder."""
    try:
        return TrustBook(state_folder()).folders()
    except DartsctlError:
        return ()
