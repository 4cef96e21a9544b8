"""The table of verbs, and the program that is built from it for one command line."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import typer.main

from dartsctl.cli.app import program
from dartsctl.cli.verbs import VERBS


def names(words: Sequence[str]) -> list[str]:
    """Return the commands of the program for `words`, in the order of its help."""
    command = typer.main.get_command(program(words))
    assert isinstance(command, typer.core.TyperGroup)
    return command.list_commands(typer.Context(command))


@pytest.mark.parametrize("words", [[], ["--help"], ["--json", "ports"], ["nonsense"]])
def test_all_verbs_are_there_in_the_order_of_the_table(words: list[str]) -> None:
    assert names(words) == list(VERBS)


@pytest.mark.parametrize("verb", VERBS)
def test_a_line_that_begins_with_a_verb_builds_that_verb_alone(verb: str) -> None:
    assert names([verb, "--json"]) == [verb]


def test_a_shell_that_completes_sees_every_verb(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("_DARTSCTL_COMPLETE", "complete_bash")
    assert names(["ports"]) == list(VERBS)
