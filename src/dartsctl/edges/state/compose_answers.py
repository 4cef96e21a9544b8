"""Answers of Compose about files: whether they stand alone, and have an environment's profile."""

from __future__ import annotations

import json
from pathlib import Path

from dartsctl.edges.state.folder import open_state, parse_json
from dartsctl.errors import DartsctlError

_FILE = "compose-answers.json"
_LIMIT = 1 << 16  # bytes
_MOST = 256
"""Answers that are remembered; a project has two or three, until its files change."""


class ComposeAnswers:
    """A KnownAnswers in the state folder `folder`.

    Where it cannot be read or written, Compose is asked again the next time.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def answer(self, question: str) -> bool | None:
        """Return the answer, None if it is unknown."""
        return self._read().get(question)

    def keep(self, question: str, *, answer: bool) -> None:
        """Remember the answer; the oldest ones are forgotten."""
        entries = self._read()
        entries.pop(question, None)
        entries[question] = answer
        text = json.dumps(dict(list(entries.items())[-_MOST:]), indent=1)
        try:
            with open_state(self._folder, make=True) as folder:
                folder.replace(_FILE, text.encode())
        except (OSError, DartsctlError):
            return

    def _read(self) -> dict[str, bool]:
        try:
            with open_state(self._folder) as folder:
                entries = parse_json(folder.read(_FILE, limit=_LIMIT))
        except (OSError, ValueError, DartsctlError):
            return {}
        if not isinstance(entries, dict):
            return {}
        return {key: value for key, value in entries.items() if isinstance(value, bool)}
