"""Find the known secrets of this run in every text that is shown, written or kept."""

from __future__ import annotations

import re
from _thread import RLock
from collections.abc import Callable, Iterable, Mapping, Sequence

from dartsctl.text.masking import MASK, has_secret_shape, mask_text
from dartsctl.text.safe_text import CUT, LINE_LIMIT, cut, one_line, without_surrogates
from dartsctl.text.secret_names import ORDINARY_WORDS, is_masked_name, is_never_secret, password_in

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_SHORTEST = 4
"""Shorter values are not looked for."""
_MASKED_LENGTH = 16 * LINE_LIMIT
"""Characters of a line that are masked before it is cut: a cut secret would not be recognised."""
_SHORT = 8
"""Shorter values, plain words and numbers are masked only as whole words."""
_LONGEST_WORD = 16
_GRAM = 4
_FEW_GRAMS = 64
"""Beginnings of values that are looked for one by one before a pattern is compiled for them."""


class Masker:
    """The secrets of this run, shared by the screen, the prompts, the reports and the history.

    Sources that are slow to read go to `learn_later`: they are read before the first text is
    masked. Every method may be called in any thread: a watch learns while it shows.
    """

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._names: set[str] = set()
        self._sources: list[Callable[[], None]] = []
        self._known: _KnownValues | None = None
        self._lock = RLock()
        self.lessons = 0
        """Grows with everything that is learnt: until then a text is masked in the same way."""

    def learn(self, variables: Mapping[str, str]) -> None:
        """Learn the values of variables whose name or shape is that of a secret."""
        for name, value in variables.items():
            secrets = secrets_in(name, value)
            if secrets:
                self.learn_values(secrets)
            elif re.fullmatch(r"[A-Za-z][A-Za-z_-]*", value):
                self.spare([value])

    def learn_values(self, values: Iterable[str]) -> None:
        """Learn secrets of any shape; of a value with several lines, each line."""
        lines: set[str] = set()
        for value in values:
            lines |= {line.strip() for line in value.splitlines()}
        with self._lock:
            if not lines <= self._secrets:  # a long run learns the same again and again
                self._secrets |= lines
                self._forget_known()

    def learn_model(self, model: Mapping[str, Any]) -> None:
        """Learn the environments and build arguments of Compose's resolved model.

        The names of its project, services, containers, networks and volumes are spared, and the
        addresses that it publishes on.
        """
        services = _mapping(model.get("services"))
        names: list[object] = [model.get("name"), *services]
        for kind in ("networks", "volumes"):
            for key, body in _mapping(model.get(kind)).items():
                names += (key, _mapping(body).get("name"))
        for service in map(_mapping, services.values()):
            names.append(service.get("container_name"))
            names += (_mapping(entry).get("host_ip") for entry in _items(service.get("ports")))
        self.spare({str(name) for name in names if name})
        for service in map(_mapping, services.values()):
            for block in (service.get("environment"), _mapping(service.get("build")).get("args")):
                variables = _mapping(block).items()
                self.learn({str(name): str(text) for name, text in variables if text is not None})

    def learn_later(self, source: Callable[[], None]) -> None:
        """Call `source` before the next text is masked; it calls the other methods."""
        self._sources.append(source)
        self.lessons += 1

    def read_sources(self) -> None:
        """Read what `learn_later` has put off, while something else is waited for."""
        with self._lock:
            while self._sources:
                self._sources.pop()()

    def spare(self, names: Iterable[str]) -> None:
        """Never mask these words: projects, services, users, modes."""
        words = {name.lower() for name in names if name}
        with self._lock:
            if not words <= self._names:
                self._names |= words
                self._forget_known()

    def mask(self, text: str) -> str:
        """Return `text` with every secret masked."""
        if not text:
            return text
        return mask_text(self._values().mask(text))

    def line(self, text: str) -> str:
        """Return `text` as one line for people: cut, masked, without control characters."""
        shown = cut(self.mask(text[:_MASKED_LENGTH]))
        if len(text) > _MASKED_LENGTH and not shown.endswith(CUT):
            shown += CUT
        return one_line(shown)

    def document(self, node: Any) -> Any:
        """Return a document for programs: every string masked, and valid in every encoding."""
        return _masked(node, _Shown(lambda text: without_surrogates(self.mask(text))))

    def _forget_known(self) -> None:
        self._known = None
        self.lessons += 1

    def _values(self) -> _KnownValues:
        with self._lock:
            self.read_sources()
            if self._known is None:
                ordinary = ORDINARY_WORDS | self._names
                secrets = (value for value in self._secrets if value.lower() not in ordinary)
                self._known = _KnownValues(secrets, self._names)
            return self._known


class _Shown(dict[str, str]):
    """Each text as it is shown. In a document the same ones come again and again."""

    def __init__(self, show: Callable[[str], str]) -> None:
        super().__init__()
        self._show = show

    def __missing__(self, text: str) -> str:
        shown = self[text] = self._show(text)
        return shown


def _masked(node: Any, shown: _Shown) -> Any:
    """Return a part of a document with its strings, also those of its keys, as they are shown."""
    if isinstance(node, str):  # matching patterns would take twice as long
        return shown[node]
    if node is None or isinstance(node, (int, float)):  # asking for a Mapping takes longer
        return node
    if isinstance(node, (list, tuple)):
        return [_masked(item, shown) for item in node]
    if isinstance(node, (dict, Mapping)):
        return {shown[str(key)]: _masked(value, shown) for key, value in node.items()}
    return node


