"""The settings file: where it is, what it says, and on which line it says it.

tomllib knows no lines, and a message about a key must name one, so the text is gone through once more for its headers and keys.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from dartsctl.config.trust import Trust
from dartsctl.errors import UsageError
from dartsctl.system import bounded_file
from dartsctl.text.phrases import did_you_mean, shell_command

SETTINGS_FILE = "dartsctl.toml"
PYPROJECT = "pyproject.toml"

Key = tuple[str, ...]
"""The way to a value through the tables: `("dev", "files")`."""

Value = TypeVar("Value")


@dataclass(frozen=True, slots=True)
class SettingsFile:
    """One parsed file. `values` is dartsctl's own table of it: all of dartsctl.toml, [tool.dartsctl] of pyproject.toml."""

    path: Path
    values: Mapping[str, object]
    prefix: Key
    lines: Mapping[Key, int]
    """Key, prefix included -> the line that names it first."""

    def where(self, key: Key) -> str:
        """As messages begin: `dartsctl.toml:3: dev.files`; inside an inline table the line of the key that holds it."""
        whole = self.prefix + key
        line = next(
            (
                self.lines[whole[:length]]
                for length in range(len(whole), 0, -1)
                if whole[:length] in self.lines
            ),
            1,
        )
        return f"{self.path.name}:{line}: {dotted(whole)}"


@dataclass(frozen=True, slots=True)
class Given:
    """A value that somebody wrote, as TOML has it, and where: `dartsctl.toml:3: dev.files`, or a variable's name."""

    value: object
    where: str

    def mistake(self, problem: str, hint: str) -> UsageError:
        """The error to raise about it."""
        return UsageError(f"{self.where}: {problem}", hint=hint)


@dataclass(frozen=True, slots=True)
class Table:
    """What was written under one header, variables already laid over it."""

    path: Key
    given: Mapping[str, Given]

    def read(self, key: str, convert: Callable[[Given], Value], default: Value) -> Value:
        """The value of `key`, converted, or the default. `convert` raises UsageError for what it cannot take."""
        given = self.given.get(key)
        return default if given is None else convert(given)


def dotted(key: Key) -> str:
    """`key` as TOML writes it; a part that TOML would have to quote is quoted."""
    return ".".join(part if re.fullmatch(r"[A-Za-z0-9_-]+", part) else f'"{part}"' for part in key)


def find(start: Path, trust: Trust) -> SettingsFile | None:
    """The settings of the nearest folder, from `start` upwards, that has any; None where there are none.

    Raises UsageError for a file that cannot be read or is not TOML, Refused for one that is not trusted.
    """
    start = start.resolve()
    return next(
        (found for folder in (start, *start.parents) if (found := in_folder(folder, trust))), None
    )


def in_folder(folder: Path, trust: Trust) -> SettingsFile | None:
    """The settings of this very folder: dartsctl.toml, else [tool.dartsctl] in pyproject.toml, else None. Raises as `find`."""
    own = folder / SETTINGS_FILE
    trust.require(own)
    if (data := _read(own)) is not None:
        text = _text(own, data)
        return SettingsFile(own, _parsed(own, text), (), line_numbers(text))
    shared = folder / PYPROJECT
    data = _read(shared) if os.access(shared, os.F_OK) else None
    if data is None or b"dartsctl" not in data:
        return None  # not even read as TOML: a stranger's broken pyproject.toml is not our business
    text = _text(shared, data)
    tool = _parsed(shared, text).get("tool")
    if not isinstance(tool, dict) or "dartsctl" not in tool:
        return None
    trust.require(shared)
    lines = line_numbers(text)
    whole = SettingsFile(shared, {}, (), lines)
    return SettingsFile(
        shared,
        as_table(Given(tool["dartsctl"], whole.where(("tool", "dartsctl")))),
        ("tool", "dartsctl"),
        lines,
    )


def as_table(given: Given) -> Mapping[str, object]:
    """`given` as a table; raises UsageError for anything else."""
    if not isinstance(given.value, dict):
        raise given.mistake(
            f"{kind(given.value)} stands where a table is needed",
            "write it as a [header] with keys below it",
        )
    return given.value


def kind(value: object) -> str:
    """What a TOML value is, in words; never the value itself, it may be a secret."""
    if isinstance(value, bool):
        return "true" if value else "false"
    names: Mapping[type, str] = {
        str: "text",
        int: "a whole number",
        float: "a number",
        list: "a list",
        dict: "a table",
    }
    return names.get(type(value), "a date or time")


