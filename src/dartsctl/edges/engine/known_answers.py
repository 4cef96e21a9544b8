"""Questions about Compose files whose answer stays the same as long as nothing about them changes.

They are asked to pick an environment's files; each is a Compose call of some tenths of a second.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from dartsctl.config.environment import default_env_files
from dartsctl.system import bounded_file

if TYPE_CHECKING:
    from dartsctl.config.environment import Environment

_OTHER_FILES = re.compile(r"\b(?:include|extends)\b")
"""What makes an answer depend on files that are not named here."""
_VARIABLE = re.compile(r"\$\{?([A-Za-z_]\w*)")


class KnownAnswers(Protocol):
    """Remembers answers by a text that has everything that they depend on."""

    def answer(self, question: str) -> bool | None:
        """Return the answer, None if it is unknown."""
        ...

    def keep(self, question: str, *, answer: bool) -> None:
        """Remember the answer. A place that cannot be written is no error."""
        ...


class NothingAnswered:
    """KnownAnswers that remember nothing: Compose is asked every time."""

    def answer(self, question: str) -> bool | None:
        """Return None."""
        del question
        return None

    def keep(self, question: str, *, answer: bool) -> None:
        """Do nothing."""


def question_about(
    environment: Environment, what: str, program: Path, environ: Mapping[str, str]
) -> str:
    """Return a hash of everything that the answer to `what` depends on.

    Of variables it is only whether they are set: their values may be secrets. Empty where the
    answer depends on more than the environment's own files, or they cannot be read.
    """
    import hashlib

    try:
        texts = [_content(file) for file in environment.files]
        env_files = [*environment.env_files, *default_env_files(environment)]
        identities = [_identity(file) for file in (program, *env_files)]
    except OSError:
        return ""
    whole = b"\n".join(texts).decode(errors="replace")
    if _OTHER_FILES.search(whole):
        return ""
    parts = [
        what,
        list(environment.profiles),
        list(map(str, environment.files)),
        [hashlib.sha256(text).hexdigest() for text in texts],
        identities,
        _variables(whole, environ),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()


def _content(file: Path) -> bytes:
    return bounded_file.read_bytes(file, limit=bounded_file.COMPOSE_LIMIT)


def _variables(text: str, environ: Mapping[str, str]) -> Sequence[str]:
    """Return the variables in the text that are set, and those that change what Compose does."""
    used = {name for name in _VARIABLE.findall(text) if environ.get(name)}
    own = {f"{name}={value}" for name, value in environ.items() if name.startswith("COMPOSE_")}
    return sorted(used | own)


def _identity(file: Path) -> list[object]:
    """Return what differs for every new content of a file. Raises OSError."""
    status = file.stat()
    changed = (status.st_mtime_ns, status.st_ctime_ns)
    return [str(file), status.st_dev, status.st_ino, status.st_size, *changed]
