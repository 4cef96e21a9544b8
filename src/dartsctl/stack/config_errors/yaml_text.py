"""Errors about the YAML itself."""

from __future__ import annotations

import re

from dartsctl.stack.config_errors.place import Place, Sources
from dartsctl.stack.config_errors.problem import Problem, Said

_CONFLICT_MARKS = ("<<<<<<< ", ">>>>>>> ")
_ADVICE = {
    "mapping values are not allowed in this context": (
        "check the indentation, or put a text that contains `: ` in quotes"
    ),
    "found character that cannot start any token": "quote a text that begins with this character",
    "found unexpected end of stream": "close the quote or bracket",
    "control characters are not allowed": "save it as a UTF-8 text file",
    "invalid leading UTF-8 octet": "save it as UTF-8",
    "incomplete UTF-8 octet sequence": "save it as UTF-8",
}


def yaml_error(said: Said) -> Problem:
    """Return the problem of a file that is no YAML."""
    line, text = int(said["line"] or 0), said["text"].strip()
    file = said["file"] or _only_file(said.sources)
    if not file:
        where = f"line {line} of one of the files" if line else "one of the files"
        return Problem(Place(), f"invalid YAML in {where}: {text}", _ADVICE.get(text, ""))
    lines = said.sources.texts.get(file, "").splitlines()
    seen = _seen_in_file(file, lines, line, text)
    return seen or _said(file, line, text)


def _seen_in_file(file: str, lines: list[str], line: int, text: str) -> Problem | None:
    """Return a problem that the file itself shows better than the parser's words."""
    for number, words in enumerate(lines, 1):
        if words.startswith(_CONFLICT_MARKS):
            sentence = "a merge conflict that is not resolved"
            advice = "choose one side, and remove the marks"
            return Problem(Place(file=file, line=number), sentence, advice)
    here = "".join(lines[line - 1 : line])
    if "cannot start any token" in text and here.lstrip(" ").startswith("\t"):
        advice = "indent with blanks: YAML allows no tabs"
        return Problem(Place(file=file, line=line), "a tab in the indentation", advice)
    return None


def _said(file: str, line: int, text: str) -> Problem:
    place = Place(file=file, line=line)
    if twice := re.search(r'mapping key "(.*)" already defined at line (\d+)', text):
        sentence = f"{twice[1]} stands twice: it is defined at line {twice[2]} already"
        return Problem(place, sentence, "remove one, or join them")
    if anchor := re.search(r"unknown anchor '(.*)' referenced", text):
        advice = f"define &{anchor[1]} above its use"
        return Problem(Place(file=file), f"no anchor &{anchor[1]}", advice)
    if "did not find expected" in text and line:  # the parser names where the block begins
        sentence = f"invalid YAML in the block that begins near line {line}: {text}"
        advice = "check brackets, quotes and indentation from there"
        return Problem(Place(file=file), sentence, advice)
    if "invalid map key" in text:
        advice = "put a text that begins with { in quotes"
        return Problem(Place(file=file), "a key in braces, as in a template", advice)
    if "cannot unmarshal" in text:
        return Problem(place, "not a mapping of keys", "add a services: section")
    return Problem(place, f"invalid YAML: {text}", _ADVICE.get(text, "check this line"))


def _only_file(sources: Sources) -> str:
    """Return the file that Compose means if it names none; empty where it may be another one."""
    if len(sources.files) != 1:
        return ""
    file = sources.files[0]
    names_others = re.search(
        r"^\s*(include|extends)\s*:", sources.texts.get(file, ""), re.MULTILINE
    )
    if names_others:
        return ""
    return file
