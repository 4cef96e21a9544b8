"""Numbers in text from outside."""

from __future__ import annotations

LARGEST_INTEGER = 2**63 - 1
"""The largest number that dartsctl reads: a signed 64-bit integer."""


def parse_digits(text: str, maximum: int = LARGEST_INTEGER) -> int | None:
    """Return the number that ASCII digits write.

    None for any other text, and for a number above `maximum`.
    """
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        return None
    number = int(text)
    if number > maximum:
        return None
    return number
