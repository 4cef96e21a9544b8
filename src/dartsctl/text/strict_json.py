"""Strict reading of JSON that other programs send.

A value of the wrong shape is an error that names the sender and the value's place in the document.
A `Cursor` is one value together with its path: `cursor.at("State").at("Pid").integer(0)`. Messages
name the type of a wrong value, never the value itself, which may be a secret.

Every command imports this module, so it uses no dataclass and no expensive import.
"""

from __future__ import annotations

import json

from dartsctl.errors import DartsctlError
from dartsctl.text.numbers import LARGEST_INTEGER
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NoReturn

MAX_VALUES = 1_000_000
"""Values of one document, counted by brackets and commas. Each becomes an object of up to 200 B."""
_LONGEST_NAME = 60
_LARGEST_FLOAT = 1e300
_PLAIN_NAME = regex(r"[A-Za-z0-9_./-]+")
_TYPE_NAMES = {str: "text", float: "a fraction", list: "a list", dict: "a mapping"}
_SURROGATE_ESCAPE = regex(r"\\u[dD][89a-fA-F]")


class Source:
    """The sender of a document: its name for messages, and the error to raise for its mistakes."""

    __slots__ = ("_error", "_hint", "name")

    def __init__(
        self, name: str, *, error: type[DartsctlError] = DartsctlError, hint: str = ""
    ) -> None:
        self.name = name
        self._error = error
        self._hint = hint

    def mistake(self, problem: str, path: str = "") -> DartsctlError:
        """Return the error to raise for `problem` at `path`."""
        parts = (self.name, path, problem)
        return self._error(": ".join(part for part in parts if part), hint=self._hint)


def parse_json(text: str | bytes, source: Source) -> Any:
    """Return the value of a JSON document.

    Raises the source's error for anything that is not JSON, and also for NaN, duplicate keys, very
    deep nesting, more than MAX_VALUES values, and lone surrogates.
    """
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    if sum(map(text.count, "[{,")) > MAX_VALUES:
        raise source.mistake(f"the answer has more than {MAX_VALUES} values")
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse_constant)
        if _SURROGATE_ESCAPE.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise source.mistake("the answer is nested too deeply") from None
    except ValueError as error:  # its text may quote the document
        raise source.mistake(f"the answer is not JSON{_place(error)}") from None
    return value


def read_json(text: str | bytes, source: Source, path: str = "") -> Cursor:
    """Return a cursor on the root of a JSON document, which messages call `path`.

    Raises the source's error, as `parse_json` does.
    """
    return Cursor(parse_json(text, source), source, path)


