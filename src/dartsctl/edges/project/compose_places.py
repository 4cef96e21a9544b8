"""Where something stands in Compose files, for people: file and line."""

from __future__ import annotations

import re

from dartsctl.stack import compose_files
from dartsctl.system import bounded_file
from dartsctl.text.phrases import relative

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path


class ComposePlaces:
    """File and line of what Compose files, and those that they include, say: `compose.yaml:12`."""

    def __init__(self, files: Sequence[Path], root: Path) -> None:
        """Read the files. Places are relative to `root`."""
        self._root = root
        self._texts = _texts_of(files)
        named = compose_files.named_inside({str(file): text for file, text in self._texts.items()})
        self._texts |= _texts_of(named)

    def of_variable(self, name: str) -> str:
        """Return the first place of `${NAME}`; empty without one."""
        pattern = re.compile(rf"\$\{{?{re.escape(name)}\b")
        for file, text in self._texts.items():
            for number, line in enumerate(text.splitlines(), 1):
                if pattern.search(line):
                    return self._place(file, number)
        return ""

    def in_service(self, service: str, key: str = "") -> str:
        """Return the place of a service, or of a key or variable of it; empty without one.

        The last file that has it decides.
        """
        pattern = re.compile("")
        if key:
            pattern = re.compile(rf"(?<![\w.-]){re.escape(key)}[\"']?\s*[:=]")
        for file, text in reversed(self._texts.items()):
            for number, line in _block(service, text.splitlines()):
                if pattern.search(line):
                    return self._place(file, number)
        return ""

    def _place(self, file: Path, line: int) -> str:
        return f"{relative(self._root, file)}:{line}"


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


def _texts_of(files: Iterable[Path]) -> dict[Path, str]:
    texts: dict[Path, str] = {}
    for file in files:
        texts[file] = bounded_file.readable_text(file, limit=bounded_file.COMPOSE_LIMIT)
    return texts
