"""Which variables a text of a Compose file uses, what it becomes, and what is wrong with it."""

from __future__ import annotations

import pytest

from dartsctl.stack.config_errors.interpolation import (
    Reference,
    closing_brace,
    expand,
    fault,
    references,
    shown,
)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("$HOST:$PORT", (Reference("HOST"), Reference("PORT"))),
        ("${HOST}", (Reference("HOST"),)),
        ("${HOST:-localhost}", (Reference("HOST", ":-", "localhost"),)),
        ("${HOST?is needed}", (Reference("HOST", "?", "is needed"),)),
        ("${A:-${B}}", (Reference("A", ":-", "${B}"), Reference("B"))),
        ("$A $A", (Reference("A"),)),
        ("$$HOST costs 5$", ()),
        ("${1ST} ${} ${OPEN", ()),
    ],
)
def test_the_variables_of_a_text_are_in_their_order(
    template: str, expected: tuple[Reference, ...]
) -> None:
    assert references(template) == expected


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ("${SET}:80", "5000:80"),
        ("$UNSET:80", ":80"),
        ("${EMPTY:-6000}", "6000"),
        ("${EMPTY-6000}", ""),
        ("${UNSET-6000}", "6000"),
        ("${SET:+7000}", "7000"),
        ("${EMPTY:+7000}", ""),
        ("${EMPTY+7000}", "7000"),
        ("${UNSET:-${SET}}", "5000"),
        ("$$SET", "$SET"),
        ("${SET:?is needed}", "5000"),
    ],
)
def test_a_default_counts_as_its_operator_says(template: str, text: str) -> None:
    assert expand(template, {"SET": "5000", "EMPTY": ""}) == text


def test_defaults_within_defaults_are_followed_only_so_far() -> None:
    nested = "end"
    for _ in range(19):
        nested = f"${{UNSET:-{nested}}}"
    assert expand(nested, {}) == "end"
    for _ in range(9):
        nested = f"${{UNSET:-{nested}}}"
    assert expand(nested, {}) == ""


def test_a_default_is_shown_unless_it_may_be_a_secret() -> None:
    assert shown("${HOST:-localhost}:$PORT $$5") == "${HOST:-localhost}:${PORT} $$5"
    assert shown("amqp://${DB_PASSWORD:-hunter2}@mq") == "amqp://${DB_PASSWORD:-***}@mq"


def test_braces_are_closed_in_pairs() -> None:
    assert closing_brace("${A:-${B}} }", 1) == 9
    assert closing_brace("${A:-${B}", 1) is None


@pytest.mark.parametrize("template", ["", "80:80", "$HOST", "${HOST:-$$5}", "$$", "$$$HOST"])
def test_a_valid_text_has_no_fault(template: str) -> None:
    assert fault(template) is None


@pytest.mark.parametrize(
    ("template", "problem", "advice"),
    [
        ("5$", "`$` is no variable", "write a plain $ as $$"),
        ("$5", "`$5` is no variable", "write a plain $ as $$"),
        ("${HOST", "`${HOST` has no closing }", "close it: ${HOST} or ${HOST:-DEFAULT}"),
        ("${}", "`${}` names no variable", "write ${NAME}"),
        ("${HOST:80}", "`:` after HOST is no operator", "${HOST:-DEFAULT}"),
        ("${HOST }", "the name after `${HOST` has a blank", "without blanks"),
        ("${HOST!x}", "'!' after HOST is no operator", "${HOST:-DEFAULT}"),
        ("${HOST:-a\nb}", "`${HOST` is closed in another line", "in one line"),
        ("${1ST:-hunter2}", "`${1ST}` does not begin with a variable's name", "no digit first"),
    ],
)
def test_the_first_invalid_reference_is_the_fault(template: str, problem: str, advice: str) -> None:
    first = fault(f"$GOOD {template}")
    assert first is not None
    assert first.problem == problem
    assert advice in first.advice
