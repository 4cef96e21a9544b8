"""The diff of a planned file, as a person sees it before the question: without secret values."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from dartsctl.text.masker import secrets_in
from dartsctl.text.masking import MASK
from dartsctl.text.patterns import regex
from dartsctl.text.secret_names import password_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from dartsctl.discovery.changes import Change

_CONTEXT = 1
_VARIABLE = regex(r"(?P<start>\s*(?:#\s*)?(?:export\s+)?(?P<name>[A-Za-z_]\w*)\s*=)(?P<value>.*)")
_NEW = "  (new secret)"


def diff_lines(change: Change) -> tuple[str, ...]:
    """Return `+ line` and `- line` of what is written; of an edit also its neighbouring lines.

    A file whose text is created later (a certificate, a key) has none.
    """
    match change.action:
        case "create" | "append":
            lines = [f"+ {line}" for line in change.text.splitlines()]
        case "edit":
            lines = list(_edited((change.old or b"").decode(errors="replace"), change.text))
        case _:
            lines = []
    if not change.is_env_file:
        return tuple(line.rstrip() for line in lines)
    return tuple(_without_secrets(lines, frozenset(change.generated)))


def _edited(old: str, new: str) -> Iterator[str]:
    """Yield the lines of a unified diff without its headers."""
    lines = difflib.unified_diff(old.splitlines(), new.splitlines(), lineterm="", n=_CONTEXT)
    for number, line in enumerate(lines):
        if number > 1 and not line.startswith("@@"):
            yield f"{line[:1]} {line[1:]}"


def _without_secrets(lines: Sequence[str], generated: frozenset[str]) -> Iterator[str]:
    """Hide the values of secrets, and whatever is neither a comment nor `NAME=value`."""
    new = _values_of(lines, generated)
    for line in lines:
        sign, text = line[:2], line[2:]
        variable = _VARIABLE.fullmatch(text)
        if variable:
            value = _shown(variable["name"], variable["value"], new)
            yield f"{sign}{variable['start']}{value}"
        elif not text.strip() or text.lstrip().startswith("#"):
            yield line.rstrip()
        else:
            yield f"{sign}..."


def _values_of(lines: Iterable[str], names: frozenset[str]) -> tuple[str, ...]:
    """Return the values that the lines give the variables `names`."""
    values: list[str] = []
    for line in lines:
        variable = _VARIABLE.fullmatch(line[2:])
        if variable and variable["name"] in names and _bare(variable["value"]):
            values.append(_bare(variable["value"]))
    return tuple(values)


def _shown(name: str, value: str, new: Iterable[str]) -> str:
    is_new = False
    for secret in new:
        is_new = is_new or secret in value
        value = value.replace(secret, MASK)
    if is_new:
        return f"{value}{_NEW}"
    for secret in secrets_in(name, _bare(value)):
        if password_in(_bare(value)) == secret:
            value = value.replace(f":{secret}@", f":{MASK}@", 1)
        else:
            value = value.replace(secret, MASK)
    return value


def _bare(value: str) -> str:
    """Return a value without blanks and quotes around it."""
    return value.strip().strip("'\"")
