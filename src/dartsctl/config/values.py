"""Convert the values of settings: each function takes a Setting and returns a value of our types.

Each raises UsageError for a value that it does not accept. The message names the type of that
value. It quotes the value only where it cannot be a secret (ports, names, choices).
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from dartsctl.config.file import Setting, kind
from dartsctl.errors import Advice, UsageError
from dartsctl.ports.allocation import PortRange, candidates
from dartsctl.text import durations, phrases
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import TypeVar

    Choice = TypeVar("Choice", bound=str)


_USE_DEFAULT = "remove the key to use the default"
_ENDLESS = float("inf")
_SECONDS_HINT = "write a number, such as 120"


def text(setting: Setting) -> str:
    """Return a string that an argument, a path or a variable can contain."""
    if not isinstance(setting.value, str):
        raise setting.error(
            f"expected a string, got {kind(setting.value)}", 'write it in quotes: "..."'
        )
    if "\0" in setting.value:
        raise setting.error(
            "the string contains a NUL character",
            "remove \\u0000: no argument, path or variable can contain it",
        )
    return setting.value


def texts(setting: Setting) -> tuple[str, ...]:
    """Return a list of strings, none of them empty."""
    if not isinstance(setting.value, list):
        raise setting.error(
            f"expected a list of strings, got {kind(setting.value)}", 'write it as ["one", "two"]'
        )
    values = tuple(text(Setting(item, setting.where)) for item in setting.value)
    if "" in values:
        raise setting.error("the list contains an empty string", "remove it")
    return values


def some_texts(setting: Setting) -> tuple[str, ...]:
    """Return at least one string."""
    values = texts(setting)
    if not values:
        raise setting.error("the list is empty", _USE_DEFAULT)
    return values


def path(root: Path) -> Callable[[Setting], Path]:
    """Convert a path: absolute from `root`, symbolic links kept."""
    return lambda setting: _absolute(root, some_text(setting))


def paths(root: Path) -> Callable[[Setting], tuple[Path, ...]]:
    """Convert a list of paths, absolute from `root`; it may be empty."""
    return lambda setting: tuple(_absolute(root, item) for item in texts(setting))


def some_paths(root: Path) -> Callable[[Setting], tuple[Path, ...]]:
    """Convert a list of at least one path, absolute from `root`."""
    return lambda setting: tuple(_absolute(root, item) for item in some_texts(setting))


def some_text(setting: Setting) -> str:
    """Return a string that is not empty."""
    value = text(setting)
    if not value:
        raise setting.error("the string is empty", _USE_DEFAULT)
    return value


def one_of(choices: Sequence[Choice]) -> Callable[[Setting], Choice]:
    """Convert a word that must be one of `choices`."""

    def convert(setting: Setting) -> Choice:
        for choice in choices:
            if choice == setting.value:
                return choice
        raise _not_a_choice(setting, choices)

    return convert


def _not_a_choice(setting: Setting, choices: Sequence[str]) -> UsageError:
    hint = ""
    if isinstance(setting.value, str):
        hint = phrases.did_you_mean(setting.value, choices, lambda near: f'"{near}"')
    allowed = ", ".join(f'"{choice}"' for choice in choices)
    return setting.error(
        f"{_quoted(setting.value)} is not one of {allowed}", hint or f'write "{choices[0]}"'
    )


def seconds(setting: Setting) -> float:
    """Return a number of seconds greater than 0."""
    value = _number_of_seconds(setting)
    if not 0 < value < _ENDLESS:
        raise setting.error(f"the number of seconds must be greater than 0: {value}", _SECONDS_HINT)
    return float(value)


def seconds_or_zero(setting: Setting) -> float:
    """Return a number of seconds; 0 switches something off."""
    value = _number_of_seconds(setting)
    if not 0 <= value < _ENDLESS:
        raise setting.error(f"the number of seconds must be 0 or more: {value}", _SECONDS_HINT)
    return float(value)


def _number_of_seconds(setting: Setting) -> int | float:
    value = setting.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise setting.error(f"{_quoted(value)} is not a number of seconds", _SECONDS_HINT)
    return value


def duration(least: float) -> Callable[[Setting], float]:
    """Convert a length of time: a number of seconds, or a text such as `"30m"`.

    `least`: seconds that it must have.
    """

    def convert(setting: Setting) -> float:
        value = setting.value
        seconds: float | None = None
        if isinstance(value, str):
            seconds = durations.parse_duration(value)
        elif isinstance(value, int | float) and not isinstance(value, bool):
            seconds = value
        hint = f"write {durations.EXAMPLE}"
        if seconds is None:
            raise setting.error(f"{_quoted(value)} is not a length of time", hint)
        if not least <= seconds <= durations.LONGEST:
            raise setting.error(
                f"the length of time must be between {least:g} s and "
                f"{phrases.duration(durations.LONGEST)}: {value}",
                hint,
            )
        return float(seconds)

    return convert


def flag(setting: Setting) -> bool:
    """Return true or false."""
    if not isinstance(setting.value, bool):
        raise setting.error(f"{_quoted(setting.value)} is not true or false", "write true or false")
    return setting.value


def whole_number(first: int, last: int) -> Callable[[Setting], int]:
    """Convert a whole number from `first` to `last`."""

    def convert(setting: Setting) -> int:
        value = setting.value
        if isinstance(value, bool) or not isinstance(value, int) or not first <= value <= last:
            written = str(value) if type(value) in (int, float) else _quoted(value)
            raise setting.error(
                f"{written} is not a whole number from {first} to {last}",
                f"write a number without quotes, from {first} to {last}",
            )
        return value

    return convert


def port(setting: Setting) -> int:
    """Return a port number, 1-65535 (edge-cases.md#86)."""
    value = setting.value
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= 65535:
        written = str(value) if type(value) in (int, float) else _quoted(value)
        raise setting.error(
            f"{written} is not a port number (1-65535)",
            "write a number without quotes, such as 5000",
        )
    return value


def ports(setting: Setting) -> tuple[int, ...]:
    """Return the ports of a port number, or of a list of them."""
    if isinstance(setting.value, list):
        return tuple(port(Setting(item, setting.where)) for item in setting.value)
    return (port(setting),)


def port_range(setting: Setting) -> PortRange:
    """Return a range such as `"5001-5099"`.

    It must lie inside 1024-65535 and contain at least one port that browsers do not block.
    """
    example = 'write it as "5001-5099"'
    if not isinstance(setting.value, str):
        raise setting.error(f"expected a port range, got {kind(setting.value)}", example)
    numbers = [number.strip() for number in setting.value.split("-")]
    if len(numbers) != 2 or not all(map(_is_short_number, numbers)):
        raise setting.error(f"{setting.value!r} is not a port range", example)
    span = PortRange(int(numbers[0]), int(numbers[1]))
    if span.first > span.last:
        raise setting.error(
            f"the port range ends before it starts: {span}",
            f'write it as "{span.last}-{span.first}"',
        )
    if span.first < 1024 or span.last > 65535:
        raise setting.error(f"the port range is not within 1024-65535: {span}", example)
    if not candidates(span, preferred=None, start=0, avoid=frozenset()):
        raise setting.error(f"browsers block every port of the range: {span}", example)
    return span


def _is_short_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 10


def project(setting: Setting) -> str:
    """Return a Compose project name."""
    return check_project(text(setting), source=setting.where)


def check_project(name: str, *, source: str) -> str:
    """Return `name` if it is a valid Compose project name.

    Raises UsageError, beginning with `source`, for anything else.
    """
    if not re.fullmatch(r"[a-z0-9][a-z0-9_-]*", name):
        raise UsageError(
            f"{source}: {name!r} is not a project name; Compose accepts lower-case letters, "
            "digits, - and _, starting with a letter or digit",
            hint=Advice(f'write "{normal_project(name)}"'),
        )
    return name


def normal_project(folder: str) -> str:
    """Return the project name that Compose makes of a folder's name."""
    return re.sub(r"[^a-z0-9_-]", "", folder.lower()).lstrip("_-") or "project"


def command(setting: Setting) -> tuple[str, ...]:
    """Return a command as a list of words; no shell reads it."""
    if isinstance(setting.value, str):
        raise setting.error(
            "expected a list, got a string",
            'write the command as a list of words: ["{python}", "run.py"]',
        )
    return some_texts(setting)


def variable_names(setting: Setting) -> tuple[str, ...]:
    """Return at least one name of an environment variable."""
    return tuple(variable_name(name, setting) for name in some_texts(setting))


def variable_name(name: str, setting: Setting) -> str:
    """Return `name` if a shell accepts it as the name of a variable; `setting` contains it."""
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]*", name):
        raise setting.error(
            f"{name!r} is not a variable name", "use letters, digits and _, such as FLASK_RUN_PORT"
        )
    return name


