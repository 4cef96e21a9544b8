"""A bug's report: what a maintainer needs, and nothing that is secret."""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
from pathlib import Path

from dartsctl import __version__
from dartsctl.edges.state.folder import opened, state_folder
from dartsctl.text.masker import Masker
from dartsctl.text.masking import mask_command


def write_report(error: BaseException, argv: list[str], masker: Masker) -> Path | None:
    """Write the report (0600), without the secrets that `masker` knows, and return its path; None where nothing can be written."""
    lines = [
        f"dartsctl {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"command: dartsctl {' '.join(mask_command(argv))}",
        "",
        *(line for part in traceback.format_exception(error) for line in part.splitlines()),
    ]
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    try:
        with opened(state_folder(), "reports", make=True) as folder:
            folder.add(name, "".join(f"{masker.line(line)}\n" for line in lines).encode())
            path = folder.path / name
    except Exception:
        sys.exc_info()
        return None
    return path
