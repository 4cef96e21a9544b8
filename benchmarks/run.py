"""`make bench`: one line per target: verdict, ratio, target, name, both medians.

    python benchmarks/run.py                    all targets
    python benchmarks/run.py --only lease       targets with `lease` in their name
    python benchmarks/run.py --rounds 31        more rounds, steadier medians

A target is skipped, visibly, if this machine lacks what it needs (an engine, lsof, portpicker).
Exit code 1 if a target is missed.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import importlib
import multiprocessing
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import crowd
import guarded
import reaction
from measure import Ratio, Timed, call, command, compare

from dartsctl.edges.host import sockets
from dartsctl.edges.state.folder import state_folder
from dartsctl.edges.state.leases import Lease, LeaseBook
from dartsctl.ports.allocation import DEV_RANGE, PRODUCTION_PORTS, PortRange, candidates
from dartsctl.ports.listeners import Probe
from dartsctl.server.lease_record import LeaseRecord
from dartsctl.server.urls import url_of
from dartsctl.stack.bindings import Endpoint

if TYPE_CHECKING:
    from multiprocessing.synchronize import Barrier

ROOT = Path(__file__).parents[1]
PORTS_OF_INTEREST = frozenset(DEV_RANGE.numbers) | {
    port for ports in PRODUCTION_PORTS.values() for port in ports
}
TEST_RANGE = PortRange(62001, 62099)  # 99 ports like the dev range, without real servers
SQUATTED = 62100
SMALL_IMAGE = "dartsctl-test/busybox:1"


class Skipped(Exception):
    """Something that a target needs is missing."""


@dataclass
class Bench:
    """The options of this run, and the targets that were missed."""

    rounds: int
    only: str
    folder: Path
    missed: list[str] = field(default_factory=list)

    def target(self, name: str, limit: float, measure: Callable[[], Ratio]) -> None:
        """Print one line. `measure` is not called for a target that was not selected."""
        if self.only not in name:
            return
        try:
            measured = measure()
        except Skipped as why:
            print(f"SKIPPED                    {name}: {why}", flush=True)
            return
        good = measured.ratio <= limit
        if not good:
            self.missed.append(name)
        verdict = "ok   " if good else "SHORT"
        medians = f"({_milliseconds(measured.ours)} / {_milliseconds(measured.peer)})"
        print(
            f"{verdict} {measured.ratio:8.3f} <= {limit:<6g}    {name}    {medians}",
            flush=True,
        )

    def fewer(self) -> int:
        """Return the number of rounds for slow targets."""
        return max(3, self.rounds // 3)


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.3g} ms"


def main(argv: Sequence[str]) -> int:
    """Return 0 if every target that could be measured is reached."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--only", default="")
    asked = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(prefix="dartsctl-bench-") as folder:
        os.environ["DARTSCTL_STATE_DIR"] = f"{folder}/state"
        bench = Bench(asked.rounds, asked.only, Path(folder))
        start_up(bench)
        scan(bench, "idle", 0.02)
        leases(bench)
        stacks(bench)
        busy(bench)
        reactions(bench)
    print(f"{len(bench.missed)} short" + "".join(f"\n  {name}" for name in bench.missed))
    return 1 if bench.missed else 0


# --- start-up ----------------------------------------------------------------------------------


def start_up(bench: Bench) -> None:
    """`--version`, `--help`, and commands that only read."""
    plain = _quiet_project(bench.folder / "plain")

    def against(peer: Sequence[str], *words: str) -> Callable[[], Ratio]:
        return lambda: compare(
            _dartsctl(*words, cwd=plain), command(_docker(*peer)), rounds=bench.rounds
        )

    bench.target("dartsctl --version / docker --version", 1.2, against(["--version"], "--version"))
    bench.target(
        "dartsctl --help / docker compose version", 1.0, against(["compose", "version"], "--help")
    )
    bench.target(
        "dartsctl ports --json / docker compose version",
        1.3,
        against(["compose", "version"], "ports", "--json"),
    )
    with _a_server_of(plain):
        bench.target(
            "dartsctl dev url / docker compose version",
            1.3,
            against(["compose", "version"], "dev", "url"),
        )
    bench.target(
        "python -c pass in a guarded virtual environment / in a plain one",
        1.15,
        lambda: guarded.start(bench.folder, rounds=5 * bench.rounds),
    )


def _quiet_project(folder: Path) -> Path:
    """Settings with free ports, so that `ports` does not depend on who works on this machine."""
    folder.mkdir(exist_ok=True)
    (folder / "dartsctl.toml").write_text(
        f'[ports]\ndev_range = "{TEST_RANGE}"\n[ports.production]\nweb = {SQUATTED}\n'
    )
    return folder


