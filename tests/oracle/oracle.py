"""The oracle: is `check` right?

Draws scenarios, makes them real, asks dartsctl, then asks the engine by `docker compose up`.

A false alarm is a conflict where `up` works. A miss is an `up` that fails on a port which `check`
called free. Neither may occur. "Uncertain" is counted as an answer of its own: it is allowed only
where nothing outside the engine decides (engine-rules.md#rules).

    python tests/oracle/oracle.py --count 300 --seed 1 --jobs 3
"""

from __future__ import annotations

import argparse
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))

from scenario import BLOCK, IMAGE, Foreign, HostSocket, Scenario, draw

from dartsctl.cli.deps import Common, deps_of
from dartsctl.config.environment import adhoc
from dartsctl.edges.engine.installation import NothingKnown, find_compose
from dartsctl.edges.host import sockets
from dartsctl.ports.conflicts import Verdict
from dartsctl.ports.listeners import Probe
from dartsctl.stack.bindings import Endpoint
from dartsctl.workflows.up.preflight import Intent, run_preflight
from dartsctl.workflows.up.report import obstacle_lines

PORT_ERROR = re.compile(
    r"port is already allocated|all ports are allocated|address already in use"
    r"|cannot assign requested address|failed to bind host port"
)
_COMPOSE = find_compose(os.environ, NothingKnown()).command
FIRST_BASE = 26000
LAST_BASE = 32000


@dataclass(frozen=True)
class Outcome:
    """What `check` and the engine said.

    `verdict` is ok, conflict or uncertain; `truth` is ok, port-error or another error's text.
    """

    seed: int
    verdict: str
    truth: str
    detail: str

    @property
    def kind(self) -> str:
        if self.truth not in ("ok", "port-error"):
            return "broken"
        if self.verdict == "uncertain":
            return "uncertain"
        if self.verdict == "conflict":
            return "agree-conflict" if self.truth == "port-error" else "false-alarm"
        return "agree-ok" if self.truth == "ok" else "miss"


def own_addresses() -> tuple[str, str]:
    """Return an IPv4 and an IPv6 address of this host, preferably not loopback."""
    v4, v6 = "127.0.0.2", "::1"
    for address in reversed(sockets.local_addresses()):
        is_loopback = address.startswith("127.") or address == "::1"
        if is_loopback or sockets.probe(Endpoint(0, address)) is not Probe.FREE:
            continue
        if ":" in address:
            v6 = address if not address.startswith("fe80") else v6
        elif not address.startswith(("172.", "10.")):  # Docker's
            v4 = address
    return v4, v6


