"""Every `--help` at 80 columns: whole summaries, no line too long, plain words."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
import typer.main

from dartsctl.cli.app import program

WIDTH = 80
NOT_PLAIN = re.compile(
    r"\b(?:to be had|vain|told|fate|lacks?|shelf|on purpose|that is found|as they come|it is for)\b"
)
"""Phrases of the translated style that the first version was written in."""


def commands(command: Any, words: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield `command` and all commands below it, each with the words that call it."""
    yield words, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*words, name))


ALL = dict(commands(typer.main.get_command(program()), ("dartsctl",)))
EVERY_COMMAND = pytest.mark.parametrize("words", ALL, ids=" ".join)


def help_of(words: tuple[str, ...]) -> list[str]:
    command = ALL[words]
    context = command.make_context(" ".join(words), ["--json"], resilient_parsing=True)
    context.terminal_width = WIDTH - 2
    text: str = command.get_help(context)
    return text.splitlines()


def test_the_walk_reaches_groups_and_their_verbs() -> None:
    names = {" ".join(words[1:]) for words in ALL}
    assert {"", "dev", "dev list", "prod", "prod up", "guard install", "run"} <= names


@EVERY_COMMAND
def test_no_line_of_a_help_is_cut_or_too_long(words: tuple[str, ...]) -> None:
    usage, *lines = help_of(words)
    assert usage.startswith("Usage: ")
    assert [line for line in lines if line.endswith(" ...") or re.search(r"\w\.\.\.$", line)] == []
    assert [line for line in lines if len(line) > WIDTH] == []


@EVERY_COMMAND
def test_a_help_begins_with_one_plain_sentence(words: tuple[str, ...]) -> None:
    text = ALL[words].help
    first = text.partition("\n\n")[0].replace("\n", " ")
    assert re.fullmatch(r"[A-Z][a-z]+,? [^.?!]+\.", first), first
    assert NOT_PLAIN.search(text) is None


@EVERY_COMMAND
def test_every_option_is_explained_in_plain_words(words: tuple[str, ...]) -> None:
    for parameter in ALL[words].params:
        text = getattr(parameter, "help", None)
        assert text, f"{parameter.name} is not explained"
        assert re.fullmatch(r"[A-Z].*\.", text), text
        assert NOT_PLAIN.search(text) is None
