"""The live dashboard: a page on the alternate screen of a terminal, drawn where it has changed.

It uses the alternate screen, as top, htop and k9s do: a page that is redrawn in place does not
survive a resize in the scrollback, and may be higher than the terminal. What happened is written
as plain lines at the end, so that it stays.

A thread draws, once a second at most: a terminal that was stopped with Ctrl-S holds up nobody.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import termios
import threading
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any, TextIO

from dartsctl.edges.screen.page import Cell, Glyphs, Line, Page, Row, fit, glyphs_for, header
from dartsctl.edges.screen.stream import Event, event_text, write_all
from dartsctl.records import replace
from dartsctl.system.signal_handlers import signal_handlers

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from types import FrameType

    from dartsctl.edges.screen.output import Screen
    from dartsctl.text.masker import Masker

_ENTER = "\033[?1049h\033[?25l\033[?7l\033[2J"
"""The alternate screen, no cursor, no wrapping of what is too long, nothing on it."""
_LEAVE = "\033[999;1H\r\n\033[?7h\033[?25h\033[?1049l"
"""From below the page: a console without an alternate screen, such as Linux's, goes on there."""
PAUSE = 1.0
"""Seconds between two draws."""
_AT_MOST = 1.0
"""Seconds for which a terminal that was stopped is waited for."""
_WHOLE_EVERY = 60
"""Draws after which everything is drawn again, whatever else has written to the terminal."""
_MOST_KEPT = 2000
_STYLES = {
    "ok": "green",
    "bad": "bold red",
    "warn": "yellow",
    "dim": "dim",
    "strong": "bold",
    "title": "bold cyan",
    "alarm": "bold white on red",
    "caution": "bold black on yellow",
    "calm": "bold black on green",
}


