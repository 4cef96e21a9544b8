"""A page of the dashboard as values, and how it is fitted into a terminal of any size.

What has no room is left out from the least important end, and the page says how much that is.
"""

from __future__ import annotations

from dartsctl.records import fields, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

GAP = 2
_INDENT = 2
_SHORT = 8
"""Lines of a terminal that has no room for the footer."""


@record
class Cell:
    """A text in one style: ok, bad, warn, dim, strong, or none."""

    text: str = ""
    style: str = ""
    rank: int = 0
    """Where the first line of a page is too long, the cells with the highest rank go first."""


Line = tuple[Cell, ...]
"""Cells side by side, without gaps."""


@record
class Column:
    """A column of a section."""

    heading: str = ""
    rank: int = 0
    """Where the width does not suffice, the columns with the highest rank go first; 0: never."""
    least: int = 0
    """To how many characters it may be cut; 0: its text is never cut."""
    keeps_end: bool = False
    """Cut at its beginning, without a mark: a sparkline."""
    gap: int = 2
    """Spaces after it."""


@record
class Row:
    """A row of a section: cells by column, and lines below it that are wrapped."""

    cells: tuple[Cell, ...] = ()
    details: tuple[Cell, ...] = ()
    """Where the height does not suffice, the first and the last one stay, cut to a line each."""
    weight: int = 0
    """The rows with the highest weight stay where the height does not suffice."""


@record
class Section:
    """A title or the headings of its columns, and rows below them."""

    name: str
    """What its rows are, in the plural: `ports`."""
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    title: str = ""
    """Empty: the columns have headings."""
    is_tail: bool = False
    """Rows that have no room are not counted: the section shows the last ones of many."""


@record
class Page:
    """Everything on the terminal. The sections stand in their order of importance."""

    left: Line
    right: str
    sections: tuple[Section, ...]
    footer: str = ""


@record
class Glyphs:
    """The characters that are not letters, as the terminal's encoding can write them."""

    ok: str = "●"
    bad: str = "✗"
    warn: str = "▲"
    none: str = "○"
    cut: str = "…"
    bars: str = "▁▂▃▄▅▆▇█"
    failed: str = "x"
    separator: str = "·"


ASCII = Glyphs(
    ok="+", bad="x", warn="!", none="-", cut="~", bars="_.-=+*%#", failed="x", separator="-"
)


def glyphs_for(encoding: str) -> Glyphs:
    """Return the glyphs that an encoding can write."""
    usual = Glyphs()
    text = "".join(str(getattr(usual, name)) for name in fields(Glyphs))
    try:
        text.encode(encoding)
    except (UnicodeEncodeError, LookupError):
        return ASCII
    return usual


def fit(page: Page, width: int, height: int, glyphs: Glyphs) -> list[Line]:
    """Return the lines of a page: at most `height`, each at most `width` columns wide."""
    blocks = [_Block(section, width, glyphs) for section in page.sections if section.rows]
    has_footer = bool(page.footer) and height > _SHORT
    room = height - 1 - int(has_footer)
    has_gaps = sum(block.lines + 1 for block in blocks) <= room
    _shrink(blocks, room - len(blocks) * has_gaps)
    lines = [header(page, width, glyphs)]
    for block in blocks:
        if has_gaps:
            lines.append(())
        lines += block.draw()
    if has_footer:
        lines += [()] * (height - 1 - len(lines))
        lines.append((Cell(_cut(page.footer, width, glyphs), "dim"),))
    return [cut_line(line, width, glyphs) for line in lines[: max(1, height)]]


def _shrink(blocks: Sequence[_Block], room: int) -> None:
    """Take lines from the least important sections, until all fit into `room`.

    At first each keeps what is weighty. If that does not suffice, the last ones go.
    """
    for may_vanish in (False, True):
        for block in reversed(blocks):
            excess = sum(other.budget for other in blocks) - room
            least = block.least
            if may_vanish:
                least = 0
            if excess > 0:
                block.budget = max(least, block.budget - excess)


