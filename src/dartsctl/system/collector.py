"""How often Python's garbage collector runs.

A command that ends within a second makes no garbage to speak of, and looking for it takes a
twentieth of its time. One that runs for hours is collected as usual.
"""

from __future__ import annotations

import gc

_RARELY = 200_000
"""New objects between two runs: more than a stack of 500 services makes."""
_usual = gc.get_threshold()


def run_rarely() -> None:
    """Let many objects come together between two runs, some dozen megabytes."""
    gc.set_threshold(_RARELY, *_usual[1:])


def run_as_usual() -> None:
    """Run as often as Python does by itself."""
    gc.set_threshold(*_usual)
