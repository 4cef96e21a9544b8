"""Where something stands in Compose files, for people: file and line."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from dartsctl.errors import DartsctlError
from dartsctl.stack import compose_files
from dartsctl.system import bounded_file


def texts_of(files: Sequence[Path]) -> dict[Path, str]:
    """Return the texts of Compose files, and of those that they include."""
    texts: dict[Path, str] = {}
    for file in files:
        texts |= _text_of(file)
    named = compose_files.named_inside({str(file): text for file, text in texts.items()})
    for file in named:
        texts |= _text_of(file)
    return texts


def line_of_variable(texts: dict[Path, str], name: str) -> tuple[Path, int] | None:
    """Return the first line with `${NAME}`."""
    pattern = re.compile(rf"\$\{{?{re.escape(name)}\b")
    for file, text in texts.items():
        for number, line in enumerate(text.splitlines(), 1):
            if pattern.search(line):
                return file, number
    return None


def line_in_service(files: Sequence[Path], service: str, key: str) -> tuple[Path, int] | None:
    """Return the line of a service's variable; the last file that has it decides."""
    pattern = re.compile(rf"(?<![\w.-]){re.escape(key)}[\"']?\s*[:=]")
    for file, text in reversed(texts_of(files).items()):
        for number, line in _block(service, text.splitlines()):
            if pattern.search(line):
                return file, number
    return None


def _block(service: str, lines: Sequence[str]) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines of a service, from its header to the next one of its depth."""
    header = re.compile(rf"(\s*)[\"']?{re.escape(service)}[\"']?\s*:")
    depth: int | None = None
    for number, line in enumerate(lines, 1):
        indent = len(line) - len(line.lstrip())
        if match := header.match(line):
            depth = len(match[1]) if depth is None else depth
        elif depth is not None and line.strip() and indent <= depth:
            depth = None
        if depth is not None:
            yield number, line


def _text_of(file: Path) -> dict[Path, str]:
    with suppress(OSError, DartsctlError, UnicodeDecodeError):
        return {file: bounded_file.read_text(file, limit=bounded_file.COMPOSE_LIMIT)}
    return {}
