"""The image of this worker's stacks, so that no stack looks like that of another worker.

dartsctl takes a project with the same services and images for the same stack, and refuses to start
a second one. Each worker of the tests therefore has a name of its own for the same image.
"""

from __future__ import annotations

import contextlib
import os
import subprocess

_SHARED = "dartsctl-test/busybox:1"
_WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
BUSYBOX = f"dartsctl-test/busybox-{_WORKER}:1" if _WORKER else _SHARED


def tag() -> None:
    """Give the engine's image this worker's name. Does nothing without an engine."""
    if BUSYBOX == _SHARED:
        return
    with contextlib.suppress(OSError, subprocess.TimeoutExpired):
        subprocess.run(
            ["docker", "tag", _SHARED, BUSYBOX], capture_output=True, check=False, timeout=60
        )
