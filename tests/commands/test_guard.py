"""`guard` as a user sees it: real servers in a virtual environment, a container, `prod check`."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from dartsctl.edges.project import guards
from own_ports import free_ports, is_free

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)

APP = """
from flask import Flask

app = Flask(__name__)


@app.get("/")
def index():
    return "served"


async def asgi(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"served"})
"""
RUN = "import sys\nfrom app import app\napp.run(port=int(sys.argv[1]))\n"
SOCKETIO = """
import sys
import warnings
warnings.simplefilter("ignore")
import eventlet
eventlet.monkey_patch()
from flask_socketio import SocketIO
from app import app
port, *debug = sys.argv[1:]
SocketIO(app, async_mode="eventlet").run(app, port=int(port), debug=bool(debug))
"""
GEVENT = """
import sys
from gevent import monkey
monkey.patch_all()
from gevent.pywsgi import WSGIServer
from app import app
WSGIServer(("127.0.0.1", int(sys.argv[1])), app).serve_forever()
"""

SERVERS: Mapping[str, tuple[str, ...]] = {
    "app.run": ("run.py", "{port}"),
    "flask run": ("-m", "flask", "run", "-p", "{port}"),
    "flask run --debug": ("-m", "flask", "run", "--debug", "-p", "{port}"),
    "gunicorn": ("-m", "gunicorn", "-b", "127.0.0.1:{port}", "app:app"),
    "uvicorn": ("-m", "uvicorn", "--loop", "asyncio", "--port", "{port}", "app:asgi"),
    "uvicorn with uvloop": ("-m", "uvicorn", "--loop", "uvloop", "--port", "{port}", "app:asgi"),
    "uvicorn with two workers": ("-m", "uvicorn", "--workers", "2", "--port", "{port}", "app:asgi"),
    "hypercorn": ("-m", "hypercorn", "-b", "127.0.0.1:{port}", "app:asgi"),
    "waitress": ("-m", "waitress", "--listen", "127.0.0.1:{port}", "app:app"),
    "flask-socketio with eventlet": ("socketio_app.py", "{port}"),
    "flask-socketio with eventlet and reloader": ("socketio_app.py", "{port}", "debug"),
    "gevent": ("gevent_app.py", "{port}"),
    "http.server": ("-m", "http.server", "--bind", "127.0.0.1", "{port}"),
}

Dartsctl = Callable[..., "subprocess.CompletedProcess[str]"]


def clean(**variables: str) -> dict[str, str]:
    """Return the environment of this process without variables that affect the guard or the app."""
    unwanted = ("PYTHON", "DARTSCTL", "FLASK", "WERKZEUG", "POETRY", "UV_")
    plain = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(unwanted) and name not in ("VIRTUAL_ENV", "CONDA_PREFIX")
    }
    return {**plain, **variables}


@dataclass
class Checkout:
    """A Flask app with settings and a virtual environment, which uses this project's libraries."""

    folder: Path
    state: Path
    production: int
    started: list[subprocess.Popen[str]] = field(default_factory=list)

    @property
    def venv(self) -> Path:
        return self.folder / ".venv"

    @property
    def site(self) -> Path:
        return next(self.venv.glob("lib/python*/site-packages"))

    def dartsctl(self, *words: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "dartsctl", *map(str, words)],
            cwd=self.folder,
            env=clean(DARTSCTL_STATE_DIR=str(self.state), **{"DARTSCTL_GUARD": "on", **variables}),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )

    def document(self, *words: str | Path, **variables: str) -> dict[str, Any]:
        done = self.dartsctl(*words, "--json", **variables)
        assert done.returncode == 0, done.stderr
        document = json.loads(done.stdout)
        assert isinstance(document, dict)
        return document

    def start(self, name: str, port: int) -> subprocess.Popen[str]:
        """Start a server without dartsctl, in a process group of its own.

        The guard is switched on, because this machine may be a container.
        """
        process = subprocess.Popen(
            [self.venv / "bin" / "python", *(word.format(port=port) for word in SERVERS[name])],
            cwd=self.folder,
            env=clean(DARTSCTL_GUARD="on"),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.started.append(process)
        return process

    def end(self, process: subprocess.Popen[str]) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


def checkout(folder: Path, state: Path, production: int, *, name: str = "shop") -> Checkout:
    shop = Checkout(folder, state, production)
    folder.mkdir()
    for file, text in {
        "app.py": APP,
        "run.py": RUN,
        "socketio_app.py": SOCKETIO,
        "gevent_app.py": GEVENT,
    }.items():
        (folder / file).write_text(text)
    (folder / "dartsctl.toml").write_text(
        f'name = "{name}"\n[ports.production]\ndarts-app = {production}\n'
    )
    venv.create(shop.venv, symlinks=True)
    (shop.site / "the_apps_libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return shop


@pytest.fixture
def shop(tmp_path: Path) -> Checkout:
    return checkout(tmp_path / "shop", tmp_path / "state", free_ports(1)[0])


# --- real servers ------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checkout]:
    """A checkout with the guard installed, for all the servers."""
    folder = tmp_path_factory.mktemp("guarded")
    shop = checkout(folder / "shop", folder / "state", free_ports(1)[0])
    installed = shop.dartsctl("guard", "install")
    assert (installed.returncode, installed.stderr) == (0, "")
    yield shop
    for process in shop.started:
        shop.end(process)


@pytest.fixture(scope="module")
def refused(guarded: Checkout) -> dict[str, subprocess.Popen[str]]:
    """All servers at once on the production port: gunicorn tries for five seconds."""
    return {name: guarded.start(name, guarded.production) for name in SERVERS}


@pytest.fixture(scope="module")
def served(guarded: Checkout) -> dict[str, tuple[int, subprocess.Popen[str]]]:
    """All servers at once, each on a port of its own."""
    ports = free_ports(len(SERVERS) + 1)
    return {
        name: (port, guarded.start(name, port))
        for name, port in zip(SERVERS, ports[1:], strict=True)
    }


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_is_refused_the_production_port_and_says_why(
    guarded: Checkout, refused: dict[str, subprocess.Popen[str]], name: str
) -> None:
    output, _ = refused[name].communicate(timeout=90)
    assert refused[name].returncode != 0, output
    sentence = f"guard: port {guarded.production} belongs to production's darts-app; `dartsctl dev`"
    assert output.count(sentence) == output.count("DARTSCTL_GUARD=off") == 1, output
    assert is_free(guarded.production)


@pytest.mark.parametrize("name", SERVERS)
def test_a_server_works_on_any_other_port(
    guarded: Checkout, served: dict[str, tuple[int, subprocess.Popen[str]]], name: str
) -> None:
    port, process = served[name]
    deadline = time.monotonic() + 90
    while not (status := answer(port)) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.02)
    guarded.end(process)
    assert status == 200, name


def answer(port: int) -> int:
    """Return the status of GET / on 127.0.0.1; 0 where nobody answers."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", "/")
        return connection.getresponse().status
    except OSError:
        return 0
    finally:
        connection.close()


# --- install, status, remove -------------------------------------------------------------------


def contents(folder: Path) -> dict[str, bytes | str]:
    content: dict[str, bytes | str] = {}
    for path in folder.rglob("*"):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            content[name] = str(path.readlink())
        elif not path.is_dir():
            content[name] = path.read_bytes()
    return content


def test_install_and_remove_report_their_changes_and_leave_nothing(shop: Checkout) -> None:
    before = contents(shop.venv)
    dry = shop.dartsctl("guard", "install", "--dry-run")
    assert (dry.returncode, dry.stdout) == (
        0,
        f"would refuse ports {shop.production} in {shop.venv}\n",
    )
    assert contents(shop.venv) == before
    done = shop.document("guard", "install")
    assert {key: done[key] for key in ("venv", "source", "changed", "active")} == {
        "venv": str(shop.venv),
        "source": ".venv",
        "changed": True,
        "active": True,
    }
    assert done["ports"] == {str(shop.production): "darts-app"}
    again = shop.dartsctl("guard", "install")
    assert again.stdout == (
        f"the guard in {shop.venv} already refuses production ports {shop.production}\n"
    )
    dry = shop.dartsctl("guard", "remove", "--dry-run")
    assert (dry.returncode, dry.stdout) == (0, f"would remove the guard from {shop.venv}\n")
    assert shop.document("guard", "remove")["changed"]
    assert contents(shop.venv) == before
    assert list((shop.state / "guards").iterdir()) == []
    nothing = shop.dartsctl("guard", "remove")
    assert (nothing.returncode, nothing.stdout, nothing.stderr) == (
        0,
        "",
        f"no guard in {shop.venv}\n",
    )


def test_without_settings_the_documented_ports_are_refused(shop: Checkout) -> None:
    (shop.folder / "dartsctl.toml").unlink()
    ports = shop.document("guard", "install")["ports"]
    assert set(ports.values()) == {""}, "nobody said that this project has such services"
    assert set(ports) == {"80", "443", "5000", "8080", "5672", "15672", "9443", "5432"}


def test_with_an_unwritable_book_the_guard_is_installed_all_the_same(
    shop: Checkout,
) -> None:
    shop.state.write_text("a file where the folder should be")
    done = shop.dartsctl("guard", "install")
    assert done.returncode == 0, done.stderr
    assert "will not keep its ports up to date" in done.stderr
    assert (shop.site / "dartsctl_guard.pth").exists()


def states(document: dict[str, Any]) -> dict[str, tuple[str, bool, bool, bool]]:
    """Return folder's name -> source, installed, active, up to date."""
    keys = ("source", "installed", "active", "up_to_date")
    return {
        Path(state["venv"]).name: tuple(state[key] for key in keys) for state in document["guards"]
    }


def test_status_shows_detected_environments_and_guards_elsewhere(
    shop: Checkout, tmp_path: Path
) -> None:
    for name in ("active", "elsewhere"):
        venv.create(tmp_path / name, symlinks=True)
    shop.dartsctl("guard", "install")
    shop.dartsctl("guard", "install", "--venv", tmp_path / "elsewhere")
    document = shop.document("guard", "status", VIRTUAL_ENV=str(tmp_path / "active"))
    assert states(document) == {
        ".venv": (".venv", True, True, True),
        "active": ("VIRTUAL_ENV", False, False, False),
        "elsewhere": ("installed before", True, True, True),
    }
    own = document["guards"][0]
    assert (own["ports"], own["version"], own["project"]) == (
        {str(shop.production): "darts-app"},
        3,
        "shop",
    )
    off = states(shop.document("guard", "status", "--venv", shop.venv, DARTSCTL_GUARD="off"))
    assert off == {".venv": ("--venv", True, False, True)}


def test_status_shows_outdated_ports(shop: Checkout) -> None:
    shop.dartsctl("guard", "install")
    (shop.folder / "dartsctl.toml").write_text(
        f'name = "shop"\n[ports.production]\ndarts-app = {shop.production + 1}\n'
    )
    assert states(shop.document("guard", "status"))[".venv"] == (".venv", True, True, False)
    assert "out of date" in shop.dartsctl("guard", "status").stdout
    assert shop.document("guard", "install")["changed"]
    assert states(shop.document("guard", "status"))[".venv"] == (".venv", True, True, True)


def test_a_damaged_guard_is_reported_and_repaired(shop: Checkout) -> None:
    shop.dartsctl("guard", "install")
    pth = next(shop.venv.glob("lib/python*/site-packages/dartsctl_guard.pth"))
    pth.write_text(pth.read_text()[:20])
    (state,) = shop.document("guard", "status")["guards"]
    assert (state["installed"], state["damaged"], state["up_to_date"]) == (True, True, False)
    shown = shop.dartsctl("guard", "status")
    assert "damaged" in shown.stdout
    assert f"dartsctl guard install --venv {shop.venv}" in shown.stderr
    assert shop.document("guard", "install")["changed"]
    (state,) = shop.document("guard", "status")["guards"]
    assert (state["damaged"], state["up_to_date"]) == (False, True)


def test_no_port_is_removed_while_the_production_stack_is_unreadable(
    shop: Checkout,
) -> None:
    guards.install(shop.site, {shop.production + 1: "web"})
    needs_variable = "services: {web: {image: '${WEB_IMAGE:?}'}}\n"
    (shop.folder / "compose.prod.yml").write_text(needs_variable)
    done = shop.dartsctl("guard", "install")
    ports = f"{shop.production}, {shop.production + 1}"
    assert done.stdout == f"the guard in {shop.venv} refuses production ports {ports}\n"
    problem = f"Compose cannot read {shop.folder}/compose.prod.yml:1"
    assert f"cannot read the published ports of the production stack: {problem}" in done.stderr
    assert states(shop.document("guard", "status"))[".venv"] == (".venv", True, True, True)
    assert shop.dartsctl("guard", "remove").returncode == 0


def test_of_several_environments_that_of_the_server_is_used_and_the_others_are_named(
    shop: Checkout, tmp_path: Path
) -> None:
    venv.create(tmp_path / "active", symlinks=True)
    active = str(tmp_path / "active")
    done = shop.dartsctl("guard", "install", VIRTUAL_ENV=active)
    assert done.stdout.startswith(f"the guard in {shop.venv} refuses ")
    assert f"VIRTUAL_ENV: dartsctl guard install --venv {active}" in done.stderr
    assert guards.read(next((tmp_path / "active").glob("lib/python*/site-packages"))) is None
    shop.dartsctl("guard", "install", "--venv", active)
    assert (
        f"dartsctl guard remove --venv {active}"
        in shop.dartsctl("guard", "remove", VIRTUAL_ENV=active).stderr
    )


def test_install_warns_where_the_guard_is_inactive(shop: Checkout) -> None:
    done = shop.dartsctl("guard", "install", DARTSCTL_GUARD="", KUBERNETES_SERVICE_HOST="10.0.0.1")
    assert done.returncode == 0
    assert "not active now: in a container" in done.stderr


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("install",), 1),
        (("remove",), 1),
        (("install", "--venv", "/usr"), 2),
        (("remove", "--venv", "gone"), 2),
    ],
)
def test_other_folders_are_refused_with_a_next_command(
    tmp_path: Path, words: tuple[str, ...], code: int
) -> None:
    folder = Checkout(tmp_path, tmp_path / "state", 0)
    done = folder.dartsctl("guard", *words, CONDA_PREFIX="/opt/conda")
    assert done.returncode == code, done.stderr
    assert "\nnext: " in done.stderr or "\nhint: " in done.stderr
    assert ("conda" in done.stderr) is (code == 1)
    assert not (tmp_path / "state").exists()


