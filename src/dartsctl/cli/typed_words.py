"""What can be said of a command line before it is read."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def is_completing() -> bool:
    """Whether a shell runs this process to complete a command line."""
    return any(name.endswith("_COMPLETE") for name in os.environ)


def project_dir_of(words: Sequence[str]) -> str:
    """Return the value of --project-dir before the line is read, empty without it."""
    for word, following in zip(words, (*words[1:], ""), strict=False):
        if word == "--project-dir":
            return following
        if word.startswith("--project-dir="):
            return word.partition("=")[2]
        if word == "--":
            break
    return ""
