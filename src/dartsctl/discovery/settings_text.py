"""The text of a settings file: its tables in a fixed order, each key with where it comes from."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from dartsctl.errors import Advice, UsageError
from dartsctl.records import record
from dartsctl.text.safe_text import one_line

if TYPE_CHECKING:
    from dartsctl.config.file import Key

SettingValue = str | float | bool | Sequence[str] | Sequence[int] | Mapping[str, int]
"""A value as TOML has it. A mapping is an inline table, which may be empty."""


@record
class ProposedSetting:
    """A line for the settings file.

    `table` is its TOML table (`server.env`), empty for the top level. `why` is where the value
    comes from, and becomes the line's comment: `Dockerfile:7`. `is_default`: dartsctl does so
    without the line, which is only shown, as a comment.
    """

    table: str
    key: str
    value: SettingValue
    why: str = ""
    is_default: bool = False


_COLUMNS = 100
_HEAD = (
    "# Settings of dartsctl. All keys: its docs/reference.md.",
    "# Relative paths are relative to this file.",
)
_TABLES = ("", "dev", "prod", "environment", "ports", "ports.production", "server", "server.env")
"""The order of the tables; the others come last."""
_KEYS = ("name", "directory", "files", "env_files", "project", "profiles", "command")
"""The order of the keys in a table; the others keep theirs."""


def new_text(settings: Iterable[ProposedSetting], *, minimal: bool = False) -> str:
    """Return a settings file. `minimal`: without comments and defaults; empty if none is left.

    Raises UsageError for a value that a TOML file cannot contain.
    """
    tables = by_table(settings)
    lines = [] if minimal else list(_HEAD)
    for setting in tables.pop("", ()):
        lines += _lines(setting, minimal=minimal)
    text = "".join(f"{line}\n" for line in lines)
    return (text + tables_text(tables, minimal=minimal)).lstrip("\n")


def tables_text(
    tables: Mapping[str, Sequence[ProposedSetting]], *, prefix: Key = (), minimal: bool = False
) -> str:
    """Return tables as they are appended to a settings file, each after a blank line.

    `prefix`: `("tool", "dartsctl")` in pyproject.toml.
    """
    lines: list[str] = []
    for table, settings in tables.items():
        own: list[str] = []
        for setting in settings:
            own += _lines(setting, minimal=minimal)
        if own:
            lines += ["", _header(prefix, table, settings), *own]
    return "".join(f"{line}\n" for line in lines)


def _header(prefix: Key, table: str, settings: Sequence[ProposedSetting]) -> str:
    """Return `[table]`; as a comment if all below it are, because an empty table may mean more."""
    name = ".".join(_quoted_key(part) for part in (*prefix, *table.split(".", 1)))
    if all(setting.is_default for setting in settings):
        return f"# [{name}]"
    return f"[{name}]"


def merged(settings: Iterable[ProposedSetting]) -> tuple[ProposedSetting, ...]:
    """Return the settings in the order of the file; of one key the first counts."""
    return tuple(itertools.chain.from_iterable(by_table(settings).values()))


def by_table(settings: Iterable[ProposedSetting]) -> dict[str, list[ProposedSetting]]:
    """Return the settings of each table, in the order of the file; of one key the first counts."""
    firsts: dict[tuple[str, str], ProposedSetting] = {}
    for setting in settings:
        firsts.setdefault((setting.table, setting.key), setting)
    tables: dict[str, list[ProposedSetting]] = {}
    for setting in sorted(firsts.values(), key=_place):
        tables.setdefault(setting.table, []).append(setting)
    return tables


def setting_line(setting: ProposedSetting) -> str:
    """Return `key = value` in one line, as it can be pasted into its table."""
    return f"{_quoted_key(setting.key)} = {_value(setting.value)}"


def _place(setting: ProposedSetting) -> tuple[int, str, int]:
    table = setting.table
    if table.startswith("environment."):
        table = "environment"
    number = _TABLES.index(table) if table in _TABLES else len(_TABLES)
    key = _KEYS.index(setting.key) if setting.key in _KEYS else len(_KEYS)
    return number, setting.table, key


def _lines(setting: ProposedSetting, *, minimal: bool) -> list[str]:
    """Return the lines of a setting: its reason behind it where both fit, else above it."""
    if minimal and setting.is_default:
        return []
    lines = _statement(setting)
    if setting.is_default:
        lines = [f"# {line}" for line in lines]
    if minimal or not setting.why:
        return lines
    comment = f"# {one_line(setting.why)}"
    with_comment = f"{lines[0]}  {comment}"
    if len(lines) == 1 and len(with_comment) <= _COLUMNS:
        return [with_comment]
    return [*_folded(comment), *lines]


def _folded(comment: str) -> list[str]:
    """Return a comment in lines of the usual width."""
    words = comment.split(" ")
    lines = [words.pop(0)]
    for word in words:
        if len(lines[-1]) + 1 + len(word) > _COLUMNS:
            lines.append("#")
        lines[-1] += f" {word}"
    return lines


def _statement(setting: ProposedSetting) -> list[str]:
    """Return `key = value`; a long list has a line for each item."""
    line = setting_line(setting)
    if len(line) <= _COLUMNS or isinstance(setting.value, str | int | float | Mapping):
        return [line]
    items = [f"    {_value(item)}," for item in setting.value]
    return [f"{_quoted_key(setting.key)} = [", *items, "]"]


def _value(value: SettingValue | int) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return _string(value)
        case float() if value.is_integer():
            return str(int(value))
        case int() | float():
            return str(value)
        case Mapping():
            return f"{{{', '.join(f'{_quoted_key(key)} = {own}' for key, own in value.items())}}}"
        case _:
            return f"[{', '.join(map(_value, value))}]"


def _string(text: str) -> str:
    """Return a TOML string. JSON's are the same, but for DEL and lone surrogates."""
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise UsageError(
            f"a settings file cannot contain a name that is not UTF-8: {one_line(text)}",
            hint=Advice("rename the file"),
        ) from error
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _quoted_key(key: str) -> str:
    is_bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if is_bare else _string(key)
