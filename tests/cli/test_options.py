"""The decorator of the verbs: common options, groups of options, fixed arguments."""

from __future__ import annotations

from typing import Annotated

import pytest
import typer
from typer.testing import CliRunner

from dartsctl.cli.deps import Common
from dartsctl.cli.options import one_of, verb
from dartsctl.errors import UsageError
from dartsctl.records import record


@record
class Colors:
    """A group of options."""

    front: Annotated[str, typer.Option("--front", help="Front.")] = "black"
    back: Annotated[str | None, typer.Option("--back", help="Back.")] = None


def paint(
    *,
    name: str,
    common: Common,
    colors: Colors,
    words: Annotated[list[str] | None, typer.Argument(help="Words.")] = None,
) -> int:
    """Paint."""
    typer.echo((name, common.as_json, colors, words))
    return 0


def run(*words: str) -> str:
    program = typer.Typer()
    program.command()(verb(paint, name="fixed"))
    result = CliRunner().invoke(program, list(words))
    assert result.exit_code == 0, result.output
    return result.output.rstrip()


def test_a_group_of_options_arrives_as_one_value() -> None:
    assert run("--back", "white") == str(("fixed", False, Colors("black", "white"), None))


def test_without_options_a_group_has_its_defaults_and_arguments_are_beside_it() -> None:
    assert run("one", "two", "--json") == str(("fixed", True, Colors(), ["one", "two"]))


def test_a_fixed_argument_is_no_option() -> None:
    program = typer.Typer()
    program.command()(verb(paint, name="fixed"))
    assert CliRunner().invoke(program, ["--name", "other"]).exit_code == 2


def test_another_choice_is_a_usage_error_that_lists_them() -> None:
    assert one_of("--pull", None, ("always", "never")) is None
    assert one_of("--pull", "never", ("always", "never")) == "never"
    with pytest.raises(UsageError, match="--pull: 'now' is not one of always, never"):
        one_of("--pull", "now", ("always", "never"))
