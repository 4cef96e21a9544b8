"""The settings file: where it is, what it contains, and the line of each key.

tomllib reports no line numbers, and a message about a key must name its line. Therefore the text
is scanned a second time for headers and keys.
"""

from __future__ import annotations

import os
import re

from dartsctl.config import plain_toml
from dartsctl.errors import Advice, UsageError
from dartsctl.records import record
from dartsctl.system import bounded_file
from dartsctl.text.patterns import regex
from dartsctl.text.phrases import did_you_mean, shell_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path
    from typing import TypeVar

    from dartsctl.config.trust import Trust

    Value = TypeVar("Value")

SETTINGS_FILE = "dartsctl.toml"
PYPROJECT = "pyproject.toml"
_MARK = "\ufeff".encode()
"""The byte order mark that some editors put before UTF-8 text."""

Key = tuple[str, ...]
"""The path to a value through the tables: `("dev", "files")`."""


@record
class SettingsFile:
    """A parsed settings file.

    `values` is the table that belongs to dartsctl: all of dartsctl.toml, or [tool.dartsctl] of
    pyproject.toml.
    """

    path: Path
    values: Mapping[str, object]
    prefix: Key
    lines: Mapping[Key, int]
    """Key, prefix included -> the first line that names it."""

    def where(self, key: Key) -> str:
        """Return the place of `key` as messages begin: `dartsctl.toml:3: dev.files`.

        Inside an inline table, the line is that of the key that holds the table.
        """
        full_key = self.prefix + key
        return f"{self.path.name}:{self._line_of(full_key)}: {dotted(full_key)}"

    def _line_of(self, full_key: Key) -> int:
        for length in range(len(full_key), 0, -1):
            if full_key[:length] in self.lines:
                return self.lines[full_key[:length]]
        return 1


@record
class Setting:
    """A value as TOML has it, and where it was written.

    `where` is `dartsctl.toml:3: dev.files`, or the name of a variable.
    """

    value: object
    where: str

    def error(self, problem: str, hint: str) -> UsageError:
        """Return the error to raise about this value."""
        return UsageError(f"{self.where}: {problem}", hint=Advice(hint))


@record
class Table:
    """The entries of one table; variables have already replaced what the file says."""

    path: Key
    entries: Mapping[str, Setting]

    def read(self, key: str, convert: Callable[[Setting], Value], default: Value) -> Value:
        """Return the converted value of `key`, or the default.

        `convert` raises UsageError for a value that it does not accept.
        """
        setting = self.entries.get(key)
        if setting is None:
            return default
        return convert(setting)


def dotted(key: Key) -> str:
    """Return `key` in TOML notation, with quotes where TOML needs them."""
    return ".".join(part if _is_bare(part) else f'"{part}"' for part in key)


def _is_bare(part: str) -> bool:
    return part.isascii() and part.replace("-", "_").replace("_", "a").isalnum()


def find(start: Path, trust: Trust) -> SettingsFile | None:
    """Return the settings of the nearest folder that has any, from `start` upwards, else None.

    Raises UsageError for a file that is unreadable or not TOML, Refused for an untrusted one.
    """
    start = start.resolve()
    for folder in (start, *start.parents):
        file = in_folder(folder, trust)
        if file is not None:
            return file
    return None


def in_folder(folder: Path, trust: Trust) -> SettingsFile | None:
    """Return the settings in `folder`: dartsctl.toml, else [tool.dartsctl] in pyproject.toml.

    None where there are none. Raises as `find`.
    """
    path = folder / SETTINGS_FILE
    trust.require(path)
    data = _read(path)
    if data is None:
        return _in_pyproject(folder / PYPROJECT, trust)
    text = _text(path, data)
    plain = plain_toml.parse(text)
    if plain is not None:
        return SettingsFile(path, plain[0], (), plain[1])
    return SettingsFile(path, _parsed(path, text), (), line_numbers(text))


def _in_pyproject(path: Path, trust: Trust) -> SettingsFile | None:
    data = _read(path) if os.access(path, os.F_OK) else None
    if data is None or b"dartsctl" not in data:
        return None  # not parsed at all: it may be broken, and need not concern us
    text = _text(path, data)
    tool = _parsed(path, text).get("tool")
    if not isinstance(tool, dict) or "dartsctl" not in tool:
        return None
    trust.require(path)
    lines, prefix = line_numbers(text), ("tool", "dartsctl")
    where = SettingsFile(path, {}, (), lines).where(prefix)
    return SettingsFile(path, as_table(Setting(tool["dartsctl"], where)), prefix, lines)


def as_table(setting: Setting) -> Mapping[str, object]:
    """Return the table in `setting`. Raises UsageError for anything else."""
    if not isinstance(setting.value, dict):
        raise setting.error(
            f"expected a table, got {kind(setting.value)}", "write it as a [header] with keys below"
        )
    return setting.value


def kind(value: object) -> str:
    """Return the type of a TOML value in words; never the value, which may be a secret."""
    if isinstance(value, bool):
        return str(value).lower()
    names: Mapping[type, str] = {
        str: "a string",
        int: "an integer",
        float: "a number",
        list: "a list",
        dict: "a table",
    }
    return names.get(type(value), "a date or time")


