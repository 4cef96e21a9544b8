"""Read the grammar of nginx's configuration: directives and blocks, with file and line.

Odd input never raises. Source: nginx's core, `ngx_conf_read_token`.
"""

from __future__ import annotations

from dartsctl.records import field, record, replace
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_DEEPEST = 20
"""Levels of blocks."""
_MOST_TOKENS = 200_000


@record
class Directive:
    """One directive: its words and its block; `block` is None if it ends with a semicolon."""

    words: tuple[str, ...]
    block: tuple[Directive, ...] | None = None
    place: str = field(default="", compare=False)
    """`/etc/nginx/conf.d/default.conf:4`."""

    @property
    def name(self) -> str:
        return self.words[0] if self.words else ""


def parse(text: str, file: str = "") -> tuple[Directive, ...]:
    """Return the directives of one text.

    A superfluous closing brace is skipped; a block without its end ends with the text.
    """
    levels: list[list[Directive]] = [[]]
    heads: list[Directive] = []
    words: list[str] = []
    place = ""
    for number, (kind, piece, line) in enumerate(_tokens(text)):
        if number > _MOST_TOKENS:
            break
        if kind == "word":
            place = place if words else f"{file}:{line}"
            words.append(piece)
        elif piece == ";":
            levels[-1] += [Directive(tuple(words), place=place)] if words else []
            words = []
        elif piece == "{":
            heads.append(Directive(tuple(words), place=place))
            levels.append([])
            words = []
        elif heads:
            _close(levels, heads)
            words = []
    while heads:
        _close(levels, heads)
    return tuple(levels[0])


def _close(levels: list[list[Directive]], heads: list[Directive]) -> None:
    """End the innermost block. A block that lies too deep loses its content."""
    inner, head = levels.pop(), heads.pop()
    levels[-1].append(replace(head, block=tuple(inner) if len(heads) < _DEEPEST else ()))


_TOKEN = regex(
    r"""(?xs)\s+ | \#[^\n]*
    | (?P<quoted>"(?:\\.|[^"\\])*" | '(?:\\.|[^'\\])*')
    | (?P<mark>[;{}])
    | (?P<word>(?:\\. | \$\{[^}\s]*\} | [^\s;{}\\])+ | \\ )""",
)
_ESCAPE = regex(r"\\([\"'\\ ;{}#])")


def _tokens(text: str) -> Iterator[tuple[str, str, int]]:
    """Yield ("word" or "mark", text, line).

    `#` begins a comment only where a word could begin. A quote without its end is an ordinary
    character.
    """
    line = 1
    for match in _TOKEN.finditer(text):
        if match["quoted"] is not None:
            yield "word", _ESCAPE.sub(r"\1", match["quoted"][1:-1]), line
        elif match["mark"] is not None:
            yield "mark", match["mark"], line
        elif match["word"] is not None:
            yield "word", _ESCAPE.sub(r"\1", match["word"]), line
        line += match[0].count("\n")