class Dashboard:
    """A page at a terminal. `make_page` is asked for it before each draw.

    `on_end` is called in the drawing thread when the terminal was closed; then `close` raises
    BrokenPipeError.
    """

    def __init__(
        self,
        screen: Screen,
        make_page: Callable[[], Page],
        *,
        on_end: Callable[[], None],
        say: Callable[[str], None],
        pause: float = PAUSE,
    ) -> None:
        """`say` gets notes and warnings of others. `pause`: seconds between two draws."""
        self._screen = screen
        self._make_page = make_page
        self._on_end = on_end
        self._say = say
        self._pause = pause
        self._stream: TextIO = sys.stdout
        self._descriptor = self._stream.fileno()
        safe = SafeTexts(screen.masker, self._stream.encoding or "utf-8")
        self._painter = Painter(safe, has_colors=screen.color)
        self._lock = threading.RLock()
        self._closing = threading.Event()
        self._is_shown = False
        self._modes: list[Any] | None = None
        self._drawn: list[str] = []
        self._size = os.terminal_size((0, 0))
        self._draws = 0
        self._failure: OSError | None = None
        self._handlers = ExitStack()
        self._thread = threading.Thread(target=self._run, name="dashboard", daemon=True)

    @property
    def glyphs(self) -> Glyphs:
        """What this terminal's encoding can write."""
        return glyphs_for(self._stream.encoding or "utf-8")

    def open(self) -> None:
        """Take the terminal. Must be called in the main thread, which gets Ctrl-Z."""
        self._screen.say_to(self._say)
        self._handlers.enter_context(signal_handlers((signal.SIGTSTP,), self._stop_process))
        self._handlers.enter_context(signal_handlers((signal.SIGCONT,), self._go_on))
        self._thread.start()

    def close(self, events: Iterable[Event] = ()) -> None:
        """Give the terminal back as it was, and write `events` to it.

        Raises BrokenPipeError if the terminal was closed.
        """
        self._closing.set()
        try:
            if self._thread.is_alive():
                self._thread.join(_AT_MOST)
        finally:  # a second Ctrl-C comes here
            self._handlers.close()
            self._screen.say_to(None)
            self._give_back()
        if self._failure:
            raise BrokenPipeError(errno.EPIPE, "the terminal was closed") from self._failure
        masker, is_colored = self._screen.masker, self._screen.is_colored
        for event in events:
            self._write(event_text(event, masker=masker, is_colored=is_colored))

    # --- the thread -----------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            try:
                with self._lock:
                    self._draw()
            except OSError as error:
                self._failure = error
                self._on_end()
                return
            self._closing.wait(self._pause)

    def _draw(self) -> None:
        if self._closing.is_set() or not self._is_in_foreground():
            return
        if not self._is_shown:
            self._take()
        size = terminal_size(self._descriptor)
        self._draws += 1
        if size != self._size or self._draws % _WHOLE_EVERY == 0:
            self._drawn = []
        lines = self._painter.lines(self._make_page(), size, self.glyphs)
        text = changes(self._drawn, lines)
        if not self._drawn:
            text = "\033[2J" + text
        self._drawn, self._size = lines, size
        if text:
            self._write(text)

    # --- the terminal ---------------------------------------------------------------------------

    def _is_in_foreground(self) -> bool:
        """Whether the terminal is ours: after Ctrl-Z and `bg` it belongs to the shell."""
        try:
            return os.tcgetpgrp(self._descriptor) == os.getpgrp()
        except OSError as error:
            if error.errno == errno.ENOTTY:  # not our controlling terminal: nobody takes it
                return True
            raise

    def _take(self) -> None:
        self._is_shown = True
        self._drawn = []
        self._modes = self._modes or _modes(sys.stdin)
        _set_modes(sys.stdin, self._modes, echo=False)
        self._write(_ENTER)

    def _give_back(self) -> None:
        if not self._is_shown:
            return
        self._is_shown = False
        with suppress(OSError):
            self._write(_LEAVE)
        _set_modes(sys.stdin, self._modes, echo=True)

    def _stop_process(self, _number: int, _frame: FrameType | None) -> None:
        """Ctrl-Z: give the terminal back, stop as any program, and take it again after `fg`."""
        is_ours = self._lock.acquire(timeout=_AT_MOST)
        try:
            self._give_back()
            former = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
            signal.raise_signal(signal.SIGTSTP)  # returns after SIGCONT
            signal.signal(signal.SIGTSTP, former)
        finally:
            if is_ours:
                self._lock.release()

    def _go_on(self, _number: int, _frame: FrameType | None) -> None:
        """Continued: whatever the shell wrote meanwhile is overwritten, once we are in front."""
        self._is_shown = False

    def _write(self, text: str) -> None:
        encoding = self._stream.encoding or "utf-8"
        write_all(self._descriptor, text.encode(encoding, "backslashreplace"))


class Painter:
    """Lines of a page as text for a terminal, styled by rich. Each line is painted once."""

    def __init__(self, safe: SafeTexts, *, has_colors: bool) -> None:
        self._safe = safe
        self._known: object = None
        self._fitted: list[Line] = []
        self._has_colors = has_colors
        self._painted: dict[Line, str] = {}

    def lines(self, page: Page, size: os.terminal_size, glyphs: Glyphs) -> list[str]:
        """Return the styled lines that fit into a terminal of this size."""
        fitted = self._fit(page, size, glyphs)
        former, self._painted = self._painted, {}
        for line in fitted:
            if line not in self._painted:
                self._painted[line] = former.get(line) or self._paint(line)
        return [self._painted[line] for line in fitted]

    def _fit(self, page: Page, size: os.terminal_size, glyphs: Glyphs) -> list[Line]:
        """Return the lines of a page; if only the time has changed, those of the page before."""
        known = (replace(page, right=""), size, self._safe.lessons)
        if known != self._known:
            self._known = known
            self._fitted = fit(safe_page(page, self._safe), size.columns, size.lines, glyphs)
            return self._fitted
        top = replace(page, left=safe_cells(page.left, self._safe))
        return [header(top, size.columns, glyphs), *self._fitted[1:]]

    def _paint(self, line: Line) -> str:
        from rich.console import Console

        console = Console(
            force_terminal=True,
            color_system="standard",
            no_color=not self._has_colors,
            width=10_000,
            highlight=False,
            legacy_windows=False,
        )
        with console.capture() as capture:
            console.print(rich_text(line, has_colors=self._has_colors), end="", soft_wrap=True)
        return capture.get()


