"""The children of this test process, ended ones that nobody has waited for too.

Other tests of the process may have left some: `waitpid(-1)` would see, and take, those as well.
"""

from __future__ import annotations

import psutil


def own_children() -> set[int]:
    """Return the pids of this process's children."""
    return {child.pid for child in psutil.Process().children()}
