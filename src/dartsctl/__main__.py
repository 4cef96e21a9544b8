"""`python -m dartsctl` and the console script."""

from __future__ import annotations

import sys

from dartsctl.system import interrupts


def run() -> int:
    """The exit code. `--version` is answered before anything is imported: it is what scripts and prompts ask all the time."""
    interrupts.watch()
    if sys.argv[1:] in (["--version"], ["-V"]):
        from dartsctl import __version__

        sys.stdout.write(f"dartsctl {__version__}\n")
        sys.stdout.flush()
        interrupts.done()
        return 0
    from dartsctl.cli import main

    try:
        return main(sys.argv[1:])
    finally:
        interrupts.done()


if __name__ == "__main__":
    raise SystemExit(run())
