"""Every dartsctl command that a message shows can be typed: its verb and options exist."""

from __future__ import annotations

import ast
import functools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import typer.main
from typer.core import TyperGroup
from typer.exceptions import TyperException

from dartsctl.cli.app import program
from dartsctl.cli.verbs import VERBS
from repository import MODULES, SOURCE

ANY = "60"
"""What stands for a value that is known only at run time: a name, a number or a path."""
VALUES = {"guard 60": "guard install", "dartsctl 60": "dartsctl prod", "--60-file": "--prod-file"}
"""What such a value is where it is a verb, an environment or a part of an option."""


def text_of(node: ast.expr) -> str | None:
    """Return a literal or an f-string with `ANY` for what is filled in, None for another node."""
    match node:
        case ast.Constant(value=str(text)):
            return text
        case ast.JoinedStr(values=values):
            parts = [value.value if isinstance(value, ast.Constant) else ANY for value in values]
            return "".join(map(str, parts))
    return None


def calls_in(tree: ast.AST) -> Iterator[str]:
    """Yield the commands that `environment.command(...)` and `shell_command(...)` make."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        given = [argument for argument in node.args if not isinstance(argument, ast.Starred)]
        words = [text_of(argument) or ANY for argument in given]
        if words[-1:] == ["--"]:
            words.append("COMMAND")
        if isinstance(node.args[0], ast.Starred):
            continue
        match node.func:
            case ast.Attribute(attr="command", value=ast.Name(id="environment") | ast.Attribute()):
                if words and words[0] != ANY:
                    yield shlex.join(["dartsctl", "prod", *words])
            case ast.Name(id="shell_command") if words[:1] == ["dartsctl"] and words[1:]:
                yield shlex.join(words)


def commands_in(file: Path) -> Iterator[str]:
    """Yield every dartsctl command of a module: in backticks, as a hint, or made by a call."""
    tree = ast.parse(file.read_text())
    inside = {
        id(part)
        for node in ast.walk(tree)
        if isinstance(node, ast.JoinedStr)
        for part in node.values
    }
    for node in ast.walk(tree):
        if not isinstance(node, ast.expr) or id(node) in inside:
            continue
        text = text_of(node)
        if text is None:
            continue
        yield from re.findall(r"`(dartsctl [^`]+)`", text)
        words = text.split(" ")
        if words[0] == "dartsctl" and words[1:] and words[1] in (*VERBS, ANY) and "\n" not in text:
            yield text.partition(" (")[0]  # `dartsctl watch (pid 60)`: a process by its command
    yield from calls_in(tree)


GROUPS = ("prod", "guard")


@functools.cache
def commands() -> dict[str, Path]:
    """Return every dartsctl command of the source, with a module that has it."""
    known: dict[str, Path] = {}
    for file in MODULES:
        known |= dict.fromkeys(commands_in(file), file.relative_to(SOURCE))
    return known


def parse(words: list[str]) -> None:
    """Let Typer read a command line to its end, without running anything."""
    command = typer.main.get_command(program(words))
    context = command.make_context("dartsctl", list(words))
    while isinstance(command, TyperGroup):
        rest = [*context._protected_args, *context.args]
        if not rest or rest in ([name] for name in GROUPS):
            return  # `dev` has no need of a verb; another group shows its help
        name, subcommand, rest = command.resolve_command(context, rest)
        assert subcommand is not None
        command = subcommand
        context = command.make_context(name, rest, parent=context)


def typed(command: str) -> list[str]:
    """Return the words of a command, with an example for what is filled in at run time."""
    for value, example in VALUES.items():
        command = command.replace(value, example)
    return shlex.split(command.replace("staging", "prod"))[1:]


def test_the_commands_of_the_messages_are_collected() -> None:
    assert "dartsctl dev up --reset-ports" in commands()
    assert "dartsctl init" in commands()
    assert len(commands()) > 40


def test_a_command_in_a_message_has_a_verb_and_options_that_exist() -> None:
    wrong = {}
    for command, module in commands().items():  # no parameters: they would cost every collection
        try:
            parse(typed(command))
        except typer.Exit:  # --help
            continue
        except TyperException as error:
            wrong[f"{module}: {command}"] = error.format_message()
    assert wrong == {}
