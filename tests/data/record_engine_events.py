"""Record the events that a real engine sends when containers end in one way or another.

    python tests/data/record_engine_events.py > tests/data/engine/events.json

Needs the engine of DOCKER_HOST and the image dartsctl-test/busybox:1. Each row: what was done, and
the events, without the runs of health checks and with at most three equal ones in a row. Times are
nanoseconds since the first event of the row.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

PROJECT = "dct-recorded-events"
APP = f"{PROJECT}-app-1"
PORT = 26971
SLEEP = ["sleep", "600"]
FAILS = ["sh", "-c", "sleep 1; exit 3"]
EATS = ["sh", "-c", "head -c 200000000 /dev/zero | tail"]
EATS_IN_CHILD = ["sh", "-c", f"while :; do {EATS[2]}; sleep 1; done"]
IGNORES = ["sh", "-c", "trap '' TERM; while :; do sleep 1; done"]
ENDS_WELL = ["sh", "-c", "trap 'exit 0' TERM INT; while :; do sleep 1; done"]
READS_AGAIN = ["sh", "-c", "trap : HUP; while :; do sleep 1; done"]


class Recorder:
    """Reads the events of the project."""

    def __init__(self) -> None:
        self.rows: dict[str, list[dict[str, Any]]] = {}
        self._events: list[dict[str, Any]] = []
        self._folder = Path(tempfile.mkdtemp())
        threading.Thread(target=self._read, daemon=True).start()
        time.sleep(0.5)

    def _read(self) -> None:
        line = socket.socket(socket.AF_UNIX)
        line.connect(os.environ["DOCKER_HOST"].removeprefix("unix://"))
        wanted = {"type": ["container"], "label": [f"com.docker.compose.project={PROJECT}"]}
        target = f"/events?filters={quote(json.dumps(wanted))}"
        line.sendall(f"GET {target} HTTP/1.0\r\nHost: docker\r\n\r\n".encode())
        for text in line.makefile():
            if text.startswith("{"):
                self._events.append(json.loads(text))

    def compose(self, *words: str, command: list[str] | None = None, **options: Any) -> None:
        if command is not None:
            service = {"image": "dartsctl-test/busybox:1", "init": True, "command": command}
            model = {"services": {"app": service | options}}
            (self._folder / "compose.json").write_text(json.dumps(model))
        argv = ["docker", "compose", "-p", PROJECT, "-f", str(self._folder / "compose.json")]
        subprocess.run([*argv, *words], capture_output=True, check=False)

    def docker(self, *words: str) -> None:
        subprocess.run(["docker", *words], capture_output=True, check=False)

    def kill(self, number: int) -> None:
        """Send a signal to the first process, past the engine."""
        argv = ["docker", "inspect", "-f", "{{.State.Pid}}", APP]
        os.kill(int(subprocess.run(argv, capture_output=True, check=True).stdout), number)

    def take(self, name: str, seconds: float = 1.5) -> None:
        time.sleep(seconds)
        events, self._events = self._events, []
        rows: list[dict[str, Any]] = []
        for event in events:
            action = event["Action"]
            if action.startswith("exec"):
                continue
            attributes = event["Actor"]["Attributes"]
            row: dict[str, Any] = {
                "action": action,
                "id": event["Actor"]["ID"][:12],
                "name": attributes["name"],
                "nano": event["timeNano"] - events[0]["timeNano"],
            }
            for key in ("exitCode", "signal"):
                if key in attributes:
                    row[key] = attributes[key]
            if attributes["com.docker.compose.oneoff"] == "True":
                row["oneoff"] = True
            if [other["action"] for other in rows[-3:]] != [action] * 3:
                rows.append(row)
        self.rows[name] = rows
        sys.stderr.write(f"{name}: {' '.join(row['action'] for row in rows)}\n")

    def case(
        self,
        name: str,
        act: Callable[[], object] = lambda: None,
        seconds: float = 2.0,
        *,
        command: list[str] = SLEEP,
        **options: Any,
    ) -> None:
        """Record everything from `up` on, and remove it."""
        self.compose("up", "-d", command=command, **options)
        time.sleep(1)
        act()
        self.take(name, seconds)
        self.compose("down", "-t", "0")
        self.take(f"{name}, down", 0.5)


def main() -> None:
    record = Recorder()
    docker, compose, case = record.docker, record.compose, record.case
    changed = {"command": SLEEP, "environment": {"A": "1"}}
    case("docker stop", lambda: docker("stop", APP))
    case("docker kill", lambda: docker("kill", APP))
    case("docker restart", lambda: docker("restart", APP))
    case("docker rm -f", lambda: docker("rm", "-f", APP))
    case("docker stop of a paused one", lambda: (docker("pause", APP), docker("stop", APP)))
    case("docker kill -s HUP that ends it", lambda: docker("kill", "-s", "HUP", APP))
    case("docker kill with restart", lambda: docker("kill", APP), restart="always")
    case("docker stop, SIGKILL at last", lambda: docker("stop", "-t", "2", APP), command=IGNORES)
    case("docker stop, exit code 0", lambda: docker("stop", APP), command=ENDS_WELL)
    case("stop_signal", lambda: docker("stop", APP), command=ENDS_WELL, stop_signal="SIGINT")
    case("compose restart", lambda: compose("restart"))
    case("compose stop", lambda: compose("stop"))
    case("compose kill", lambda: compose("kill"))
    case("compose up --force-recreate", lambda: compose("up", "-d", "--force-recreate"))
    case("compose up, changed", lambda: compose("up", "-d", **changed))
    case("scale up", lambda: compose("up", "-d", "--scale", "app=2"))
    case("scale down", lambda: (compose("up", "-d", "--scale", "app=2"), compose("up", "-d")), 3)
    case("compose run", lambda: compose("run", "--rm", "app", "false"))
    case("docker rename", lambda: docker("rename", APP, f"{APP}-other"))
    case("SIGKILL from the host", lambda: record.kill(9))
    case("SIGTERM from the host", lambda: record.kill(15))
    case("SIGKILL from the host with restart", lambda: record.kill(9), restart="always")
    case(
        "docker kill -s HUP, a crash later",
        lambda: (docker("kill", "-s", "HUP", APP), time.sleep(1), record.kill(9)),
        command=READS_AGAIN,
    )
    case("exit code 3", command=FAILS)
    case("exit code 0", command=["sleep", "1"])
    case("exit code 127", command=["no-such-command"])
    case("crash loop", seconds=6, command=FAILS, restart="always")
    stop_late = lambda: (time.sleep(5), docker("stop", APP))  # noqa: E731
    case("crash loop, docker stop", stop_late, command=FAILS, restart="always")
    case("on-failure:1", seconds=4, command=FAILS, restart="on-failure:1")
    case("out of memory", command=EATS, mem_limit="16m")
    case("out of memory in a child", command=EATS_IN_CHILD, mem_limit="16m")
    check = {"test": ["CMD", "false"], "interval": "1s", "retries": 1}
    case("unhealthy", seconds=3, healthcheck=check)
    ports = [f"127.0.0.1:{PORT}:80"]
    with socket.create_server(("127.0.0.1", PORT)):
        case("bind failure", ports=ports)
    case("start again, port taken", lambda: _start_again(record), ports=ports)
    sys.stdout.write(_document(record.rows))


def _document(rows: dict[str, list[dict[str, Any]]]) -> str:
    """Return the rows as JSON with one event a line."""
    parts: list[str] = []
    for name, events in rows.items():
        lines = ",\n".join(f"  {json.dumps(event)}" for event in events)
        parts.append(f" {json.dumps(name)}: [\n{lines}\n ]")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _start_again(record: Recorder) -> None:
    record.docker("stop", APP)
    with socket.create_server(("127.0.0.1", PORT)):
        record.docker("start", APP)


if __name__ == "__main__":
    main()
