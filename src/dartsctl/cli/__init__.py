"""The command line: its words become one call of a verb.

Typer reads every line that asks for more than a plain call. It takes longer to import than most
verbs run.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence


def main(argv: Sequence[str]) -> int:
    """Run one command line and return its exit code. Never raises, never shows a traceback."""
    from dartsctl.cli import baked_help

    words = list(argv)
    try:
        code = baked_help.show(words)
    except OSError as error:
        from dartsctl.cli import boundary

        return boundary.report_unwritten(error, words)
    if code is not None:
        return code
    from dartsctl.cli import boundary

    return boundary.run(words)
