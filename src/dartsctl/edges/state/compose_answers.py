"""Answers of Compose about files: whether they stand alone, and have an environment's profile."""

from __future__ import annotations

from dartsctl.edges.state.remembered import Remembered

TYPE_CHECKING = False
if TYPE_CHECKING:
    from pathlib import Path

_MOST = 256
"""Answers that are remembered; a project has two or three, until its files change."""


class ComposeAnswers:
    """A KnownAnswers in the state folder `folder`."""

    def __init__(self, folder: Path) -> None:
        self._remembered = Remembered(folder, "compose-answers.json", most=_MOST)

    def answer(self, question: str) -> bool | None:
        """Return the answer, None if it is unknown."""
        answer = self._remembered.get(question)
        return answer if isinstance(answer, bool) else None

    def keep(self, question: str, *, answer: bool) -> None:
        """Remember the answer; the oldest ones are forgotten."""
        self._remembered.keep(question, answer)
