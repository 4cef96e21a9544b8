"""The grammar of nginx's configuration."""

from __future__ import annotations

import pytest

from dartsctl.diagnosis.nginx import grammar
from dartsctl.diagnosis.nginx.grammar import Directive


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a b;", ("a", "b")),
        ("a 'b c' \"d;{}\";", ("a", "b c", "d;{}")),
        (r'a "say \"so\"" \;;', ("a", 'say "so"', ";")),
        ("a # a comment; }\n b;", ("a", "b")),
        ("a b#c;", ("a", "b#c")),
        ("a ${host}x $y;", ("a", "${host}x", "$y")),
        ("a it's;", ("a", "it's")),
    ],
)
def test_words_are_split_as_nginx_splits_them(text: str, words: tuple[str, ...]) -> None:
    assert grammar.parse(text) == (Directive(words),)


def test_blocks_nest_and_may_be_empty() -> None:
    assert grammar.parse("http { server { } }") == (
        Directive(("http",), (Directive(("server",), ()),)),
    )


def test_a_directive_knows_its_file_and_line() -> None:
    text = "# first\na 'b\nc';\nd {\n e; }"
    first, block = grammar.parse(text, "/etc/nginx/x.conf")
    assert (first.place, block.place) == ("/etc/nginx/x.conf:2", "/etc/nginx/x.conf:4")
    assert block.block is not None
    assert block.block[0].place == "/etc/nginx/x.conf:5"
