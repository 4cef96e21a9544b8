"""The oracle: is `check` right?

It draws scenarios, makes them real, asks dartsctl, and then runs `docker compose up`. A false alarm
is a conflict where `up` works. A miss is an `up` that fails on a port which `check` called free.
Neither may ever occur. "Uncertain" is counted: it is allowed only where nothing outside of the
engine decides (engine-rules.md#rules).

    python tests/oracle/oracle.py --count 300 --seed 1 --jobs 3
"""

from __future__ import annotations

import argparse
import functools
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

sys.path.insert(0, str(Path(__file__).parent))

from scenario import BLOCK, IMAGE, Foreign, HostSocket, Scenario, draw

from dartsctl.cli.deps import Common, deps_of
from dartsctl.config.environment import adhoc
from dartsctl.edges.engine.installation import NothingKnown, find_compose
from dartsctl.edges.host import sockets
from dartsctl.ports.conflicts import Verdict
from dartsctl.ports.listeners import Probe
from dartsctl.stack.bindings import Endpoint
from dartsctl.workflows.preflight.inputs import Intent
from dartsctl.workflows.preflight.preflight import run_preflight
from dartsctl.workflows.preflight.report import obstacle_lines

PORT_ERROR = re.compile(
    r"port is already allocated|all ports are allocated|address already in use"
    r"|cannot assign requested address|failed to bind host port"
)
WRONG = ("false-alarm", "miss", "broken")
FIRST_BASE = 26000
LAST_BASE = 32000


@dataclass(frozen=True)
class Outcome:
    """What dartsctl said about a scenario, and what the engine did.

    `verdict` is ok, conflict or uncertain. `truth` is ok, port-error or the text of another error.
    """

    seed: int
    verdict: str
    truth: str
    detail: str

    @property
    def kind(self) -> str:
        """Return how verdict and truth compare."""
        if self.truth not in ("ok", "port-error"):
            return "broken"
        if self.verdict == "uncertain":
            return "uncertain"
        if self.verdict == "conflict":
            return "agree-conflict" if self.truth == "port-error" else "false-alarm"
        return "agree-ok" if self.truth == "ok" else "miss"


def own_addresses() -> tuple[str, str]:
    """Return an IPv4 and an IPv6 address of this host besides loopback, else loopback ones."""
    ipv4, ipv6 = "", ""
    for address in sockets.local_addresses():
        if address.startswith(("127.", "172.", "10.", "fe80")) or address == "::1":
            continue  # loopback, Docker's networks, link-local
        if sockets.probe(Endpoint(0, address)) is not Probe.FREE:
            continue
        if ":" in address:
            ipv6 = ipv6 or address
        else:
            ipv4 = ipv4 or address
    return ipv4 or "127.0.0.2", ipv6 or "::1"


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


@functools.cache
def compose_command() -> tuple[str, ...]:
    """Return the command of Compose. Raises DockerUnavailable without one."""
    return tuple(find_compose(os.environ, NothingKnown()).command)


