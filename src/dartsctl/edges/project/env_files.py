"""Env files: read, check, and create them from an example. The only module that imports dotenv.

Compose reads the same files itself. No message here contains a value, or the text of a line:
env files contain secrets.
"""

from __future__ import annotations

import io
import os
import re
import stat
from contextlib import suppress

from dartsctl.config.env_value import EnvValue
from dartsctl.errors import Advice, UsageError
from dartsctl.system import bounded_file
from dartsctl.system.files import EVERYBODY
from dartsctl.system.path_walk import locate
from dartsctl.text.phrases import shell_command

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

    from dotenv.parser import Binding

EXAMPLES = ("example", "sample", "template", "dist")
"""The words in the names of example files: `.env.example`, `.env-example`, `example.env`."""


def read(paths: Sequence[Path], environ: Mapping[str, str] | None = None) -> dict[str, EnvValue]:
    """Return name -> value and place. A later file wins, and may use values of earlier ones.

    `${NAME}` and `${NAME:-default}` are replaced; `environ` (default: the process's environment)
    takes precedence over the files, as in Compose and dotenv. A name without `=` sets nothing.
    Raises UsageError (file and line) for what is not a readable text file of NAME=value lines.
    """
    if not paths:
        return {}
    outer = os.environ if environ is None else environ
    values: dict[str, EnvValue] = {}
    known: dict[str, str | None] = dict(outer)
    for path in paths:
        for name, raw, line in _statements(path):
            value = interpolated(raw, known)
            values[name] = EnvValue(value, path, line, _names_in(raw))
            if name not in outer:
                known[name] = value
    return values


def readable_values(path: Path) -> dict[str, EnvValue]:
    """Return the variables of an app's own env file; a later line wins.

    Lines that are wrong are skipped, as dotenv does, and so is a file that cannot be read.
    """
    values: dict[str, EnvValue] = {}
    known: dict[str, str | None] = dict(os.environ)
    with suppress(UsageError):
        for name, raw, line in _statements_in(_text(path), lambda _line: None):
            value = interpolated(raw, known)
            known.setdefault(name, value)
            values[name] = EnvValue(value, path, line)
    return values


def interpolated(text: str, known: Mapping[str, str | None]) -> str:
    """Replace `${NAME}` and `${NAME:-default}` in `text` from `known`; unknown names are empty."""
    if "${" not in text:
        return text
    from dotenv.variables import parse_variables

    return "".join(atom.resolve(known) for atom in parse_variables(text))


def _names_in(text: str) -> frozenset[str]:
    """Return the names of `${NAME}` in `text`."""
    if "${" not in text:
        return frozenset()
    from dotenv.variables import Variable, parse_variables

    return frozenset(atom.name for atom in parse_variables(text) if isinstance(atom, Variable))


def example_of(path: Path) -> Path | None:
    """Return the example of an env file, such as `.env.production.example`; None without one."""
    bare = path.name.removeprefix(".")
    for word in EXAMPLES:
        names = [f"{path.name}{sign}{word}" for sign in ".-_"]
        for name in (*names, f"{word}.{bare}", f"{bare}.{word}"):
            file = path.with_name(name)
            if file != path and file.is_file():
                return file
    return None


def readable_bytes(path: Path) -> bytes:
    """Return the content of an env file. Raises UsageError for what is not a readable text file."""
    data = _bytes(path)
    _decoded(data, path)
    return data


def shown_values(paths: Sequence[Path], folders: Sequence[Path] = ()) -> dict[str, str]:
    """Return name -> value of the examples of `paths`, and of `.env` in `folders` and theirs.

    An unreadable example is skipped.
    """
    all_folders = dict.fromkeys([*(path.parent for path in paths), *folders])
    env_files = [*(folder / ".env" for folder in all_folders), *paths]
    values: dict[str, str] = {}
    for example in dict.fromkeys(map(example_of, env_files)):
        if example is None:
            continue
        with suppress(UsageError):
            shown = read((example,), {})
            values |= {name: entry.value for name, entry in shown.items() if entry.value}
    return values


def text_of(path: Path) -> str:
    """Return the whole text of an env file, for a copy.

    Links of other users are not followed: the copy might show them a file of root's. Raises
    UsageError for a missing file or binary data, UnsafeFile.
    """
    try:
        folder, name = locate(path)
        with folder:
            data = folder.read(name, limit=bounded_file.TEXT_LIMIT, owners=EVERYBODY)
    except OSError as error:
        raise bounded_file.unreadable(path, error) from error
    return _decoded(data, path)


def values_in(text: str) -> dict[str, str]:
    """Return name -> value of an env file's text, not interpolated; other lines are skipped."""
    from dotenv.parser import parse_stream

    values: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(text)):
        if binding.key and binding.value is not None:
            values[binding.key] = binding.value
    return values


