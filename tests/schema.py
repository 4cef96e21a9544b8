"""A check against a JSON Schema, for the keywords that docs/watch.schema.json uses."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_ANNOTATIONS = {"$schema", "$defs", "title", "description"}
_CHECKED = {
    *("$ref", "allOf", "oneOf", "type", "const", "enum", "pattern", "required", "properties"),
    *("items", "minimum", "maximum", "minLength"),
}


def violations(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> list[str]:
    """Return what in `value` does not match; nothing if it does."""
    unknown = set(schema) - _ANNOTATIONS - _CHECKED
    assert not unknown, f"this check does not know {unknown}"
    return [*_own(value, schema), *_parts(value, schema, root), *_combined(value, schema, root)]


def properties_of(schema: Any) -> set[str]:
    """Return the names of all properties anywhere in a schema."""
    names: set[str] = set()
    if isinstance(schema, dict):
        names |= set(schema.get("properties", {}))
        for part in schema.values():
            names |= properties_of(part)
    elif isinstance(schema, list):
        for part in schema:
            names |= properties_of(part)
    return names


def _own(value: Any, schema: Mapping[str, Any]) -> Iterator[str]:
    kinds = schema.get("type", [])
    kinds = [kinds] if isinstance(kinds, str) else kinds
    if kinds and not any(_is(value, kind) for kind in kinds):
        yield f"{value!r} is no {kinds}"
    if "const" in schema and value != schema["const"]:
        yield f"{value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{value!r} is not one of {schema['enum']}"
    if isinstance(value, str):
        if not re.search(schema.get("pattern", ""), value):
            yield f"{value!r} does not match {schema['pattern']}"
        if len(value) < schema.get("minLength", 0):
            yield f"{value!r} is too short"
    for name, sign in (("minimum", 1), ("maximum", -1)):
        if name in schema and (value - schema[name]) * sign < 0:
            yield f"{value!r} is out of range"


def _parts(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    if isinstance(value, dict):
        for name in schema.get("required", ()):
            if name not in value:
                yield f"{name} is missing"
        for name, part in schema.get("properties", {}).items():
            if name in value:
                yield from (f"{name}: {text}" for text in violations(value[name], part, root))
    if isinstance(value, list) and "items" in schema:
        for item in value:
            yield from violations(item, schema["items"], root)


def _combined(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Iterator[str]:
    if "$ref" in schema:
        place: Any = root
        for name in schema["$ref"].removeprefix("#/").split("/"):
            place = place[name]
        yield from violations(value, place, root)
    for part in schema.get("allOf", ()):
        yield from violations(value, part, root)
    if "oneOf" in schema:
        results = [violations(value, part, root) for part in schema["oneOf"]]
        if sum(not result for result in results) != 1:
            yield f"matches not exactly one of {results}"


def _is(value: Any, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    return isinstance(value, _TYPES[kind])
