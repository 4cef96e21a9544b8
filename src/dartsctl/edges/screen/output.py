"""All that the program says. The only file that prints, and the only one that imports rich.

It is the one gate for text that is not ours: every line passes `Masker.line` (no secret, no control character, no second line)
before it gets our own style, and every document `Masker.document`.

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
from dartsctl.text.masker import Masker
from dartsctl.text.safe_text import cut, with_colors, without_colors

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
    """Where verbs put their text. `as_json`: the result is one JSON document on stdout. `masker` knows this run's secrets."""

    def __init__(
        self,
        *,
        as_json: bool = False,
        quiet: bool = False,
        verbose: bool = False,
        color: bool = True,
        masker: Masker | None = None,
    ) -> None:
        self.as_json = as_json
        self.quiet = quiet
        self.verbose = verbose
        self.color = color and "NO_COLOR" not in os.environ
        self.masker = masker or Masker()

    def for_people(self) -> Screen:
        """The same screen without --json: for a step whose result belongs to no program."""
        return Screen(quiet=self.quiet, verbose=self.verbose, color=self.color, masker=self.masker)

    @property
    def is_colored(self) -> bool:
        """Whether stdout is a terminal that wants colours."""
        return self.color and sys.stdout is not None and sys.stdout.isatty()

    def note(self, text: str) -> None:
        """One line about what happens, for people."""
        if not self.quiet:
            self._say(self.masker.line(text))

    def detail(self, text: str) -> None:
        """One line that only -v shows."""
        if self.verbose:
            self._say(self.masker.line(text))

    def warn(self, text: str) -> None:
        """One line that matters even to those who asked for quiet."""
        self._say(self._styled("warning: ", "33", sys.stderr) + self.masker.line(text))

    def progress(self, text: str) -> None:
        """One line of long work."""
        if not self.quiet:
            self._say(self._styled(self.masker.line(text), "2", sys.stderr))

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
        self._say(self._styled("error: ", "1;31", sys.stderr) + self.masker.line(error.message))
        for line in error.details:
            self._say(f"  {self.masker.line(line)}")
        if error.hint:
            self._say(self._styled("next: ", "1", sys.stderr) + self.masker.line(error.hint))

    def document(self, document: Mapping[str, Any]) -> None:
        """The one JSON document of a run."""
        self._write(sys.stdout, self._json({"schema": SCHEMA, **document}))

    def result(self, document: Mapping[str, Any], lines: Sequence[str]) -> None:
        """A verb's result: the document with --json, else the lines."""
        if self.as_json:
            self.document(document)
        elif lines:
            self._write(sys.stdout, "".join(f"{self.masker.line(line)}\n" for line in lines))

    def model(self, document: Mapping[str, Any]) -> None:
        """A document that is itself the result, without the frame of `document`."""
        self._write(sys.stdout, self._json(document))

    def log_line(self, line: str, *, color: bool) -> None:
        """One line of a container's log on stdout: its colours stay where `color`, every other control sequence is shown."""
        text = cut(line)
        plain = without_colors(text)
        shown = self.masker.mask(plain)
        self._write(sys.stdout, with_colors(text if color and shown == plain else shown))
        self._write(sys.stdout, "\n")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """A table on stdout: rich's at a terminal, aligned columns elsewhere. Nothing with --json."""
        if self.as_json or not rows:
            return
        rows = [[self.masker.line(cell) for cell in row] for row in rows]
        if self.is_colored:
            from rich.box import SIMPLE_HEAD
            from rich.console import Console
            from rich.table import Table
            from rich.text import Text

            shown = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
            for row in rows:
                shown.add_row(*(Text(cell, style=_cell_style(cell)) for cell in row))
            console = Console(highlight=False)
            with console.capture() as drawn:
                console.print(shown)
            self._write(sys.stdout, drawn.get())
            return
        widths = [
            max(len(line[place]) for line in (columns, *rows)) for place in range(len(columns))
        ]
        for line in (columns, *rows):
            self._write(
                sys.stdout,
                "  ".join(
                    cell.ljust(width) for cell, width in zip(line, widths, strict=True)
                ).rstrip()
                + "\n",
            )

    def tree(self, title: str, branches: Sequence[Branch], sentence: str, command: str) -> None:
        """A chain of branches on stdout, each below the one that it explains; then what it comes to, and the next command. Nothing with --json."""
        if self.as_json:
            return
        line = self.masker.line
        lines = [self._styled(line(title), "1", sys.stdout)]
        for branch in branches:
            indent = "   " * branch.depth
            edge = indent + ("`- " if branch.depth else "")
            mark = self._styled(branch.mark.upper(), _MARKS[branch.mark], sys.stdout)
            source = (
                self._styled(f"  [{line(branch.source)}]", "2", sys.stdout) if branch.source else ""
            )
            lines.append(f"{edge}{mark} {line(branch.text)}{source}")
            lines += [f"{indent}   |  {line(evidence)}" for evidence in branch.evidence if evidence]
        lines.append(self._styled("cause: ", "1;31", sys.stdout) + line(sentence))
        lines += [self._styled("repair: ", "1", sys.stdout) + line(command), ""]
        self._write(sys.stdout, "\n".join(lines) + "\n")

    def _styled(self, text: str, code: str, stream: TextIO | None) -> str:
        return (
            f"\033[{code}m{text}\033[0m"
            if self.color and stream is not None and stream.isatty()
            else text
        )

    def _say(self, text: str) -> None:
        self._write(sys.stderr, text + "\n")

    def _json(self, document: Mapping[str, Any]) -> str:
        return (
            json.dumps(self.masker.document(document), indent=2) + "\n"
        )  # ASCII: no encoding of stdout refuses it

    @staticmethod
    def _write(stream: TextIO | None, text: str) -> None:
        """Nothing goes to a stream that was closed before we started; what its encoding lacks is escaped."""
        if stream is None:
            return
        encoding = stream.encoding or "utf-8"
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()


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
