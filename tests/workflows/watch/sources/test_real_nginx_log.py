"""nginx's error log on the real engine: restarts, rotation, a flood, a driver that keeps none."""

from __future__ import annotations

import os
import time
import tracemalloc
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dartsctl.diagnosis.facts import ProxyFacts
from dartsctl.diagnosis.nginx.config import Config
from dartsctl.edges.engine.unix import UnixEngine
from dartsctl.edges.http.get import get
from dartsctl.records import replace
from dartsctl.workflows.watch.known import Known
from dartsctl.workflows.watch.signals import LookWanted, Note, Noticed, Signal
from dartsctl.workflows.watch.sources.proxy_log import ProxyLog
from fakes.deps import FakeClock, fake_deps
from fakes.examinations import examination
from fakes.stack_facts import facts, service
from live.stack import docker, until
from own_images import BUSYBOX

pytestmark = [pytest.mark.engine, pytest.mark.timeout(300)]

NGINX = "dartsctl-test/nginx:1"
CONF = """
worker_processes 1;
{}
events {{}}
http {{
    access_log /dev/stdout;
    server {{ listen 80; location / {{ proxy_pass http://127.0.0.1:5999; }} }}
}}
"""
FLOOD = r"""
ERROR='2026/11/23 22:58:51 [error] 29#29: *7 connect() failed (111: Connection refused) while'
ERROR="$ERROR connecting to upstream, client: x, request: \"GET /\033]0;x\007 HTTP/1.1\""
ERROR="$ERROR, upstream: \"http://10.0.0.2:5000/\""
trap 'for i in 1 2 3 4 5; do printf "$ERROR, $i\n" >&2; done' USR1
head -c 100000000 /dev/zero | tr '\000' x >&2
printf '\n\033[2J\377\376\n' >&2
touch /written
while :; do sleep 0.05; done
"""
"""Writes a line of 100 MB, and errors at each signal."""


class Log:
    """The source itself, and a container whose log it follows."""

    def __init__(self, folder: Path, error_log: str = "") -> None:
        self.name = f"dct-{uuid.uuid4().hex[:10]}"
        self.engine = UnixEngine(os.environ["DOCKER_HOST"])
        self.known = Known()
        self.signals: list[Signal] = []
        deps = fake_deps(
            folder,
            FakeClock(),
            engine=lambda **_: self.engine,
            now=time.time,
            monotonic=time.monotonic,
        )
        self.source = ProxyLog(self.known, deps=deps)
        self.config = Config(error_logs=tuple(filter(None, [error_log])))

    def run(self, *words: str) -> None:
        docker("run", "-d", "--name", self.name, "--stop-timeout=0", *words)
        self.learn()

    def learn(self) -> None:
        """Let a look end that sees the container as it is now."""
        inspection = self.engine.inspect(self.name)
        assert inspection
        web = service("web", inspection.of_service("web"))
        proxy = ProxyFacts("web", "nginx", self.config)
        self.known.learn(replace(examination(), facts=facts(web, proxy=proxy)))

    def turn(self) -> int:
        """Read what has come. Return how many errors there were."""
        self.source.turn(self.signals.append, 0.05)
        return sum(self.known.upstream_errors.totals.values())

    def ask(self, count: int) -> None:
        """Send requests that fail behind nginx."""
        port = int(docker("port", self.name, "80").strip().rpartition(":")[2])

        def is_bad_gateway() -> bool:
            answer = get("127.0.0.1", port, "/", host="x", tls=False, deadline=5)
            return answer.status == 502

        for _ in range(count):
            until(is_bad_gateway)


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Callable[[str], Log]]:
    """Make a followed log; its container is removed at the end."""
    made: list[Log] = []

    def make(error_log: str = "") -> Log:
        made.append(Log(tmp_path, error_log))
        return made[-1]

    yield make
    for log in made:
        log.source.close()
    docker("rm", "-f", "-v", *[log.name for log in made], check=False)


def nginx(folder: Path, error_log: str = "") -> tuple[str, ...]:
    """Return what starts an nginx whose requests all fail."""
    line = ""
    if error_log:
        line = f"error_log {error_log};"
    (folder / "nginx.conf").write_text(CONF.format(line))
    return ("-v", f"{folder}/nginx.conf:/etc/nginx/nginx.conf:ro", "-p", "127.0.0.1::80", NGINX)


def test_the_usual_link_to_stderr_is_followed_over_a_restart(
    tmp_path: Path, logs: Callable[[str], Log]
) -> None:
    log = logs("")
    log.run(*nginx(tmp_path))
    log.ask(5)
    until(lambda: log.turn() == 5)
    noticed, wanted = log.signals
    assert isinstance(noticed, Noticed)
    assert noticed.what.endswith("the last: connection refused (127.0.0.1:5999)")
    assert isinstance(wanted, LookWanted)
    docker("restart", "-t", "0", log.name)
    log.learn()
    log.ask(3)
    until(lambda: log.turn() >= 8)
    assert log.turn() == 8


def test_a_file_in_a_mounted_folder_is_followed_over_its_rotation(
    tmp_path: Path, logs: Callable[[str], Log]
) -> None:
    folder = tmp_path / "logs"
    folder.mkdir()
    log = logs("/logs/error.log")
    log.run("-v", f"{folder}:/logs", *nginx(tmp_path, "/logs/error.log"))
    until((folder / "error.log").exists)
    until(lambda: log.turn() == 0 and log.known.follows_log)
    log.ask(2)
    (folder / "error.log").rename(folder / "error.log.1")
    log.ask(1)
    docker("kill", "-s", "USR1", log.name)
    until((folder / "error.log").exists)
    log.ask(2)
    until(lambda: log.turn() >= 5)
    os.truncate(folder / "error.log", 0)
    log.ask(1)
    until(lambda: log.turn() >= 6)
    assert log.turn() == 6


def test_a_line_of_100_mb_and_control_sequences_need_no_memory_and_hide_no_error(
    logs: Callable[[str], Log],
) -> None:
    log = logs("")
    log.run("--entrypoint", "sh", BUSYBOX, "-c", FLOOD)

    def errors_are_read() -> bool:
        docker("kill", "-s", "USR1", log.name)
        return any(log.turn() >= 5 for _ in range(60))

    tracemalloc.start()
    try:
        until(lambda: log.turn() or log.engine.file(log.name, "/written"), seconds=120)
        until(errors_are_read, seconds=120)  # 64 KiB in each turn
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 5_000_000
    assert any(isinstance(signal, Noticed) for signal in log.signals)


def test_a_driver_that_keeps_no_log_is_said_once(logs: Callable[[str], Log]) -> None:
    log = logs("stderr")
    log.run("--log-driver=none", BUSYBOX, "sleep", "60")
    for _ in range(3):
        log.turn()
    (note,) = log.signals
    assert isinstance(note, Note)
    assert note.text.endswith("its logging driver keeps none that can be read")