def docker(*words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
    """Run a docker command. Raises RuntimeError with its stderr if it fails."""
    done = subprocess.run(
        ["docker", *words],
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
        timeout=120,
    )
    if check and done.returncode:
        raise RuntimeError(f"docker {' '.join(words[:4])}: {done.stderr.strip()}")
    return done


def compose(file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a Compose command on one file."""
    argv = [*_COMPOSE, "-f", str(file), "--progress", "quiet", *words]
    return subprocess.run(
        argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=180
    )


def open_socket(wish: HostSocket) -> list[socket.socket] | None:
    """Create the socket and return everything that must stay open.

    None if the kernel refuses: then the scenario goes on without it.
    """
    family = socket.AF_INET6 if ":" in wish.address else socket.AF_INET
    kept: list[socket.socket] = []

    def fresh(kind: int) -> socket.socket:
        one = socket.socket(family, kind)
        kept.append(one)
        if wish.reuse_address:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if wish.reuse_port:
            one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if family == socket.AF_INET6:
            one.setsockopt(
                socket.IPPROTO_IPV6,
                socket.IPV6_V6ONLY,
                wish.v6only and not wish.address.startswith("::ffff:"),
            )
        return one

    try:
        if wish.state == "udp":
            fresh(socket.SOCK_DGRAM).bind((wish.address, wish.port))
        elif wish.state in ("listen", "bound"):
            one = fresh(socket.SOCK_STREAM)
            one.bind((wish.address, wish.port))
            if wish.state == "listen":
                one.listen()
        else:
            _connection(wish, fresh, kept)
    except OSError:
        for one in kept:
            one.close()
        return None
    return kept


def _connection(wish: HostSocket, fresh: Any, kept: list[socket.socket]) -> None:
    loopback = (
        "::1" if ":" in wish.address and not wish.address.startswith("::ffff") else "127.0.0.1"
    )
    if wish.state == "client":
        server = socket.create_server(
            (loopback, 0), family=socket.AF_INET6 if ":" in loopback else socket.AF_INET
        )
        kept.append(server)
        one = fresh(socket.SOCK_STREAM)
        one.bind((wish.address, wish.port))
        one.connect(
            (
                ("::ffff:127.0.0.1" if wish.address.startswith("::ffff") else loopback),
                server.getsockname()[1],
            )
        )
        return
    listener = fresh(socket.SOCK_STREAM)
    listener.bind((wish.address, wish.port))
    listener.listen()
    target = wish.address if wish.address not in ("0.0.0.0", "::") else loopback
    client = socket.create_connection((target.removeprefix("::ffff:"), wish.port), timeout=5)
    kept.append(client)
    accepted, _ = listener.accept()
    kept.append(accepted)
    listener.close()
    if wish.state == "time-wait":
        accepted.close()
        client.close()


def make_foreign(foreign: Foreign) -> bool:
    """Start it. Return False if the engine refuses: then there is one rival less."""
    if foreign.state == "host":
        words = ["--network", "host", IMAGE, "httpd", "-f", "-p", foreign.published[0]]
    else:
        words = [word for entry in foreign.published for word in ("-p", entry)]
        words += [IMAGE, "sleep", "600"]
    done = docker("run", "-d", "--init", "--name", foreign.name, *words, check=False)
    if done.returncode:
        docker("rm", "-f", foreign.name, check=False)
        return False
    if foreign.state == "paused":
        docker("pause", foreign.name)
    elif foreign.state == "stopped":
        docker("stop", "-t", "0", foreign.name)
    elif foreign.state == "host":
        _wait_for_listener(int(foreign.published[0]), foreign.name)
    return True


def _wait_for_listener(port: int, name: str) -> None:
    """Wait until its httpd listens, or has ended because of a busy port."""
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if any(row.state == "listen" for row in sockets.listeners([port])):
            return
        if (
            docker("inspect", "-f", "{{.State.Running}}", name, check=False).stdout.strip()
            != "true"
        ):
            return
        time.sleep(0.05)


def predict(scenario: Scenario, file: Path) -> tuple[str, str]:
    """Return dartsctl's verdict and its reasons in words."""
    environment = adhoc(
        files=(file,), project=None, env_files=(), profiles=(), directory=file.parent
    )
    found = run_preflight(environment, _intent(scenario), deps=deps_of(Common()))
    reasons = obstacle_lines(found)
    if found.verdicts.conflicts:
        return "conflict", "\n".join(reasons)
    doubts = [
        f"{one.binding.service} {one.binding.published}: {one.note}"
        for one in found.verdicts.bindings
        if one.verdict is Verdict.UNCERTAIN
    ]
    return ("uncertain" if doubts else "ok"), "\n".join(reasons + doubts)


def _intent(scenario: Scenario) -> Intent:
    return Intent(
        tuple(scenario.services),
        force_recreate=scenario.force_recreate,
        remove_orphans=scenario.remove_orphans,
    )


def _flags(scenario: Scenario) -> list[str]:
    return [
        *(["--force-recreate"] if scenario.force_recreate else []),
        *(["--remove-orphans"] if scenario.remove_orphans else []),
    ]


def examine(scenario: Scenario) -> Outcome:
    """Examine one scenario, and remove everything that it made."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "compose.json"
        kept: list[list[socket.socket]] = []
        made: list[str] = []
        try:
            if scenario.earlier:
                _bring_up_earlier(scenario, file)
            kept.extend(opened for wish in scenario.sockets if (opened := open_socket(wish)))
            made = [one.name for one in scenario.foreign if make_foreign(one)]
            file.write_text(json.dumps(scenario.stack))
            verdict, detail = predict(scenario, file)
            done = compose(file, "up", "-d", *_flags(scenario), *scenario.services)
            truth = (
                "ok"
                if done.returncode == 0
                else "port-error"
                if PORT_ERROR.search(done.stderr)
                else done.stderr.strip()
            )
            return Outcome(
                scenario.seed, verdict, truth, f"{detail}\nengine: {done.stderr.strip()[-600:]}"
            )
        finally:
            for opened in kept:
                for one in opened:
                    one.close()
            if made:
                docker("rm", "-f", *made, check=False)
            if file.exists():
                compose(file, "down", "-t", "0", "--remove-orphans")


def _bring_up_earlier(scenario: Scenario, file: Path) -> None:
    file.write_text(json.dumps(scenario.earlier))
    compose(
        file, "up", "-d"
    )  # it may fail half way: then its containers are own ones that are created, not running
    if scenario.earlier_state == "stopped":
        compose(file, "stop", "-t", "0")
    elif scenario.earlier_state == "one-stopped":
        compose(file, "stop", "-t", "0", min((scenario.earlier or {})["services"]))


def run(
    count: int, seed: int, jobs: int, *, verbose: bool = False
) -> tuple[Counter[str], list[Outcome]]:
    """Examine `count` scenarios of `seed`. Return the tally by kind, and the wrong outcomes."""
    if4, if6 = own_addresses()
    bases = [
        base
        for base in range(FIRST_BASE, LAST_BASE, BLOCK + 2)
        if not sockets.listeners(range(base, base + BLOCK))
    ]

    def examine_number(number: int) -> Outcome:
        own_seed = seed * 1_000_003 + number
        scenario = draw(own_seed, bases[number % len(bases)], if4=if4, if6=if6)
        try:
            outcome = examine(scenario)
        except Exception as error:
            outcome = Outcome(own_seed, "crash", repr(error), "")
        if outcome.kind in ("false-alarm", "miss", "broken") or verbose:
            print(f"--- {outcome.kind} seed {seed} number {number}")
            print(
                json.dumps(asdict(scenario)),
                outcome.truth,
                outcome.detail,
                "",
                sep="\n",
                flush=True,
            )
        return outcome

    with ThreadPoolExecutor(jobs) as pool:
        outcomes = list(pool.map(examine_number, range(count)))
    tally = Counter(outcome.kind for outcome in outcomes)
    return tally, [
        outcome for outcome in outcomes if outcome.kind in ("false-alarm", "miss", "broken")
    ]


def main() -> int:
    """Run the command line of `make oracle`."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--jobs", type=int, default=3)
    parser.add_argument("--verbose", action="store_true")
    options = parser.parse_args()
    start = time.monotonic()
    tally, wrong = run(options.count, options.seed, options.jobs, verbose=options.verbose)
    version = docker("version", "--format", "{{.Server.Version}}").stdout.strip()
    figures = ", ".join(f"{kind} {number}" for kind, number in sorted(tally.items()))
    seconds = f"{time.monotonic() - start:.0f} s"
    counted = f"seed {options.seed}, {options.count} scenarios in {seconds}"
    print(f"oracle: engine {version}, {counted}: {figures}")
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
