"""What the settings' values must look like: each function takes a Given, gives the value in our types, or raises UsageError.

Messages name the kind of a wrong value; they quote it only where it cannot be a secret (ports, names, choices).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from math import inf
from pathlib import Path
from typing import TypeVar

from dartsctl.config.file import Given, kind
from dartsctl.errors import UsageError
from dartsctl.ports.allocation import PortRange, candidates
from dartsctl.text.phrases import did_you_mean

Choice = TypeVar("Choice", bound=str)


def text(given: Given) -> str:
    """Any text that an argument, a path or a variable can hold."""
    if not isinstance(given.value, str):
        raise given.mistake(
            f"{kind(given.value)} stands where text is needed", 'write it in quotes: "..."'
        )
    if "\0" in given.value:
        raise given.mistake(
            "a NUL character stands in it",
            "leave \\u0000 out: no argument, path or variable can hold it",
        )
    return given.value


def texts(given: Given) -> tuple[str, ...]:
    """A list of texts, none of them empty."""
    if not isinstance(given.value, list):
        raise given.mistake(
            f"{kind(given.value)} stands where a list of texts is needed",
            'write it as ["one", "two"]',
        )
    values = tuple(text(Given(one, given.where)) for one in given.value)
    if "" in values:
        raise given.mistake("an empty text stands in the list", "leave it out")
    return values


def some_texts(given: Given) -> tuple[str, ...]:
    """At least one text."""
    values = texts(given)
    if not values:
        raise given.mistake("the list is empty", "leave the key out for the default")
    return values


def path(root: Path) -> Callable[[Given], Path]:
    """A path, made absolute from `root`; symbolic links stay as they are."""
    return lambda given: _absolute(root, some_text(given))


def paths(root: Path) -> Callable[[Given], tuple[Path, ...]]:
    """Paths, made absolute from `root`; an empty list is one too."""
    return lambda given: tuple(_absolute(root, one) for one in texts(given))


def some_paths(root: Path) -> Callable[[Given], tuple[Path, ...]]:
    """At least one path."""
    return lambda given: tuple(_absolute(root, one) for one in some_texts(given))


def some_text(given: Given) -> str:
    """A text that is not empty."""
    value = text(given)
    if not value:
        raise given.mistake("the text is empty", "leave the key out for the default")
    return value


def one_of(choices: Sequence[Choice]) -> Callable[[Given], Choice]:
    """One of these words."""

    def convert(given: Given) -> Choice:
        found = next((choice for choice in choices if choice == given.value), None)
        if found is not None:
            return found
        written = repr(given.value) if isinstance(given.value, str) else kind(given.value)
        hint = f'write "{choices[0]}"'
        if isinstance(given.value, str):
            hint = did_you_mean(given.value, choices, lambda near: f'"{near}"') or hint
        allowed = ", ".join(f'"{choice}"' for choice in choices)
        raise given.mistake(
            f"{written} is not one of {allowed}",
            hint,
        )

    return convert


def seconds(given: Given) -> float:
    """A number of seconds above 0."""
    value = given.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        written = repr(value) if isinstance(value, str) else kind(value)
        raise given.mistake(f"{written} is not a number of seconds", "write a number, such as 120")
    if not 0 < value < inf:
        raise given.mistake(
            f"{value} seconds: the number must be above 0", "write a number, such as 120"
        )
    return float(value)


def port(given: Given) -> int:
    """A port number, 1-65535 (edge-cases.md#86)."""
    value = given.value
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
        written = (
            repr(value)
            if isinstance(value, str)
            else str(value)
            if type(value) in (int, float)
            else kind(value)
        )
        raise given.mistake(
            f"{written} is not a port number (1-65535)",
            "write a number without quotes, such as 5000",
        )
    return value


def ports(given: Given) -> tuple[int, ...]:
    """One port number, or a list of them."""
    if isinstance(given.value, list):
        return tuple(port(Given(one, given.where)) for one in given.value)
    return (port(given),)


def port_range(given: Given) -> PortRange:
    """`"5001-5099"`, inside 1024-65535, with at least one number that a browser opens."""
    example = 'write it as "5001-5099"'
    if not isinstance(given.value, str):
        raise given.mistake(f"{kind(given.value)} stands where a range is needed", example)
    found = re.fullmatch(r"\s*([0-9]{1,9})\s*-\s*([0-9]{1,9})\s*", given.value)
    if not found:
        raise given.mistake(f"{given.value!r} is not a range of ports", example)
    span = PortRange(int(found[1]), int(found[2]))
    if span.first > span.last:
        raise given.mistake(
            f"{span} begins above its end", f'write it as "{span.last}-{span.first}"'
        )
    if span.first < 1024 or span.last > 65535:
        raise given.mistake(f"{span} is not within 1024-65535", example)
    if not candidates(span, preferred=None, start=0, avoid=frozenset()):
        raise given.mistake(f"browsers refuse every port of {span}", example)
    return span


def project(given: Given) -> str:
    """A Compose project name."""
    return check_project(text(given), source=given.where)


def check_project(name: str, *, source: str) -> str:
    """`name` where it is a Compose project name; raises UsageError that begins with `source` for anything else."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise UsageError(
            f"{source}: {name!r} is not a project name; Compose takes lower-case letters, digits, - and _, a letter or digit first",
            hint=f'write "{normal_project(name)}"',
        )
    return name


def normal_project(folder: str) -> str:
    """A folder's name as Compose makes a project name of it: lower case, all other characters left out."""
    return re.sub(r"[^a-z0-9_-]", "", folder.lower()).lstrip("_-") or "project"


def command(given: Given) -> tuple[str, ...]:
    """A command as a list: no shell reads it."""
    if isinstance(given.value, str):
        raise given.mistake(
            "text stands where a list is needed",
            'write the command word by word: ["{python}", "run.py"]',
        )
    return some_texts(given)


def variable_names(given: Given) -> tuple[str, ...]:
    """Names of environment variables, at least one."""
    return tuple(variable_name(one, given) for one in some_texts(given))


def variable_name(name: str, given: Given) -> str:
    """`name` where a shell takes it as a variable's; `given` is where it stands."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise given.mistake(
            f"{name!r} is not the name of a variable",
            "take letters, digits and _, such as FLASK_RUN_PORT",
        )
    return name


def url_path(given: Given) -> str:
    """The path part of a URL: `/health`."""
    value = text(given)
    if not re.fullmatch(r"/[!-~]*", value):
        raise given.mistake(f"{value!r} is not a path of a URL", 'begin with a slash: "/health"')
    return value


def url_host(given: Given) -> str:
    """The host part of a URL: a name, in which {branch} and {checkout} may stand, an IPv4 address, or an IPv6 address in brackets."""
    value = text(given)
    if not re.fullmatch(r"(?:[A-Za-z0-9._-]|\{branch\}|\{checkout\})+|\[[0-9A-Fa-f:.]+\]", value):
        raise given.mistake(
            f"{value!r} is not the host of a URL",
            'leave scheme and port out: "{branch}.localhost", "localhost", "[::1]"',
        )
    return value


def url(given: Given) -> str:
    """A whole http or https URL, without a user in it: it is shown."""
    value = text(given)
    if not re.fullmatch(
        r"https?://([^/@\s:\[\]]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,4}|:[1-5][0-9]{4})?(/[!-~]*)?", value
    ):
        raise given.mistake(
            f"{value!r} is not a URL"
            if "@" not in value
            else "the text is not a URL that may be shown",
            'write it as "https://example.org/"',
        )
    return value


def _absolute(root: Path, written: str) -> Path:
    return Path(os.path.normpath(root / written))
