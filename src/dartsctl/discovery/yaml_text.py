"""Texts as YAML, for the override files that `init` writes."""

from __future__ import annotations

import json

from dartsctl.text.patterns import regex

_PLAIN = regex(r"[A-Za-z_][\w.-]*|\$\{\w+:\?\}|[a-z+]+://[^\s\"'#]+")
_NO_TEXT = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null"})
"""Words that YAML takes for something else than a text."""


def yaml_text(text: str) -> str:
    """Return a text as YAML, in quotes where it could mean something else."""
    if _PLAIN.fullmatch(text) and text.lower() not in _NO_TEXT:
        return text
    return json.dumps(text, ensure_ascii=False)
