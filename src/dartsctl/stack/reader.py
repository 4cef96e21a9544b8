"""Strict reading of what other programs send: a wrong shape is an error that says who sent it and where it stands.

A `Cursor` is one value of a JSON document with the way to it: `cursor.at("State").at("Pid").integer(0)`. Messages name the
kind of a wrong value, never the value: it may be a secret. No dataclass and no heavy import: this is on every command's way.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

from dartsctl.errors import DartsctlError
from dartsctl.stack.bindings import TransportProtocol, normal_address, protocol_named

HIGHEST_PORT = 65535
LARGEST = 2**63 - 1
MOST_VALUES = 1_000_000
"""Values of one document, by its brackets and commas: each becomes an object of up to 200 bytes."""
_LONGEST_NAME = 60
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_./-]+")
_HALF_CHARACTER = re.compile(r"\\u[dD][89a-fA-F]")


class Source:
    """Who sent a document, for messages, and which error is raised for it."""

    __slots__ = ("_error", "_hint", "name")

    def __init__(
        self, name: str, *, error: type[DartsctlError] = DartsctlError, hint: str = ""
    ) -> None:
        self.name = name
        self._error = error
        self._hint = hint

    def mistake(self, problem: str, path: str = "") -> DartsctlError:
        """The error to raise about it."""
        return self._error(
            f"{self.name}: {path}: {problem}" if path else f"{self.name}: {problem}",
            hint=self._hint,
        )


def loads(text: str | bytes, source: Source) -> Any:
    """`text` as JSON. Raises the source's error for everything else: NaN, a key given twice, endless nesting, too many values, half a character."""
    if isinstance(text, bytes):
        text = text.decode(errors="replace")
    if sum(map(text.count, "[{,")) > MOST_VALUES:
        raise source.mistake(f"the answer has more than {MOST_VALUES} values")
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number)
        if _HALF_CHARACTER.search(text):
            json.dumps(value, ensure_ascii=False).encode()
    except RecursionError:
        raise source.mistake("the answer is nested too deeply") from None
    except ValueError as error:  # its text may quote the document
        raise source.mistake(f"the answer is not JSON{_place(error)}") from None
    return value


def read(text: str | bytes, source: Source, path: str = "") -> Cursor:
    """The whole of `text`, which is JSON; `path` is what messages call it. Raises the source's error."""
    return Cursor(loads(text, source), source, path)


def digits(text: str, maximum: int = LARGEST) -> int | None:
    """The number that ASCII digits write, None for anything else and for a number above `maximum`."""
    if not (text.isascii() and text.isdigit() and len(text) < 20):
        return None
    number = int(text)
    return number if number <= maximum else None


def http_status(head: bytes) -> int | None:
    """The status in the first line of an HTTP answer; None for what is no HTTP."""
    words = head.partition(b"\n")[0].split()
    is_status = (
        len(words) >= 2
        and words[0].startswith(b"HTTP/")
        and len(words[1]) == 3
        and words[1].isdigit()
    )
    return int(words[1]) if is_status else None