@contextlib.contextmanager
def _a_server_of(folder: Path) -> Iterator[None]:
    """Hold a lease like a running server of `folder`."""
    book = LeaseBook(state_folder())
    lease = _take(book)
    try:
        book.describe(
            LeaseRecord(
                lease.port,
                url=url_of("127.0.0.1", lease.port),
                checkout=str(folder),
                pid=os.getpid(),
            )
        )
        yield
    finally:
        lease.close()


def _dartsctl(*words: str, cwd: Path, good: Sequence[int] = (0,)) -> Timed:
    script = Path(sys.executable).with_name("dartsctl")
    if not script.exists():
        raise Skipped(f"no {script}: make setup")
    return command([str(script), *words], cwd=cwd, environ=_as_installed(), good=good)


def _as_installed() -> dict[str, str]:
    """Return an environment in which Python runs from byte code, as an installed program does.

    The first round, which does not count, writes it.
    """
    ours = {
        name: value
        for name, value in os.environ.items()
        if name not in ("PYTHONPATH", "PYTHONDONTWRITEBYTECODE")
    }
    return {
        **ours,
        "PYTHONPYCACHEPREFIX": str(Path(os.environ["DARTSCTL_STATE_DIR"]).with_name("bytecode")),
    }


def _docker(*words: str) -> list[str]:
    if not shutil.which("docker"):
        raise Skipped("docker is not installed here")
    return ["docker", *words]


# --- who listens -------------------------------------------------------------------------------


def scan(bench: Bench, state: str, limit: float) -> None:
    """Read the ports of interest from the socket table, in this process."""

    def measure() -> Ratio:
        import psutil

        ours = call(lambda: sockets.listeners(PORTS_OF_INTEREST), times=20)
        return compare(ours, call(lambda: psutil.net_connections("tcp")), rounds=bench.fewer())

    bench.target(
        f"scan for the ports of interest / psutil.net_connections, {state}", limit, measure
    )


def busy(bench: Bench) -> None:
    """The same, and the whole command, with 10,000 listening sockets and 1,500 processes."""

    def whole() -> Ratio:
        if not shutil.which("lsof"):
            raise Skipped("lsof is not installed here")
        lsof = command(["lsof", "-nP", "-iTCP", "-sTCP:LISTEN"])
        ours = _dartsctl("ports", "--json", cwd=_quiet_project(bench.folder / "plain"))
        with (
            crowd.processes(),
            socket.create_server(("127.0.0.1", SQUATTED)),  # a holder to describe
        ):
            return compare(ours, lsof, rounds=bench.rounds)

    with crowd.listeners():
        scan(bench, "10,000 sockets", 0.05)
        bench.target(
            "dartsctl ports --json / lsof -nP -iTCP -sTCP:LISTEN, "
            "10,000 sockets and 1,500 processes",
            0.8,
            whole,
        )


# --- leases ------------------------------------------------------------------------------------


def leases(bench: Bench) -> None:
    """A lease as `run` takes it: scan the range once, lock, bind."""
    book = LeaseBook(bench.folder / "book")

    def measure() -> Ratio:
        try:
            pick = importlib.import_module("portpicker").pick_unused_port
        except ImportError:
            raise Skipped("portpicker is not installed here: pip install portpicker") from None
        return compare(
            call(lambda: _take(book).close(), times=20), call(pick, times=20), rounds=bench.rounds
        )

    bench.target("a lease, none taken / portpicker.pick_unused_port", 2.0, measure)
    with contextlib.ExitStack() as servers:
        for _ in range(98):
            lease = _take(book)
            servers.callback(lease.close)
            servers.enter_context(socket.create_server(("127.0.0.1", lease.port)))
        bench.target("a lease, 98 of 99 taken / portpicker.pick_unused_port", 4.0, measure)
    bench.target(
        "duplicates among 99 simultaneous leases of 99 ports",
        0.0,
        lambda: _race(bench.folder / "race"),
    )


def _take(book: LeaseBook) -> Lease:
    order = candidates(TEST_RANGE, preferred=None, start=0, avoid=frozenset())
    heard = {row.port for row in sockets.listeners(order, listening_only=True, protocols=("tcp",))}
    lease = book.acquire([port for port in order if port not in heard], confirm=_is_free)
    if lease is None:
        raise RuntimeError(f"no port of {TEST_RANGE} is free; see: dartsctl dev list, ss -ltn")
    return lease


def _is_free(port: int) -> bool:
    return sockets.probe(Endpoint(port, "127.0.0.1")) is Probe.FREE


def _race(folder: Path) -> Ratio:
    """Lease in 99 processes at once. The ratio is the share that got another one's port."""
    fork = multiprocessing.get_context("fork")
    together, answers = fork.Barrier(99), fork.SimpleQueue()

    def race(barrier: Barrier) -> None:
        book = LeaseBook(folder)
        barrier.wait()
        lease = _take(book)
        answers.put(lease.port)
        barrier.wait()  # keep the lease until all have theirs

    racers = [fork.Process(target=race, args=(together,)) for _ in range(99)]
    for racer in racers:
        racer.start()
    ports = [answers.get() for _ in racers]
    for racer in racers:
        racer.join()
    return Ratio((len(ports) - len(set(ports))) / len(ports), 0.0, 0.0)