def rich_text(line: Line, *, has_colors: bool = True) -> Any:
    """Return a line as rich's Text, which knows no markup."""
    from rich.text import Text

    text = Text()
    for cell in line:
        style = _STYLES.get(cell.style, "")
        if not has_colors and " on " in style:
            style = "bold reverse"
        text.append(cell.text, style=style)
    return text


def changes(former: Sequence[str], lines: Sequence[str]) -> str:
    """Return what to write so that a terminal that shows `former` shows `lines`."""
    text = ""
    for number in range(max(len(former), len(lines))):
        old = former[number] if number < len(former) else ""
        new = lines[number] if number < len(lines) else ""
        if old != new:
            text += f"\033[{number + 1};1H{new}\033[K"
    return text


def safe_page(page: Page, safe: Callable[[str], str]) -> Page:
    """Return a page in which no text controls the terminal or shows a secret."""
    sections = []
    for section in page.sections:
        rows = tuple(
            Row(safe_cells(row.cells, safe), safe_cells(row.details, safe), row.weight)
            for row in section.rows
        )
        sections.append(replace(section, rows=rows))
    return replace(
        page, left=safe_cells(page.left, safe), right=safe(page.right), sections=tuple(sections)
    )


def safe_cells(cells: Iterable[Cell], safe: Callable[[str], str]) -> Line:
    """Return cells with their texts made safe."""
    return tuple(replace(cell, text=safe(cell.text)) for cell in cells)


class SafeTexts:
    """Masks texts, and escapes what the terminal's encoding cannot write.

    Most texts of a page are those of the page before: they are kept, until the masker has learnt
    something.
    """

    def __init__(self, masker: Masker, encoding: str) -> None:
        self._masker = masker
        self._encoding = encoding
        self._lessons = -1
        self._known: dict[str, str] = {}

    @property
    def lessons(self) -> int:
        """How much the masker has learnt."""
        return self._masker.lessons

    def __call__(self, text: str) -> str:
        """Return a text as it can be shown."""
        if self._lessons != self._masker.lessons or len(self._known) > _MOST_KEPT:
            self._lessons = self._masker.lessons
            self._known = {}
        shown = self._known.get(text)
        if shown is None:
            line = self._masker.line(text)
            shown = line.encode(self._encoding, "backslashreplace").decode(self._encoding)
            self._known[text] = shown
        return shown


def terminal_size(descriptor: int) -> os.terminal_size:
    """Return the size of a terminal, a usual one if it does not say."""
    with suppress(OSError):
        size = os.get_terminal_size(descriptor)
        if size.columns and size.lines:
            return size
    return os.terminal_size((80, 24))


def _modes(stream: TextIO | None) -> list[Any] | None:
    """Return the modes of the terminal that is typed at, None if there is none."""
    with suppress(termios.error, OSError, ValueError):
        if stream is not None and stream.isatty():
            return termios.tcgetattr(stream)
    return None


def _set_modes(stream: TextIO | None, modes: list[Any] | None, *, echo: bool) -> None:
    """Show what is typed as `modes` say, or not at all.

    What was typed before is forgotten: it was not meant for the shell.
    """
    if stream is None or modes is None:
        return
    wanted = list(modes)
    if not echo:
        wanted[3] &= ~termios.ECHO
    with suppress(termios.error, OSError, ValueError):
        termios.tcsetattr(stream, termios.TCSAFLUSH, wanted)
