"""What Compose said about files in earlier runs: anything odd leads to asking again."""

from __future__ import annotations

from pathlib import Path

import pytest

from dartsctl.edges.state.compose_answers import ComposeAnswers


def test_an_answer_is_known_to_the_next_run(tmp_path: Path) -> None:
    answers = ComposeAnswers(tmp_path / "state")
    assert answers.answer("a") is None
    answers.keep("a", answer=False)
    answers.keep("b", answer=True)
    later = ComposeAnswers(tmp_path / "state")
    assert (later.answer("a"), later.answer("b"), later.answer("c")) == (False, True, None)


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000, '{"a": 1}', '{"a": null}'])
def test_a_broken_file_counts_as_empty(tmp_path: Path, text: str) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / "compose-answers.json").write_text(text)
    answers = ComposeAnswers(tmp_path / "state")
    assert answers.answer("a") is None
    answers.keep("a", answer=True)
    assert answers.answer("a") is True


def test_an_unwritable_folder_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "state").write_text("a file")
    ComposeAnswers(tmp_path / "state").keep("a", answer=True)


def test_only_the_last_answers_are_remembered(tmp_path: Path) -> None:
    answers = ComposeAnswers(tmp_path / "state")
    for number in range(260):
        answers.keep(str(number), answer=True)
    assert (answers.answer("3"), answers.answer("4"), answers.answer("259")) == (None, True, True)
