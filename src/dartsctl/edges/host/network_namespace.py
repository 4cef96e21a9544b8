"""The tcp sockets inside a container's own network namespace, out of /proc/PID/net of its first process (Linux, mostly root's alone)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from dartsctl.ports.socket_table import ALL_PORTS, peer_rows, proc_rows
from dartsctl.stack.bindings import Endpoint

TABLES = ("tcp", "tcp6")
_END = r"(?:[0-9A-F]{8}|[0-9A-F]{32}):[0-9A-F]{4}"
_ROW = re.compile(
    rf" *[0-9]+: {_END} {_END} [0-9A-F]{{2}} \S+ \S+ \S+ +[0-9]{{1,10}} +[0-9]+ [0-9]{{1,20}}(?: |$)"
)


def tables(pid: int, folder: Path = Path("/proc")) -> tuple[str, ...] | None:
    """The text of both tables; None where they may not be read, or the process has gone."""
    try:
        return tuple(text for name in TABLES if (text := _text(folder / str(pid) / "net" / name)))
    except OSError:
        return None


def listening(texts: Sequence[str]) -> tuple[Endpoint, ...]:
    """What listens, by the text of the tables; rows that are none are left out."""
    rows = (row for text in texts for row in proc_rows("tcp", ALL_PORTS, _rows(text)))
    return tuple(sorted({row.endpoint for row in rows if row.state == "listen"}))


def peers(texts: Sequence[str]) -> tuple[Endpoint, ...]:
    """The other ends of every connection, made or still being made."""
    return tuple(sorted({peer for text in texts for peer in peer_rows(_rows(text))}))


def _rows(text: str) -> list[str]:
    """The lines that the kernel could have written: the text may come from a container."""
    return [line for line in text.splitlines() if _ROW.match(line)]


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="ascii")
    except FileNotFoundError:
        if file.name == TABLES[0]:
            raise  # no such process; the other table is only missing on a kernel without IPv6
        return ""