class Cursor:
    """One value of a document. A key that is not there reads as null; null reads as the default, and as an empty list or mapping."""

    __slots__ = ("_parent", "_source", "_step", "value")

    def __init__(
        self, value: Any, source: Source, step: str | int = "", parent: Cursor | None = None
    ) -> None:
        self.value = value
        self._source = source
        self._step = step
        self._parent = parent

    def at(self, key: str) -> Cursor:
        """The value of `key`."""
        value = self.value
        if value is None:
            return Cursor(None, self._source, key, self)
        if not isinstance(value, dict):
            raise self._wrong("a mapping")
        return Cursor(value.get(key), self._source, key, self)

    def entries(self) -> Iterator[tuple[str, Cursor]]:
        """Every key of a mapping with its value."""
        if self.value is None:
            return iter(())
        if not isinstance(self.value, dict):
            raise self._wrong("a mapping")
        return (self._entry(key, value) for key, value in self.value.items())

    def _entry(self, key: str, value: Any) -> tuple[str, Cursor]:
        cursor = Cursor(value, self._source, key, self)
        if "\0" in key:
            raise cursor.mistake("a NUL character stands in its name")
        return key, cursor

    def items(self) -> Iterator[Cursor]:
        """Every value of a list."""
        if self.value is None:
            return iter(())
        if not isinstance(self.value, list):
            raise self._wrong("a list")
        return (Cursor(value, self._source, place, self) for place, value in enumerate(self.value))

    def present(self) -> Cursor:
        """This value, which must not be null."""
        if self.value is None:
            raise self._wrong("a value")
        return self

    def text(self, default: str | None = None) -> str:
        """A text without NUL: a name, a path, an argument."""
        value = self.prose(default)
        if "\0" in value:
            raise self.mistake("a NUL character stands in it")
        return value

    def prose(self, default: str | None = None) -> str:
        """Any text."""
        if isinstance(self.value, str):
            return self.value
        if self.value is None and default is not None:
            return default
        raise self._wrong("text")

    def texts(self) -> tuple[str, ...]:
        """A list of texts."""
        return tuple(item.text() for item in self.items())

    def text_or_number(self, default: str | None = None) -> str:
        """A text, or a whole number as one: what a YAML file may hold either way."""
        is_number = isinstance(self.value, int) and not isinstance(self.value, bool)
        return str(self.value) if is_number else self.text(default)

    def flag(self, default: bool = False) -> bool:
        """True or false."""
        if isinstance(self.value, bool):
            return self.value
        if self.value is None:
            return default
        raise self._wrong("true or false")

    def integer(
        self, default: int | None = None, *, minimum: int = 0, maximum: int = LARGEST
    ) -> int:
        """A whole number within the limits."""
        value = self.value
        if value is None and default is not None:
            return default
        if not isinstance(value, int) or isinstance(value, bool) or not minimum <= value <= maximum:
            raise self._wrong(f"a number from {minimum} to {maximum}")
        return value

    def port(self, default: int | None = None) -> int:
        """A port number; 0 is one."""
        return self.integer(default, maximum=HIGHEST_PORT)

    def port_text(self) -> int:
        """A port number that is written as text."""
        number = digits(self.text(), HIGHEST_PORT)
        if number is None:
            raise self.mistake("expected the number of a port")
        return number

    def address(self, default: str = "") -> str:
        """An IP address in its normal spelling; null and an empty text are the default."""
        text = self.text("")
        try:
            return normal_address(text) if text else default
        except ValueError:
            raise self.mistake("expected an IP address") from None

    def protocol(self, default: TransportProtocol | None = None) -> TransportProtocol:
        """tcp, udp or sctp."""
        try:
            return protocol_named(self.text(default))
        except ValueError:
            raise self.mistake("expected tcp, udp or sctp") from None

    def names(self) -> tuple[str, ...]:
        """The keys of a mapping, or the texts of a list: Compose has written some things either way."""
        return (
            tuple(key for key, _ in self.entries())
            if isinstance(self.value, dict)
            else self.texts()
        )

    def text_entries(self) -> dict[str, str]:
        """A mapping of texts."""
        return {key: value.text("") for key, value in self.entries()}

    def mistake(self, problem: str) -> DartsctlError:
        """The source's error about this value."""
        return self._source.mistake(problem, self._path())

    def _wrong(self, wanted: str) -> DartsctlError:
        return self.mistake(f"expected {wanted}, got {_kind(self.value)}")

    def _path(self) -> str:
        steps: list[str] = []
        cursor: Cursor | None = self
        while cursor is not None:
            steps.append(_written(cursor._step))
            cursor = cursor._parent
        return "".join(reversed(steps)).removeprefix(".")


def _written(step: str | int) -> str:
    """One step of a path: `.web`, `[3]`; a name that is no plain word is quoted, and cut where it is long."""
    if isinstance(step, int):
        return f"[{step}]"
    short = step if len(step) <= _LONGEST_NAME else step[:_LONGEST_NAME] + "..."
    if not step:
        return ""
    return f".{short}" if _PLAIN_NAME.fullmatch(step) else f".{short!a}"


def _kind(value: object) -> str:
    """What a value is, in words."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value) if abs(value) <= LARGEST else "a larger number"
    names: Sequence[tuple[type, str]] = (
        (str, "text"),
        (float, "a fraction"),
        (list, "a list"),
        (dict, "a mapping"),
    )
    return next((name for kind, name in names if isinstance(value, kind)), "nothing")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise ValueError("a key is given twice")
    return made


def _no_number(_name: str) -> NoReturn:
    raise ValueError("not a number")


def _place(error: ValueError) -> str:
    """Where the JSON is broken; nothing for an error that does not say it."""
    line, column = getattr(error, "lineno", None), getattr(error, "colno", None)
    return f" (line {line}, column {column})" if line is not None else ""
