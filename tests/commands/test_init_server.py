"""Apps of many shapes, from nothing to a page: `init --yes`, then `dev` on a leased port.

Real servers. None listens on the port that its source names.
"""

from __future__ import annotations

import http.client
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from own_ports import free_ports

FLASK = """
from flask import Flask
app = Flask(__name__)
@app.get("/")
def home():
    return "SHAPE"
"""
FACTORY = """
from flask import Flask
def create_app():
    app = Flask(__name__)
    @app.get("/")
    def home():
        return "SHAPE"
    return app
"""
ASGI = """
async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    headers = [(b"content-length", b"5")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"SHAPE"})
"""
SOCKET_IO = """
from flask_socketio import SocketIO
socketio = SocketIO(app, async_mode="threading")
if __name__ == "__main__":
    socketio.run(app, "0.0.0.0", PRODUCTION, allow_unsafe_werkzeug=True)
"""
MAIN = """
if __name__ == "__main__":
    app.run("0.0.0.0", port=PRODUCTION, debug=True)
"""
SHAPES = {
    "a literal port and the reloader": {"app.py": FLASK + MAIN},
    "Flask-SocketIO with a literal port": {"run.py": FLASK + SOCKET_IO},
    "a factory and .flaskenv": {
        "portal.py": FACTORY,
        ".flaskenv": "FLASK_APP=portal:create_app\nFLASK_RUN_PORT=PRODUCTION\n",
    },
    "a package in src, gunicorn in the Dockerfile": {
        "src/shop/__init__.py": FACTORY,
        "Dockerfile": "FROM python\nCMD gunicorn -b :PRODUCTION 'shop:create_app()'\n",
    },
    "uvicorn in the Procfile": {
        "asgi.py": ASGI,
        "Procfile": "web: uvicorn asgi:app --port PRODUCTION\n",
    },
}


@dataclass
class Dev:
    """A `dartsctl dev` that runs, its lines so far, and its URL once it is ready."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)
    url: str = ""

    def read(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if line.startswith("dartsctl: http"):
                self.url = line.split()[1]
                return

    @property
    def page(self) -> str:
        connection = http.client.HTTPConnection(self.url.split("/")[2], timeout=60)
        with closing(connection):
            connection.request("GET", "/")
            return connection.getresponse().read().decode()


@contextmanager
def running(folder: Path, environ: dict[str, str]) -> Iterator[Dev]:
    process = subprocess.Popen(
        [sys.executable, "-m", "dartsctl", "dev"],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        yield Dev(process)
    finally:
        process.send_signal(signal.SIGTERM)
        assert process.stderr is not None
        process.stderr.read()
        process.stderr.close()
        process.wait(timeout=60)


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    ports = free_ports(len(SHAPES) + 2)
    return {
        **os.environ,
        "DARTSCTL_DEV_RANGE": f"{ports[0]}-{ports[-2]}",
        "DARTSCTL_STATE_DIR": str(tmp_path / "state"),
        "DOCKER_HOST": f"unix://{tmp_path}/no-engine.sock",
        "PRODUCTION": str(ports[-1]),
    }


def write(folder: Path, files: dict[str, str], production: str) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("PRODUCTION", production))


def start_init(folder: Path, environ: dict[str, str]) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "dartsctl", "init", "--yes"],
        cwd=folder,
        env=environ,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def initialize(folders: Iterable[Path], environ: dict[str, str]) -> None:
    """Run `init --yes` in all folders at once."""
    for process in [start_init(folder, environ) for folder in folders]:
        output, _ = process.communicate(timeout=120)
        assert process.returncode == 0, output


def test_apps_of_many_shapes_are_served_after_init(tmp_path: Path, environ: dict[str, str]) -> None:
    production = environ.pop("PRODUCTION")
    folders: dict[str, Path] = {}
    for number, (shape, files) in enumerate(SHAPES.items()):
        folders[shape] = tmp_path / str(number)
        write(folders[shape], files, production)
        settings = f"[dev]\nfiles = []\n[ports.production]\nshop = {production}\n"
        (folders[shape] / "dartsctl.toml").write_text(settings)
    initialize(folders.values(), environ)
    with ExitStack() as stack:
        started: dict[str, Dev] = {}
        for shape, folder in folders.items():
            started[shape] = stack.enter_context(running(folder, environ))
        readers = [threading.Thread(target=dev.read, daemon=True) for dev in started.values()]
        for reader in readers:
            reader.start()
        for reader in readers:
            reader.join(120)
        for shape, dev in started.items():
            assert dev.url, (shape, dev.lines)
            assert dev.page == "SHAPE", shape
            assert not [line for line in dev.lines if production in line], (shape, dev.lines)
