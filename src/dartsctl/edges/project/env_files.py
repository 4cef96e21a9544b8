"""Env files: what the host server gets, what production's checks judge, and new ones made from an example. The only file that imports dotenv.

Compose reads the same files itself, by name.

No message here holds a value, or a line's text: an env file is where the secrets are.
"""

from __future__ import annotations

import io
import os
import re
import stat
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from dartsctl.config.environment import EnvValue
from dartsctl.errors import UsageError
from dartsctl.system import bounded_file
from dartsctl.system.files import EVERYBODY, locate
from dartsctl.text.phrases import shell_command

EXAMPLES = (".example", ".sample", ".template", ".dist")
"""What the name of an env file's example ends in."""


def read(paths: Sequence[Path], environ: Mapping[str, str] | None = None) -> dict[str, EnvValue]:
    """Name -> value and where it stands. A later file wins, and may use what an earlier one sets.

    `${NAME}` and `${NAME:-default}` are filled in, from `environ` (the process's own unless given) before the files: so do
    Compose, and dotenv where the server loads the file itself. A name without `=` sets nothing.
    Raises UsageError (file and line) for what is not a readable text file of NAME=value lines.
    """
    if not paths:
        return {}
    outer = os.environ if environ is None else environ
    found: dict[str, EnvValue] = {}
    known: dict[str, str | None] = dict(outer)
    for path in paths:
        for name, raw, line in _statements(path):
            value = interpolated(raw, known)
            found[name] = EnvValue(value, path, line)
            if name not in outer:
                known[name] = value
    return found


def interpolated(text: str, known: Mapping[str, str | None]) -> str:
    """`text` with `${NAME}` and `${NAME:-default}` filled in from `known`; a name that is not there is nothing."""
    from dotenv.variables import parse_variables

    return "".join(atom.resolve(known) for atom in parse_variables(text))


def example_of(path: Path) -> Path | None:
    """The example file of an env file: `.env.production.example` of `.env.production`; None where there is none."""
    return next(
        (file for ending in EXAMPLES if (file := path.with_name(path.name + ending)).is_file()),
        None,
    )


def shown_values(paths: Sequence[Path], folders: Sequence[Path] = ()) -> dict[str, str]:
    """Name -> value of everything that the example files of `paths` and `.env`'s in their folders and in `folders` show.

    An example that cannot be read shows nothing.
    """
    places = dict.fromkeys([*(path.parent for path in paths), *folders])
    examples = dict.fromkeys(
        one
        for path in (*(folder / ".env" for folder in places), *paths)
        if (one := example_of(path))
    )
    found: dict[str, str] = {}
    for example in examples:
        with suppress(UsageError):
            found |= {name: one.value for name, one in read((example,), {}).items() if one.value}
    return found


def text_of(path: Path) -> str:
    """An env file's whole text, for a copy of it: no link of another user is followed, they might get to read what is root's.

    Raises UsageError where it is not there, or no text; UnsafeFile.
    """
    try:
        folder, name = locate(path)
        with folder:
            data = folder.read(name, limit=bounded_file.TEXT_LIMIT, owners=EVERYBODY)
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", hint=shell_command("ls", "-l", path)
        ) from error
    return _decoded(data, path)


def values_in(text: str) -> dict[str, str]:
    """Name -> value of a text that is an env file, nothing filled in; lines that are none are left out."""
    from dotenv.parser import parse_stream

    return {
        one.key: one.value
        for one in parse_stream(io.StringIO(text))
        if one.key and one.value is not None
    }


def mode(path: Path) -> int | None:
    """The permission bits of an env file; None for what is no regular file: a pipe or /dev/null is read once, by Compose."""
    bits = path.stat().st_mode
    return stat.S_IMODE(bits) if stat.S_ISREG(bits) else None


def filled_in(text: str, renew: Callable[[str, str], str | None]) -> tuple[str, tuple[str, ...]]:
    """An example's text with the value of every name for which `renew(name, value)` gives a new one, and those names.

    Everything else stays as it is, comments too. Raises UsageError for what are no NAME=value lines.
    """
    from dotenv.parser import parse_stream

    parts, renewed = [], []
    for binding in parse_stream(io.StringIO(text)):
        if binding.error:
            raise UsageError(
                f"line {binding.original.line} of the example is no NAME=value line",
                hint="correct the example file",
            )
        line, name, value = binding.original.string, binding.key, binding.value
        fresh = renew(name, value) if name and value else None
        if fresh is not None and name and value:
            line = re.sub(
                rf"({re.escape(name)}['\"]?\s*=[ \t]*)(['\"]?){re.escape(value)}\2",
                rf"\g<1>{fresh}",
                line,
                count=1,
            )
            renewed.append(name)
        parts.append(line)
    return "".join(parts), tuple(renewed)


def _statements(path: Path) -> Iterator[tuple[str, str, int]]:
    """(name, text before interpolation, line) of each NAME=value in the file."""
    from dotenv.parser import parse_stream

    for binding in parse_stream(io.StringIO(_text(path))):
        before = binding.original.string
        # dotenv counts from the blank lines above a statement
        line = binding.original.line + before[: len(before) - len(before.lstrip())].count("\n")
        if binding.error:
            raise UsageError(
                f"{path.name}:{line}: this is no NAME=value line (or a quote is not closed)",
                hint=f"correct line {line} of {path}",
            )
        if binding.key is not None and binding.value is not None:
            yield binding.key, binding.value, line


def _text(path: Path) -> str:
    if path.is_dir():
        raise UsageError(f"{path} is a folder, not an env file", hint="name the file in it")
    try:
        data = b"" if bounded_file.is_null_device(path) else bounded_file.read_bytes(path)
    except FileNotFoundError:
        raise UsageError(
            f"there is no env file {path}",
            hint="make it, or leave it out: " + shell_command("ls", "-la", path.parent),
        ) from None
    except OSError as error:
        raise UsageError(
            f"{path} cannot be read: {error.strerror}", hint=shell_command("ls", "-l", path)
        ) from error
    return _decoded(data, path)


def _decoded(data: bytes, path: Path) -> str:
    """Raises UsageError for what is no UTF-8 text."""
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise UsageError(
            f"{path.name}:{line}: a NUL byte; this is no text file",
            hint=shell_command("file", path),
        )
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        # not chained: the decoder's error carries the bytes
        raise UsageError(
            f"{path.name}:{line}: not UTF-8 text", hint=f"save {path} as UTF-8"
        ) from None
