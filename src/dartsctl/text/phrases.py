"""Small pieces of text that several verbs show."""

from __future__ import annotations

import time


def duration(seconds: float) -> str:
    """A length of time in one unit."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "min")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def local_time(moment: float) -> str:
    """A Unix time as people here read it, with the zone that makes it exact: `2026-11-23T22:58:51+01:00`."""
    text = time.strftime("%Y-%m-%dT%H:%M:%S%z", time.localtime(moment))
    return f"{text[:-2]}:{text[-2:]}"


def shell_command(*words: object) -> str:
    """A command that can be pasted, whatever a path or a name among its words contains."""
    import shlex

    return shlex.join(str(word) for word in words)
