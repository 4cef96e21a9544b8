"""A busy host: 10,000 real listening sockets and 1,500 processes, in helper processes."""

from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
from collections.abc import Iterator

SOCKETS = 10_000
PROCESSES = 1_500
FIRST_PORT = 61_000  # above the ephemeral ports, and none that dartsctl reads
PORTS_EACH = 100  # on one of the addresses 127.1.0.x
SPARE = 50  # descriptors that a helper needs itself

_LISTEN = """
import resource, socket, sys
first, last = map(int, sys.argv[1:])
hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
held = []
for number in range(first, last):
    listener = socket.socket()
    listener.bind((f"127.1.0.{1 + number // 100}", 61000 + number % 100))
    listener.listen(1)
    held.append(listener)
print("ready", flush=True)
sys.stdin.read()
"""
_MULTIPLY = (
    'for i in $(seq "$1"); do sleep 3600 <&- >&- & done; echo ready; read end; kill $(jobs -p)'
)


@contextlib.contextmanager
def listeners() -> Iterator[None]:
    """Hold 10,000 listening sockets, in as many helpers as the limit of open files requires."""
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
    """Hold 1,500 sleeping processes."""
    with _helper(["bash", "-c", _MULTIPLY, "bash", str(PROCESSES)]):
        yield


@contextlib.contextmanager
def _helper(argv: list[str]) -> Iterator[None]:
    """Run a process that prints `ready` when everything is there, and ends with its stdin."""
    with subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0
    ) as helper:
        if helper.stdin is None or helper.stdout is None or helper.stdout.readline() != b"ready\n":
            raise RuntimeError(
                "the helper could not create everything; the reason is printed above"
            )
        try:
            yield
        finally:
            helper.stdin.close()
            helper.wait()
