"""Draw docs/watch.svg: the real dashboard, on a terminal of 80 columns, during the incident.

Run it after a change of the dashboard: `.venv/bin/python docs/make_pictures.py`. A test compares
its texts with the committed picture.
"""

from __future__ import annotations

import io
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.terminal_theme import TerminalTheme

REPOSITORY = Path(__file__).parents[1]
sys.path.insert(0, str(REPOSITORY / "tests"))

from dartsctl.alerts.state import Message  # noqa: E402 - after the path of the tests
from dartsctl.edges.screen.dashboard import rich_text  # noqa: E402
from dartsctl.edges.screen.page import Glyphs, Line, fit  # noqa: E402
from dartsctl.workflows.watch.event_text import message_event, note_event  # noqa: E402
from dartsctl.workflows.watch.overview import page_of  # noqa: E402
from dartsctl.workflows.watch.signals import Note  # noqa: E402
from fakes.watch_views import CERTIFICATE, NOW, episode, incident  # noqa: E402

if TYPE_CHECKING:
    from dartsctl.edges.screen.stream import Event

PICTURE = REPOSITORY / "docs/watch.svg"
COLUMNS, LINES = 80, 39
THEME = TerminalTheme(
    (22, 24, 29),
    (214, 218, 224),
    [
        (22, 24, 29),
        (232, 84, 84),
        (120, 200, 120),
        (232, 190, 92),
        (110, 160, 240),
        (200, 140, 230),
        (92, 200, 210),
        (214, 218, 224),
    ],
)
FORMAT = """\
<svg viewBox="0 0 {width} {height}" xmlns="http://www.w3.org/2000/svg">
<style>
.{unique_id}-matrix {{
  font-family: ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font-size: {char_height}px;
  line-height: {line_height}px;
}}
.{unique_id}-title {{ font: bold 18px sans-serif }}
{styles}
</style>
<defs>
<clipPath id="{unique_id}-clip-terminal">
<rect x="0" y="0" width="{terminal_width}" height="{terminal_height}"/>
</clipPath>
{lines}
</defs>
{chrome}
<g transform="translate({terminal_x}, {terminal_y})" clip-path="url(#{unique_id}-clip-terminal)">
{backgrounds}
<g class="{unique_id}-matrix">
{matrix}
</g>
</g>
</svg>
"""
"""Rich's own, without fonts from elsewhere: a README's pictures load nothing."""


def events() -> list[Event]:
    """Return what has happened before."""
    began = NOW - 5 * 3600 - 60
    return [
        note_event(Note("watching prod (project darts): a look every 15 s", began), NOW),
        message_event(Message("opened", episode(CERTIFICATE), NOW - 5 * 3600), NOW),
        message_event(Message("opened", episode(), NOW - 130), NOW),
    ]


def page_lines() -> list[Line]:
    """Return the lines of the picture."""
    os.environ["TZ"] = "UTC"
    time.tzset()
    return fit(page_of(incident(), events(), Glyphs()), COLUMNS, LINES, Glyphs())


def svg(lines: Sequence[Line]) -> str:
    """Return lines as an SVG document."""
    console = Console(
        record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True, legacy_windows=False
    )
    for line in lines:
        console.print(rich_text(line), soft_wrap=True, highlight=False)
    return console.export_svg(
        title="dartsctl watch", theme=THEME, code_format=FORMAT, unique_id="watch"
    )


if __name__ == "__main__":
    PICTURE.write_text(svg(page_lines()))
    print(f"wrote {PICTURE}")  # noqa: T201
