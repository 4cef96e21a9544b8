"""Text from outside, made safe for a terminal: nothing in it moves the cursor, hides, or begins a new line."""

from __future__ import annotations

import re

LINE_LIMIT = 4000
"""Characters of one line from outside that are looked at and shown."""
CUT = " ... (cut)"

_SURROGATES = re.compile("[\ud800-\udfff]")
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f"  # C0 (ESC, newline), DEL, C1
    "\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u3164\uffa0"  # invisible letters and marks
    "\u200b-\u200f\u2028-\u202e\u2060-\u206f"  # zero width, line separators, bidirectional controls
    "\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff"  # byte order mark, annotations, surrogates, tags
    "\U0001bca0-\U0001bca3\U0001d173-\U0001d17a]"  # formats of shorthand and music
)
_COLOR = re.compile(r"\x1b\[[0-9;:]*m")


def one_line(text: str) -> str:
    """`text` as one line: every unsafe character as its escape (`\\x1b`, `\\u202e`), a tab as a space."""
    if text.isascii() and text.isprintable():
        return text
    return _UNSAFE.sub(_escaped, text)


def with_colors(text: str) -> str:
    """`one_line` of a log line, its own colours kept and ended; tabs stay."""
    parts = _COLOR.split(text)
    colors = _COLOR.findall(text)
    if not colors:
        return "\t".join(one_line(part) for part in text.split("\t"))
    pairs = zip(parts, [*colors, "\x1b[0m"], strict=True)
    return "".join(
        "\t".join(one_line(piece) for piece in part.split("\t")) + color for part, color in pairs
    )


def without_colors(text: str) -> str:
    """`text` without colour sequences; all other control sequences stay for `one_line` to show."""
    return _COLOR.sub("", text) if "\x1b" in text else text


def without_surrogates(text: str) -> str:
    """`text` that every encoding of Unicode can write: bytes that were no UTF-8 as `\\xff`."""
    return text if text.isascii() else _SURROGATES.sub(_escaped, text)


def is_safe(text: str) -> bool:
    """Whether `one_line` would leave `text` as it is."""
    return not _UNSAFE.search(text)


def cut(text: str, limit: int = LINE_LIMIT) -> str:
    """`text`, or its first `limit` characters and a mark that says so."""
    return text if len(text) <= limit else text[:limit] + CUT


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    if match[0] == "\t":
        return " "
    if match[0] == "\n":
        return "\\n"
    if 0xDC80 <= code <= 0xDCFF:  # how Python keeps a byte that is no UTF-8
        code -= 0xDC00
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
