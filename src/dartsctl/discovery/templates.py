"""The text that `init` writes: settings, env files from their examples, lines for .gitignore.

What already exists is decided elsewhere (workflows/init/).
"""

from __future__ import annotations

import fnmatch
import re
import secrets
import string
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dartsctl.config.secrets import is_placeholder, is_weak
from dartsctl.text.secret_names import is_secret_name

PRIVATE, PUBLIC = 0o600, 0o644
SECRET_LENGTH, BASE_LENGTH = 48, 64
"""Characters of a new secret."""


@dataclass(frozen=True, slots=True)
class NewPair:
    """A self-signed certificate that is to be created, for `names`.

    `old_key`: an existing key that it is made for, instead of a new one.
    """

    certificate: Path
    key: Path
    names: tuple[str, ...]
    old_key: Path | None = None


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
    old: bytes | None = field(default=None, repr=False)
    """The content of an edited file or env file, as it was read: another one is not changed."""
    mode: int = PUBLIC
    makes: NewPair | None = None
    """The pair that this file is a part of: its text is created before the writing."""
    generated: tuple[str, ...] = ()
    """Variables that got a new secret."""
    to_fill_in: tuple[str, ...] = ()
    """Variables that only a person can give a value."""
    missing: tuple[str, ...] = ()
    """Variables of the example that are missing in a kept env file."""


def new_secret(name: str = "") -> str:
    """Return a new random secret of letters and digits, with small and capital letters.

    It goes into URLs, command lines and other programs' settings, where other characters may have a
    meaning. Rails and Phoenix want 64 characters of SECRET_KEY_BASE.
    """
    length = SECRET_LENGTH
    if name.endswith("_BASE"):
        length = BASE_LENGTH
    alphabet = string.ascii_letters + string.digits
    while True:
        text = "".join(secrets.choice(alphabet) for _ in range(length))
        if text.lower() != text != text.upper() and any(map(str.isdigit, text)):
            return text


def renewed(name: str, value: str, *, production: bool) -> str | None:
    """Return a new secret to replace an example's value; None where the value may stay."""
    return new_secret() if must_change(name, value, production=production) else None


def must_change(name: str, value: str, *, production: bool) -> bool:
    """Return whether an example's value must not stay: a placeholder, or a weak secret.

    Outside production only placeholders of secrets have to go.
    """
    if not value or not is_secret_name(name) or "${" in value:
        return False
    if production:
        return is_weak(value, name=name)
    return is_placeholder(value, secret=True)


def left_to_fill_in(values: Mapping[str, str]) -> tuple[str, ...]:
    """Return the variables with a placeholder that no random text can replace.

    Addresses, names, a password inside a URL.
    """
    return tuple(name for name, value in values.items() if is_placeholder(value, secret=False))


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
