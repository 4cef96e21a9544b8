"""Env files as the host server gets them. The only file that imports dotenv. Compose reads the same files itself, by name.

No message here holds a value, or a line's text: an env file is where the secrets are.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from dartsctl.environment import EnvValue
from dartsctl.errors import UsageError


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


def _statements(path: Path) -> Iterator[tuple[str, str, int]]:
    """(name, text before interpolation, line) of each NAME=value in the file."""
    from dotenv.parser import parse_stream

    for binding in parse_stream(io.StringIO(_text(path))):
        before = binding.original.string
        # dotenv counts from the blank lines above a statement
        line = binding.original.line + before[: len(before) - len(before.lstrip())].count("\n")
        if binding.error:
            raise UsageError(f"{path.name}:{line}: this is no NAME=value line (or a quote is not closed)", hint=f"correct line {line} of {path}")
        if binding.key is not None and binding.value is not None:
            yield binding.key, binding.value, line


def _text(path: Path) -> str:
    if path.is_dir():
        raise UsageError(f"{path} is a folder, not an env file", hint="name the file in it")
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        raise UsageError(f"there is no env file {path}", hint=f"make it, or leave it out: ls -la {path.parent}") from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}", hint=f"ls -l {path}") from error
    if b"\0" in data:
        line = data[: data.index(b"\0")].count(b"\n") + 1
        raise UsageError(f"{path.name}:{line}: a NUL byte; this is no text file", hint=f"file {path}")
    try:
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        # not chained: the decoder's error carries the bytes
        raise UsageError(f"{path.name}:{line}: not UTF-8 text", hint=f"save {path} as UTF-8") from None
