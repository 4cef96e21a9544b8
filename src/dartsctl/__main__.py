"""`python -m dartsctl` and the console script."""

from __future__ import annotations

import sys

from dartsctl.system import interrupts


def run() -> int:
    """Run the command line and return its exit code.

    `--version` is answered before anything else is imported: scripts and shell prompts ask for it
    often.
    """
    interrupts.watch()
    if sys.argv[1:] in (["--version"], ["-V"]):
        from dartsctl import __version__

        sys.stdout.write(f"dartsctl {__version__}\n")
        sys.stdout.flush()
        interrupts.ignore()
        return 0
    from dartsctl.edges.engine import early_config

    early_config.start(sys.argv[1:])
    from dartsctl.cli import main

    try:
        return main(sys.argv[1:])
    finally:
        interrupts.ignore()
        early_config.end()


if __name__ == "__main__":
    raise SystemExit(run())
