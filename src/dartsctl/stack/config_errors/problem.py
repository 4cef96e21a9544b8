"""Problem: what is wrong at a place in the files; and how readers say it."""

from __future__ import annotations

from dartsctl.records import record, replace
from dartsctl.stack.config_errors import interpolation
from dartsctl.stack.config_errors.place import (
    Place,
    Sources,
    because,
    quoted,
    raw_text,
    texts_at,
    unset,
    value_text,
)
from dartsctl.text.secret_names import is_masked_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    import re
    from collections.abc import Sequence

PORT_FORM = "write ports as [ADDRESS:]HOST:CONTAINER[/tcp|udp], e.g. 127.0.0.1:8080:80"
SET_IT = "set {0} in {1}, or give it a default in the Compose file: ${{{0}:-DEFAULT}}"


@record
class Said:
    """An error as Compose said it: the match of its pattern, and what is known beside it."""

    match: re.Match[str]
    sources: Sources
    empty: tuple[str, ...] = ()
    """The variables that Compose replaced by nothing, as its warnings say."""

    def __getitem__(self, group: str) -> str:
        """Return a group of the match, empty if it took no part."""
        return self.match.groupdict().get(group) or ""


@record
class Problem:
    """What is wrong at a place, and advice."""

    place: Place
    text: str
    advice: str = ""
    variable: str = ""


def not_a(
    part: str,
    expected: str,
    raw: str,
    place: Place,
    sources: Sources,
) -> str:
    """Return `\\`${PORT}:80\\`: "80 " is not a host port; PORT is "80 " (.env:1)`."""
    references = interpolation.references(raw)
    is_secret = place.is_private or any(is_masked_name(name.name) for name in references)
    shown_part = value_text(part, is_secret=is_secret) if part else "an empty text"
    text = f"{shown_part} is not {expected}"
    if not part and expected.startswith(("a ", "an ")):
        text = f"no {expected.partition(' ')[2]}"
    if not references:
        same = not raw or raw == part or is_secret
        return text if same else f"{quoted(raw)}: {text}"
    reason = because(raw, sources)
    text = f"{raw_text(raw)}: {text}"
    if reason.startswith("because"):
        return f"{text}, {reason}"
    return "; ".join(filter(None, (text, reason)))


def set_them(names: Sequence[str], env_file: str) -> str:
    """Return the advice to set variables that have no value."""
    if len(names) == 1:
        return SET_IT.format(names[0], env_file)
    words = ", ".join(names[:-1])
    defaults = ", ".join(f"${{{name}:-DEFAULT}}" for name in names)
    return f"set {words} and {names[-1]} in {env_file}, or give them defaults: {defaults}"


def advice_for(raw: str, sources: Sources, otherwise: str) -> str:
    """Return what to do about the variables in `raw`."""
    if names := unset(raw, sources):
        return set_them(names, sources.env_file)
    for reference in interpolation.references(raw):
        if setting := sources.variables.get(reference.name):
            return f"correct {reference.name} in {setting.origin}"
    return otherwise


def value_problem(place: Place, value: str, expected: str, sources: Sources) -> Problem:
    """Return the problem of a value that is not what is `expected` at its place."""
    fitting = [
        raw
        for raw in texts_at(place, sources)
        if interpolation.expand(raw, sources.values).strip() == value.strip()
    ]
    raw = next(iter(fitting), "")
    return Problem(
        replace(place, raw=raw),
        not_a(value, expected, raw, place, sources),
        advice_for(raw, sources, f"write {expected}"),
    )