def url_path(setting: Setting) -> str:
    """Return the path of a URL, such as `/health`."""
    value = text(setting)
    if not re.fullmatch(r"/[!-~]*", value):
        raise setting.error(f"{value!r} is not a URL path", 'begin with a slash: "/health"')
    return value


def url_host(setting: Setting) -> str:
    """Return the host of a URL.

    It is a name, which may contain {branch} and {checkout}, an IPv4 address, or an IPv6 address
    in brackets.
    """
    value = text(setting)
    if not re.fullmatch(r"(?:[A-Za-z0-9._-]|\{branch\}|\{checkout\})+|\[[0-9A-Fa-f:.]+\]", value):
        raise setting.error(
            f"{value!r} is not a URL host",
            'remove scheme and port: "{branch}.localhost", "localhost", "[::1]"',
        )
    return value


_URL = regex(r"https?://([^/@\s:\[\]]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,4}|:[1-5][0-9]{4})?(/[!-~]*)?")


def url(setting: Setting) -> str:
    """Return an http or https URL without a user name: it is shown."""
    value = text(setting)
    if _URL.fullmatch(value):
        return value
    problem = f"{value!r} is not a URL"
    if "@" in value:  # a password may be before it
        problem = "the URL must not contain a user name or password"
    raise setting.error(problem, 'write it as "https://example.org/"')


def _quoted(value: object) -> str:
    """Return a string in quotes, the type of anything else."""
    return repr(value) if isinstance(value, str) else kind(value)


def _absolute(root: Path, written: str) -> Path:
    return Path(os.path.normpath(root / written))
