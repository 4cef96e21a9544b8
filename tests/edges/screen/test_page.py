"""A page fits into every terminal, and what is wrong is what stays."""

from __future__ import annotations

import pytest

from dartsctl.edges.screen.page import (
    ASCII,
    Cell,
    Column,
    Glyphs,
    Page,
    Row,
    Section,
    cells,
    fit,
    glyphs_for,
    wrapped,
)
from dartsctl.edges.screen.stream import Event
from dartsctl.workflows.watch.overview import page_of
from fakes.watch_views import calm, incident

GLYPHS = Glyphs()
EVENTS = [Event("14:02:10", "ALERT", "bad", f"event {number}") for number in range(8)]


def drawn(page: Page, width: int, height: int, glyphs: Glyphs = GLYPHS) -> list[str]:
    lines = fit(page, width, height, glyphs)
    return ["".join(cell.text for cell in line) for line in lines]


@pytest.mark.parametrize("view", [calm(), incident()], ids=["calm", "incident"])
@pytest.mark.parametrize("glyphs", [GLYPHS, ASCII], ids=["unicode", "ascii"])
def test_no_terminal_is_too_small(view: object, glyphs: Glyphs) -> None:
    page = page_of(view, EVENTS, glyphs)  # type: ignore[arg-type]
    for width in (1, 2, 5, 12, 20, 39, 40, 60, 79, 80, 200):
        for height in (1, 2, 3, 5, 8, 9, 15, 24, 60):
            lines = drawn(page, width, height, glyphs)
            assert len(lines) <= height
            assert max(map(cells, lines)) <= width
            if glyphs is ASCII:
                assert all(line.isascii() for line in lines)


@pytest.mark.parametrize("width", [40, 80])
def test_the_alert_and_its_command_are_readable_at_24_lines(width: int) -> None:
    text = "\n".join(drawn(page_of(incident(), EVENTS, GLYPHS), width, 24))
    for part in ("1 alert", "darts-app", "127.0.0.1:5000/tcp", "next: dartsctl doctor --fix"):
        assert part in text


@pytest.mark.parametrize("height", [12, 15, 18])
def test_on_a_short_terminal_what_is_wrong_stays_and_the_rest_is_counted(height: int) -> None:
    lines = drawn(page_of(incident(), EVENTS, GLYPHS), 80, height)
    assert lines[2].startswith("✗ darts-app")
    assert lines[3].startswith("  darts-app is down because ")
    services = [line for line in lines if line.startswith("✗ darts-app    exited (128)")]
    assert len(services) == 1
    assert "  5 more services" in lines
    assert any(line.startswith("✗ 5000") for line in lines) == (height > 12)


def test_rows_that_have_no_room_are_counted_exactly() -> None:
    rows = tuple(Row((Cell(f"row {number}"),), weight=number % 2) for number in range(20))
    page = Page((), "", (Section("things", (Column(),), rows, title="THINGS"),))
    for height in range(4, 20):
        lines = drawn(page, 20, height)
        shown = [line for line in lines if line.startswith("row")]
        assert lines[-1] == f"  {20 - len(shown)} more things"
        assert len(lines) == height
        odd = [line for line in shown if int(line[4:]) % 2]
        assert len(odd) == min(10, len(shown)), "the weighty rows go last"


def test_of_events_the_last_ones_stay() -> None:
    lines = drawn(page_of(calm(), EVENTS, GLYPHS), 80, 16)
    shown = [line for line in lines if " event " in line]
    numbers = [int(line.split()[-1]) for line in shown]
    assert 0 < len(numbers) < 8
    assert numbers == list(range(8 - len(numbers), 8))


def test_a_column_is_left_out_before_a_name_is_cut() -> None:
    columns = (Column("NAME", least=10), Column("EXTRA", rank=1), Column("MORE", rank=2))
    row = Row((Cell("a-long-name"), Cell("extra text"), Cell("more text")))
    page = Page((), "", (Section("things", columns, (row,)),))
    assert drawn(page, 40, 9)[-1] == "a-long-name  extra text  more text"
    assert drawn(page, 30, 9)[-1] == "a-long-name  extra text"
    assert drawn(page, 12, 9)[-1] == "a-long-name"
    assert drawn(page, 10, 9)[-1] == "a-long-na…"


def test_the_first_line_loses_its_least_important_parts_first() -> None:
    page = page_of(incident(), [], GLYPHS)
    for width, line in (
        (80, "prod (darts) ·  1 alert, 1 warning  · engine 28.5.2"),
        (50, "prod (darts) ·  1 alert, 1 warning "),
        (40, "prod ·  1 alert, 1 warning "),
        (30, "prod ·  1 alert, 1 …"),
    ):
        assert drawn(page, width, 24)[0] == line.ljust(width - 8) + page.right


def test_wide_characters_count_as_they_are_drawn() -> None:
    assert cells("日本") == 4
    for width in range(1, 12):
        lines = wrapped("日本語の長いサービス名 and words", width)
        assert "".join(lines).replace(" ", "") == "日本語の長いサービス名andwords"
        assert all(cells(line) <= max(2, width) for line in lines)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252", "no-such-encoding"])
def test_without_unicode_there_is_another_set_of_characters(encoding: str) -> None:
    assert glyphs_for(encoding) == ASCII
    assert glyphs_for("utf-8") == GLYPHS