def mode(path: Path) -> int | None:
    """Return the permission bits of an env file; None for a pipe or /dev/null."""
    bits = path.stat().st_mode
    return stat.S_IMODE(bits) if stat.S_ISREG(bits) else None


def filled_in(text: str, renew: Callable[[str, str], str | None]) -> tuple[str, tuple[str, ...]]:
    """Return an example's text with new values, and the names that have one.

    `renew(name, value)` returns a new value, or None to keep it. All else stays, comments too.
    Raises UsageError for a line that is not NAME=value.
    """
    from dotenv.parser import parse_stream

    parts: list[str] = []
    renewed: list[str] = []
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            raise UsageError(
                f"line {binding.original.line} of the example is not NAME=value",
                hint=Advice("correct the example file"),
            )
        line, name, value = binding.original.string, binding.key, binding.value
        if name and value is not None:
            new_value = renew(name, value)
            if new_value is not None:
                line = _with_value(line, name, value, new_value)
                renewed.append(name)
        parts.append(line)
    return "".join(parts), tuple(renewed)


def _with_value(line: str, name: str, old: str, new: str) -> str:
    if not old:  # a comment may follow after blanks
        return re.sub(rf"({re.escape(name)}['\"]?\s*=)(['\"]?)\2", rf"\g<1>{new}", line, count=1)
    return re.sub(
        rf"({re.escape(name)}['\"]?\s*=[ \t]*)(['\"]?){re.escape(old)}\2",
        rf"\g<1>{new}",
        line,
        count=1,
    )


def _statements(path: Path) -> Iterator[tuple[str, str, int]]:
    """Yield name, text before interpolation, and line of each NAME=value in the file."""

    def refuse(line: int) -> None:
        raise UsageError(
            f"{path.name}:{line}: not a NAME=value line, or a quote is not closed",
            hint=Advice(f"correct line {line} of {path}"),
        )

    yield from _statements_in(_text(path), refuse)


def _statements_in(text: str, on_mistake: Callable[[int], None]) -> Iterator[tuple[str, str, int]]:
    """Yield what `_statements` does, and call `on_mistake` for each line that is wrong."""
    plain = _plain_statements(text)
    if plain is not None:
        yield from plain
        return
    from dotenv.parser import parse_stream

    for binding in parse_stream(io.StringIO(text)):
        line = _line_of(binding)
        if binding.error:
            on_mistake(line)
        if binding.key is not None and binding.value is not None:
            yield binding.key, binding.value, line


def _plain_statements(text: str) -> list[tuple[str, str, int]] | None:
    """Return what `_statements` yields for a text that every parser reads alike, else None.

    Importing dotenv takes a fifth of the time of a `check`.
    """
    if "\\" in text or "\r" in text:
        return None
    statements: list[tuple[str, str, int]] = []
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        name, equals, right = line.partition("=")
        value = _plain_value(right)
        if value is None or not equals or not name.isidentifier() or not name.isascii():
            return None
        statements.append((name, value, number))
    return statements


def _plain_value(text: str) -> str | None:
    """Return the value of a plain statement; None for one with comments or quotes inside."""
    value = text.rstrip()
    quote = value[:1]
    if quote not in {'"', "'"}:
        if quote.isspace() or "#" in value:
            return None
        return value
    inner = value[1:-1]
    if len(value) == 1 or value[-1] != quote or quote in inner:
        return None
    return inner


def _line_of(binding: Binding) -> int:
    """Return the line of a statement: dotenv counts from the blank lines above it."""
    before = binding.original.string
    return binding.original.line + before[: len(before) - len(before.lstrip())].count("\n")


def _text(path: Path) -> str:
    return _decoded(_bytes(path), path)


def _bytes(path: Path) -> bytes:
    if path.is_dir():
        raise UsageError(f"{path} is a folder, not an env file", hint=Advice("name the file in it"))
    if bounded_file.is_null_device(path):
        return b""
    try:
        return bounded_file.read_bytes(path)
    except FileNotFoundError:
        raise UsageError(
            f"no such env file: {path}", hint=shell_command("ls", "-la", path.parent)
        ) from None
    except OSError as error:
        raise bounded_file.unreadable(path, error) from error


def _decoded(data: bytes, path: Path) -> str:
    """Return the text. Raises UsageError for what is not UTF-8 text."""
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise UsageError(
            f"{path.name}:{line}: not a text file: it contains a NUL byte",
            hint=shell_command("file", path),
        )
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        # not chained: the decoder's error contains the bytes
        raise UsageError(
            f"{path.name}:{line}: not UTF-8 text", hint=Advice(f"save {path} as UTF-8")
        ) from None
