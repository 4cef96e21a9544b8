"""`python -m dartsctl` and the console script.

Nothing is imported here but what the interpreter has already loaded, not even `__future__`.
"""

import os
import sys

from dartsctl import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_RESOLVING = {"check", "up", "down", "restart"}
"""The verbs that begin with Compose's `config`. `dev` alone does, too."""


def run() -> int:
    """Run the command line, and end the process with its exit code.

    Return the code instead if anything is left to do that the interpreter's own end does: it
    takes as long as all the rest of `--version`.
    """
    try:
        code = answer(sys.argv[1:])
        if _is_done():
            os._exit(code)
    except KeyboardInterrupt:  # of --version, which does not watch for it
        from dartsctl.system import interrupts

        interrupts.exit_at_once()
    return code


def answer(words: list[str]) -> int:
    """Run a command line, and return its exit code.

    `--version` is answered before anything is imported: scripts and shell prompts ask for it often.
    """
    if words in (["--version"], ["-V"]) and _is_written(f"dartsctl {__version__}\n"):
        return 0
    from dartsctl.system import collector, interrupts

    interrupts.watch()
    collector.run_rarely()
    end_early = _start_early(words)
    from dartsctl.cli import main

    try:
        return main(words)
    finally:
        interrupts.ignore()
        end_early()


def _start_early(words: list[str]) -> "Callable[[], None]":
    """Start Compose's `config` for a line that will need it. Return what ends it."""
    is_dev = words == ["dev"] or (words[:1] == ["dev"] and words[1].startswith("-"))
    if not is_dev and not _RESOLVING.intersection(words):
        return lambda: None
    if {"--help", "-h"}.intersection(words):
        return lambda: None
    from dartsctl.edges.engine import early_config

    early_config.start(words)
    return early_config.end


def _is_written(text: str) -> bool:
    """Write to stdout, and return whether that was possible. To a closed one it always is."""
    try:
        if sys.stdout is not None:
            sys.stdout.write(text)
            sys.stdout.flush()
    except OSError:
        return False
    return True


def _is_done() -> bool:
    """Write what is buffered. Return whether nothing waits for the interpreter's end.

    That is a function of `atexit`, a thread, a stream that cannot be written, or a debugger.
    """
    import atexit

    threading = sys.modules.get("threading")
    if atexit._ncallbacks() or (threading and threading.active_count() > 1):
        return False
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None:
                stream.flush()
    except (OSError, ValueError):
        return False
    return sys.gettrace() is None and sys.getprofile() is None


if __name__ == "__main__":
    raise SystemExit(run())
