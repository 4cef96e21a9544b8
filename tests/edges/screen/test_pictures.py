"""The picture in the README is what the dashboard looks like today."""

from __future__ import annotations

import html
import re
import runpy
from collections.abc import Callable
from typing import Any

import pytest

from dartsctl.edges.screen.page import cells
from repository import REPOSITORY


@pytest.fixture
def script(utc: None) -> dict[str, Any]:
    return runpy.run_path(str(REPOSITORY / "docs/make_pictures.py"))


def texts(svg: str) -> list[str]:
    """Return the texts of a picture, whatever version of rich has drawn it."""
    drawn = re.findall(r"<text[^>]*>([^<]*)</text>", svg)
    return [html.unescape(text).replace("\xa0", " ").strip() for text in drawn]


def test_the_committed_picture_has_todays_texts(script: dict[str, Any]) -> None:
    draw: Callable[..., str] = script["svg"]
    committed = (REPOSITORY / "docs/watch.svg").read_text()
    assert texts(committed) == texts(draw(script["page_lines"]()))


def test_it_fits_into_80_columns_and_nothing_is_left_out(script: dict[str, Any]) -> None:
    lines = ["".join(cell.text for cell in line) for line in script["page_lines"]()]
    assert max(map(cells, lines)) <= 80
    assert not any(" more " in line for line in lines)


def test_it_loads_nothing_from_elsewhere() -> None:
    text = (REPOSITORY / "docs/watch.svg").read_text()
    assert re.findall(r"https?://[^\s\"']+", text) == ["http://www.w3.org/2000/svg"]
    assert "<script" not in text
