"""Small pieces of text that several verbs show."""

from __future__ import annotations


def duration(seconds: float) -> str:
    """A length of time in one unit."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"
