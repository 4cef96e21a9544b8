"""The text that `init` writes: settings, env files from their examples, lines for .gitignore.

What already exists is decided elsewhere (workflows/init/).
"""

from __future__ import annotations

import fnmatch
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dartsctl.config.secrets import Variable, is_placeholder, weakness
from dartsctl.text.secret_names import is_secret_name

PRIVATE, PUBLIC = 0o600, 0o644
GENERATED_BYTES = 24


@dataclass(frozen=True, slots=True)
class Change:
    """A file of the plan. `keep`: it exists and is not changed. `edit`: it gets a new text."""

    action: Literal["create", "append", "edit", "keep"]
    path: Path
    about: str
    """For people: what it contains, or what is missing in it."""
    text: str = field(default="", repr=False)
    """What is written or appended; of an edited file all of it.

    Certificate and key are created later, before the writing.
    """
    old: bytes = field(default=b"", repr=False)
    """The content of an edited file, as it was read; it is not written over another one."""
    mode: int = PUBLIC
    generated: tuple[str, ...] = ()
    """Variables that got a new secret."""
    to_fill_in: tuple[str, ...] = ()
    """Variables that only a person can give a value."""
    missing: tuple[str, ...] = ()
    """Variables of the example that are missing in a kept env file."""


def new_secret() -> str:
    """Return 192 random bits as letters and digits.

    The secret goes into URLs, command lines and other programs' settings, where `-` or `_` may have
    a meaning.
    """
    return secrets.token_hex(GENERATED_BYTES)


def renewed(name: str, value: str, *, production: bool) -> str | None:
    """Return a new secret to replace an example's value; None where the value may stay.

    Placeholders of secrets are replaced; for production, every weak secret.
    """
    if not is_secret_name(name) or "${" in value:
        return None
    if production:
        is_weak = weakness(Variable(name, value, "")) is not None
    else:
        is_weak = is_placeholder(value, secret=True)
    return new_secret() if is_weak else None


def left_to_fill_in(values: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables with a placeholder that no random text can replace.

    Addresses, names, a password inside a URL.
    """
    return tuple(name for name, value in values.items() if is_placeholder(value, secret=False))


def required_text(name: str, required: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Return the text of an env file without an example, and the variables with a new secret.

    It has the variables that the Compose files require; those that are no secrets stay empty.
    """
    generated = tuple(variable for variable in required if is_secret_name(variable))
    lines = [f"# {name}: read by Docker Compose. Never commit this file."]
    for variable in required:
        value = new_secret() if variable in generated else ""
        lines.append(f"{variable}={value}")
    return "\n".join(lines) + "\n", generated


def own_settings(text: str, name: str, *, own_app: bool) -> str:
    """Return the bundled stack's settings for a project called `name`.

    `own_app`: the project has its own app, and the server is not the bundled sample.
    """
    text = re.sub(r'(?m)^(name|project) = "darts', rf'\g<1> = "{name}', text)
    if not own_app:
        return text
    return re.sub(r'(?m)^(directory = "compose/sample"|health = .*)\n', "", text)


def built_from_here(text: str) -> str:
    """Return the bundled stack's env file with images built from the project, `..` of compose/."""
    return re.sub(r"(?m)^#?DARTSERVER_DIR=.*$", "DARTSERVER_DIR=..", text)


def not_ignored(paths: Iterable[str], gitignore: str) -> tuple[str, ...]:
    """Return those of `paths` (relative, with /) that no line of a .gitignore matches.

    Only for folders where git itself cannot be asked.
    """
    lines = [line.strip() for line in gitignore.splitlines() if not line.startswith(("#", "!"))]
    patterns = [line.lstrip("/") for line in lines if line]
    return tuple(path for path in paths if not _matches(path, patterns))


def _matches(path: str, patterns: Iterable[str]) -> bool:
    name = path.rpartition("/")[2]
    return any(fnmatch.fnmatch(path, line) or fnmatch.fnmatch(name, line) for line in patterns)
