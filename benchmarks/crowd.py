"""A busy host: 10,000 listening sockets and 1,500 processes, really there, in helper processes of their own."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
from collections.abc import Iterator

SOCKETS = 10_000
PROCESSES = 1_500
FIRST_PORT = 61_000  # above the ports that Linux hands out by itself, and none of those that dartsctl looks at
PORTS_EACH = 100  # on one of the addresses 127.1.0.x
SPARE = 50  # descriptors that a helper needs for itself

_LISTEN = """
import resource, socket, sys
first, last = map(int, sys.argv[1:])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
held = []
for number in range(first, last):
    one = socket.socket()
    one.bind((f"127.1.0.{1 + number // 100}", 61000 + number % 100))
    one.listen(1)
    held.append(one)
print("ready", flush=True)
sys.stdin.read()
"""
_MULTIPLY = (
    'for i in $(seq "$1"); do sleep 3600 <&- >&- & done; echo ready; read end; kill $(jobs -p)'
)


@contextlib.contextmanager
def listeners() -> Iterator[None]:
    """10,000 listening sockets, spread over as many helpers as the limit of open files asks for."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    each = SOCKETS if hard == resource.RLIM_INFINITY else min(SOCKETS, hard - SPARE)
    with contextlib.ExitStack() as helpers:
        for first in range(0, SOCKETS, each):
            helpers.enter_context(
                _helper(
                    [
                        sys.executable,
                        "-I",
                        "-S",
                        "-c",
                        _LISTEN,
                        str(first),
                        str(min(first + each, SOCKETS)),
                    ]
                )
            )
        yield


@contextlib.contextmanager
def processes() -> Iterator[None]:
    """1,500 processes that sleep."""
    with _helper(["bash", "-c", _MULTIPLY, "bash", str(PROCESSES)]):
        yield


@contextlib.contextmanager
def _helper(argv: list[str]) -> Iterator[None]:
    """A process that says `ready` when all is there, and ends when its stdin does."""
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
    ) as helper:
        if helper.stdin is None or helper.stdout is None or helper.stdout.readline() != b"ready\n":
            raise RuntimeError("the crowd did not come together: what keeps it apart stands above")
        try:
            yield
        finally:
            helper.stdin.close()
            helper.wait()