def header(page: Page, width: int, glyphs: Glyphs) -> Line:
    """Return the first line: the only one with the time, which always changes."""
    free = width - cells(page.right) - GAP
    line = list(page.left)
    for rank in sorted({cell.rank for cell in line if cell.rank}, reverse=True):
        if _width(line) > free:
            line = [cell for cell in line if cell.rank != rank]
    if free < width // 3:
        return cut_line(line, width, glyphs)
    left = cut_line(line, free, glyphs)
    space = width - _width(left) - cells(page.right)
    return (*left, Cell(" " * space), Cell(page.right, "dim"))


class _Block:
    """A section at one width: its lines by row, and how many of them may be shown."""

    def __init__(self, section: Section, width: int, glyphs: Glyphs) -> None:
        self._section = section
        self._width = width
        self._glyphs = glyphs
        widths = _column_widths(section, width)
        self._head = _heading(section, widths, glyphs, width)
        self._forms = [_forms(row, section, widths, width, glyphs) for row in section.rows]
        self.lines = 1 + sum(len(forms[-1]) for forms in self._forms)
        self.budget = self.lines

    @property
    def least(self) -> int:
        """The heading, the weighty rows, and how many more there are; a line if none is weighty.

        The first weighty row keeps its two details.
        """
        weighty = [
            forms
            for row, forms in zip(self._section.rows, self._forms, strict=True)
            if row.weight > 0
        ]
        if not weighty:
            return 1
        lines = len(weighty[0][1]) + sum(len(forms[0]) for forms in weighty[1:])
        has_more = len(weighty) < len(self._forms)
        return min(self.lines, 1 + lines + has_more)

    def draw(self) -> list[Line]:
        """Return the lines that the budget allows, and how many rows have no room."""
        if self.budget <= 0:
            return []
        count = len(self._forms)
        kept = self._kept_rows()
        if not kept:
            return [(Cell(f"{count} {self._section.name}", "dim"),)]
        shown = [self._head]
        for number in sorted(kept):
            shown += self._forms[number][kept[number]]
        left_out = count - len(kept)
        if left_out and not self._section.is_tail:
            shown.append((Cell(f"  {left_out} more {self._section.name}", "dim"),))
        return shown

    def _kept_rows(self) -> dict[int, int]:
        """Return the rows that have room, each with its longest form that has room."""
        weights = [row.weight for row in self._section.rows]
        order = sorted(range(len(weights)), key=lambda number: -weights[number])
        shortest = sum(len(forms[0]) for forms in self._forms)
        room = self.budget - 1
        if shortest > room and not self._section.is_tail:
            room -= 1  # says how many more there are
        kept: dict[int, int] = {}
        for number in order:
            lines = len(self._forms[number][0])
            if lines > room:
                break
            kept[number] = 0
            room -= lines
        for form in (1, 2):
            for number in [number for number in order if number in kept]:
                forms = self._forms[number]
                more = len(forms[form]) - len(forms[kept[number]])
                if more <= room:
                    kept[number] = form
                    room -= more
        return kept


def _forms(
    row: Row, section: Section, widths: Sequence[int], width: int, glyphs: Glyphs
) -> tuple[list[Line], list[Line], list[Line]]:
    """Return a row in three lengths: without details, with two of them, with all."""
    indent = Cell(" " * _INDENT)
    head = []
    if row.cells:
        head.append(_aligned(row.cells, section.columns, widths, glyphs, width))
    whole, brief = list(head), list(head)
    for number, detail in enumerate(row.details):
        texts = wrapped(detail.text, max(1, width - _INDENT))
        whole += [(indent, Cell(text, detail.style)) for text in texts]
        if number in (0, len(row.details) - 1):
            cut = _cut(detail.text, max(1, width - _INDENT), glyphs)
            brief.append((indent, Cell(cut, detail.style)))
    return head or brief, brief, whole