def test_status_without_environments_succeeds(tmp_path: Path) -> None:
    done = Checkout(tmp_path, tmp_path / "state", 0).dartsctl("guard", "status")
    assert (done.returncode, done.stdout) == (0, "")
    assert "no virtual environment here" in done.stderr


# --- a container -------------------------------------------------------------------------------


@pytest.mark.stack
def test_the_same_virtual_environment_works_unguarded_in_a_container(tmp_path: Path) -> None:
    """It is created by a container's Python, and mounted under that path and another one."""
    from live.stack import docker

    app = Checkout(tmp_path, tmp_path / "state", 5000)
    (tmp_path / "app").mkdir()
    image = "python:3.12-slim"
    docker(
        "run",
        "--rm",
        "-v",
        f"{tmp_path}/app:/app",
        image,
        "python3",
        "-m",
        "venv",
        "--without-pip",
        "/app/.venv",
    )
    assert (
        app.document("guard", "install", "--venv", tmp_path / "app" / ".venv")["ports"]["5000"]
        == ""
    )
    bind = "import socket, sys; socket.create_server(('0.0.0.0', 5000)); print('bound', sys.prefix)"
    for place in ("/app", "/elsewhere"):
        words = ("-v", f"{tmp_path}/app:{place}:ro", image, f"{place}/.venv/bin/python")
        done = subprocess.run(
            ["docker", "run", "--rm", *words, "-c", bind],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert (done.returncode, done.stdout, done.stderr) == (0, f"bound {place}/.venv\n", "")
        insisting = subprocess.run(
            ["docker", "run", "--rm", "-e", "DARTSCTL_GUARD=on", *words, "-c", bind],
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        assert "port 5000 is reserved for production by" in insisting.stderr, (
            "it is installed, and only the container disables it"
        )


# --- refresh -----------------------------------------------------------------------------------


@pytest.mark.engine
def test_prod_check_updates_the_guards_of_all_its_checkouts(
    live: LiveStack, own_state_folder: Path, tmp_path: Path
) -> None:
    from live.stack import sleeper

    live.compose(
        {
            "web": sleeper(f"127.0.0.1:{live.ports[0]}:80"),
            "db": sleeper(f"127.0.0.1:{live.ports[1]}:80"),
        }
    )
    live.settings(f"[ports.production]\ncache = {live.ports[2]}\n")
    main, other, foreign, gone = (tmp_path / name for name in ("main", "other", "foreign", "gone"))
    for folder in (main, other, foreign, gone):
        venv.create(folder, symlinks=True)
    (tmp_path / "shop").mkdir()
    for folder in (main, other, gone):
        assert live.run("guard", "install", "--venv", folder).code == 0
    assert live.run("guard", "install", "--venv", foreign, cwd=tmp_path / "shop").code == 0
    assert ports(main) == {live.ports[0]: "web", live.ports[1]: "db", live.ports[2]: "cache"}

    live.compose(
        {
            "web": sleeper(f"127.0.0.1:{live.ports[3]}:80"),
            "db": sleeper(f"127.0.0.1:{live.ports[1]}:80"),
        }
    )
    live.run("guard", "remove", "--venv", gone)
    before = ports(foreign)
    assert live.run("prod", "check", "--dry-run").code == 0
    assert live.run("prod", "check", "db").code == 0
    assert ports(main) == {live.ports[0]: "web", live.ports[1]: "db", live.ports[2]: "cache"}, (
        "not by a part of the stack, nor by a dry run"
    )
    assert live.run("prod", "check").code == 0
    assert (
        ports(main)
        == ports(other)
        == {live.ports[3]: "web", live.ports[1]: "db", live.ports[2]: "cache"}
    )
    assert ports(foreign) == before, "another production's"
    assert ports(gone) == {}

    live.compose({"web": sleeper(f"127.0.0.1:{live.ports[4]}:80")})
    live.listen(live.ports[4])
    assert live.run("prod", "up", "--dry-run").code == 3
    assert live.ports[4] not in ports(main)
    assert live.run("prod", "up").code == 3
    assert ports(main) == {live.ports[4]: "web", live.ports[2]: "cache"}, (
        "even while another process has the port"
    )
    live.compose(
        {
            "web": sleeper(f"127.0.0.1:{live.ports[3]}:80"),
            "db": sleeper(f"127.0.0.1:{live.ports[1]}:80"),
        }
    )
    assert live.run("prod", "check").code == 0

    module = next(main.glob("lib/python*/site-packages/_dartsctl_guard/__init__.py"))
    seen = module.stat().st_mtime_ns
    assert live.run("prod", "check").code == 0
    assert module.stat().st_mtime_ns == seen, "nothing is written where nothing has changed"


@pytest.mark.engine
def test_a_missing_guard_is_reported_once_and_an_unwritable_one_never_fails_the_check(
    live: LiveStack, tmp_path: Path
) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper(f"127.0.0.1:{live.ports[0]}:80")})
    live.settings(f"[ports.production]\ncache = {live.ports[2]}\n")
    anew, away, broken = (tmp_path / name for name in ("anew", "away", "broken"))
    for folder in (anew, away, broken):
        venv.create(folder, symlinks=True)
        assert live.run("guard", "install", "--venv", folder).code == 0
    venv.create(anew, symlinks=True, clear=True)
    away.rename(tmp_path / "renamed")
    package = next(broken.glob("lib/python*/site-packages/_dartsctl_guard"))
    (package / "__init__.py").write_text("damaged\n")
    if os.geteuid() == 0:
        os.chown(package.parent, 65534, 65534)
    else:
        package.parent.chmod(0o555)
    said = live.run("prod", "check", "-v")
    assert said.code == 0
    assert (
        f"the guard in {anew} is gone; to reinstall it: dartsctl guard install --venv {anew}"
        in said.err
    )
    assert f"guard in {broken} not updated" in said.err
    assert str(away) not in said.err
    assert f"the guard in {anew}" not in live.run("prod", "check", "-v").err


def ports(folder: Path) -> dict[int, str]:
    """Return the ports that the guard in a virtual environment refuses."""
    guard = guards.read(next(folder.glob("lib/python*/site-packages")))
    return dict(guard.ports) if guard else {}
