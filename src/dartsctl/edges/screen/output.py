"""Everything that dartsctl shows. Only this module and those beside it print, and import rich.

All text from outside passes here: every line `Masker.line` (no secret, no control character, no
line break) before it is styled, and every document `Masker.document`.

stdout is for the result (with --json one document and nothing else). All else goes to stderr.
"""

from __future__ import annotations

import json
import os
import sys
from contextlib import suppress

from dartsctl.errors import Advice, DartsctlError
from dartsctl.records import record
from dartsctl.text.masker import Masker
from dartsctl.text.safe_text import cut, with_colors, without_colors

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import Any, TextIO

    from dartsctl.edges.screen.stream import LineStream

SCHEMA = 1
_CLEAR_LINE = "\r\033[K"
_USUAL_COLUMNS = 80
_MARKS = {"ok": "32", "bad": "1;31", "unknown": "33"}


@record
class Branch:
    """A line of a tree: mark (ok, bad, unknown), finding, the probe it comes from, and evidence."""

    depth: int
    mark: str
    text: str
    source: str = ""
    evidence: tuple[str, ...] = ()


@record(frozen=False)
class _Elsewhere:
    """Who shows notes and warnings instead of stderr, if anybody does."""

    say: Callable[[str], None] | None = None


class Screen:
    """The output of a verb. `as_json`: the result is JSON. `masker` knows the secrets."""

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
        self._has_status = False
        self._elsewhere = _Elsewhere()

    def for_people(self) -> Screen:
        """Return this screen without --json: for a step whose result no program reads."""
        screen = Screen(
            quiet=self.quiet, verbose=self.verbose, color=self.color, masker=self.masker
        )
        screen._elsewhere = self._elsewhere
        return screen

    def say_to(self, say: Callable[[str], None] | None) -> None:
        """Give notes and warnings to `say`, while a dashboard has the terminal; None: no more.

        Those of the screens that were made from this one too.
        """
        self._elsewhere.say = say

    @property
    def can_show_dashboard(self) -> bool:
        """Whether stdout is a terminal that can, and that is ours: not behind `&`."""
        stream = sys.stdout
        if self.as_json or self.quiet or stream is None or not stream.isatty():
            return False
        with suppress(OSError):
            if os.tcgetpgrp(stream.fileno()) != os.getpgrp():
                return False
        return can_move_cursor()

    def stream(self, on_end: Callable[[], None]) -> LineStream:
        """Return stdout for lines that come over a long time; see LineStream."""
        from dartsctl.edges.screen.stream import LineStream  # threads: only `watch` pays for them

        return LineStream(sys.stdout, masker=self.masker, is_colored=self.is_colored, on_end=on_end)

    def silent(self) -> Screen:
        """Return a screen that shows nothing but warnings, with the same secrets."""
        screen = Screen(quiet=True, color=self.color, masker=self.masker)
        screen._elsewhere = self._elsewhere
        return screen

    @property
    def is_colored(self) -> bool:
        """Whether stdout is a terminal that shows colours."""
        return self.color and sys.stdout is not None and sys.stdout.isatty()

    def note(self, text: str) -> None:
        """Show a line about what happens."""
        if not self.quiet:
            self._say(self.masker.line(text))

    def detail(self, text: str) -> None:
        """Show a line only with -v."""
        if self.verbose:
            self._say(self.masker.line(text))

    def warn(self, text: str) -> None:
        """Show a warning, with --quiet too."""
        self._say(self._styled("warning: ", "33", sys.stderr) + self.masker.line(text))

    def progress(self, text: str) -> None:
        """Show a line of a long operation."""
        if not self.quiet:
            self._say(self._styled(self.masker.line(text), "2", sys.stderr))

    @property
    def is_live(self) -> bool:
        """Whether `status` shows anything: at a terminal that can overwrite a line."""
        stream = sys.stderr
        if self.quiet or self._elsewhere.say:
            return False
        return can_move_cursor() and stream is not None and stream.isatty()

    def status(self, text: str) -> None:
        """Show a line at a terminal that the next output replaces. Without a text, remove it."""
        if not self.is_live:
            return
        shown = self.masker.line(text)[: _columns_of(sys.stderr) - 1]
        self._write(sys.stderr, self._styled(shown, "2", sys.stderr) if shown else "")
        self._has_status = bool(shown)

    def error(self, error: DartsctlError) -> None:
        """Show a failure: message, evidence, and the next command (`next:`) or advice (`hint:`)."""
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
            label = "hint: " if isinstance(error.hint, Advice) else "next: "
            self._say(self._styled(label, "1", sys.stderr) + self.masker.line(error.hint))

    def document(self, document: Mapping[str, Any]) -> None:
        """Print the JSON document of a run, indented at a terminal, where a person reads it.

        Programs get one line, which takes a fifth of the time.
        """
        is_read = sys.stdout is not None and sys.stdout.isatty()
        self._write(sys.stdout, self._json({"schema": SCHEMA, **document}, is_indented=is_read))

    def result(self, document: Mapping[str, Any], lines: Sequence[str]) -> None:
        """Print the result of a verb: with --json the document, else the lines."""
        if self.as_json:
            self.document(document)
        elif lines:
            self._write(sys.stdout, "".join(f"{self.masker.line(line)}\n" for line in lines))

    def model(self, document: Mapping[str, Any]) -> None:
        """Print a document as it is, without the frame of `document`: people read it anywhere."""
        self._write(sys.stdout, self._json(document, is_indented=True))

    def log_line(self, line: str, *, color: bool) -> None:
        """Print a line of a container's log.

        `color` keeps its colours; all other control sequences become visible.
        """
        text = cut(line)
        plain = without_colors(text)
        shown = self.masker.mask(plain)
        self._write(sys.stdout, with_colors(text if color and shown == plain else shown))
        self._write(sys.stdout, "\n")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Print a table: rich's at a terminal, aligned columns elsewhere. Nothing with --json."""
        if self.as_json or not rows:
            return
        cells: set[str] = set()
        for row in rows:
            cells.update(row)
        shown = {cell: self.masker.line(cell) for cell in cells}
        rows = [[shown[cell] for cell in row] for row in rows]
        if self.is_colored:
            self._write(sys.stdout, _rich_table(columns, rows))
        else:
            self._write(sys.stdout, _plain_table(columns, rows))

    def tree(self, title: str, branches: Sequence[Branch], sentence: str, command: str) -> None:
        """Print a chain of branches, each below the one that it explains. Nothing with --json.

        `sentence` is the cause, `command` the repair.
        """
        if self.as_json:
            return
        line = self.masker.line
        lines = [self._styled(line(title), "1", sys.stdout)]
        for branch in branches:
            lines += self._branch(branch)
        lines.append(self._styled("cause: ", "1;31", sys.stdout) + line(sentence))
        lines += [self._styled("repair: ", "1", sys.stdout) + line(command), ""]
        self._write(sys.stdout, "\n".join(lines) + "\n")

    def _branch(self, branch: Branch) -> list[str]:
        line = self.masker.line
        indent = "   " * branch.depth
        text = indent + "`- " if branch.depth else ""
        text += self._styled(branch.mark.upper(), _MARKS[branch.mark], sys.stdout)
        text += f" {line(branch.text)}"
        if branch.source:
            text += self._styled(f"  [{line(branch.source)}]", "2", sys.stdout)
        return [text, *(f"{indent}   |  {line(item)}" for item in branch.evidence if item)]

    def _styled(self, text: str, code: str, stream: TextIO | None) -> str:
        if not self.color or stream is None or not stream.isatty():
            return text
        return f"\033[{code}m{text}\033[0m"

    def _say(self, text: str) -> None:
        if self._elsewhere.say:
            self._elsewhere.say(without_colors(text))
            return
        self._write(sys.stderr, text + "\n")

    def _json(self, document: Mapping[str, Any], *, is_indented: bool) -> str:
        # ASCII, which every encoding of stdout can write
        indent = 2 if is_indented else None
        return json.dumps(self.masker.document(document), indent=indent) + "\n"

    def _write(self, stream: TextIO | None, text: str) -> None:
        """Write to a stream, in the place of a status; nothing to one that was closed before.

        Characters that its encoding cannot write are escaped. Raises BrokenPipeError, and
        DartsctlError if stdout cannot be written. Where stderr cannot, nobody can be told.
        """
        if self._has_status:
            self._has_status = False
            self._write(sys.stderr, _CLEAR_LINE)
        if stream is None:
            return
        encoding = stream.encoding or "utf-8"
        try:
            stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
            stream.flush()
        except BrokenPipeError:
            raise
        except OSError as error:
            if stream is not sys.stderr:
                raise unwritten(error) from error


def unwritten(error: OSError) -> DartsctlError:
    """Return the error for a stdout on a full disk, or of a terminal that has gone."""
    return DartsctlError(
        f"cannot write the output: {error.strerror}",
        hint=Advice("free space, or send the output to another place"),
    )


def can_move_cursor() -> bool:
    """Return whether TERM names a terminal that can do more than write lines."""
    return os.environ.get("TERM", "") not in ("", "dumb")


def _columns_of(stream: TextIO | None) -> int:
    """Return the width of a terminal, a usual one if it does not say."""
    columns = 0
    with suppress(OSError, ValueError):
        columns = os.get_terminal_size(stream.fileno()).columns if stream else 0
    return columns or _USUAL_COLUMNS


def _rich_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    from rich.box import SIMPLE_HEAD
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(*columns, box=SIMPLE_HEAD, pad_edge=False)
    for row in rows:
        table.add_row(*(Text(cell, style=_cell_style(cell)) for cell in row))
    console = Console(highlight=False)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def _plain_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, *rows]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    text = ""
    for line in lines:
        cells = [cell.ljust(width) for cell, width in zip(line, widths, strict=True)]
        text += "  ".join(cells).rstrip() + "\n"
    return text


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
