"""Reads plain command lines without Typer: `prod check --json`, `ports`, `up web --profile x`.

A line is plain if it is spelled in the only way that leaves nothing to decide. Any other one is
left to Typer, which also says what is wrong with it: unknown words, several short options in one
word, an option that is given twice, a value that begins with `-` or is not what the option takes.
For a plain line both come to the same call (tests/cli/test_plain_line.py).
"""

from __future__ import annotations

import os

from dartsctl.cli.options import COMMON
from dartsctl.cli.parameters import Argument, Option, Verb, Verbs
from dartsctl.cli.typed_words import is_completing
from dartsctl.cli.verbs import VERBS, environments_named, verb_named

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from typing import Any

_LONGEST_NUMBER = 9


class Call:
    """A verb to call, and what the command line gives of its parameters."""

    def __init__(self, verb: Verb, common: Mapping[str, Any], values: Mapping[str, Any]) -> None:
        self.verb = verb
        self.common = common
        self.values = values
        """Paths are still text."""

    def run(self) -> int | None:
        """Call the verb."""
        from dartsctl.cli.deps import Common

        common = _with_paths(self.common, COMMON.items())
        return self.verb.call(Common(**common), _with_paths(self.values, self.verb.each()))


class _NotPlain(Exception):
    """Typer has to read the line."""


def read(words: Sequence[str]) -> Call | None:
    """Return the call that a plain command line means, None for any other line."""
    if is_completing():
        return None
    try:
        return _read(words)
    except _NotPlain:
        return None


def _read(words: Sequence[str]) -> Call:
    common = _Reader(COMMON.items())
    rest = common.read_to_a_word(words)
    if not rest:
        raise _NotPlain
    if rest[0] not in VERBS:
        return _call_in(_environment(rest[0], words), common.values, rest[1:])
    verb = verb_named(rest[0])
    if isinstance(verb, Verbs):
        return _call_in(verb, common.values, rest[1:])
    return _call(verb, common.values, rest[1:])


def _environment(name: str, words: Sequence[str]) -> Verbs:
    """Return the verbs of an environment that the settings name."""
    from dartsctl.cli.stack import environment_group
    from dartsctl.errors import Refused

    try:
        is_known = name in environments_named(words)
    except Refused:
        is_known = False
    if not is_known:
        raise _NotPlain
    return environment_group(name)


def _call_in(group: Verbs, before: Mapping[str, Any], words: Sequence[str]) -> Call:
    """Return the call of a group's verb, or of the group itself."""
    if group.alone is None:
        if not words or words[0] not in group.verbs:
            raise _NotPlain
        return _call(group.verbs[words[0]], before, words[1:])
    reader = _Reader((*COMMON.items(), *group.alone.each()))
    rest = reader.read_to_a_word(words)
    if rest and rest[0] in group.verbs:
        if not reader.values.keys() <= COMMON.keys():
            raise _NotPlain
        return _call(group.verbs[rest[0]], {**before, **reader.values}, rest[1:])
    if group.needs_a_verb:
        raise _NotPlain
    return _call(group.alone, before, words)


def _call(verb: Verb, before: Mapping[str, Any], words: Sequence[str]) -> Call:
    """Return the call of a verb. `before` are the common options before its name."""
    reader = _Reader((*COMMON.items(), *verb.each()))
    reader.read_all(words)
    if not verb.required <= reader.values.keys():
        raise _NotPlain
    common = dict(before)
    values: dict[str, Any] = {}
    for name, value in reader.values.items():
        kept = common if name in COMMON else values
        kept[name] = value
    return Call(verb, common, values)


class _Reader:
    """Reads the words of a line into the values of parameters."""

    def __init__(self, parameters: Iterable[tuple[str, Option | Argument]]) -> None:
        self.values: dict[str, Any] = {}
        self._options: dict[str, tuple[str, Option, bool]] = {}
        self._argument: tuple[str, Argument] | None = None
        for name, parameter in parameters:
            if isinstance(parameter, Argument):
                self._argument = name, parameter
                continue
            for spelling, is_on in parameter.spellings():
                self._options[spelling] = name, parameter, is_on

    def read_to_a_word(self, words: Sequence[str]) -> Sequence[str]:
        """Read the options before the first other word. Return the rest, that word first."""
        place = 0
        while place < len(words):
            if not words[place].startswith("-"):
                return words[place:]
            place = self._read_option(words, place)
        return ()

    def read_all(self, words: Sequence[str]) -> None:
        """Read all words: options, and those that belong to the argument."""
        place = 0
        while place < len(words):
            if self._takes_a_command and words[place] == "--":
                self._put_command(words[place + 1 :])
                return
            if words[place].startswith("-"):
                place = self._read_option(words, place)
                continue
            if self._takes_a_command:
                self._put_command(words[place:])
                return
            self._put_word(words[place])
            place += 1

    @property
    def _takes_a_command(self) -> bool:
        return self._argument is not None and self._argument[1].kind == "command"

    def _read_option(self, words: Sequence[str], place: int) -> int:
        """Read the option at `place`. Return the place behind it and its value."""
        spelling, separator, value = words[place], "", ""
        if spelling.startswith("--"):
            spelling, separator, value = spelling.partition("=")
        if spelling not in self._options:
            raise _NotPlain
        name, option, is_on = self._options[spelling]
        place += 1
        if option.kind == "flag":
            if separator:
                raise _NotPlain
            self._put(name, is_on)
            return place
        if not separator:
            if place == len(words) or words[place].startswith("-"):
                raise _NotPlain
            value = words[place]
            place += 1
        self._put_value(name, option, value)
        return place

    def _put_word(self, word: str) -> None:
        if self._argument is None:
            raise _NotPlain
        self._put_value(*self._argument, word)

    def _put_command(self, words: Sequence[str]) -> None:
        if self._argument and words:
            self.values[self._argument[0]] = list(words)

    def _put_value(self, name: str, parameter: Option | Argument, text: str) -> None:
        if parameter.kind in ("path", "paths") and _is_unreadable(text):
            raise _NotPlain
        if parameter.kind in ("texts", "paths"):
            self.values.setdefault(name, []).append(text)
        elif isinstance(parameter, Option) and parameter.kind == "number":
            self._put(name, _number(text, parameter.least or 0))
        else:
            self._put(name, text)

    def _put(self, name: str, value: object) -> None:
        if name in self.values:
            raise _NotPlain
        self.values[name] = value


def _number(text: str, least: int) -> int:
    is_plain = text.isascii() and text.isdigit() and len(text) <= _LONGEST_NUMBER
    if not is_plain or int(text) < least:
        raise _NotPlain
    return int(text)


def _is_unreadable(path: str) -> bool:
    """Return whether there is something that this user may not read, which Typer refuses."""
    return os.path.exists(path) and not os.access(path, os.R_OK)  # noqa: PTH110 - see Call.values


def _with_paths(
    values: Mapping[str, Any], parameters: Iterable[tuple[str, Option | Argument]]
) -> Mapping[str, Any]:
    """Return the values with paths instead of their text."""
    converted = dict(values)
    for name, parameter in parameters:
        if name not in values or parameter.kind not in ("path", "paths"):
            continue
        from pathlib import Path

        if parameter.kind == "path":
            converted[name] = Path(values[name])
        else:
            converted[name] = [Path(text) for text in values[name]]
    return converted