class Cursor:
    """One value of a document.

    A missing key reads as null. Null reads as the default, as an empty list or as an empty mapping.
    Every method raises the source's error for a value of another type.
    """

    __slots__ = ("_parent", "_source", "_step", "value")

    def __init__(
        self, value: Any, source: Source, step: str | int = "", parent: Cursor | None = None
    ) -> None:
        self.value = value
        self._source = source
        self._step = step
        self._parent = parent

    def at(self, key: str) -> Cursor:
        """Return the value of `key`."""
        value = self.value
        if value is None:
            return Cursor(None, self._source, key, self)
        if not isinstance(value, dict):
            raise self._wrong_type("a mapping")
        return Cursor(value.get(key), self._source, key, self)

    def entries(self) -> Iterator[tuple[str, Cursor]]:
        """Return every key of a mapping with its value."""
        return (self._entry(key, value) for key, value in self._mapping().items())

    def _mapping(self) -> dict[str, Any]:
        if self.value is None:
            return {}
        if not isinstance(self.value, dict):
            raise self._wrong_type("a mapping")
        return self.value

    def _entry(self, key: str, value: Any) -> tuple[str, Cursor]:
        cursor = Cursor(value, self._source, key, self)
        if "\0" in key:
            raise cursor.mistake("its name contains a NUL character")
        return key, cursor

    def items(self) -> Iterator[Cursor]:
        """Return every value of a list."""
        if self.value is None:
            return iter(())
        if not isinstance(self.value, list):
            raise self._wrong_type("a list")
        return (Cursor(value, self._source, index, self) for index, value in enumerate(self.value))

    def present(self) -> Cursor:
        """Return this cursor, whose value must not be null."""
        if self.value is None:
            raise self._wrong_type("a value")
        return self

    def text(self, default: str | None = None) -> str:
        """Return a text without NUL: a name, a path, an argument."""
        value = self.prose(default)
        if "\0" in value:
            raise self.mistake("it contains a NUL character")
        return value

    def prose(self, default: str | None = None) -> str:
        """Return any text."""
        if isinstance(self.value, str):
            return self.value
        if self.value is None and default is not None:
            return default
        raise self._wrong_type("text")

    def texts(self) -> tuple[str, ...]:
        """Return a list of texts."""
        return tuple(item.text() for item in self.items())

    def text_or_number(self, default: str | None = None) -> str:
        """Return a text, or an integer as text: YAML files may hold either."""
        if isinstance(self.value, int) and not isinstance(self.value, bool):
            return str(self.value)
        return self.text(default)

    def flag(self, *, default: bool = False) -> bool:
        """Return true or false."""
        if isinstance(self.value, bool):
            return self.value
        if self.value is None:
            return default
        raise self._wrong_type("true or false")

    def integer(
        self, default: int | None = None, *, minimum: int = 0, maximum: int = LARGEST_INTEGER
    ) -> int:
        """Return an integer from `minimum` to `maximum`."""
        value = self.value
        if value is None and default is not None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
            raise self._wrong_type(f"a number from {minimum} to {maximum}")
        return value

    def number(self, default: float | None = None) -> float:
        """Return a finite number."""
        value = self.value
        if value is None and default is not None:
            return default
        is_number = isinstance(value, int | float) and not isinstance(value, bool)
        if not is_number or not -_LARGEST_FLOAT < value < _LARGEST_FLOAT:
            raise self._wrong_type("a number")
        return float(value)

    def names(self) -> tuple[str, ...]:
        """Return the keys of a mapping, or the texts of a list: Compose has written both."""
        if isinstance(self.value, dict):
            return tuple(key for key, _ in self.entries())
        return self.texts()

    def text_entries(self) -> dict[str, str]:
        """Return a mapping of texts."""
        texts: dict[str, str] = {}
        for key, value in self._mapping().items():
            if isinstance(value, str) and "\0" not in value and "\0" not in key:
                texts[key] = value  # nearly always: no cursor for each label of each container
            else:
                texts[key] = self._entry(key, value)[1].text("")
        return texts

    def mistake(self, problem: str) -> DartsctlError:
        """Return the source's error about this value."""
        return self._source.mistake(problem, self._path())

    def _wrong_type(self, expected: str) -> DartsctlError:
        return self.mistake(f"expected {expected}, got {_describe_type(self.value)}")

    def _path(self) -> str:
        steps: list[str] = []
        cursor: Cursor | None = self
        while cursor is not None:
            steps.append(_format_step(cursor._step))
            cursor = cursor._parent
        return "".join(reversed(steps)).removeprefix(".")


def _format_step(step: str | int) -> str:
    """Return one step of a path, such as `.web` or `[3]`; quoted if unusual, cut if long."""
    if isinstance(step, int):
        return f"[{step}]"
    if not step:
        return ""
    short = step
    if len(step) > _LONGEST_NAME:
        short = step[:_LONGEST_NAME] + "..."
    return f".{short}" if _PLAIN_NAME.fullmatch(step) else f".{short!a}"


def _describe_type(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return "a larger number" if abs(value) > LARGEST_INTEGER else str(value)
    return _TYPE_NAMES.get(type(value), "nothing")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    mapping = dict(pairs)
    if len(mapping) != len(pairs):
        raise ValueError("duplicate key")
    return mapping


def _refuse_constant(_name: str) -> NoReturn:
    raise ValueError("not a number")


def _place(error: ValueError) -> str:
    """Return where the JSON is broken; empty for an error that does not know."""
    if not isinstance(error, json.JSONDecodeError):
        return ""
    return f" (line {error.lineno}, column {error.colno})"
