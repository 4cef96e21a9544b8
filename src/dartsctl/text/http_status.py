"""The status line of an HTTP response."""

from __future__ import annotations


def http_status(head: bytes) -> int | None:
    """Return the status code in the first line of a response; None if it is not HTTP."""
    words = head.partition(b"\n")[0].split()
    if len(words) < 2 or not words[0].startswith(b"HTTP/"):
        return None
    code = words[1]
    return int(code) if len(code) == 3 and code.isdigit() else None
