"""What is measured inside a process: a program for the Python of one virtual environment.

    VENV/bin/python -P inside.py wall scan

It answers each line on stdin with the seconds that one round took, so that a driver can measure two
versions in turn. It imports no module of this folder, and dartsctl from its environment: an older
version whose modules differ answers `skipped: REASON`.
"""

from __future__ import annotations

import importlib
import multiprocessing
import resource
import socket
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from multiprocessing.queues import SimpleQueue
    from multiprocessing.synchronize import Barrier

    from dartsctl.edges.state.leases import Lease, LeaseBook

TIMES = 20
"""Calls in a round, for what takes less than a millisecond; the median is the answer."""
NO_PORT = 0
HELD: list[object] = []
"""Leases and sockets that last as long as this process."""


def cpu() -> float:
    """Return the CPU time of this process and of those that it has waited for."""
    used = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in used)


CLOCKS = {"wall": time.perf_counter, "cpu": cpu}


@dataclass(frozen=True, slots=True)
class Measurement:
    """What a round calls, and how often. With `counts` the result is the answer, not the time."""

    call: Callable[[], object]
    times: int = 1
    counts: bool = False

    def once(self, clock: Callable[[], float]) -> float:
        """Return the median of the calls' times, or the result.

        On a busy machine the longer of two things is interrupted more often: a mean would say so.
        """
        if self.counts:
            return float(str(self.call()))
        seconds = []
        for _ in range(self.times):
            began = clock()
            self.call()
            seconds.append(clock() - began)
        return statistics.median(seconds)


def scan() -> Measurement:
    """Read the dev range and production's ports from the socket table, as `ports` does.

    Versions without `blockers` read the sockets in all states there.
    """
    from dartsctl.edges.host import sockets
    from dartsctl.ports.allocation import DEV_RANGE, PRODUCTION_PORTS
    from dartsctl.workflows.host import Host

    blockers_only = hasattr(Host, "blockers")
    ports = set(DEV_RANGE.numbers)
    for numbers in PRODUCTION_PORTS.values():
        ports.update(numbers)
    wanted = frozenset(ports)
    return Measurement(lambda: sockets.listeners(wanted, listening_only=blockers_only), TIMES)


def psutil() -> Measurement:
    """Read all TCP sockets with psutil."""
    connections = importlib.import_module("psutil").net_connections
    return Measurement(lambda: connections("tcp"))


def lease(folder: str, first: str, last: str, taken: str) -> Measurement:
    """Lease a port of a range as `run` does, while servers have the first ones of it."""
    from dartsctl.edges.state.leases import LeaseBook

    book = LeaseBook(Path(folder))
    for _ in range(int(taken)):
        lease = take(book, int(first), int(last))
        HELD.append((lease, socket.create_server(("127.0.0.1", lease.port))))
    return Measurement(lambda: take(book, int(first), int(last)).close(), TIMES)


def portpicker() -> Measurement:
    """Pick any free port with portpicker."""
    return Measurement(importlib.import_module("portpicker").pick_unused_port, TIMES)


def duplicates(folder: str, first: str, last: str) -> Measurement:
    """Lease in as many processes at once as there are ports.

    The answer is the number of ports that two of them got.
    """
    from dartsctl.edges.state.leases import LeaseBook

    racers = int(last) - int(first) + 1
    fork = multiprocessing.get_context("fork")

    def racer(barrier: Barrier, ports: SimpleQueue[int]) -> None:
        book = LeaseBook(Path(folder))
        barrier.wait()
        try:
            lease = take(book, int(first), int(last))
        except BaseException:
            ports.put(NO_PORT)
            raise
        ports.put(lease.port)
        barrier.wait()  # keep the lease until all have theirs

    def race() -> int:
        together, ports = fork.Barrier(racers), fork.SimpleQueue()
        processes = [fork.Process(target=racer, args=(together, ports)) for _ in range(racers)]
        for process in processes:
            process.start()
        leased = [ports.get() for _ in processes]
        if NO_PORT in leased:
            together.abort()
        for process in processes:
            process.join()
        if NO_PORT in leased:
            raise RuntimeError("a process got no port")
        return len(leased) - len(set(leased))

    return Measurement(race, counts=True)


def preflight(file: str, project: str) -> Measurement:
    """Check a stack before it is started, as `up` does."""
    from dartsctl.cli.deps import Common, deps_of
    from dartsctl.config.environment import adhoc
    from dartsctl.workflows.preflight.inputs import Intent
    from dartsctl.workflows.preflight.preflight import run_preflight

    environment = adhoc(files=(Path(file),), project=project, directory=Path(file).parent)
    deps = deps_of(Common())
    return Measurement(lambda: run_preflight(environment, Intent(), deps=deps))


MEASUREMENTS: dict[str, Callable[..., Measurement]] = {
    "scan": scan,
    "psutil": psutil,
    "lease": lease,
    "portpicker": portpicker,
    "duplicates": duplicates,
    "preflight": preflight,
}


def take(book: LeaseBook, first: int, last: int) -> Lease:
    """Lease the first port of the range that nobody listens on and that can be bound."""
    from dartsctl.edges.host import sockets
    from dartsctl.ports.allocation import PortRange, candidates
    from dartsctl.ports.listeners import Probe
    from dartsctl.stack.bindings import Endpoint
    from dartsctl.workflows.serve import lease as serve

    order = candidates(PortRange(first, last), preferred=None, start=0, avoid=frozenset())

    def is_free(port: int) -> bool:
        return sockets.probe(Endpoint(port, "127.0.0.1")) is Probe.FREE

    if hasattr(serve, "lease_first"):
        lease = serve.lease_first(order, is_free, book, sockets)
    else:  # older versions scan the whole range first
        busy = _from_rows(order)
        lease = book.acquire([port for port in order if port not in busy], confirm=is_free)
    if lease is None:
        raise RuntimeError(f"no port of {first}-{last} is free: ss -ltn")
    return lease


def _from_rows(ports: Sequence[int]) -> set[int]:
    from dartsctl.edges.host import sockets

    rows = sockets.listeners(ports, listening_only=True, protocols=("tcp",))
    return {row.port for row in rows}


def main(clock: str, name: str, *words: str) -> int:
    """Prepare, say `ready`, and answer each line with one round."""
    try:
        measurement = MEASUREMENTS[name](*words)
        if not measurement.counts:
            measurement.once(CLOCKS[clock])
    except (ImportError, AttributeError, TypeError) as error:
        print(f"skipped: {type(error).__name__}: {error}", flush=True)
        return 0
    print("ready", flush=True)
    for _ in sys.stdin:
        print(repr(measurement.once(CLOCKS[clock])), flush=True)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(*sys.argv[1:]))
