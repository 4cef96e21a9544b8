"""The known word that somebody probably meant."""

from __future__ import annotations

from collections.abc import Iterable


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The one of `known` that is most like `word`, or None where nothing is like it."""
    import difflib  # late: only a mistake pays for it

    near = difflib.get_close_matches(word.lower(), list(known), n=1)
    return near[0] if near else None
