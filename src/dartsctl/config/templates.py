"""What `init` writes, as text: settings, env files from their examples, lines for .gitignore. Decides nothing about what is already there."""

from __future__ import annotations

import fnmatch
import json
import re
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from dartsctl.config.secrets import Variable, is_placeholder, weakness
from dartsctl.text.secret_names import is_secret

PRIVATE, PUBLIC = 0o600, 0o644
GENERATED_BYTES = 24


@dataclass(frozen=True, slots=True)
class Change:
    """One file of the plan. `keep`: it is there and stays as it is."""

    action: Literal["create", "append", "keep"]
    path: Path
    about: str
    """For people: what is in it, or what it lacks."""
    text: str = field(default="", repr=False)
    """What is written, or appended; of the certificate's files it is only made when it is written."""
    mode: int = PUBLIC
    generated: tuple[str, ...] = ()
    """Variables that got a new secret."""
    to_fill_in: tuple[str, ...] = ()
    """Variables that only a person can give a value."""
    missing: tuple[str, ...] = ()
    """Variables of the example that a kept env file does not have."""


def new_secret() -> str:
    """192 random bits in letters and digits: they go into URLs, command lines and other programs' settings, where `-` or `_` may mean something."""
    return secrets.token_hex(GENERATED_BYTES)


def renewed(name: str, value: str, *, production: bool) -> str | None:
    """A new secret where an example's value must not stay: placeholders of secrets, in production every weak secret; None where it may."""
    if not is_secret(name) or "${" in value:
        return None
    weak = (
        weakness(Variable(name, value, "")) is not None
        if production
        else is_placeholder(value, secret=True)
    )
    return new_secret() if weak else None


def left_to_fill_in(values: Mapping[str, str]) -> tuple[str, ...]:
    """The variables that still have a placeholder, which no random text can replace: addresses, names, a password inside a URL."""
    return tuple(name for name, value in values.items() if is_placeholder(value, secret=False))


def required_text(name: str, required: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """An env file without an example: the variables that the Compose files require, secrets with a new value, the others empty; and which got one."""
    lines, generated = [f"# {name}: read by Docker Compose. Never commit this file."], []
    for variable in required:
        if is_secret(variable):
            generated.append(variable)
        lines.append(f"{variable}={new_secret() if is_secret(variable) else ''}")
    return "\n".join(lines) + "\n", tuple(generated)


def settings_text(
    name: str, stacks: Mapping[str, Sequence[str]], env_files: Mapping[str, Sequence[str]]
) -> str:
    """A dartsctl.toml that names the Compose files and env files of `stacks`, paths relative to it."""
    lines = [
        "# Settings of dartsctl. All keys: its docs/reference.md.",
        "# Relative paths are relative to this file.",
        f"name = {json.dumps(name)}",
    ]
    for stack, files in stacks.items():
        lines += ["", f"[{stack}]", f"files = {json.dumps(list(files))}"]
        if env_files.get(stack):
            lines.append(f"env_files = {json.dumps(list(env_files[stack]))}")
    return "\n".join(lines) + "\n"


def own_settings(text: str, name: str, *, own_app: bool) -> str:
    """The bundled stack's settings for a project called `name`; with an app of its own, the server is not the bundled sample."""
    text = re.sub(r'(?m)^(name|project) = "darts', rf'\g<1> = "{name}', text)
    return (
        re.sub(r'(?m)^(directory = "compose/sample"|health = .*)\n', "", text) if own_app else text
    )


def built_from_here(text: str) -> str:
    """An env file of the bundled stack whose images are built from the project itself: `..`, seen from compose/."""
    return re.sub(r"(?m)^#?DARTSERVER_DIR=.*$", "DARTSERVER_DIR=..", text)


def not_ignored(paths: Iterable[str], gitignore: str) -> tuple[str, ...]:
    """Those of `paths` (relative, with /) that no line of a .gitignore names. Only for folders of which git itself cannot be asked."""
    patterns = [
        line.strip().lstrip("/")
        for line in gitignore.splitlines()
        if line.strip() and not line.startswith(("#", "!"))
    ]
    return tuple(
        path
        for path in paths
        if not any(
            fnmatch.fnmatch(path, one) or fnmatch.fnmatch(path.rpartition("/")[2], one)
            for one in patterns
        )
    )
