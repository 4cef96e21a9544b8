"""Loads the guard in every Python that a server of dartsctl starts, then runs the sitecustomize that it hides, as if this one were not there.

This folder is in the server's PYTHONPATH, for its children too; it leaves sys.path again before the program begins.
"""

import os
import sys

try:
    import _dartsctl_guard  # type: ignore[import-not-found]  # noqa: F401 - it is in this folder
except Exception:
    pass

sys.path[:] = [entry for entry in sys.path if entry != os.path.dirname(__file__)]
sys.modules.pop(__name__, None)
import sitecustomize  # type: ignore[import-not-found]  # noqa: E402, F401 - the app's or the system's; `site` expects the ImportError of none
