"""The user's web browser."""

from __future__ import annotations

import os
import sys
import threading


def open_page(url: str) -> bool:
    """Open `url` in the browser, without waiting for it; False where there is none.

    Without a display a text browser would take the terminal from the server. Then only the program
    in BROWSER is started.
    """
    import webbrowser

    screens = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER")
    if sys.platform.startswith("linux") and not any(os.environ.get(name) for name in screens):
        return False
    try:
        browser = webbrowser.get()
    except webbrowser.Error:
        return False
    threading.Thread(target=browser.open, args=(url,), daemon=True).start()
    return True
