"""Strict JSON reading: what is accepted, and the errors for everything else."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest

from dartsctl.errors import DartsctlError, DockerUnavailable
from dartsctl.text.strict_json import Cursor, Source, parse_json, read_json

SOURCE = Source("the engine", error=DockerUnavailable, hint="docker version")


def cursor(value: object) -> Cursor:
    return Cursor(value, SOURCE, "root")


def test_an_error_names_sender_and_place_but_never_the_value() -> None:
    document = cursor({"services": {"we b": {"ports": [{"target": "hunter2"}]}}})
    port = next(document.at("services").at("we b").at("ports").items())
    with pytest.raises(DockerUnavailable) as caught:
        port.at("target").integer(maximum=65535)
    assert caught.value.message == (
        "the engine: root.services.'we b'.ports[0].target: "
        "expected a number from 0 to 65535, got text"
    )
    assert caught.value.hint == "docker version"


def test_names_in_a_path_are_cut_and_have_no_control_characters() -> None:
    for name in ("\x1b[31m", "\u202e", "\n"):
        with pytest.raises(DartsctlError) as caught:
            cursor({name: 7}).at(name).text()
        assert caught.value.message.isprintable()
    with pytest.raises(DartsctlError) as caught:
        cursor({"x" * 5000: 7}).at("x" * 5000).text()
    assert len(caught.value.message) < 200


WRONG: list[tuple[Callable[[Cursor], object], object, str]] = [
    (Cursor.text, None, "expected text, got nothing"),
    (Cursor.text, 7, "expected text, got 7"),
    (Cursor.text, True, "expected text, got true"),
    (Cursor.text, 1.5, "expected text, got a fraction"),
    (Cursor.text, "a\0b", "a NUL character"),
    (Cursor.flag, "false", "expected true or false, got text"),
    (Cursor.integer, 1.0, "got a fraction"),
    (Cursor.integer, True, "got true"),
    (Cursor.integer, -1, "got -1"),
    (Cursor.integer, 2**64, "got a larger number"),
    (Cursor.texts, "a", "expected a list, got text"),
    (Cursor.texts, ["a", None], "root[1]: expected text, got nothing"),
    (Cursor.text_entries, ["a"], "expected a mapping, got a list"),
    (Cursor.text_entries, {"a": "b", "c": 7}, "root.c: expected text, got 7"),
    (Cursor.present, None, "expected a value"),
]


@pytest.mark.parametrize(("read", "value", "sentence"), WRONG)
def test_a_wrong_value_is_refused_by_its_type(
    read: Callable[[Cursor], object], value: object, sentence: str
) -> None:
    with pytest.raises(DockerUnavailable, match=re.escape(sentence)):
        read(cursor(value))


def test_null_and_a_missing_key_are_the_default_or_empty() -> None:
    empty = cursor({"null": None})
    for key in ("null", "absent"):
        value = empty.at(key)
        assert (value.text(""), value.integer(7), value.flag(default=True)) == ("", 7, True)
        assert (value.texts(), value.text_entries(), value.at("deeper").value) == ((), {}, None)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "not JSON (line 1, column 1)"),
        ('{"a":\n"s3cret}', "not JSON (line 2, column 1)"),
        ("NaN", "not JSON"),
        ("-Infinity", "not JSON"),
        ("9" * 5000, "not JSON"),
        ('{"a": 1, "a": 2}', "not JSON"),
        ('{"\\ud800": 1}', "not JSON"),
        ('{"a":' * 100_000, "nested too deeply"),
    ],
)
def test_invalid_json_is_refused_without_quoting_it(text: str, sentence: str) -> None:
    with pytest.raises(DockerUnavailable, match=re.escape(sentence)) as caught:
        parse_json(text, SOURCE)
    assert "s3cret" not in caught.value.message


def test_a_document_of_too_many_values_is_refused_before_it_is_parsed() -> None:
    with pytest.raises(DockerUnavailable, match="more than 1000000 values"):
        parse_json(b"[" + b"[]," * 1_000_000 + b"[]]", SOURCE)


def test_surrogate_pairs_and_invalid_bytes_become_characters() -> None:
    assert parse_json(b'["\\ud83d\\ude00", "\xc3\xa4", "\xff"]', SOURCE) == [
        "\U0001f600",
        "\u00e4",
        "\ufffd",
    ]


def test_a_nul_character_in_a_name_is_a_mistake() -> None:
    document = read_json('{"services": {"a\\u0000b": {}}}', Source("somebody"))
    with pytest.raises(DartsctlError, match="its name contains a NUL character"):
        list(document.at("services").entries())
