"""The secrets of one run: values that are known, looked for in every text that is shown, written or kept."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dartsctl.text import masking
from dartsctl.text.masking import MASK
from dartsctl.text.safe_text import CUT, LINE_LIMIT, cut, one_line, without_surrogates
from dartsctl.text.secret_names import ORDINARY_WORDS, is_masked, is_open, password_in

SHORTEST = 4
"""Characters of the shortest value that is looked for."""
_LOOKED_AT = 16 * LINE_LIMIT
"""Characters of a line that are masked before it is cut: a cut secret would not be recognised."""
_SHORT = 8
"""Below this, and for plain words and numbers, a value is masked only as a whole word."""
_LONGEST_WORD = 16
_GRAM = 4


class Masker:
    """Knows the secrets of this run. The Screen, the prompts, reports and the history share one.

    Sources that cost time to read are given to `learn_later`; they are read before the first text is masked.
    """

    def __init__(self) -> None:
        self._secrets: set[str] = set()
        self._names: set[str] = set()
        self._sources: list[Callable[[], None]] = []
        self._known: _KnownValues | None = None

    def learn(self, variables: Mapping[str, str]) -> None:
        """The variables of an environment: those with a secret's name or shape are secrets."""
        for name, value in variables.items():
            secrets = secrets_in(name, value)
            if secrets:
                self.learn_values(secrets)
            elif re.fullmatch(r"[A-Za-z][A-Za-z_-]*", value):
                self.spare([value])

    def learn_values(self, values: Iterable[str]) -> None:
        """Values that are secrets whatever they look like; of one with several lines, each line."""
        for value in values:
            self._secrets |= {line.strip() for line in value.splitlines()}
        self._known = None

    def learn_model(self, model: Mapping[str, Any]) -> None:
        """Compose's resolved model: its environments and build arguments, and the names that are no secrets."""
        services = model.get("services")
        services = services if isinstance(services, Mapping) else {}
        self.spare([str(model.get("name") or ""), *map(str, services)])
        for service in services.values():
            if not isinstance(service, Mapping):
                continue
            self.spare([str(service.get("container_name") or "")])
            build = service.get("build")
            blocks = (
                service.get("environment"),
                build.get("args") if isinstance(build, Mapping) else None,
            )
            for block in blocks:
                if isinstance(block, Mapping):
                    self.learn(
                        {
                            str(name): str(value)
                            for name, value in block.items()
                            if value is not None
                        }
                    )

    def learn_later(self, source: Callable[[], None]) -> None:
        """Call `source`, which learns, before the next text is masked."""
        self._sources.append(source)

    def spare(self, names: Iterable[str]) -> None:
        """Words that are never masked: projects, services, users, modes."""
        self._names |= {name.lower() for name in names if name}
        self._known = None

    def masked(self, text: str) -> str:
        """`text` without secrets."""
        return masking.masked(self._values().mask(text)) if text else text

    def line(self, text: str) -> str:
        """`text` as one line for people: cut, without secrets, no control character in it."""
        shown = cut(self.masked(text[:_LOOKED_AT]))
        if len(text) > _LOOKED_AT and not shown.endswith(CUT):
            shown += CUT
        return one_line(shown)

    def document(self, node: Any) -> Any:
        """A document for programs: no string in it holds a secret, or what no encoding can write."""
        match node:
            case str():
                return without_surrogates(self.masked(node))
            case Mapping():
                return {
                    without_surrogates(self.masked(str(key))): self.document(value)
                    for key, value in node.items()
                }
            case list() | tuple():
                return [self.document(item) for item in node]
        return node

    def _values(self) -> _KnownValues:
        while self._sources:
            self._sources.pop()()
        if self._known is None:
            ordinary = ORDINARY_WORDS | self._names
            secrets = (value for value in self._secrets if value.lower() not in ordinary)
            self._known = _KnownValues(secrets, self._names)
        return self._known


def secrets_in(name: str, value: str) -> tuple[str, ...]:
    """What of a variable's value is secret: all of it, the password in its URL, or nothing."""
    if password := password_in(value):
        return (password,)
    if not value or is_open(value):
        return ()
    return (value,) if is_masked(name) or masking.has_secret_shape(value) else ()


class _KnownValues:
    """Finds many values in one pass: one pattern finds their first characters, a table what follows."""

    def __init__(self, values: Iterable[str], names: Iterable[str]) -> None:
        self._table: dict[str, dict[int, set[str]]] = {}
        self._names: dict[str, list[tuple[int, str]]] = {}
        """Value -> the names that it is a part of, and where."""
        for value in values:
            within = [(name.index(value), name) for name in names if value in name]
            if within:
                self._names[value] = within
            for form in _forms(value) if len(value) >= SHORTEST else ():
                self._table.setdefault(form[:_GRAM], {}).setdefault(len(form), set()).add(form)
        self._starts = re.compile(f"(?={_prefix_pattern(self._table)})") if self._table else None

    def mask(self, text: str) -> str:
        """`text` with every value masked, the longest one where several begin."""
        if self._starts is None:
            return text
        parts: list[str] = []
        place = 0
        for match in self._starts.finditer(text):
            start = match.start()
            if start >= place and (length := self._length_at(text, start)):
                parts += [text[place:start], MASK]
                place = start + length
        return "".join([*parts, text[place:]])

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
        """`shop` in the project's name `case-shop` is no secret."""
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
    """A value as it may stand in a text: as it is, in URLs, JSON, Compose files and base64."""
    if value.isdigit() and len(value) < 6:  # a port, a year
        return set()
    forms = {value, value.replace("$", "$$")}
    if not value.isalnum() or not value.isascii():
        import json
        from urllib.parse import quote, quote_plus

        url_forms = {quote(value, safe=safe, errors="replace") for safe in ("", "/")}
        url_forms.add(quote_plus(value, errors="replace"))
        forms |= url_forms | {
            re.sub("%[0-9A-F]{2}", lambda code: code[0].lower(), form) for form in url_forms
        }
        forms |= {json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1]}
    return forms | _base64_forms(value)


def _base64_forms(value: str) -> set[str]:
    """The letters that base64 has for the value, wherever it begins among groups of three bytes."""
    import base64

    data = value.encode(errors="replace")
    if len(data) < _SHORT:
        return set()
    forms = {base64.b64encode(data).decode(), base64.urlsafe_b64encode(data).decode()}
    for shift, skipped in ((0, 0), (1, 2), (2, 3)):
        letters = base64.b64encode(b"\0" * shift + data).decode().rstrip("=")
        whole = letters[skipped : len(letters) - (1 if (shift + len(data)) % 3 else 0)]
        forms |= {whole, whole.replace("+", "-").replace("/", "_")}
    return forms


def _prefix_pattern(prefixes: Iterable[str]) -> str:
    """A pattern that matches any of `prefixes`, and looks at each character once."""
    by_first: dict[str, set[str]] = {}
    for prefix in prefixes:
        if prefix:
            by_first.setdefault(prefix[0], set()).add(prefix[1:])
    branches = [
        re.escape(first) + ("" if "" in rest else _prefix_pattern(rest))
        for first, rest in sorted(by_first.items())
    ]
    return branches[0] if len(branches) == 1 else f"(?:{'|'.join(branches)})"
