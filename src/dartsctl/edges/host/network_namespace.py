"""The tcp sockets inside a container's network namespace.

Read from /proc/PID/net of the container's first process (Linux, usually only as root).
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.ports.socket_table import ALL_PORTS, proc_rows
from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.ports.listeners import Listener
    from dartsctl.stack.bindings import Endpoint

TABLES = ("tcp", "tcp6")
_END = r"(?:[0-9A-F]{8}|[0-9A-F]{32}):[0-9A-F]{4}"
_ROW = regex(
    rf" *[0-9]+: {_END} {_END} [0-9A-F]{{2}} \S+ \S+ \S+"
    r" +[0-9]{1,10} +[0-9]+ [0-9]{1,20}(?: |$)"
)


def tables(pid: int, folder: Path = Path("/proc")) -> tuple[str, ...] | None:
    """Return the text of both tables, None if they may not be read or the process has gone."""
    try:
        texts = [_text(folder / str(pid) / "net" / name) for name in TABLES]
    except OSError:
        return None
    return tuple(filter(None, texts))


def listening(texts: Sequence[str]) -> tuple[Endpoint, ...]:
    """Return what listens according to the tables, sorted. Invalid rows are left out."""
    endpoints: set[Endpoint] = set()
    for text in texts:
        rows = proc_rows("tcp", ALL_PORTS, _rows(text))
        endpoints.update(row.endpoint for row in rows if row.state == "listen")
    return tuple(sorted(endpoints))


def connections(texts: Sequence[str]) -> tuple[Listener, ...]:
    """Return all connections, those that are being made or have just ended included."""
    rows: list[Listener] = []
    for text in texts:
        rows += proc_rows("tcp", ALL_PORTS, _rows(text))
    return tuple(row for row in rows if row.is_connection)


def _rows(text: str) -> list[str]:
    """Return the lines that the kernel could have written: the text may come from a container."""
    return [line for line in text.splitlines() if _ROW.match(line)]


def _text(file: Path) -> str:
    """Return the text of a table. tcp6 does not exist on a kernel without IPv6."""
    try:
        return file.read_text(encoding="ascii")
    except FileNotFoundError:
        if file.name == TABLES[0]:
            raise  # no such process
        return ""
