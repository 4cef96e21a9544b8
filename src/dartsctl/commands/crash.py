"""A bug's report: what a maintainer needs, and nothing that is secret."""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
from pathlib import Path

from dartsctl import __version__, masking
from dartsctl.state_folder import state_folder


def write_report(error: BaseException, argv: list[str]) -> Path | None:
    """Write the report (0600) and return its path; None where nothing can be written."""
    secrets = [value for name, value in os.environ.items() if any(word in name.upper() for word in ("PASS", "SECRET", "TOKEN", "KEY", "DSN", "URL"))]
    lines = [
        f"dartsctl {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"command: dartsctl {' '.join(masking.command(argv))}",
        "",
        *traceback.format_exception(error),
    ]
    try:
        folder = state_folder() / "reports"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        path = folder / f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(masking.values("\n".join(lines), secrets))
    except Exception:
        sys.exc_info()
        return None
    return path