def _column_widths(section: Section, width: int) -> list[int]:
    """Return the width of each column, 0 for one without room."""
    widths = []
    for number, column in enumerate(section.columns):
        texts = [row.cells[number].text for row in section.rows if number < len(row.cells)]
        widest = max(map(cells, texts), default=0)
        if widest:
            widest = max(widest, cells(column.heading))
        widths.append(widest)
    droppable = [number for number, column in enumerate(section.columns) if column.rank]
    for number in sorted(droppable, key=lambda number: -section.columns[number].rank):
        if _least_width(section.columns, widths) <= width:
            break
        widths[number] = 0
    _cut_columns(section.columns, widths, width)
    return widths


def _cut_columns(columns: Sequence[Column], widths: list[int], width: int) -> None:
    """Take what is too much from the columns that may be cut, the widest first."""
    while _total(columns, widths) > width:
        able = [
            number
            for number, column in enumerate(columns)
            if column.least and widths[number] > column.least
        ]
        if not able:
            return
        widths[max(able, key=lambda number: widths[number])] -= 1


def _least_width(columns: Sequence[Column], widths: Sequence[int]) -> int:
    least = []
    for column, width in zip(columns, widths, strict=True):
        least.append(min(width, column.least or width))
    return _total(columns, least)


def _total(columns: Sequence[Column], widths: Iterable[int]) -> int:
    total = gap = 0
    for column, width in zip(columns, widths, strict=True):
        if width:
            total += gap + width
            gap = column.gap
    return total


def _heading(section: Section, widths: Sequence[int], glyphs: Glyphs, width: int) -> Line:
    if section.title:
        return cut_line((Cell(section.title, "title"),), width, glyphs)
    headings = tuple(Cell(column.heading, "title") for column in section.columns)
    return _aligned(headings, section.columns, widths, glyphs, width)


def _aligned(
    row: Sequence[Cell],
    columns: Sequence[Column],
    widths: Sequence[int],
    glyphs: Glyphs,
    width: int,
) -> Line:
    line: list[Cell] = []
    gap = 0
    for cell, column, column_width in zip(row, columns, widths, strict=False):
        if not column_width:
            continue
        line.append(Cell(" " * gap))
        gap = column.gap
        text = cell.text
        if column.keeps_end:
            text = text[-column_width:]
        text = _cut(text, column_width, glyphs)
        line.append(Cell(text, cell.style))
        line.append(Cell(" " * (column_width - cells(text))))
    return cut_line(line, width, glyphs)


def cut_line(line: Sequence[Cell], width: int, glyphs: Glyphs) -> Line:
    """Return a line of at most `width` columns, without spaces at its end."""
    kept: list[Cell] = []
    for cell in line:
        room = width - _width(kept)
        if room <= 0:
            break
        kept.append(Cell(_cut(cell.text, room, glyphs), cell.style))
    while kept and not kept[-1].text.strip():
        kept.pop()
    return tuple(kept)


def wrapped(text: str, width: int) -> list[str]:
    """Return a text in lines of at most `width` columns, broken at spaces where possible."""
    lines: list[str] = []
    line = ""
    for word in text.split(" "):
        joined = f"{line} {word}" if line else word
        if cells(joined) <= width:
            line = joined
            continue
        if line:
            lines.append(line)
        line = word
        while cells(line) > width:
            head = _head_of(line, width) or line[:1]
            lines.append(head)
            line = line[len(head) :]
    return [*lines, line]


def _cut(text: str, width: int, glyphs: Glyphs) -> str:
    if cells(text) <= width:
        return text
    if width <= 0:
        return ""
    return _head_of(text, width - 1) + glyphs.cut


def _head_of(text: str, width: int) -> str:
    """Return as many of the first characters as fit."""
    used = 0
    for number, character in enumerate(text):
        used += cells(character)
        if used > width:
            return text[:number]
    return text


def _width(line: Sequence[Cell]) -> int:
    return sum(cells(cell.text) for cell in line)


def cells(text: str) -> int:
    """Return how many columns of a terminal a text takes."""
    if text.isascii():
        return len(text)
    return _rich_cells()(text)


def _rich_cells() -> Callable[[str], int]:
    from rich.cells import cell_len

    return cell_len