def compose(file: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run a Compose command on one file."""
    argv = [*compose_command(), "-f", str(file), "--progress", "quiet", *words]
    return subprocess.run(
        argv, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, timeout=180
    )


def open_socket(drawn: HostSocket) -> list[socket.socket] | None:
    """Open the socket. Return all that must stay open, or None if the kernel refuses it."""
    opened: list[socket.socket] = []
    try:
        if drawn.state == "udp":
            _new_socket(drawn, socket.SOCK_DGRAM, opened).bind((drawn.address, drawn.port))
        elif drawn.state in ("listen", "bound"):
            server = _new_socket(drawn, socket.SOCK_STREAM, opened)
            server.bind((drawn.address, drawn.port))
            if drawn.state == "listen":
                server.listen()
        elif drawn.state == "client":
            _open_client(drawn, opened)
        else:
            _open_accepted(drawn, opened)
    except OSError:
        close_all(opened)
        return None
    return opened


def close_all(opened: list[socket.socket]) -> None:
    """Close every socket."""
    for connection in opened:
        connection.close()


def _new_socket(drawn: HostSocket, kind: int, opened: list[socket.socket]) -> socket.socket:
    """Return a socket with the drawn options, not bound yet."""
    family = socket.AF_INET6 if ":" in drawn.address else socket.AF_INET
    new = socket.socket(family, kind)
    opened.append(new)
    if drawn.reuse_address:
        new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    if drawn.reuse_port:
        new.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    if family == socket.AF_INET6:
        v6only = drawn.v6only and not drawn.address.startswith("::ffff:")
        new.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, v6only)
    return new


def _loopback(drawn: HostSocket) -> str:
    is_ipv6 = ":" in drawn.address and not drawn.address.startswith("::ffff")
    return "::1" if is_ipv6 else "127.0.0.1"


def _open_client(drawn: HostSocket, opened: list[socket.socket]) -> None:
    """Open a connection from the drawn port to a server of our own."""
    loopback = _loopback(drawn)
    family = socket.AF_INET6 if ":" in loopback else socket.AF_INET
    server = socket.create_server((loopback, 0), family=family)
    opened.append(server)
    client = _new_socket(drawn, socket.SOCK_STREAM, opened)
    client.bind((drawn.address, drawn.port))
    target = "::ffff:127.0.0.1" if drawn.address.startswith("::ffff") else loopback
    client.connect((target, server.getsockname()[1]))


def _open_accepted(drawn: HostSocket, opened: list[socket.socket]) -> None:
    """Open a connection to the drawn port, and close its listener.

    The state "time-wait" closes the connection too.
    """
    listener = _new_socket(drawn, socket.SOCK_STREAM, opened)
    listener.bind((drawn.address, drawn.port))
    listener.listen()
    is_wildcard = drawn.address in ("0.0.0.0", "::")
    target = _loopback(drawn) if is_wildcard else drawn.address.removeprefix("::ffff:")
    client = socket.create_connection((target, drawn.port), timeout=60)
    opened.append(client)
    accepted, _ = listener.accept()
    opened.append(accepted)
    listener.close()
    if drawn.state == "time-wait":
        accepted.close()
        client.close()


def start_foreign(container: Foreign) -> bool:
    """Start the container. Return False if the engine refuses it because a port is taken."""
    if container.state == "host":
        words = ["--network", "host", IMAGE, "httpd", "-f", "-p", container.published[0]]
    else:
        words = []
        for entry in container.published:
            words += ["-p", entry]
        words += [IMAGE, "sleep", "600"]
    done = docker("run", "-d", "--init", "--name", container.name, *words, check=False)
    if done.returncode:
        docker("rm", "-f", container.name, check=False)
        return False
    if container.state == "paused":
        docker("pause", container.name)
    elif container.state == "stopped":
        docker("stop", "-t", "0", container.name)
    elif container.state == "host":
        _wait_for_listener(int(container.published[0]), container.name)
    return True


def _wait_for_listener(port: int, name: str) -> None:
    """Wait until its httpd listens, or has ended because the port is taken."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if any(row.state == "listen" for row in sockets.listeners([port])):
            return
        state = docker("inspect", "-f", "{{.State.Running}}", name, check=False).stdout.strip()
        if state != "true":
            return
        time.sleep(0.05)


def predict(scenario: Scenario, file: Path) -> tuple[str, str]:
    """Return dartsctl's verdict, and its reasons in words."""
    environment = adhoc(
        files=(file,), project=None, env_files=(), profiles=(), directory=file.parent
    )
    preflight = run_preflight(environment, _intent(scenario), deps=deps_of(Common()))
    verdicts = preflight.verdicts
    reasons = obstacle_lines(preflight)
    if verdicts.conflicts:
        return "conflict", "\n".join(reasons)
    uncertain = [row for row in verdicts.bindings if row.verdict is Verdict.UNCERTAIN]
    reasons += [f"{row.binding.service} {row.binding.published}: {row.note}" for row in uncertain]
    return ("uncertain" if uncertain else "ok"), "\n".join(reasons)


def _intent(scenario: Scenario) -> Intent:
    return Intent(
        tuple(scenario.services),
        force_recreate=scenario.force_recreate,
        remove_orphans=scenario.remove_orphans,
    )


def _flags(scenario: Scenario) -> list[str]:
    flags = []
    if scenario.force_recreate:
        flags.append("--force-recreate")
    if scenario.remove_orphans:
        flags.append("--remove-orphans")
    return flags


def examine(scenario: Scenario) -> Outcome:
    """Run one scenario, and remove everything that it made."""
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "compose.json"
        opened: list[socket.socket] = []
        started: list[str] = []
        try:
            if scenario.earlier:
                _bring_up_earlier(scenario, file)
            for drawn in scenario.sockets:
                opened += open_socket(drawn) or ()
            started = [row.name for row in scenario.foreign if start_foreign(row)]
            file.write_text(json.dumps(scenario.stack))
            verdict, detail = predict(scenario, file)
            done = compose(file, "up", "-d", *_flags(scenario), *scenario.services)
            stderr = done.stderr.strip()
            detail = f"{detail}\nengine: {stderr[-600:]}"
            return Outcome(scenario.seed, verdict, _truth(done.returncode, stderr), detail)
        finally:
            close_all(opened)
            if started:
                docker("rm", "-f", *started, check=False)
            if file.exists():
                compose(file, "down", "-t", "0", "--remove-orphans")


def _truth(code: int, stderr: str) -> str:
    """Return what an `up` showed: ok, port-error or another error's text."""
    if code == 0:
        return "ok"
    return "port-error" if PORT_ERROR.search(stderr) else stderr


def _bring_up_earlier(scenario: Scenario, file: Path) -> None:
    """Bring the earlier version up. If that fails, its containers are created and do not run."""
    file.write_text(json.dumps(scenario.earlier))
    compose(file, "up", "-d")
    if scenario.earlier_state == "stopped":
        compose(file, "stop", "-t", "0")
    elif scenario.earlier_state == "one-stopped":
        compose(file, "stop", "-t", "0", min((scenario.earlier or {})["services"]))


def run(
    count: int, seed: int, jobs: int, *, verbose: bool = False
) -> tuple[Counter[str], list[Outcome]]:
    """Examine `count` scenarios of `seed`. Return the numbers by kind, and the wrong outcomes."""
    if4, if6 = own_addresses()
    candidates = range(FIRST_BASE, LAST_BASE, BLOCK + 2)
    bases = [base for base in candidates if not sockets.listeners(range(base, base + BLOCK))]

    def examine_number(number: int) -> Outcome:
        own_seed = seed * 1_000_003 + number
        scenario = draw(own_seed, bases[number % len(bases)], if4=if4, if6=if6)
        try:
            outcome = examine(scenario)
        except Exception as error:
            outcome = Outcome(own_seed, "crash", repr(error), "")
        if outcome.kind in WRONG or verbose:
            lines = [
                f"--- {outcome.kind} seed {seed} number {number}",
                json.dumps(asdict(scenario)),
                f"{outcome.truth}\n{outcome.detail}\n",
            ]
            print("\n".join(lines), flush=True)
        return outcome

    with ThreadPoolExecutor(jobs) as pool:
        outcomes = list(pool.map(examine_number, range(count)))
    tally = Counter(outcome.kind for outcome in outcomes)
    return tally, [outcome for outcome in outcomes if outcome.kind in WRONG]


def main() -> int:
    """Run `make oracle`, and return its exit code."""
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
    seconds = time.monotonic() - start
    print(
        f"oracle: engine {version}, seed {options.seed}, {options.count} scenarios"
        f" in {seconds:.0f} s: {figures}"
    )
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
