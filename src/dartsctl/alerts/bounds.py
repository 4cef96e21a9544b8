"""Limits for what sources report, so that the state stays small whatever comes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

from dartsctl.errors import Advice
from dartsctl.records import replace

if TYPE_CHECKING:
    from dartsctl.alerts.problem import Problem

_MOST_LINES = 40
_MOST_AFFECTED = 200
_MOST_DETAILS = 40
_LONGEST = 2000
"""Characters of a text."""


def bounded(problem: Problem, now: float) -> Problem:
    """Return a problem of a sensible size that can be saved, and did not begin in the future."""
    since = problem.since
    if since is not None and not 0 < since <= now:
        since = None
    return replace(
        problem,
        sentence=_text(problem.sentence),
        command=_command(problem.command),
        evidence=tuple(_text(line) for line in problem.evidence[-_MOST_LINES:]),
        since=since,
        affected=problem.affected[:_MOST_AFFECTED],
        data=_details(problem),
    )


def _command(command: str) -> str:
    """Return the same kind of text: a command, or advice in words."""
    if isinstance(command, Advice):
        return Advice(_text(command))
    return _text(command)


def _text(text: str) -> str:
    if len(text) > _LONGEST:
        text = text[: _LONGEST - 3] + "..."
    if text.isascii():
        return text
    return text.encode(errors="replace").decode()


def _details(problem: Problem) -> dict[str, object]:
    """Return the details: plain values, and short lists and mappings of them."""
    details: dict[str, object] = {}
    for key, value in list(problem.data.items())[:_MOST_DETAILS]:
        if isinstance(value, list | tuple):
            details[_text(key)] = [_plain(item) for item in value[:_MOST_DETAILS]]
        elif isinstance(value, Mapping):
            items = list(value.items())[:_MOST_DETAILS]
            details[_text(key)] = {_text(str(name)): _plain(item) for name, item in items}
        else:
            details[_text(key)] = _plain(value)
    return details


def _plain(value: object) -> object:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int) and abs(value) < 1 << 63:
        return value
    if isinstance(value, float) and abs(value) < 1e15:
        return value
    return _text(str(value))
