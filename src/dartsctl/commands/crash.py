"""A bug's report: what a maintainer needs, and nothing that is secret."""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
from pathlib import Path

from dartsctl import __version__, masking
from dartsctl.state_folder import opened, state_folder


def write_report(error: BaseException, argv: list[str]) -> Path | None:
    """Write the report (0600) and return its path; None where nothing can be written."""
    secrets = [value for name, value in os.environ.items() if any(word in name.upper() for word in ("PASS", "SECRET", "TOKEN", "KEY", "DSN", "URL"))]
    lines = [
        f"dartsctl {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"command: dartsctl {' '.join(masking.command(argv))}",
        "",
        *traceback.format_exception(error),
    ]
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    try:
        with opened(state_folder(), "reports", make=True) as folder:
            folder.add(name, masking.values("\n".join(lines), secrets).encode(errors="backslashreplace"))
            path = folder.path / name
    except Exception:
        sys.exc_info()
        return None
    return path
