"""Help screens from a file, as Typer makes them, without Typer.

`make help-screens` writes the file anew, and a test compares it with what Typer makes.
"""

from __future__ import annotations

import os
import sys

from dartsctl import __version__
from dartsctl.cli.typed_words import is_completing

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

# pathlib takes longer to import than a help takes
FILE = os.path.join(os.path.dirname(__file__), "help_screens.txt")  # noqa: PTH118, PTH120
COLUMNS = 80
"""The width of the screens, and of every wider terminal."""
NEED_A_VERB: tuple[list[str], ...] = ([], ["prod"], ["guard"])
"""The lines that show a help because nothing follows."""
VERSION = (["--version"], ["-V"])
_USAGE = 2  # ExitCode.USAGE


def show(words: Sequence[str]) -> int | None:
    """Show the help that a line asks for, and return its exit code.

    Return None, and show nothing, for any other line and where Typer has to make the help.

    Raises OSError if stdout cannot be written.
    """
    if words in VERSION:
        _write(f"dartsctl {__version__}\n")
        return 0
    *names, last = words or ("",)
    if last in ("--help", "-h"):
        text = _screen(names)
        if not text:
            return None
        _write(text)
        return 0
    if words in NEED_A_VERB and (text := _screen(words)):
        _write_error(text)
        return _USAGE
    return None


def _screen(names: Sequence[str]) -> str:
    """Return the help of a verb, empty if the file has none that fits the terminal."""
    is_plain = all(map(str.isalpha, names))  # "prod up" as one word names no verb
    if not is_plain or is_completing() or not _is_wide():
        return ""
    try:
        with open(FILE, "rb") as file:  # noqa: PTH123 - see FILE
            screens = file.read().decode()
    except OSError:  # the package is in an archive
        return ""
    _, _, behind = screens.partition(f"\f{' '.join(('dartsctl', *names))}\n")
    return behind.partition("\f")[0]


def _is_wide() -> bool:
    """Return whether the terminal has the columns of the screens, asked as Typer asks."""
    try:
        columns = int(os.environ.get("COLUMNS", ""))
    except ValueError:
        columns = 0
    if columns <= 0 and sys.__stdout__ is not None:
        try:
            columns = os.get_terminal_size(sys.__stdout__.fileno()).columns
        except (ValueError, OSError):
            return True
    return columns == 0 or columns >= COLUMNS


def _write(text: str) -> None:
    if sys.stdout is not None:
        sys.stdout.write(text)
        sys.stdout.flush()


def _write_error(text: str) -> None:
    if sys.stderr is None:
        return
    try:
        sys.stderr.write(text)
        sys.stderr.flush()
    except OSError:  # nobody can be told
        pass
