"""All that the program says. The only file that prints, and the only one that imports rich.

stdout belongs to the result (with --json one document, nothing else); everything for people besides goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TextIO

from dartsctl.errors import DartsctlError

SCHEMA = 1
_MARKS = {"ok": "32", "bad": "1;31", "unknown": "33"}


@dataclass(frozen=True, slots=True)
class Branch:
    """One line of a tree: a mark (ok, bad or unknown), what was found, which probe found it, and the evidence below it."""

    depth: int
    mark: str
    text: str
    source: str = ""
    evidence: tuple[str, ...] = ()


class Screen:
    """Where verbs put their text. `as_json`: the result is one JSON document on stdout."""

    def __init__(self, *, as_json: bool = False, quiet: bool = False, verbose: bool = False, color: bool = True) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose
        self.color = color and "NO_COLOR" not in os.environ

    def note(self, text: str) -> None:
        """One line about what happens, for people."""
        if not self.quiet:
            self._say(text)

    def detail(self, text: str) -> None:
        """One line that only -v shows."""
        if self.verbose:
            self._say(text)

    def warn(self, text: str) -> None:
        """One line that matters even to those who asked for quiet."""
        self._say(self._styled("warning: ", "33", sys.stderr) + text)

    def progress(self, text: str) -> None:
        """One line of long work."""
        if not self.quiet:
            self._say(self._styled(text, "2", sys.stderr))

    def error(self, error: DartsctlError) -> None:
        """A failure: its sentence, its evidence, and the next command to type."""
        if self.as_json:
            document = {
                "ok": False,
                "exit_code": int(error.code),
                "error": error.message,
                "details": list(error.details),
                "hint": error.hint,
            }
            self.document(document)
            return
        self._say(self._styled("error: ", "1;31", sys.stderr) + error.message)
        for line in error.details:
            self._say(f"  {line}")
        if error.hint:
            self._say(self._styled("next: ", "1", sys.stderr) + error.hint)

    def document(self, document: Mapping[str, Any]) -> None:
        """The one JSON document of a run."""
        self._write(sys.stdout, json.dumps({"schema": SCHEMA, **document}, indent=2, ensure_ascii=False) + "\n")

    def result(self, document: Mapping[str, Any], lines: Sequence[str]) -> None:
        """A verb's result: the document with --json, else the lines."""
        if self.as_json:
            self.document(document)
        elif lines:
            self._write(sys.stdout, "\n".join(lines) + "\n")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table on stdout: rich's at a terminal, aligned columns elsewhere. Nothing with --json."""
        if self.as_json or not rows:
            return
        if sys.stdout.isatty() and self.color:
            from rich.box import SIMPLE_HEAD
            from rich.console import Console
            from rich.table import Table
            from rich.text import Text

            shown = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
            for row in rows:
                shown.add_row(*(Text(cell, style=_cell_style(cell)) for cell in row))
            Console(highlight=False).print(shown)
            return
        widths = [max(len(line[place]) for line in (columns, *rows)) for place in range(len(columns))]
        for line in (columns, *rows):
            self._write(sys.stdout, "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() + "\n")

    def tree(self, title: str, branches: Sequence[Branch], sentence: str, command: str) -> None:
        """A chain of branches on stdout, each below the one that it explains; then what it comes to, and the next command. Nothing with --json."""
        if self.as_json:
            return
        lines = [self._styled(title, "1", sys.stdout)]
        for one in branches:
            edge = "   " * one.depth + ("`- " if one.depth else "")
            source = self._styled(f"  [{one.source}]", "2", sys.stdout) if one.source else ""
            lines.append(f"{edge}{self._styled(one.mark.upper(), _MARKS[one.mark], sys.stdout)} {_printable(one.text)}{source}")
            lines += [f"{'   ' * (one.depth + 1)}|  {_printable(line)}" for line in one.evidence if line]
        lines += [self._styled("cause: ", "1;31", sys.stdout) + _printable(sentence), self._styled("repair: ", "1", sys.stdout) + command, ""]
        self._write(sys.stdout, "\n".join(lines) + "\n")

    def _styled(self, text: str, code: str, stream: TextIO) -> str:
        return f"\033[{code}m{text}\033[0m" if self.color and stream.isatty() else text

    def _say(self, text: str) -> None:
        self._write(sys.stderr, text + "\n")

    @staticmethod
    def _write(stream: TextIO, text: str) -> None:
        stream.write(text)
        stream.flush()


def _printable(text: str) -> str:
    """Logs are others' words: no control character of theirs reaches the terminal."""
    return "".join(one if one.isprintable() else " " for one in text)


def _cell_style(cell: str) -> str:
    styles = {
        "CONFLICT": "bold red",
        "FAILED": "bold red",
        "unhealthy": "red",
        "UNCERTAIN": "yellow",
        "starting": "yellow",
        "free": "green",
        "ready": "green",
        "healthy": "green",
        "held": "cyan",
    }
    return styles.get(cell, "")
