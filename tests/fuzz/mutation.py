"""One random change of a document, a text or bytes.

Such as a fault, another version or an attacker would cause.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

CANARY = "cAnAry"
"""Part of every secret value. A change never moves it to a name that is not a secret's."""
_DEEP = "@deep@"
_DEPTH = 50_000

WEIRD: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    80,
    65536,
    2**31,
    2**63,
    10**30,
    1.5,
    1e308,
    float("nan"),
    float("-inf"),
    "",
    " ",
    "0",
    "-1",
    "007",
    "1-2",
    "9-1",
    "65536",
    "9" * 5000,
    "\u00b2",
    "\u0663",
    "x" * 300,
    "x" * 100_000,
    "a\0b",
    "a\nb\rc",
    "\x1b[31mred\x07",
    "\x9b31m",
    "\u202eright to left",
    "\ud800",
    "::1%eth0",
    "999.1.1.1",
    "[::1]",
    "../../x",
    "/",
    "tcp/udp",
    "%s {0} $x ${X}",
    [],
    [None],
    [[]],
    {},
    {"": None},
    {"a": {"b": []}},
    _DEEP,
)


def of_document(document: Any, chance: random.Random) -> tuple[Any, str]:
    """Return a copy of a JSON document with one change, and its description."""
    changed = json.loads(json.dumps(document))
    places = list(_places(changed))
    if not places:
        value = chance.choice(WEIRD)
        return value, f"all -> {shown(value)}"
    parent, key, path = chance.choice(places)
    change = chance.choice((_replace, _replace, _replace, _delete, _rename, _twice, _other_kind))
    return changed, f"{path}: {change(parent, key, chance)}"


def dumped(document: Any) -> bytes:
    """Return the document as JSON text, which may contain NaN and endless nesting."""
    text = json.dumps(document)
    return text.replace(json.dumps(_DEEP), "[" * _DEPTH + "]" * _DEPTH).encode()


def of_bytes(data: bytes, chance: random.Random) -> tuple[bytes, str]:
    """Return `data` with one change that ignores its format, and its description."""
    changes: tuple[tuple[str, Callable[[], bytes]], ...] = (
        ("cut", lambda: data[: chance.randrange(len(data) + 1)]),
        ("empty", lambda: b""),
        ("one byte changed", lambda: _at(data, chance, bytes([chance.randrange(256)]), 1)),
        ("bytes inserted", lambda: _at(data, chance, chance.choice(_BYTES), 0)),
        ("a part repeated", lambda: _at(data, chance, data[: chance.randrange(40)], 0)),
        ("nested endlessly", lambda: b"[" * _DEPTH),
        ("invalid UTF-8", lambda: _at(data, chance, b"\xff\xfe\xc3", 0)),
    )
    name, change = chance.choice(changes)
    return change(), name


_BYTES = (
    b"\0",
    b"\x1b[2J",
    b"\xc2\x9b31m",
    b"\xe2\x80\xae",
    b"\r",
    b"\n",
    b"'",
    b'"',
    b"=",
    b"[",
    b"{",
    b"}",
    b"${",
    b"#",
    b"9" * 5000,
    b"x" * 300,
)


def shown(value: object) -> str:
    """Return a value as one short line."""
    text = ascii(value)
    return text if len(text) < 60 else f"{text[:50]}... ({len(text)})"


def _at(data: bytes, chance: random.Random, inserted: bytes, removed: int) -> bytes:
    position = chance.randrange(len(data) + 1)
    return data[:position] + inserted + data[position + removed :]


def _places(node: Any, path: str = "") -> list[tuple[Any, Any, str]]:
    """Return (parent, key, path) of every value in a document."""
    items: Any = ()
    if isinstance(node, dict):
        items = node.items()
    elif isinstance(node, list):
        items = enumerate(node)
    places: list[tuple[Any, Any, str]] = []
    for key, value in items:
        places.append((node, key, f"{path}.{key}"))
        places += _places(value, f"{path}.{key}")
    return places


def _replace(parent: Any, key: Any, chance: random.Random) -> str:
    parent[key] = chance.choice(WEIRD)
    return f"-> {shown(parent[key])}"


def _delete(parent: Any, key: Any, _chance: random.Random) -> str:
    del parent[key]
    return "deleted"


def _rename(parent: Any, key: Any, chance: random.Random) -> str:
    if not isinstance(parent, dict) or CANARY in json.dumps(parent[key]):
        return _delete(parent, key, chance)
    name = chance.choice([word for word in WEIRD if isinstance(word, str) and word != _DEEP])
    parent[name] = parent.pop(key)
    return f"renamed to {shown(name)}"


def _twice(parent: Any, key: Any, chance: random.Random) -> str:
    if not isinstance(parent, list):
        return _replace(parent, key, chance)
    times = chance.choice((1, 1, 50))
    parent.extend([parent[key]] * times)
    return f"{times} times more"


def _other_kind(parent: Any, key: Any, _chance: random.Random) -> str:
    value = parent[key]
    if isinstance(value, dict):
        parent[key] = [{name: item} for name, item in value.items()]
    elif isinstance(value, list):
        parent[key] = {str(place): item for place, item in enumerate(value)}
    elif isinstance(value, str):
        parent[key] = [value]
    else:
        parent[key] = str(value)
    return f"-> {type(parent[key]).__name__}"
