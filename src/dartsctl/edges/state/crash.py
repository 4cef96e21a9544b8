"""The report about a bug: what a maintainer needs, without secrets."""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
from typing import TYPE_CHECKING

from dartsctl import __version__
from dartsctl.edges.state.folder import open_private, state_folder
from dartsctl.text.masking import mask_command

if TYPE_CHECKING:
    from pathlib import Path

    from dartsctl.text.masker import Masker


def write_report(error: BaseException, argv: list[str], masker: Masker) -> Path | None:
    """Write the report (mode 0600) and return its path; None where nothing can be written.

    The secrets that `masker` knows are masked.
    """
    lines = [
        f"dartsctl {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"command: dartsctl {' '.join(mask_command(argv))}",
        "",
        *"".join(traceback.format_exception(error)).splitlines(),
    ]
    name = f"{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.txt"
    try:
        with open_private(state_folder(), "reports", make=True) as folder:
            folder.add(name, "".join(f"{masker.line(line)}\n" for line in lines).encode())
            path = folder.path / name
    except Exception:
        sys.exc_info()
        return None
    return path
