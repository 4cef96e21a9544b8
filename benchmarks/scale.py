"""How the time of each step of a preflight grows with the size of a stack, or of the host.

    python benchmarks/scale.py                  the table of README.md, one or two minutes
    python benchmarks/scale.py --largest 250    smaller stacks

Each size is twice the one before. A step is linear if its last column is about 1: the exponent of
the growth between the smallest and the largest size. Times are CPU time, the best of some rounds;
Compose's includes its own children.
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import json
import math
import resource
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.edges.host import sockets
from dartsctl.edges.screen.output import Screen
from dartsctl.ports.attribution import Attribution
from dartsctl.ports.availability import Availability
from dartsctl.ports.conflicts import BindingVerdict
from dartsctl.ports.holders import DevLease
from dartsctl.ports.listeners import Listener, Probe
from dartsctl.ports.process import Process
from dartsctl.ports.verdicts import judge
from dartsctl.stack.bindings import ANY_IPV4, ANY_IPV6, Endpoint
from dartsctl.stack.compose_model import MODEL, read_stack
from dartsctl.stack.containers import Container
from dartsctl.stack.convergence import converge
from dartsctl.stack.engine_rules import EngineRules
from dartsctl.stack.model import Stack
from dartsctl.stack.publishing import stack_bindings
from dartsctl.text.strict_json import parse_json

if TYPE_CHECKING:
    from dartsctl.stack.bindings import TransportProtocol

PORTS_EACH, FIRST_PORT = 4, 20_000
STEPS = 4
"""Sizes that are measured: the largest one, half of it and so on."""
ROUNDS = 5
ENGINE = EngineRules("28.5.2")
SOCKETS, PROCESSES = 10_000, 1_500
CROWD_PORT = 61_000

Work = Callable[[], object]


def main(argv: Sequence[str]) -> int:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--largest", type=int, default=1000, help="services of the largest stack")
    largest = parser.parse_args(argv).largest
    gc.disable()  # as in a command
    sizes = sizes_to(largest)
    print(heading("ms, by services with 4 ports each", sizes))
    if shutil.which("docker"):
        print(row("Compose's `config`", {size: config(size) for size in sizes}))
    for name, work_of in OF_A_STACK.items():
        print(row(name, {size: fastest(work_of(size)) for size in sizes}))
    print("\n" + heading("ms, by sockets that listen", sizes_to(SOCKETS)))
    print(row("scan for 2,000 ports", scans(sizes_to(SOCKETS))))
    print("\n" + heading("ms, by processes of the host", sizes_to(PROCESSES)))
    print(row("owner of one socket", owners(sizes_to(PROCESSES))))
    return 0


def sizes_to(largest: int) -> list[int]:
    """Return the sizes, the smallest one first."""
    return [largest >> step for step in reversed(range(STEPS))]


def heading(title: str, sizes: Sequence[int]) -> str:
    """Return the first two lines of a table."""
    columns = " | ".join(f"{size:,}" for size in sizes)
    return f"| {title} | {columns} | growth |\n|{'---|' * (len(sizes) + 2)}"


def row(name: str, seconds: Mapping[int, float]) -> str:
    """Return a line of a table, with the exponent of the growth."""
    sizes = sorted(seconds)
    ratio = seconds[sizes[-1]] / seconds[sizes[0]]
    exponent = math.log(ratio) / math.log(sizes[-1] / sizes[0])
    times = " | ".join(f"{seconds[size] * 1000:.3g}" for size in sizes)
    return f"| {name} | {times} | {exponent:.2f} |"


def fastest(work: Work) -> float:
    """Return the CPU time of the fastest round in seconds."""
    times = []
    for _ in range(ROUNDS):
        began = time.process_time()
        work()
        times.append(time.process_time() - began)
    return min(times)


# --- a stack -------------------------------------------------------------------------------------


def model(size: int) -> dict[str, object]:
    """Return Compose's model of a stack."""
    services: dict[str, object] = {}
    for number in range(size):
        first = FIRST_PORT + PORTS_EACH * number
        ports = [
            {
                "mode": "ingress",
                "target": 8000 + place,
                "published": str(first + place),
                "protocol": "tcp",
            }
            for place in range(PORTS_EACH)
        ]
        services[f"s{number:04d}"] = {
            "image": "busybox",
            "networks": {"default": None},
            "ports": ports,
        }
    return {
        "name": "scale",
        "services": services,
        "networks": {"default": {"name": "scale_default"}},
    }


def config(size: int) -> float:
    """Return the CPU time of `docker compose config` in seconds."""
    times = []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder, "compose.json")
        file.write_text(json.dumps(model(size)))
        for _ in range(ROUNDS):
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            subprocess.run(
                ["docker", "compose", "-f", file, "config", "--format", "json"],
                check=True,
                stdout=subprocess.DEVNULL,
            )
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            times.append(used)
    return min(times)


