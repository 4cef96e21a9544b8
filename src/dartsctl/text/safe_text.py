"""Make text from outside safe for a terminal.

Nothing in it may move the cursor, hide, or start a new line.
"""

from __future__ import annotations

from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re

LINE_LIMIT = 4000
"""Characters of a line from outside that are read and shown."""
CUT = " ... (cut)"

_SURROGATES = regex("[\ud800-\udfff]")
_UNSAFE = regex(
    "[\x00-\x1f\x7f-\x9f"  # C0 (ESC, newline), DEL, C1
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u3164\uffa0"  # invisible letters
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, line separators, bidi controls
    "\ufeff\ufff9-\ufffb\ud800-\udfff"  # byte order mark, annotations, surrogates
    "\U000e0000-\U000e0fff"  # tags
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a]"  # shorthand and music format controls
)
_COLOR = regex(r"\x1b\[[0-9;:]*m")
_RESET = "\x1b[0m"


def one_line(text: str) -> str:
    """Return `text` as one line.

    Unsafe characters become escapes (`\\x1b`, `\\u202e`), tabs become spaces.
    """
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(_escaped, text)


def with_colors(text: str) -> str:
    """Return a log line as `one_line` does, but with its tabs and colors.

    The colors are reset at the end.
    """
    colors = _COLOR.findall(text)
    if not colors:
        return _one_line_with_tabs(text)
    parts = map(_one_line_with_tabs, _COLOR.split(text))
    return "".join(part + color for part, color in zip(parts, [*colors, _RESET], strict=True))


def _one_line_with_tabs(text: str) -> str:
    return "\t".join(map(one_line, text.split("\t")))


def without_colors(text: str) -> str:
    """Return `text` without color sequences; `one_line` shows all other control sequences."""
    if "\x1b" not in text:
        return text
    return _COLOR.sub("", text)


def without_surrogates(text: str) -> str:
    """Return `text` as every Unicode encoding can write it.

    Bytes that were not UTF-8 become escapes (`\\xff`).
    """
    if text.isascii():
        return text
    return _SURROGATES.sub(_escaped, text)


def is_safe(text: str) -> bool:
    """Return whether `one_line` would not change `text`."""
    return not _UNSAFE.search(text)


def cut(text: str, limit: int = LINE_LIMIT) -> str:
    """Return `text`, or its first `limit` characters followed by CUT."""
    if len(text) <= limit:
        return text
    return text[:limit] + CUT


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if match[0] == "\t":
        return " "
    if match[0] == "\n":
        return "\\n"
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte that is not UTF-8
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    if code <= 0xFFFF:
        return f"\\u{code:04x}"
    return f"\\U{code:08x}"
