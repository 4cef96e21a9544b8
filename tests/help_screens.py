"""The help screens as Typer makes them. As a script: write them anew (`make help-screens`)."""

from __future__ import annotations

import contextlib
import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer.main
from typer.core import TyperGroup

from dartsctl.cli import baked_help
from dartsctl.cli.app import program


def names_of_all(command: Any, names: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield the words that call a command and each one below it."""
    yield names
    if not isinstance(command, TyperGroup):
        return
    for name in command.list_commands(typer.Context(command)):
        yield from names_of_all(command.commands[name], (*names, name))


def printed(*words: str) -> str:
    """Return what Typer prints for a line, as wide as COLUMNS."""
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        program(words)(args=list(words), prog_name="dartsctl", standalone_mode=False)
    return out.getvalue()


def screens() -> str:
    """Return the text of the file: after each form feed the words of a command, and its help."""
    text = ""
    for names in names_of_all(typer.main.get_command(program())):
        text += f"\f{' '.join(('dartsctl', *names))}\n{printed(*names, '--help')}"
    return text


if __name__ == "__main__":
    Path(baked_help.FILE).write_text(screens())
