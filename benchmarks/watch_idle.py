"""What `dartsctl watch` costs while nothing happens: an idle stack of ten containers.

    python3 benchmarks/watch_idle.py [SECONDS]

Reads /proc/PID/stat of the watch: its own time, and that of the processes it has waited for
(Compose). The engine's work is not counted.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import install
from install import SMALL_IMAGE, python_of

SERVICES = 10
SETTLE = 30.0
"""Seconds before the measurement: the first full look is none of the idle cost."""
PORT = 25900
PROJECT = "dartsctl-bench-idle"
NGINX_IMAGE = "dartsctl-test/nginx:1"
_TICKS = os.sysconf("SC_CLK_TCK")

_NGINX = """
events {}
http {
  server {
    listen 80;
    location / { proxy_pass http://app1:8000; }
    location /api/ { proxy_pass http://app2:8000/; }
  }
}
"""


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU in percent of one core, and memory in MB."""

    own: float
    children: float
    memory: float
    peak: float

    @property
    def line(self) -> str:
        return (
            f"CPU {self.own:.2f} % itself, {self.children:.2f} % in Compose; "
            f"memory {self.memory:.0f} MB, at most {self.peak:.0f} MB"
        )


def compose_file() -> str:
    """Return ten services: nginx and nine small web servers, four with a health check."""
    lines = ["services:", "  web:", f"    image: {NGINX_IMAGE}", f'    ports: ["{PORT}:80"]']
    lines += ["    depends_on: [app1, app2]"]
    lines += ['    volumes: ["./nginx.conf:/etc/nginx/nginx.conf:ro"]']
    for number in range(1, SERVICES):
        lines += [f"  app{number}:", f"    image: {SMALL_IMAGE}", "    restart: unless-stopped"]
        lines += ['    command: ["httpd", "-f", "-p", "8000", "-h", "/etc"]']
        lines += [f'    ports: ["127.0.0.1:{PORT + number}:8000"]']
        if number < 5:
            lines += ["    healthcheck:", '      test: ["CMD", "true"]', "      interval: 10s"]
    return "\n".join(lines) + "\n"


@contextlib.contextmanager
def stack() -> Iterator[Path]:
    """Yield the folder of a stack that is up; remove it at the end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "compose.yml").write_text(compose_file())
        (folder / "nginx.conf").write_text(_NGINX)
        settings = f'[prod]\nfiles = ["compose.yml"]\nproject = "{PROJECT}"\n'
        (folder / "dartsctl.toml").write_text(settings)
        compose = ["docker", "compose", "--project-name", PROJECT]
        subprocess.run([*compose, "up", "-d"], cwd=folder, check=True, capture_output=True)
        try:
            yield folder
        finally:
            subprocess.run(
                [*compose, "down", "-t", "1"], check=False, cwd=folder, capture_output=True
            )


def seconds_used(pid: int) -> tuple[float, float]:
    """Return the CPU seconds of a process, and of the children that it has waited for."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    user, system, children_user, children_system = map(int, fields[11:15])
    return (user + system) / _TICKS, (children_user + children_system) / _TICKS


def memory(pid: int) -> tuple[float, float]:
    """Return the memory of a process and its highest so far, in MB."""
    rows = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(rows["VmRSS"].split()[0]) / 1024, int(rows["VmHWM"].split()[0]) / 1024


def measure(seconds: float) -> Cost:
    """Return what the watch costs over some seconds."""
    with stack() as folder:
        command = [python_of(install.current()), "-m", "dartsctl", "watch"]
        state = {"DARTSCTL_STATE_DIR": str(folder / "state")}
        watch = subprocess.Popen(command, cwd=folder, env=os.environ | state)
        try:
            time.sleep(SETTLE)
            before, began = seconds_used(watch.pid), time.monotonic()
            time.sleep(seconds)
            after, passed = seconds_used(watch.pid), time.monotonic() - began
            now, peak = memory(watch.pid)
        finally:
            watch.send_signal(signal.SIGTERM)
            watch.wait(30)
    own, children = ((b - a) * 100 / passed for a, b in zip(before, after, strict=True))
    return Cost(own, children, now, peak)


if __name__ == "__main__":
    print(measure(float((sys.argv[1:] or ["600"])[0])).line)