def secrets_in(name: str, value: str) -> tuple[str, ...]:
    """Return what of a variable's value is secret: all, the password in its URL, or nothing."""
    if password := password_in(value):
        return (password,)
    is_meant = bool(value) and (is_masked_name(name) or has_secret_shape(value))
    if not is_meant or is_never_secret(value):
        return ()
    return (value,)


def _mapping(value: object) -> Mapping[Any, Any]:
    """Return `value`, or an empty mapping if it is not one."""
    return value if isinstance(value, Mapping) else {}


def _items(value: object) -> Sequence[Any]:
    """Return `value`, or an empty list if it is not one."""
    return value if isinstance(value, list) else ()


class _KnownValues:
    """Finds many values in one pass: a pattern finds their first characters, a table the rest."""

    def __init__(self, values: Iterable[str], names: Iterable[str]) -> None:
        self._table: dict[str, dict[int, set[str]]] = {}
        self._names: dict[str, list[tuple[int, str]]] = {}
        """Value -> the spared names that contain it, and at which offset."""
        for value in values:
            within = [(name.index(value), name) for name in names if value in name]
            if within:
                self._names[value] = within
            if len(value) < _SHORTEST:
                continue
            for form in _forms(value):
                self._table.setdefault(form[:_GRAM], {}).setdefault(len(form), set()).add(form)
        self._starts: re.Pattern[str] | None = None

    def mask(self, text: str) -> str:
        """Return `text` with every value masked, the longest one where several start."""
        if not self._may_have_a_value(text):
            return text
        if self._starts is None:
            self._starts = re.compile(f"(?={_prefix_pattern(self._table)})")
        parts: list[str] = []
        place = 0
        for match in self._starts.finditer(text):
            start = match.start()
            if start >= place and (length := self._length_at(text, start)):
                parts += [text[place:start], MASK]
                place = start + length
        return "".join([*parts, text[place:]])

    def _may_have_a_value(self, text: str) -> bool:
        """Return whether to search a text: most have nothing, and the pattern costs a while."""
        if self._starts or len(self._table) > _FEW_GRAMS:
            return True
        return any(gram in text for gram in self._table)

    def _length_at(self, text: str, start: int) -> int:
        by_length = self._table.get(text[start : start + _GRAM], {})
        for length in sorted(by_length, reverse=True):
            value = text[start : start + length]
            if value not in by_length[length] or self._is_in_a_name(value, text, start):
                continue
            if not _needs_bounds(value) or _stands_alone(text, start, length):
                return length
        return 0

    def _is_in_a_name(self, value: str, text: str, start: int) -> bool:
        """Return whether the value is part of a spared name: `shop` in the project `case-shop`."""
        for offset, name in self._names.get(value, ()):
            first = start - offset
            if first >= 0 and text[first : first + len(name)].lower() == name:
                return True
        return False


def _needs_bounds(value: str) -> bool:
    is_word = value.isalpha() and value.islower() and len(value) < _LONGEST_WORD
    return len(value) < _SHORT or is_word or value.isdigit()


def _stands_alone(text: str, start: int, length: int) -> bool:
    before, after = text[start - 1 : start], text[start + length : start + length + 1]
    return not (before.isalnum() or before == "_" or after.isalnum() or after == "_")


def _forms(value: str) -> set[str]:
    """Return the spellings of a value: plain, and as in URLs, JSON, Compose files and base64."""
    if value.isdigit() and len(value) < 6:  # a port, a year
        return set()
    forms = {value, value.replace("$", "$$")}
    if not value.isalnum() or not value.isascii():
        import json
        from urllib.parse import quote, quote_plus

        url_forms = {quote(value, safe=safe, errors="replace") for safe in ("", "/")}
        url_forms.add(quote_plus(value, errors="replace"))
        lower_case = (
            re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), form) for form in url_forms
        )
        forms |= {*url_forms, *lower_case}
        forms |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    return forms | _base64_forms(value)


def _base64_forms(value: str) -> set[str]:
    """Return the letters of the value in base64, for each offset in a group of three bytes."""
    from binascii import b2a_base64

    data = value.encode(errors="replace")
    if len(data) < _SHORT:
        return set()
    forms: set[str] = set()
    for shift, skipped in ((0, 0), (1, 2), (2, 3)):
        padded = b2a_base64(b"\0" * shift + data, newline=False).decode()
        if not shift:
            forms |= {padded, padded.replace("+", "-").replace("/", "_")}
        letters = padded.rstrip("=")
        has_partial_end = (shift + len(data)) % 3 != 0
        whole = letters[skipped : len(letters) - has_partial_end]
        forms |= {whole, whole.replace("+", "-").replace("/", "_")}
    return forms


def _prefix_pattern(prefixes: Iterable[str]) -> str:
    """Return a pattern that matches any of `prefixes` and reads each character once."""
    by_first: dict[str, set[str]] = {}
    for prefix in prefixes:
        if prefix:
            by_first.setdefault(prefix[0], set()).add(prefix[1:])
    branches: list[str] = []
    for first, rest in sorted(by_first.items()):
        branch = re.escape(first)
        if "" not in rest:  # a shorter prefix matches all of them
            branch += _prefix_pattern(rest)
        branches.append(branch)
    if len(branches) == 1:
        return branches[0]
    return f"(?:{'|'.join(branches)})"
