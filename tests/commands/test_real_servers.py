"""Real servers, each started by `dartsctl run`.

They are reachable from the moment their URL is printed, and never listen on a production port.
"""

from __future__ import annotations

import http.client
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from dartsctl.edges.state.leases import LeaseBook

BIN = Path(sys.executable).parent
RATE = 200
"""Requests per second."""
NODE = pytest.param(
    "node",
    marks=pytest.mark.skipif(
        shutil.which("node") is None,
        reason="Node is not installed; perl covers what is not Python",
    ),
)

FILES = {
    "app.py": """
from flask import Flask
app = Flask(__name__)
@app.get("/")
def home():
    return "generation 1"
""",
    "asgi.py": """
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while True:
            message = await receive()
            await send({"type": message["type"] + ".complete"})
            if message["type"] == "lifespan.shutdown":
                return
    headers = [(b"content-length", b"2")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"ok"})
""",
    "run.py": """
import os, sys
from app import app
app.run(port=int(sys.argv[1] if sys.argv[1:] else os.environ["PORT"]))
""",
    "sio_threading.py": """
import os, sys
from flask_socketio import SocketIO
from app import app
port = int(sys.argv[1] if sys.argv[1:] else os.environ["PORT"])
SocketIO(app, async_mode="threading").run(app, port=port, allow_unsafe_werkzeug=True)
""",
    "sio_eventlet.py": """
import eventlet
eventlet.monkey_patch()
import os, sys
from flask_socketio import SocketIO
from app import app
port = int(sys.argv[1] if sys.argv[1:] else os.environ["PORT"])
SocketIO(app, async_mode="eventlet").run(app, port=port)
""",
    "static.py": """
import os, sys
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
port = int(sys.argv[1] if sys.argv[1:] else os.environ["PORT"])
ThreadingHTTPServer(("127.0.0.1", port), SimpleHTTPRequestHandler).serve_forever()
""",
    "server.js": """
const port = Number(process.argv[2] || process.env.PORT)
require("http").createServer((request, answer) => answer.end("ok")).listen(port, "127.0.0.1", 511)
""",
    "server.pl": """
use IO::Socket::INET;
my $port = $ARGV[0] || $ENV{PORT};
my $server = IO::Socket::INET->new(
    LocalAddr => "127.0.0.1", LocalPort => $port, Listen => 511, ReuseAddr => 1
) or die "cannot listen: $!";
while (my $client = $server->accept) {
    sysread($client, my $request, 4096);
    print $client "HTTP/1.0 200 OK\\r\\n\\r\\nok";
    close $client;
}
""",
    "waitress_run.py": """
import sys, waitress
from app import app
waitress.serve(app, host="127.0.0.1", port=int(sys.argv[1]))
""",
    "uvicorn_run.py": """
import sys, uvicorn
uvicorn.run("asgi:app", port=int(sys.argv[1]), log_level="warning")
""",
    "gunicorn_own.py": "import os\nbind = '127.0.0.1:' + os.environ['OWN']\n",
    "hypercorn_own.py": "import os\nbind = ['127.0.0.1:' + os.environ['OWN']]\n",
}
PERL = "perl"
SERVERS = {
    "flask run": ("{python}", "-m", "flask", "run"),
    "app.run": ("{python}", "run.py"),
    "app.run, handed a socket": ("{python}", "run.py"),
    "gunicorn": (f"{BIN}/gunicorn", "app:app"),
    "uvicorn": (f"{BIN}/uvicorn", "asgi:app", "--log-level", "warning"),
    "hypercorn": (f"{BIN}/hypercorn", "asgi:app"),
    "waitress": (f"{BIN}/waitress-serve", "--listen", "{host}:{port}", "app:app"),
    "Flask-SocketIO, threading": ("{python}", "sio_threading.py"),
    "Flask-SocketIO, eventlet": ("{python}", "sio_eventlet.py"),
    "http.server": ("{python}", "-m", "http.server", "--bind", "{host}", "{port}"),
    "perl": (PERL, "server.pl"),
    "node": ("node", "server.js"),
}


