"""Load the guard in every Python that a server of dartsctl starts.

Then run the sitecustomize that this one hides. This folder is in the PYTHONPATH of the server and
its children, and is removed from sys.path before the program begins.
"""

import os
import sys

try:
    import _dartsctl_guard  # type: ignore[import-not-found]  # noqa: F401 - it is in this folder
except Exception:
    pass

sys.path[:] = [entry for entry in sys.path if entry != os.path.dirname(__file__)]
sys.modules.pop(__name__, None)
# The app's or the system's. Without one, `site` expects the ImportError.
import sitecustomize  # type: ignore[import-not-found]  # noqa: E402, F401
