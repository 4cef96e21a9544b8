"""Questions about Compose files whose answer stays the same as long as nothing about them changes.

They are asked to pick an environment's files; each is a Compose call of some tenths of a second.
"""

from __future__ import annotations

import json

from dartsctl.config.environment import default_env_files
from dartsctl.system import bounded_file
from dartsctl.system.digest import sha256
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from typing import Protocol

    from dartsctl.config.environment import Environment

    class KnownAnswers(Protocol):
        """Remembers answers by a text that has everything that they depend on."""

        def answer(self, question: str) -> bool | None:
            """Return the answer, None if it is unknown."""
            ...

        def keep(self, question: str, *, answer: bool) -> None:
            """Remember the answer. A place that cannot be written is no error."""
            ...


_OTHER_FILES = regex(r"\b(?:include|extends)\b")
"""What makes an answer depend on files that are not named here."""
_VARIABLE = regex(r"\$\{?([A-Za-z_]\w*)")


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

    Empty where that is more than the environment's own files, or they cannot be read: other files
    that they name, or exported variables that they use, whose values may be secrets.
    """
    try:
        texts = [_content(file) for file in environment.files]
        env_files = [*environment.env_files, *default_env_files(environment)]
        identities = [_identity(file) for file in (program, *env_files)]
        whole = b"\n".join(texts).decode(errors="replace")
        used = b"\n".join(map(_content, env_files)).decode(errors="replace")
    except OSError:
        return ""
    if _OTHER_FILES.search(whole) or environ.get("COMPOSE_ENV_FILES"):
        return ""
    if any(environ.get(name) for name in _VARIABLE.findall(f"{whole}\n{used}")):
        return ""
    parts = [
        what,
        list(environment.profiles),
        list(map(str, environment.files)),
        [sha256(text) for text in texts],
        identities,
        environment.project,
        sorted(f"{name}={environ[name]}" for name in environ if name.startswith("COMPOSE_")),
    ]
    return sha256(json.dumps(parts).encode())


def _content(file: Path) -> bytes:
    return bounded_file.read_bytes(file, limit=bounded_file.COMPOSE_LIMIT)


def _identity(file: Path) -> list[object]:
    """Return what differs for every new content of a file. Raises OSError."""
    status = file.stat()
    changed = (status.st_mtime_ns, status.st_ctime_ns)
    return [str(file), status.st_dev, status.st_ino, status.st_size, *changed]
