"""The person's web browser."""

from __future__ import annotations

import os
import sys
import threading


def open_page(url: str) -> bool:
    """Show `url` in the browser; False where there is none. Does not wait: a browser that is given as a command may run as long as its window.

    Without a display a text browser would take the terminal, which is the server's: then only what BROWSER names is started.
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