@dataclass
class Run:
    """One `dartsctl run`, and its lines on stderr so far."""

    process: subprocess.Popen[str]
    lines: list[str] = field(default_factory=list)

    def url(self) -> str:
        """Return the URL at the moment it is printed."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.lines.append(line)
            if match := re.match(r"dartsctl: (http://\S+) ", line):
                # read on: a full pipe would block the server
                threading.Thread(target=self.process.stderr.read, daemon=True).start()
                return match[1]
        pytest.fail(f"no URL was printed: {''.join(self.lines)}")

    def end(self) -> None:
        self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()


@pytest.fixture
def folder(tmp_path: Path, dev_range: tuple[int, int], production_port: int) -> Path:
    """A checkout with the sources of all servers. `production_port` stands for 5000."""
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    first, last = dev_range
    (tmp_path / "dartsctl.toml").write_text(
        f'[ports]\ndev_range = "{first}-{last}"\n'
        f"[ports.production]\ndarts-app = {production_port}\n"
    )
    return tmp_path


@pytest.fixture
def start(
    folder: Path, state: Path, tree: Callable[[], set[int]], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[..., Run]]:
    """Run `dartsctl run OPTIONS -- COMMAND` in the checkout. No process is left after the test."""
    for name in ("PORT", "FLASK_RUN_PORT", "FLASK_PORT", "PYTHONPATH"):
        monkeypatch.delenv(name, raising=False)
    runs: list[Run] = []

    def begin(*command: str, options: tuple[str, ...] = (), **environment: str) -> Run:
        process = subprocess.Popen(
            [str(BIN / "dartsctl"), "run", *options, "--", *command],
            cwd=folder,
            env={**os.environ, "FLASK_APP": "app", **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        runs.append(Run(process))
        return runs[-1]

    yield begin
    for run in runs:
        run.end()
    left = tree()
    for pid in left:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    for run in runs:
        assert run.process.stderr is not None
        run.process.stderr.close()
    assert not left


def ask(url: str) -> str:
    """Return the text at `url`, over a new connection. Raises OSError if it is refused or cut."""
    connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)
    try:
        connection.request("GET", "/")
        return connection.getresponse().read().decode()
    finally:
        connection.close()


class Load:
    """RATE requests per second until `end`, each on a new connection."""

    clients = 8

    def __init__(self, url: str) -> None:
        self.answers: list[str] = []
        self.failures: list[str] = []
        self._url = url
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, args=(number,)) for number in range(self.clients)
        ]
        self._started = time.monotonic()
        for thread in self._threads:
            thread.start()

    def _work(self, number: int) -> None:
        turn = number
        while not self._over.wait(max(0.0, self._started + turn / RATE - time.monotonic())):
            try:
                self.answers.append(ask(self._url))
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
            turn += len(self._threads)

    def end(self) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()


@pytest.mark.parametrize("name", [NODE if name == "node" else name for name in SERVERS])
def test_no_connection_is_refused_once_the_url_is_printed(
    start: Callable[..., Run], name: str
) -> None:
    options = ("--handover", "werkzeug") if "handed" in name else ()
    url = start(*SERVERS[name], options=options).url()
    load = Load(url)
    time.sleep(0.8)  # the duration of the load, not a wait
    load.end()
    assert not load.failures
    assert len(load.answers) >= 20


@pytest.mark.parametrize("how", ["flask run", "app.run"])
def test_a_reload_after_a_change_refuses_no_connection(
    start: Callable[..., Run], folder: Path, how: str
) -> None:
    (folder / "debug.py").write_text(
        "import os\nfrom app import app\napp.run(port=int(os.environ['PORT']), debug=True)\n"
    )
    if how == "flask run":
        run = start("{python}", "-m", "flask", "run", "--debug")
    else:
        run = start("{python}", "debug.py", options=("--handover", "werkzeug"))
    load = Load(run.url())
    try:
        for generation in ("generation 2", "generation 3"):
            text = FILES["app.py"].replace("generation 1", generation)
            # Another length: byte code of the same second and size would be taken for current.
            (folder / "app.py").write_text(text + "# changed\n" * int(generation[-1]))
            until = time.monotonic() + 60
            while generation not in load.answers and time.monotonic() < until:
                time.sleep(0.05)
    finally:
        load.end()
    refused = [failure for failure in load.failures if "Refused" in failure]
    assert not refused
    in_flight = 2 * load.clients
    # werkzeug's child exits with requests that it has accepted, with or without dartsctl
    assert len(load.failures) <= in_flight, load.failures
    assert {"generation 1", "generation 2", "generation 3"} <= set(load.answers)


@pytest.mark.parametrize(
    "command",
    [
        "{python} -m flask run -p PORT",
        "gunicorn -b 127.0.0.1:PORT app:app",
        "uvicorn asgi:app --port PORT",
        "hypercorn asgi:app --bind localhost:PORT",
        "waitress-serve --listen=*:PORT app:app",
        "python -m http.server PORT",
        "busybox httpd -f -p PORT",
    ],
)
def test_an_option_that_names_a_production_port_is_refused_before_the_start(
    start: Callable[..., Run], production_port: int, command: str
) -> None:
    run = start(*command.replace("PORT", str(production_port)).split())
    _, stderr = run.process.communicate(timeout=30)
    assert run.process.returncode == 4, stderr
    assert f"port {production_port}" in stderr
    assert "belongs to production's darts-app" in stderr


def test_an_exported_variable_that_names_a_production_port_is_refused(
    start: Callable[..., Run], production_port: int
) -> None:
    run = start(*SERVERS["flask run"], FLASK_RUN_PORT=str(production_port))
    _, stderr = run.process.communicate(timeout=30)
    assert run.process.returncode == 4
    assert "next: unset FLASK_RUN_PORT\n" in stderr


ENV_FILES = [
    (".env", "\n# the app's\nFLASK_PORT={port}\n", "FLASK_PORT", 3),
    (".env", "export FLASK_PORT='{port}'  # of the app\r\nX=1\r\n", "FLASK_PORT", 1),
    (".env", '\n\n  PORT = " {port} "', "PORT", 3),
    (".flaskenv", "this line is wrong\nFLASK_RUN_PORT={port}", "FLASK_RUN_PORT", 2),
    (".flaskenv", "FLASK_RUN_PORT=${{MISSING:-{port}}}\n", "FLASK_RUN_PORT", 1),
]


@pytest.mark.parametrize(("name", "text", "variable", "line"), ENV_FILES)
def test_a_production_port_in_an_env_file_is_replaced_and_told_once(
    start: Callable[..., Run],
    folder: Path,
    production_port: int,
    name: str,
    text: str,
    variable: str,
    line: int,
) -> None:
    (folder / name).write_text(text.format(port=production_port), newline="")
    run = start(*SERVERS["flask run"])
    url = run.url()
    said = (
        f"{variable}={production_port} in {name}:{line} is a production port: "
        f"using {url.rpartition(':')[2]} instead\n"
    )
    assert run.lines.count(said) == 1, run.lines


APPS_OWN = """
import os
from dotenv import load_dotenv
load_dotenv(override={override})
from app import app
app.run(port=int(os.environ["FLASK_PORT"]))
"""


def test_an_app_that_overrides_its_environment_is_refused_and_told_why(
    start: Callable[..., Run], folder: Path, production_port: int
) -> None:
    (folder / ".env").write_text(f"FLASK_PORT={production_port}\n")
    (folder / "apps_own.py").write_text(APPS_OWN.format(override=True))
    run = start("{python}", "apps_own.py")
    _, stderr = run.process.communicate(timeout=60)
    assert run.process.returncode == 4
    assert refusal(production_port) in stderr
    assert f"  .env:1 has FLASK_PORT={production_port}: an app that loads this file over" in stderr
    (folder / "apps_own.py").write_text(APPS_OWN.format(override=False))
    assert ask(start("{python}", "apps_own.py").url()) == "generation 1"


HARD_CODED = {
    "app.run": ("{python}", "run.py", "PORT"),
    "http.server, without site": ("{python}", "-S", "static.py", "PORT"),
    "gunicorn's own file": (f"{BIN}/gunicorn", "-c", "gunicorn_own.py", "app:app"),
    "uvicorn.run": ("{python}", "uvicorn_run.py", "PORT"),
    "hypercorn's own file": (f"{BIN}/hypercorn", "-c", "file:hypercorn_own.py", "asgi:app"),
    "waitress.serve": ("{python}", "waitress_run.py", "PORT"),
    "Flask-SocketIO, threading": ("{python}", "sio_threading.py", "PORT"),
    "Flask-SocketIO, eventlet": ("{python}", "sio_eventlet.py", "PORT"),
    "http.server": ("{python}", "static.py", "PORT"),
    "perl": (PERL, "server.pl", "PORT"),
    "node": ("node", "server.js", "PORT"),
}


class PortWatcher:
    """Connects to a port repeatedly until `end`. `answered`: when it was accepted, monotonic."""

    def __init__(self, port: int) -> None:
        self.answered: list[float] = []
        self._port = port
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work)
        self._thread.start()

    def _work(self) -> None:
        while not self._over.wait(0.005):
            with socket.socket() as connection:
                if connection.connect_ex(("127.0.0.1", self._port)) == 0:
                    self.answered.append(time.monotonic())

    def end(self) -> None:
        self._over.set()
        self._thread.join()


def refusal(port: int) -> str:
    """Return the error for a server that wanted a production port."""
    return f"the server was refused port {port}, which belongs to production's darts-app"


def commands(port: int) -> dict[str, tuple[str, ...]]:
    """Return a command for each kind of server whose port is not a recognised option."""
    result = {}
    for name, words in HARD_CODED.items():
        if name != "node" or shutil.which("node"):
            result[name] = tuple(word.replace("PORT", str(port)) for word in words)
    return result


@pytest.mark.parametrize("names", [list(HARD_CODED)[:6], list(HARD_CODED)[6:]])
def test_no_server_ever_listens_on_a_hard_coded_production_port(
    start: Callable[..., Run], production_port: int, names: list[str]
) -> None:
    words = commands(production_port)
    watcher = PortWatcher(production_port)
    try:
        # with a socket handed over, gunicorn and hypercorn ignore the address in their files
        runs = {
            name: start(*words[name], options=("--handover", "none"), OWN=str(production_port))
            for name in names
            if name in words
        }
        ended = {name: run.process.communicate(timeout=90)[1] for name, run in runs.items()}
    finally:
        watcher.end()
    assert watcher.answered == []
    assert {name: run.process.returncode for name, run in runs.items()} == dict.fromkeys(runs, 4), (
        ended
    )
    for stderr in ended.values():
        assert refusal(production_port) in stderr


@pytest.mark.parametrize("name", ["app.run", "perl"])
def test_without_settings_the_documented_ports_are_closed(
    start: Callable[..., Run], folder: Path, name: str
) -> None:
    (folder / "dartsctl.toml").unlink()
    run = start(*commands(5000)[name])
    _, stderr = run.process.communicate(timeout=60)
    assert run.process.returncode == 4, stderr
    listed = (
        "the server was refused port 5000, which is reserved for production by dartsctl's default"
    )
    assert listed in stderr


@pytest.mark.parametrize("name", ["app.run", "Flask-SocketIO, eventlet", "perl"])
def test_with_only_the_watch_a_server_holds_a_production_port_for_a_moment(
    start: Callable[..., Run], production_port: int, name: str
) -> None:
    watcher = PortWatcher(production_port)
    try:
        run = start(*commands(production_port)[name], options=("--enforce", "watch"))
        _, stderr = run.process.communicate(timeout=60)
    finally:
        watcher.end()
    assert run.process.returncode == 4
    assert (
        f"the server took port {production_port}, which belongs to production's darts-app"
        " (dartsctl.toml:4), and was stopped"
    ) in stderr
    # it may be gone between two connections
    assert not watcher.answered or watcher.answered[-1] - watcher.answered[0] < 30


def test_a_shell_can_bind_no_production_port_and_continues(
    start: Callable[..., Run], folder: Path, production_port: int
) -> None:
    typed = (
        f"perl server.pl {production_port}\n'{sys.executable}' static.py {production_port}\n"
        "echo still here >alive\nexit 7\n"
    )
    run = subprocess.run(
        [str(BIN / "dartsctl"), "run", "--", "bash"],
        cwd=folder,
        input=typed,
        text=True,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert run.returncode == 7, run.stderr
    assert (folder / "alive").read_text() == "still here\n"
    warning = f"port {production_port} was refused: it belongs to production's darts-app"
    assert run.stderr.count(warning) == 1


@pytest.mark.parametrize("handover", ["auto", "none"])
def test_sigkill_of_dartsctl_at_any_moment_leaves_no_process_and_no_lease(
    start: Callable[..., Run], tree: Callable[[], set[int]], state: Path, handover: str
) -> None:
    moments = random.Random(handover)
    for _ in range(5):
        # from the interpreter's start to a server with its reloader's child
        moment = moments.uniform(0.05, 1.5)
        run = start("{python}", "-m", "flask", "run", "--debug", options=("--handover", handover))
        with suppress(subprocess.TimeoutExpired):
            run.process.wait(moment)
        run.process.kill()
        run.process.wait()
        until = time.monotonic() + 30
        while (left := (tree(), LeaseBook(state).held())) != (set(), ()):
            assert time.monotonic() < until, (moment, left)
            time.sleep(0.01)


def test_the_browser_opens_the_url_when_the_server_is_ready(
    start: Callable[..., Run], folder: Path, eventually: Callable[..., bool]
) -> None:
    browser = folder / "browser"
    browser.write_text('#!/bin/sh\nprintf %s "$1" >shown.tmp && mv shown.tmp shown\n')
    browser.chmod(0o755)
    url = start(*SERVERS["http.server"], options=("--open",), BROWSER=f"{browser} %s").url()
    assert eventually((folder / "shown").exists)
    assert (folder / "shown").read_text() == url