# --- watch -------------------------------------------------------------------------------------


def reactions(bench: Bench) -> None:
    """From the death of a container's first process to the line on stdout."""
    script = Path(sys.executable).with_name("dartsctl")

    @functools.cache
    def both() -> reaction.Reaction:
        _engine_or_skip(SMALL_IMAGE)
        try:
            return reaction.measure(
                bench.folder / "reaction",
                [str(script), "watch", "--json"],
                image=SMALL_IMAGE,
                environ=_as_installed(),
                rounds=max(20, bench.rounds),
            )
        except PermissionError:
            raise Skipped("the processes of containers may not be killed: root may") from None

    name = "a death noticed by watch / docker events"
    bench.target(f"{name}, engine's events", 1.05, lambda: both().stream)
    bench.target(f"{name}, first process", 0.3, lambda: both().process)


# --- Compose and the engine --------------------------------------------------------------------


def stacks(bench: Bench) -> None:
    """The preflight, compared with Compose itself."""
    bench.target(
        "dartsctl prod check --json / docker compose config --format json",
        1.2,
        lambda: _check(bench),
    )
    bench.target(
        "check of a range of 16,384 ports / docker compose config", 1.5, lambda: _check_range(bench)
    )
    bench.target(
        "preflight's share of a cold `up -d` of seven small services", 0.07, lambda: _share(bench)
    )


def _check(bench: Bench) -> Ratio:
    """Check compose/prod.yml with its own project name and env file.

    Exit code 4 is expected: a clean checkout has no certificate.
    """
    _engine_or_skip()
    project = bench.folder / "prod"
    project.mkdir()
    env_file, file = project / ".env.production", ROOT / "compose" / "prod.yml"
    env_file.write_text(
        (ROOT / ".env.production.example").read_text().replace("change-me", os.urandom(16).hex())
    )
    env_file.chmod(0o600)
    (project / "dartsctl.toml").write_text(f'[prod]\nfiles = ["{file}"]\nproject = "darts-bench"\n')
    peer = _docker(
        "compose",
        "-f",
        str(file),
        "--env-file",
        str(env_file),
        "-p",
        "darts-bench",
        "config",
        "--format",
        "json",
    )
    return compare(
        _dartsctl("prod", "check", "--json", cwd=project, good=(0, 3, 4)),
        command(peer),
        rounds=bench.rounds,
    )


def _check_range(bench: Bench) -> Ratio:
    """Check the range of a TURN server, which Compose expands port by port."""
    _engine_or_skip()
    file = bench.folder / "turn.yml"
    file.write_text(
        f"services:\n  turn:\n    image: {SMALL_IMAGE}\n"
        "    ports: ['49152-65535:49152-65535/udp']\n"
    )
    peer = _docker("compose", "-f", str(file), "config", "--format", "json")
    return compare(
        _dartsctl("check", "-f", str(file), "--json", cwd=bench.folder, good=(0, 3)),
        command(peer),
        rounds=bench.rounds,
    )


def _share(bench: Bench) -> Ratio:
    """The preflight's share of the sum of both, in this process, as in `up`."""
    _engine_or_skip(SMALL_IMAGE)
    from dartsctl.cli.deps import Common, deps_of
    from dartsctl.config.environment import adhoc
    from dartsctl.workflows.preflight.inputs import Intent
    from dartsctl.workflows.preflight.preflight import run_preflight

    project = bench.folder / "seven"
    project.mkdir()
    file = project / "compose.yml"
    service = (
        "  s{n}:\n    image: {image}\n    command: sleep 600\n    init: true\n"
        "    ports: ['127.0.0.1:{port}:80']\n"
    )
    file.write_text(
        "services:\n"
        + "".join(service.format(n=n, image=SMALL_IMAGE, port=62101 + n) for n in range(7))
    )
    compose = _docker("compose", "-f", str(file), "-p", "darts-bench-seven")
    down = command([*compose, "down", "--timeout", "0"])
    environment = adhoc(files=(file,), project="darts-bench-seven", directory=project)
    deps = deps_of(Common())
    preflight = call(lambda: run_preflight(environment, Intent(), deps=deps))
    return compare(
        preflight, command([*compose, "up", "-d"], after=down), rounds=bench.fewer(), share=True
    )


def _engine_or_skip(image: str = "") -> None:
    wanted = ["image", "inspect", image] if image else ["version"]
    done = subprocess.run(_docker(*wanted), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise Skipped(
            f"no Docker engine{f' with {image}' if image else ''} answers (tests/engine/README.md)"
        )


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
