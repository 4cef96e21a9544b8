"""Verbs and their parameters as data: they fit the functions that they call."""

from __future__ import annotations

import inspect

import pytest

from dartsctl.cli import completion
from dartsctl.cli.deps import Common
from dartsctl.cli.options import COMMON, one_of
from dartsctl.cli.parameters import Argument, Option, Options, Verb
from dartsctl.cli.verbs import VERBS, verb_named
from dartsctl.errors import UsageError
from dartsctl.records import fields, record


def all_verbs() -> dict[str, Verb]:
    """Return every verb and every group itself, by name."""
    verbs: dict[str, Verb] = {}
    for name in VERBS:
        verb = verb_named(name)
        if isinstance(verb, Verb):
            verbs[name] = verb
            continue
        if verb.alone:
            verbs[name] = verb.alone
        verbs |= {f"{name} {word}": inner for word, inner in verb.verbs.items()}
    return verbs


ALL = all_verbs()


@pytest.mark.parametrize("name", ALL)
def test_a_verb_has_a_parameter_for_each_argument_of_its_function(name: str) -> None:
    verb = ALL[name]
    taken = inspect.signature(verb.function).parameters
    assert set(taken) == {"common", *verb.fixed, *verb.parameters}
    assert {row.kind for row in taken.values()} == {inspect.Parameter.KEYWORD_ONLY}
    names = [row for row, _ in verb.each()]
    assert len(names) == len(set(names))
    assert COMMON.keys().isdisjoint(names)


@pytest.mark.parametrize("name", ALL)
def test_no_spelling_of_an_option_has_two_meanings(name: str) -> None:
    spellings: list[str] = ["--help", "-h"]
    for _, row in (*COMMON.items(), *ALL[name].each()):
        if isinstance(row, Option):
            spellings += [spelling for spelling, _ in row.spellings()]
    assert len(spellings) == len(set(spellings))


@pytest.mark.parametrize("name", ALL)
def test_what_completes_a_value_exists(name: str) -> None:
    functions = {row.completion for _, row in ALL[name].each()} - {""}
    assert [function for function in functions if not hasattr(completion, function)] == []


def test_the_common_options_are_the_fields_of_common() -> None:
    assert set(fields(Common)) == set(COMMON)


@record
class Colors:
    front: str = "black"
    back: str | None = None


def paint(*, name: str, common: Common, colors: Colors, words: list[str] | None = None) -> int:
    seen.append((name, common, colors, words))
    return 0


seen: list[object] = []
COLORS = Options(Colors, front=Option("--front", text=""), back=Option("--back", text=""))
PAINT = Verb(paint, {"colors": COLORS, "words": Argument(text="", metavar="W")}, name="fixed")


def test_options_of_a_record_arrive_as_one_value_and_the_rest_has_its_default() -> None:
    seen.clear()
    PAINT.call(Common(), {"back": "white"})
    PAINT.call(Common(), {"words": ["x"]})
    assert seen == [
        ("fixed", Common(), Colors("black", "white"), None),
        ("fixed", Common(), Colors(), ["x"]),
    ]


def test_another_choice_is_a_usage_error_that_lists_them() -> None:
    assert one_of("--pull", None, ("always", "never")) is None
    assert one_of("--pull", "never", ("always", "never")) == "never"
    with pytest.raises(UsageError, match="--pull: 'now' is not one of always, never"):
        one_of("--pull", "now", ("always", "never"))
