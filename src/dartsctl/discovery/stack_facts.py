"""StackFacts: what `init` knows about the Compose files of an environment."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dartsctl.records import field, record
from dartsctl.stack.compose_model import MODEL
from dartsctl.stack.model import Stack
from dartsctl.text.strict_json import Cursor

if TYPE_CHECKING:
    from collections.abc import Mapping

    from dartsctl.errors import DartsctlError
    from dartsctl.stack.model import ComposeVariable


@record
class StackFacts:
    """What is known about the Compose files of an environment.

    `variables` are those of the files, by name. Required variables that nothing sets have the value
    PLACEHOLDER in `model` and `stack`, and are in `unset`.
    """

    name: str
    files: tuple[Path, ...]
    profiles: tuple[str, ...] = ()
    """Those of the settings, or the one that is named after the environment."""
    env_files: tuple[Path, ...] = ()
    """The existing env files that Compose reads for it."""
    variables: Mapping[str, ComposeVariable] = field(default_factory=dict)
    unset: frozenset[str] = frozenset()
    model: Mapping[str, Any] = field(default_factory=dict, repr=False)
    stack: Stack = field(default_factory=lambda: Stack("", {}, {}), repr=False)
    error: DartsctlError | None = None
    """Why Compose could not be asked: then `model` and `stack` are empty."""

    def is_same_as(self, other: StackFacts | None) -> bool:
        """Return whether another environment has the same files and profiles."""
        return other is not None and (self.files, self.profiles) == (other.files, other.profiles)

    @property
    def contexts(self) -> dict[str, Path]:
        """The folder of this host that each built service is built from."""
        contexts: dict[str, Path] = {}
        for name, body in Cursor(self.model, MODEL).at("services").entries():
            folder = Path(body.at("build").at("context").text(""))
            if folder.is_absolute():
                contexts[name] = folder
        return contexts


PLACEHOLDER = "59999"
"""Stands for required variables that nothing sets: a text, a number and a port."""
