"""The command that installs one of dartsctl's extras."""

from __future__ import annotations

import sys

from dartsctl.text.phrases import shell_command


def install_command(library: str, extra: str) -> str:
    """Return the command that adds a library to this installation."""
    if "/pipx/venvs/" in sys.prefix:
        return f"pipx inject dartsctl {library}"
    if "/uv/tools/" in sys.prefix:
        return f"uv tool install 'dartsctl[{extra}]'"
    return shell_command(sys.executable, "-m", "pip", "install", f"dartsctl[{extra}]")
