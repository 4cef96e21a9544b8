"""Lengths of time that a person writes: `90`, `30m`, `2h`, `1h30m`."""

from __future__ import annotations

from dartsctl.text.patterns import regex

LONGEST = 365 * 86400.0
"""Seconds. What is longer is a mistake, and no clock or calendar has to bear it."""
EXAMPLE = 'a number of seconds, or such as "30m", "2h", "1d"'

_UNITS = {"s": 1.0, "sec": 1.0, "m": 60.0, "min": 60.0, "h": 3600.0, "d": 86400.0}
_PART = regex(r"(?a)([0-9]{1,9}(?:\.[0-9]{1,9})?)\s*(sec|s|min|m|h|d)\s*")
_NUMBER = regex(r"(?a)[0-9]{1,9}(?:\.[0-9]{1,9})?")


def parse_duration(text: str) -> float | None:
    """Return the seconds that `text` means; None for anything that is no length of time.

    A number without a unit counts seconds. A unit stands once, the larger ones first.
    """
    rest = text.strip().lower()
    if _NUMBER.fullmatch(rest):
        return float(rest)
    seconds, smaller_than = 0.0, LONGEST
    while rest:
        part = _PART.match(rest)
        if part is None:
            return None
        unit = _UNITS[part[2]]
        if unit >= smaller_than:
            return None
        seconds, smaller_than = seconds + float(part[1]) * unit, unit
        rest = rest[part.end() :]
    if smaller_than == LONGEST:
        return None
    return seconds