def _read(path: Path) -> bytes | None:
    """The file's bytes, None where there is no such file; raises UsageError for what is there and cannot be read."""
    try:
        return bounded_file.read_bytes(path)
    except (FileNotFoundError, NotADirectoryError):
        if path.is_symlink():
            raise UsageError(
                f"{path} is a link to nothing", hint=shell_command("ls", "-l", path)
            ) from None
        return None
    except PermissionError as error:
        if not os.access(path.parent, os.X_OK):
            return None  # the folder may not be searched: nothing in it is meant for us
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", hint=shell_command("ls", "-l", path)
        ) from error
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", hint=shell_command("ls", "-l", path)
        ) from error


def _text(path: Path, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise UsageError(
            f"{path.name}:{line}: not UTF-8 text", hint=f"save {path} as UTF-8"
        ) from error


def _parsed(path: Path, text: str) -> dict[str, object]:
    import tomllib  # late: commands without a settings file do not pay for it

    try:
        return tomllib.loads(text)
    except (
        ValueError,
        RecursionError,
    ) as error:  # ValueError: also a number of thousands of digits
        place = re.fullmatch(r"(.*) \(at line (\d+), column (\d+)\)", str(error), re.DOTALL)
        if place:
            line, problem = place[2], f"{place[1]} (column {place[3]})"
        else:
            line, problem = (
                str(max(1, len(text.splitlines()))),
                str(error).replace(" (at end of document)", ", and the file ends"),
            )
        raise UsageError(
            f"{path.name}:{line}: {problem}",
            hint=f"correct {path}; the language is TOML: https://toml.io",
        ) from error


_PART = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\\n]|\\.)*"|'[^'\n]*')"""
_KEY = rf"{_PART}(?:[ \t]*\.[ \t]*{_PART})*"
_STATEMENT = re.compile(rf"(?P<open>\[\[?)[ \t]*(?P<header>{_KEY})|(?P<key>{_KEY})[ \t]*=")
_TOKEN = re.compile(
    r'''"""(?:[^\\]|\\.)*?"{3,5}|\'\'\'.*?\'{3,5}|"(?:[^"\\\n]|\\.)*"|'[^'\n]*'|\#[^\n]*|[\[\]{}]|\n|[^"'\#\[\]{}\n]+''',
    re.DOTALL,
)


def line_numbers(text: str) -> dict[Key, int]:
    """Every key and header of a valid TOML text -> the line where it stands first (1 is the first).

    Keys inside an inline table are not in it: the key that holds the table is.
    """
    lines: dict[Key, int] = {}
    for line, header, key in _statements(text):
        whole = header + key
        for length in range(1, len(whole) + 1):
            lines.setdefault(whole[:length], line)
    return lines


def _statements(text: str) -> Iterator[tuple[int, Key, Key]]:
    """(line, the table it stands in, the key) of each statement; for a header the key is empty."""
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
            position = _end_of_statement(text, position if statement["header"] else statement.end())
        else:
            position = _end_of_statement(text, position) if text[position] == "#" else position + 1


def _parts(key: str) -> Key:
    """`a."b.c".d` as its parts; tomllib itself undoes quotes and escapes."""
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
    """Past the end of the line on which the statement at `position` ends: brackets closed, strings and comments passed over."""
    depth = 0
    while position < len(text):
        token = _TOKEN.match(text, position)
        if token is None:
            return len(text)  # cannot be, in valid TOML
        position = token.end()
        if token[0] in "[{":
            depth += 1
        elif token[0] in "]}":
            depth -= 1
        elif token[0] == "\n" and depth <= 0:
            break
    return position


def table(
    file: SettingsFile | None, path: Key, *, known: Iterable[str] | None, over: Mapping[str, Given]
) -> Table:
    """What `file` says under `path`, with `over` (the variables) laid over it. Raises UsageError for a key that is not in `known` (None: all are)."""
    written: Mapping[str, object] = file.values if file else {}
    for depth, part in enumerate(path, start=1):
        written = as_table(Given(written.get(part, {}), file.where(path[:depth]))) if file else {}
    given = (
        {key: Given(value, file.where((*path, key))) for key, value in written.items()}
        if file
        else {}
    )
    if known is not None and file:
        _refuse_unknown(file, path, given, tuple(known))
    return Table(
        path, {**given, **over}
    )  # flags (environment.resolve) > DARTSCTL_* > dartsctl.toml > defaults (Table.read)


def _refuse_unknown(
    file: SettingsFile, path: Key, given: Mapping[str, Given], known: tuple[str, ...]
) -> None:
    for key, one in given.items():
        if key in known:
            continue
        similar = did_you_mean(key, known, lambda near: dotted((*file.prefix, *path, near)))
        hint = f"known here: {', '.join(known)}"
        if not path and isinstance(one.value, dict):
            table_name = dotted((*file.prefix, "environment", key))
            hint = f"an environment of your own is written [{table_name}]; {hint}"
        raise one.mistake("no such key", similar or hint)