def _read(path: Path) -> bytes | None:
    """Return the content, None where there is no file. Raises UsageError for an unreadable one."""
    try:
        return bounded_file.read_bytes(path)
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise UsageError(
                f"broken symbolic link: {path}", hint=shell_command("ls", "-l", path)
            ) from None
        return None
    except OSError as error:
        if isinstance(error, PermissionError) and not os.access(path.parent, os.X_OK):
            return None  # the folder cannot be searched: nothing in it is meant for this user
        raise bounded_file.unreadable(path, error) from error


def _text(path: Path, data: bytes) -> str:
    try:
        return data.removeprefix(_MARK).decode().replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(
            f"{path.name}:{line}: not UTF-8 text", hint=Advice(f"save {path} as UTF-8")
        ) from error


def _parsed(path: Path, text: str) -> dict[str, object]:
    import tomllib  # late: who has plain settings does not pay for it

    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # ValueError: also a number with too many digits
        line, problem = _toml_error(str(error), text)
        raise UsageError(
            f"{path.name}:{line}: {problem}", hint=Advice(f"correct {path} (TOML: https://toml.io)")
        ) from error


def _toml_error(message: str, text: str) -> tuple[int, str]:
    """Return the line and the problem in a message of tomllib."""
    place = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", message, re.DOTALL)
    if place:
        return int(place[2]), f"{place[1]} (column {place[3]})"
    problem = message.replace(" (at end of document)", " at the end of the file")
    return max(1, len(text.splitlines())), problem


_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_KEY = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_STATEMENT = regex(rf"(?P<open>\[\[?)[ \t]*(?P<header>{_KEY})|(?P<key>{_KEY})[ \t]*=")
_TOKEN = regex(
    r'(?s)"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    r'|"(?:[^"\\\n]|\\.)*"'
    r"|'[^'\n]*'"
    r"|\#[^\n]*"
    r"|[\[\]{}]"
    r"|\n"
    r"""|[^"'\#\[\]{}\n]+""",
)


def line_numbers(text: str) -> dict[Key, int]:
    """Return the first line (from 1) of every key and header of a valid TOML text.

    Keys inside an inline table are left out: the key that holds the table is there.
    """
    lines: dict[Key, int] = {}
    for line, header, key in _statements(text):
        full_key = header + key
        for length in range(1, len(full_key) + 1):
            lines.setdefault(full_key[:length], line)
    return lines


def _statements(text: str) -> Iterator[tuple[int, Key, Key]]:
    """Yield line, header and key of each statement; for a header the key is empty."""
    position = counted = 0
    line = 1
    header: Key = ()
    while position < len(text):
        statement = _STATEMENT.match(text, position)
        if statement:
            line += text.count("\n", counted, position)
            counted = position
            if statement["header"]:
                header = _parts(statement["header"])
                yield line, header, ()
            else:
                yield line, header, _parts(statement["key"])
                position = statement.end()
            position = _end_of_statement(text, position)
        elif text[position] == "#":
            position = _end_of_statement(text, position)
        else:
            position += 1


def _parts(key: str) -> Key:
    """Return the parts of `a."b.c".d`; tomllib decodes quotes and escapes."""
    if '"' not in key and "'" not in key:
        return tuple(part.strip() for part in key.split("."))
    import tomllib

    parts: list[str] = []
    node: object = tomllib.loads(f"{key} = 0")
    while isinstance(node, dict):
        [(part, node)] = node.items()
        parts.append(part)
    return tuple(parts)


def _end_of_statement(text: str, position: int) -> int:
    """Return the start of the line after the statement at `position`.

    A statement lasts until its brackets are closed; strings and comments are skipped.
    """
    depth = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            return len(text)  # impossible in valid TOML
        position = token.end()
        if token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
        elif token[0] == "\n" and depth <= 0:
            break
    return position


def table(
    file: SettingsFile | None,
    path: Key,
    *,
    known: Iterable[str] | None,
    over: Mapping[str, Setting],
) -> Table:
    """Return the entries of the table `path`; those in `over` (the variables) win.

    Raises UsageError for a key that is not in `known` (None: all are).
    """
    written: dict[str, Setting] = {}
    if file:
        values: Mapping[str, object] = file.values
        for depth, part in enumerate(path, start=1):
            values = as_table(Setting(values.get(part, {}), file.where(path[:depth])))
        written = {key: Setting(value, file.where((*path, key))) for key, value in values.items()}
        if known is not None:
            _refuse_unknown(file, path, written, tuple(known))
    # flags (environment.resolve) > DARTSCTL_* > dartsctl.toml > defaults (Table.read)
    return Table(path, {**written, **over})


def _refuse_unknown(
    file: SettingsFile, path: Key, written: Mapping[str, Setting], known: tuple[str, ...]
) -> None:
    for key, setting in written.items():
        if key in known:
            continue
        hint = did_you_mean(key, known, lambda near: dotted((*file.prefix, *path, near)))
        if not hint:
            hint = f"known keys: {', '.join(known)}"
            if not path and isinstance(setting.value, dict):
                header = dotted((*file.prefix, "environment", key))
                hint = f"write another environment as [{header}]; {hint}"
        raise setting.error("unknown key", hint)
