"""Phrases that several commands show."""

from __future__ import annotations

import time

from dartsctl.errors import Advice
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from pathlib import Path


def duration(seconds: float) -> str:
    """Return a length of time in one unit, such as `3 min`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def exact_duration(seconds: float) -> str:
    """Return a length of time in one or two units, such as `1 min 20 s`."""
    rest = max(0, int(seconds))
    parts: list[str] = []
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, size)
        if count or (unit == "s" and not parts):
            parts.append(f"{count} {unit}")
    return " ".join(parts[:2])


_AGE = regex(r",(?: \d+ (?:s|min|h|d))+ ago\Z")
"""`, 6 s ago`: true for the moment of a look, and not for a line that stays."""


def without_age(sentence: str) -> str:
    """Return a sentence without how long ago it was, for a text that says when."""
    return _AGE.sub("", sentence)


def local_time(moment: float) -> str:
    """Return a Unix time as local time with its offset: `2026-11-23T22:58:51+01:00`."""
    text = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(moment))
    return f"{text[:-2]}:{text[-2:]}"


def day(moment: float) -> str:
    """Return the date of a Unix time, in UTC."""
    return time.strftime("%Y-%m-%d", time.gmtime(moment))


def shell_command(*words: object) -> str:
    """Return a command that can be pasted, quoted where a word needs it."""
    import shlex

    return shlex.join(str(word) for word in words)


def relative(root: Path, path: Path) -> str:
    """Return a path as settings and .gitignore have it: relative to the root where it is inside."""
    return path.relative_to(root).as_posix() if path.is_relative_to(root) else str(path)


def listed(names: Sequence[str], most: int = 6) -> str:
    """Return names with commas between them; of many, the first ones and how many more."""
    shown = ", ".join(names[:most])
    if len(names) > most:
        return f"{shown} and {len(names) - most} more"
    return shown


def did_you_mean(
    word: str, known: Iterable[str], shown_as: Callable[[str], str] = lambda name: name
) -> str:
    """Return `did you mean NAME?` with the most similar of `known`; empty if none is similar.

    `shown_as` writes the name as the user would.
    """
    import difflib  # only a mistake pays for this import

    similar = difflib.get_close_matches(word.lower(), list(known), n=1)
    if not similar:
        return ""
    return Advice(f"did you mean {shown_as(similar[0])}?")