class Kernel:
    """A host whose answers take no time: some endpoints are in use, by processes without a name."""

    def __init__(self, rows: Sequence[Listener] = ()) -> None:
        self._rows = {row.port: (row,) for row in rows}

    def probe(self, endpoint: Endpoint, *, udp_reuse_address: bool) -> Probe:
        del udp_reuse_address
        rows = self._rows.get(endpoint.port, ())
        return Probe.IN_USE if any(row.overlaps(endpoint) for row in rows) else Probe.FREE

    def listeners(self, port: int) -> tuple[Listener, ...]:
        return self._rows.get(port, ())

    def blockers(self, port: int) -> tuple[Listener, ...]:
        return self._rows.get(port, ())

    def occupied(
        self, protocol: TransportProtocol, ports: Collection[int]
    ) -> Mapping[int, Sequence[Listener]] | None:
        del protocol
        return {port: self._rows[port] for port in self._rows.keys() & set(ports)}

    def local_addresses(self) -> tuple[str, ...]:
        return ("127.0.0.1", "::1")

    def describe(self, pid: int) -> Process | None:
        return Process(pid, "python", 1)

    def container_id_of(self, pid: int) -> str | None:
        del pid
        return None

    def is_forwarder(self, process: Process) -> bool:
        del process
        return False

    def leased_to(self, process: Process, port: int) -> DevLease | None:
        del process, port
        return None


def judged(
    stack: Stack, containers: Sequence[Container], kernel: Kernel
) -> tuple[BindingVerdict, ...]:
    """Return the verdicts on a stack."""
    bindings = stack_bindings(stack, ENGINE)
    return judge(
        bindings.bindings,
        engine=ENGINE,
        availability=Availability(ENGINE, converge(stack, containers, {}), kernel),
        attribute=Attribution(stack, containers, kernel).holders,
        doubtful=bindings.uncertain,
    )


def _numbers(size: int) -> range:
    return range(FIRST_PORT, FIRST_PORT + PORTS_EACH * size)


def _reading(size: int) -> Work:
    text = json.dumps(model(size))
    return lambda: read_stack(parse_json(text, MODEL))


def _free(size: int) -> Work:
    stack = read_stack(model(size))
    return lambda: judged(stack, (), Kernel())


def _beside_containers(size: int) -> Work:
    stack = read_stack(model(size))
    containers = []
    for number in range(size):
        first = FIRST_PORT + PORTS_EACH * number
        targets = tuple((Endpoint(first + place, ANY_IPV4), 80) for place in range(PORTS_EACH))
        containers.append(Container(f"{number:064}", f"c{number}", "x", "running", "Up", targets))
    return lambda: judged(stack, containers, Kernel())


def _beside_processes(size: int) -> Work:
    stack = read_stack(model(size))
    rows = [
        Listener("tcp", ANY_IPV4, port, "listen", pids=(port // PORTS_EACH,))
        for port in _numbers(size)
    ]
    return lambda: judged(stack, (), Kernel(rows))


def _probes(size: int) -> Work:
    endpoints = [
        Endpoint(port, address) for port in _numbers(size) for address in (ANY_IPV4, ANY_IPV6)
    ]
    return lambda: [sockets.probe(endpoint) for endpoint in endpoints]


def _output(size: int) -> Work:
    screen = Screen(as_json=True)
    rows = []
    for checked in judged(read_stack(model(size)), (), Kernel()):
        binding, word = checked.binding, checked.verdict.value
        rows.append({"service": binding.service, "published": binding.published, "verdict": word})
    return lambda: json.dumps(screen.masker.document({"bindings": rows}), indent=2)


OF_A_STACK: dict[str, Callable[[int], Work]] = {
    "reading the model": _reading,
    "verdicts, all ports free": _free,
    "verdicts, all ports other containers'": _beside_containers,
    "verdicts, all ports other processes'": _beside_processes,
    "bind probes": _probes,
    "masked JSON": _output,
}


# --- a crowded host ------------------------------------------------------------------------------


def scans(sizes: Sequence[int]) -> dict[int, float]:
    """Time the scan for listeners beside more and more other sockets."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    wanted = range(FIRST_PORT, FIRST_PORT + 2000)
    seconds: dict[int, float] = {}
    with contextlib.ExitStack() as held:
        count = 0
        for size in sizes:
            for number in range(count, size):
                address = f"127.1.{number // 10_000}.{1 + number // 100 % 100}"
                held.enter_context(
                    socket.create_server((address, CROWD_PORT + number % 100), backlog=1)
                )
            count = size
            seconds[size] = fastest(lambda: sockets.listeners(wanted, listening_only=True))
    return seconds


def owners(sizes: Sequence[int]) -> dict[int, float]:
    """Time the search for a socket's owner beside more and more other processes."""
    seconds: dict[int, float] = {}
    with socket.create_server(("127.0.0.1", 0)) as server, contextlib.ExitStack() as crowd:
        port = server.getsockname()[1]
        count = 0
        for size in sizes:
            crowd.enter_context(_sleepers(size - count))
            count = size
            seconds[size] = fastest(lambda: sockets.listeners([port], owners=True))
    return seconds


@contextlib.contextmanager
def _sleepers(count: int) -> Iterator[None]:
    script = 'for i in $(seq "$1"); do sleep 3600 <&- >&- & done; echo; read end; kill $(jobs -p)'
    with subprocess.Popen(
        ["bash", "-c", script, "bash", str(count)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as shell:
        if shell.stdin is None or shell.stdout is None:
            raise RuntimeError("no pipe to the processes")
        shell.stdout.readline()
        try:
            yield
        finally:
            shell.stdin.close()
            shell.wait()


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
