"""Port numbers for tests.

Each test process has its own block: files run in parallel and ask for numbers long before they
bind them. The blocks lie outside the dev range and the kernel's ephemeral range, and
ports/remapping.py moves no binding of these numbers into them.
"""

from __future__ import annotations

import os
import socket

import pytest

FIRST, LAST = 26000, 31999
_WORKER = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
_EACH = (LAST + 1 - FIRST) // int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
_BLOCK = range(FIRST + _WORKER * _EACH, FIRST + (_WORKER + 1) * _EACH)
_place = os.getpid() * 37 % _EACH if "PYTEST_XDIST_WORKER" not in os.environ else 0
"""Where the next search begins. Sockets of the previous test may still be closing."""


def free_ports(count: int) -> list[int]:
    """Return `count` consecutive numbers that neither protocol uses on any address."""
    global _place  # noqa: PLW0603 - the one cursor of this process
    for _ in range(_EACH):
        first = _BLOCK.start + _place
        _place = (_place + count) % (_EACH - count)
        if all(is_free(port) for port in range(first, first + count)):
            return list(range(first, first + count))
    pytest.fail(f"no {count} free ports in a row between {_BLOCK.start} and {_BLOCK.stop}")


def is_free(port: int) -> bool:
    """Return whether the port is free for tcp and udp on every address."""
    for family, kind in (
        (socket.AF_INET, socket.SOCK_STREAM),
        (socket.AF_INET6, socket.SOCK_STREAM),
        (socket.AF_INET6, socket.SOCK_DGRAM),
    ):
        with socket.socket(family, kind) as probe:
            try:
                probe.bind(("::" if family is socket.AF_INET6 else "0.0.0.0", port))
            except OSError:
                return False
    return True
