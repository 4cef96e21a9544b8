"""Kills: dartsctl is killed at random moments, and pids are reused before a signal is sent.

    python tests/campaign/kills.py --count 100 --seed 1           # or: make kills N=100 SEED=1
    python tests/campaign/kills.py --count 100 --part reuse       # only the pids (root, Linux)

After each kill no process of the run and no lease is left, and every bystander is the same process
or container as before. After each reuse of a pid no process was signalled. Exit code 1 with the
seed of what was wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from dartsctl.edges.state.leases import LeaseBook

IMAGE = "dartsctl-test/busybox:1"
FIRST_PORT, LAST_PORT = 17000, 17099
PATIENCE = 30.0
"""Seconds within which everything of a killed dartsctl must be gone."""
SERVERS = (
    ("{python}", "-m", "http.server", "{port}"),
    ("{python}", "-c", "import os, time; os.fork(); time.sleep(600)"),
    ("sh", "-c", "trap '' TERM INT; {python} -m http.server {port}; sleep 600"),
)


def dartsctl() -> list[str]:
    """Return the command that starts dartsctl."""
    return [sys.executable, "-m", "dartsctl"]


@dataclass
class Scene:
    """A project, a state folder, and bystanders: a process, and with an engine two containers."""

    folder: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    has_engine: bool = False
    bystanders: list[subprocess.Popen[bytes]] = field(default_factory=list)

    @property
    def project(self) -> str:
        return f"kills-{self.mark[:8]}"

    @property
    def environment(self) -> dict[str, str]:
        return {
            **os.environ,
            "DARTSCTL_STATE_DIR": str(self.folder / "state"),
            "DARTSCTL_SETTLING_TIME": "1",
            "DARTSCTL_TEST_MARK": self.mark,
        }

    def prepare(self) -> None:
        """Write the project, and start the bystanders."""
        service = {
            "image": IMAGE,
            "command": ["sleep", "600"],
            "init": True,
            "stop_grace_period": "0s",
        }
        web = {
            **service,
            "command": ["httpd", "-f", "-p", "80"],
            "ports": [f"127.0.0.1:{LAST_PORT}:80"],
        }
        services = {"web": web, "db": service, "other": service}
        stack = {"name": self.project, "services": services}
        (self.folder / "compose.json").write_text(json.dumps(stack))
        (self.folder / "dartsctl.toml").write_text(
            f'[prod]\nfiles = ["compose.json"]\nenv_files = []\nproject = "{self.project}"\n'
            f'[ports]\ndev_range = "{FIRST_PORT}-{LAST_PORT - 2}"\n'
        )
        listener = (
            "import socket, time;"
            f" held = socket.create_server(('127.0.0.1', {LAST_PORT - 1})); time.sleep(3600)"
        )
        self.bystanders.append(subprocess.Popen([sys.executable, "-c", listener]))
        if self.has_engine:
            docker(
                "run", "-d", "--init", "--name", f"{self.project}-bystander", IMAGE, "sleep", "3600"
            )
            docker("compose", "-f", str(self.folder / "compose.json"), "up", "-d", "other")

    def bystander_states(self) -> tuple[object, ...]:
        """Return what must be the same after every kill."""
        processes = tuple((process.pid, process.poll()) for process in self.bystanders)
        names = (f"{self.project}-bystander", f"{self.project}-other-1") if self.has_engine else ()
        return processes, tuple(
            docker("inspect", "-f", "{{.Id}} {{.State.StartedAt}} {{.State.Status}}", name)
            for name in names
        )

    def marked(self) -> set[int]:
        """Return the pids of all running processes of a run."""
        pids = set()
        for entry in Path("/proc").iterdir():
            if not entry.name.isdecimal() or int(entry.name) == os.getpid():
                continue
            with suppress(OSError):
                state = (entry / "stat").read_text().rpartition(")")[2].split()[0]
                if self.mark.encode() in (entry / "environ").read_bytes() and state != "Z":
                    pids.add(int(entry.name))
        return pids

    def close(self) -> None:
        """End everything."""
        for process in self.bystanders:
            process.kill()
            process.wait()
        for pid in self.marked():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        if self.has_engine:
            file = str(self.folder / "compose.json")
            docker("compose", "-f", file, "down", "--timeout", "0", check=False)
            docker("rm", "-f", f"{self.project}-bystander", check=False)


def docker(*words: str, check: bool = True) -> str:
    """Run a docker command, and return its stdout."""
    return subprocess.run(
        ["docker", *words], capture_output=True, text=True, check=check, timeout=120
    ).stdout.strip()


def kill_once(scene: Scene, seed: int) -> str:
    """Kill one run. Return what was wrong afterwards, empty if nothing was."""
    dice = random.Random(seed)
    before = scene.bystander_states()
    is_up = scene.has_engine and dice.random() < 0.3
    words = ("prod", "up") if is_up else ("run", "--", *dice.choice(SERVERS))
    moment = dice.uniform(0.02, 4.0 if is_up else 2.0)
    attempt = subprocess.Popen(
        [*dartsctl(), *words],
        cwd=scene.folder,
        env=scene.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    with suppress(subprocess.TimeoutExpired):
        attempt.wait(moment)
    attempt.kill()
    attempt.wait()
    wrong = left_over(scene)
    if scene.bystander_states() != before:
        wrong.append("a bystander was touched")
    if not wrong:
        return ""
    return f"seed {seed}: `{' '.join(words)}`, killed after {moment:.2f} s: {'; '.join(wrong)}"


def left_over(scene: Scene) -> list[str]:
    """Return what is left of a run after PATIENCE."""
    book = LeaseBook(scene.folder / "state")
    until = time.monotonic() + PATIENCE
    while True:
        wrong = [f"pid {pid} is running" for pid in sorted(scene.marked())]
        wrong += [f"port {record.port} is leased" for record in book.held()]
        if not wrong or time.monotonic() > until:
            return wrong
        time.sleep(0.02)


def kills(count: int, seed: int, *, say: Callable[[str], None] = print) -> list[str]:
    """Kill `count` runs. Return everything that was wrong."""
    wrong = []
    with tempfile.TemporaryDirectory() as folder:
        scene = Scene(Path(folder), has_engine=has_engine())
        try:
            scene.prepare()
            for number in range(count):
                if problem := kill_once(scene, seed * 1000 + number):
                    wrong.append(problem)
                    say(problem)
            if scene.has_engine and (problem := up_after_kills(scene)):
                wrong.append(problem)
                say(problem)
        finally:
            scene.close()
    engine = " (with an engine)" if scene.has_engine else ""
    say(f"kills: seed {seed}, {count} kills{engine}: {len(wrong)} wrong")
    return wrong


def up_after_kills(scene: Scene) -> str:
    """Run `prod up` to its end. Return what was wrong, empty if nothing was."""
    done = subprocess.run(
        [*dartsctl(), "prod", "up", "--quiet"],
        cwd=scene.folder,
        env=scene.environment,
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if not done.returncode:
        return ""
    return f"`prod up` after the kills ended with {done.returncode}: {done.stderr}"


def has_engine() -> bool:
    """Return whether an engine with the test image answers."""
    try:
        done = subprocess.run(
            ["docker", "image", "inspect", IMAGE], capture_output=True, check=False, timeout=30
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


# --- reused pids ---


def reuses(count: int, *, say: Callable[[str], None] = print) -> list[str]:
    """Reuse `count` pids in a new pid namespace. Return everything that was wrong."""
    namespace = ["unshare", "--pid", "--fork", "--mount-proc"]
    argv = [*namespace, sys.executable, __file__, "--part", "inside", "--count", str(count)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=30 + 5 * count)
    wrong = done.stdout.splitlines()
    if done.returncode not in (0, 1):
        wrong.append(f"the pid namespace ended with {done.returncode}: {done.stderr}")
    for problem in wrong:
        say(problem)
    say(f"reuses: {count} pids: {len(wrong)} wrong")
    return wrong


def inside(count: int) -> int:
    """Run as pid 1 of a namespace.

    A process ends after it was seen. A bystander gets its pid and its port, and must not be
    signalled.
    """
    from dartsctl.edges.engine.connect import engine_at
    from dartsctl.edges.host import processes
    from dartsctl.edges.screen.output import Screen
    from dartsctl.edges.screen.prompts import Prompts
    from dartsctl.edges.state.history import History
    from dartsctl.edges.state.leases import LeaseBook
    from dartsctl.ports.holders import HostProcess
    from dartsctl.stack.bindings import Endpoint
    from dartsctl.workflows.host import Host
    from dartsctl.workflows.up.conflict_deps import ConflictDeps
    from dartsctl.workflows.up.stop_process import stop

    nowhere = Path("/nowhere")
    deps = ConflictDeps(
        prompts=Prompts(allowed=False),
        screen=Screen(quiet=True),
        engine=engine_at("unix:///nowhere"),
        host=Host,
        history=History(nowhere),
        leases=LeaseBook(nowhere),
        remap=lambda _cases: None,
        yes=True,
        grace=0.5,
    )
    code = 0
    for number in range(count):
        port = FIRST_PORT + number % 90
        victim = _listener(port)
        seen = processes.describe(victim.pid)
        victim.kill()
        victim.wait()
        Path("/proc/sys/kernel/ns_last_pid").write_text(str(victim.pid - 1))
        bystander = _listener(port)
        if seen is None or bystander.pid != victim.pid:
            print(f"number {number}: the pid was not reused")
            code = 1
        else:
            signalled = stop(
                HostProcess(seen),
                [Endpoint(port, "127.0.0.1")],
                record=lambda _pids, _released: None,
                deps=deps,
            )
            if signalled or bystander.poll() is not None:
                print(f"number {number}: pid {bystander.pid} was reused, and was signalled")
                code = 1
        bystander.kill()
        bystander.wait()
    return code


def _listener(port: int) -> subprocess.Popen[str]:
    """Start a process that listens on the port."""
    program = (
        f"import socket, time; held = socket.create_server(('127.0.0.1', {port}));"
        " print(flush=True); time.sleep(600)"
    )
    process = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    process.stdout.readline()
    return process


def main(argv: Sequence[str] | None = None) -> int:
    """Return 1 if anything was wrong."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--part", choices=("all", "kills", "reuse", "inside"), default="all")
    options = parser.parse_args(argv)
    if options.part == "inside":
        return inside(options.count)
    wrong = []
    if options.part in ("all", "kills"):
        wrong += kills(options.count, options.seed)
    if options.part in ("all", "reuse"):
        wrong += reuses(options.count)
    return 1 if wrong else 0


if __name__ == "__main__":
    raise SystemExit(main())
