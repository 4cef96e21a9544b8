"""`run` with real servers: lease, exit code, production ports, and what SIGKILL leaves behind."""

from __future__ import annotations

import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dartsctl.edges.state.leases import LeaseBook
from dartsctl.server.lease_record import LeaseRecord

Start = Callable[..., "subprocess.Popen[str]"]
Eventually = Callable[[Callable[[], Any]], Any]
Tree = Callable[[], set[int]]

LISTEN = (sys.executable, "-m", "http.server", "--bind", "{host}", "{port}")
SLOW_START = 4.0
"""Seconds in which Python starts and listens even on a busy machine."""
FLASK_RELOADER = """
import os
from flask import Flask
app = Flask(__name__)
app.run(host=os.environ["FLASK_RUN_HOST"], port=int(os.environ["PORT"]), debug=True)
"""


def record_of(state: Path, eventually: Eventually) -> LeaseRecord:
    """Return the lease of the only server, once it listens."""

    def listening() -> LeaseRecord | None:
        for record in LeaseBook(state).held():
            with socket.socket() as visitor:
                if record.pid and visitor.connect_ex(("127.0.0.1", record.port)) == 0:
                    return record
        return None

    record = eventually(listening)
    assert isinstance(record, LeaseRecord)
    return record


def finished(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = process.communicate(timeout=60)
    return process.returncode, out, err


def test_the_exit_code_is_the_servers_own_and_its_output_passes_through(start: Start) -> None:
    code, out, err = finished(start("sh", "-c", "echo out; echo err >&2; exit 7"))
    assert (code, out) == (7, "out\n")
    assert re.fullmatch(
        r"err\nwarn: the server exited with code 7 before it was ready on port \d+; "
        r"see its output above\n",
        err,
    )


def test_a_failure_in_dartsctls_own_interpreter_is_told_as_that(
    start: Start, tmp_path: Path
) -> None:
    own = f"no virtual environment in {tmp_path}: {{python}} was dartsctl's own interpreter, "
    words = ("{python}", "-c", "import no_such_package")
    _, _, err = finished(start(*words, python=sys.executable))
    assert err.splitlines()[-1] == (
        f"note: {own}{sys.executable}; `dartsctl init` shows how to make one"
    )
    _, _, err = finished(start(*words, python="/usr/bin/python3"))
    assert "virtual environment" not in err


def test_the_exit_code_after_a_signal_is_128_and_its_number(start: Start) -> None:
    assert finished(start("sh", "-c", "kill -9 $$"))[0] == 137


def test_a_missing_command_is_reported(start: Start, state: Path) -> None:
    code, _, err = finished(start("no-such-program-here"))
    assert (code, err.splitlines()[0]) == (
        1,
        "error: cannot run no-such-program-here: No such file or directory",
    )
    assert LeaseBook(state).held() == ()


def test_a_script_whose_interpreter_is_gone_is_not_called_missing(
    start: Start, tmp_path: Path
) -> None:
    """A virtual environment that was moved."""
    script = tmp_path / "gunicorn"
    script.write_text("#!/moved/.venv/bin/python\n")
    script.chmod(0o755)
    code, _, err = finished(start(str(script)))
    assert code == 1
    assert f"next: head -n 1 {script}\n" in err


def test_an_empty_command_is_reported(start: Start, state: Path) -> None:
    code, _, err = finished(start("", "--", "true"))
    assert (code, err.splitlines()[0]) == (
        1,
        "error: cannot run an empty command: Invalid argument",
    )
    assert LeaseBook(state).held() == ()


def test_a_folder_as_command_is_not_searched_on_path(start: Start, tmp_path: Path) -> None:
    code, _, err = finished(start(str(tmp_path)))
    assert (code, err.splitlines()[0]) == (1, f"error: cannot run {tmp_path}: Permission denied")
    assert f"next: ls -ld {tmp_path}" in err


def test_a_missing_working_folder_is_reported(start: Start, tmp_path: Path) -> None:
    code, _, err = finished(start("true", directory=str(tmp_path / "gone")))
    assert code == 1
    assert "cannot start the server in" in err
    assert "Traceback" not in err


def test_the_port_and_host_are_filled_into_command_and_environment(
    start: Start, dev_range: tuple[int, int]
) -> None:
    code, out, _ = finished(
        start("sh", "-c", "echo {port} $PORT $FLASK_RUN_PORT {url} $FLASK_RUN_HOST '{\"a\": 1}'")
    )
    port, in_environment, flask, url, host, *json = out.split(maxsplit=5)
    assert code == 0
    assert dev_range[0] <= int(port) <= dev_range[1]
    assert (in_environment, flask, url, host) == (
        port,
        port,
        f"http://127.0.0.1:{port}",
        "127.0.0.1",
    )
    assert json == ['{"a": 1}\n']


def test_variables_of_a_parent_server_do_not_reach_the_server(
    start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:  # edge-cases.md#66
    for name in ("WERKZEUG_SERVER_FD", "WERKZEUG_RUN_MAIN", "LISTEN_FDS", "LISTEN_PID"):
        monkeypatch.setenv(name, "3")
    _, out, _ = finished(start("env"))
    assert not [line for line in out.splitlines() if line.startswith(("WERKZEUG_", "LISTEN_"))]


def test_the_url_is_printed_once_when_the_server_listens(
    start: Start, state: Path, eventually: Eventually
) -> None:
    process = start(*LISTEN)
    record = record_of(state, eventually)
    assert process.stderr is not None
    assert process.stderr.readline() == f"note: dartsctl: {record.url} (pid {record.pid})\n"
    process.send_signal(signal.SIGINT)
    assert "dartsctl: http://" not in finished(process)[2]


@pytest.mark.skipif(sys.platform != "linux", reason="127.0.0.2 is not there by itself on macOS")
def test_the_url_has_the_address_that_the_server_listens_on(start: Start, state: Path) -> None:
    """Some servers listen on ::1 for localhost."""
    process = start(sys.executable, "-m", "http.server", "--bind", "127.0.0.2", "{port}")
    assert process.stderr is not None
    warning, note = process.stderr.readline(), process.stderr.readline()
    (record,) = LeaseBook(state).held()
    assert warning.startswith("warn: the server listens on 127.0.0.2, not on 127.0.0.1;")
    assert note == f"note: dartsctl: http://127.0.0.2:{record.port} (pid {record.pid})\n"
    assert (record.host, record.url) == ("127.0.0.2", f"http://127.0.0.2:{record.port}")
    process.send_signal(signal.SIGTERM)
    finished(process)


@pytest.mark.parametrize(
    "command",
    [("true",), (sys.executable, "-c", "{fd}")],
    ids=["binds by itself", "takes a socket"],
)
def test_an_address_of_another_machine_is_an_error_of_host_not_of_the_ports(
    start: Start, command: tuple[str, ...]
) -> None:
    code, _, err = finished(start(*command, host="203.0.113.9"))
    assert code == 2
    assert err.splitlines()[0] == "error: --host: no such address on this host: 203.0.113.9"


def test_leftover_background_processes_are_stopped_and_reported(start: Start, tree: Tree) -> None:
    code, _, err = finished(start("sh", "-c", "sleep 60 & exit 0"))
    assert code == 0
    assert "stopped leftover background processes" in err
    assert tree() == set()


def test_a_server_that_does_not_take_its_bound_socket_names_the_setting(
    start: Start,
) -> None:
    code, _, err = finished(start(*LISTEN, handover="werkzeug"))
    assert code == 1
    assert "note: the server was given a bound socket, which only app.run() takes" in err


WARMING_UP = """
import os, pathlib
from http.server import BaseHTTPRequestHandler, HTTPServer
class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/up" and pathlib.Path("warm").exists() else 503)
        self.end_headers()
        pathlib.Path("asked").touch()
    def log_message(self, *words):
        pass
HTTPServer(("127.0.0.1", int(os.environ["PORT"])), Handler).serve_forever()
"""


def test_a_server_is_ready_when_its_health_path_says_so(
    start: Start, tmp_path: Path, eventually: Eventually
) -> None:
    process = start(sys.executable, "-c", WARMING_UP, health="/up", url_host="main.localhost")
    assert eventually((tmp_path / "asked").exists)  # it listens and answers 503
    assert process.stderr is not None
    assert not select.select([process.stderr], [], [], 0.3)[0]  # and no URL is said yet
    (tmp_path / "warm").touch()
    assert re.fullmatch(
        r"note: dartsctl: http://main\.localhost:\d+ \(pid \d+\)\n", process.stderr.readline()
    )
    process.send_signal(signal.SIGTERM)
    assert finished(process)[0] == 143


def test_a_server_that_is_never_ready_is_reported_with_its_last_answer(
    start: Start, state: Path, eventually: Eventually
) -> None:
    process = start(sys.executable, "-c", WARMING_UP, health="/up", ready_within=SLOW_START)
    record = record_of(state, eventually)
    assert process.stderr is not None
    assert process.stderr.readline() == (
        f"warn: {record.url} is not ready after {SLOW_START:g} s (/up: status 503); still waiting\n"
    )
    process.send_signal(signal.SIGTERM)
    assert "dartsctl: http://" not in finished(process)[2]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_dartsctl_ends_the_server(
    start: Start, tree: Tree, state: Path, eventually: Eventually, number: signal.Signals
) -> None:
    process = start(*LISTEN)
    record_of(state, eventually)
    process.send_signal(number)
    assert finished(process)[0] == 128 + number
    assert tree() == set()
    assert LeaseBook(state).held() == ()


@pytest.mark.parametrize(
    ("command", "processes"),
    [(LISTEN, 3), ((sys.executable, "-c", FLASK_RELOADER), 4)],
    ids=["http.server", "flask with reloader"],
)
def test_sigkill_of_dartsctl_frees_the_port_and_leaves_no_process(
    start: Start,
    tree: Tree,
    state: Path,
    eventually: Eventually,
    command: tuple[str, ...],
    processes: int,
) -> None:
    """edge-cases.md#22, edge-cases.md#61"""
    process = start(*command)
    record_of(state, eventually)
    assert eventually(lambda: len(tree()) >= processes)
    process.kill()
    begun = time.monotonic()
    assert eventually(lambda: tree() == set() and LeaseBook(state).held() == ())
    assert time.monotonic() - begun < 2


def test_sigkill_of_the_server_frees_the_lease_and_returns_its_code(
    start: Start, tree: Tree, state: Path, eventually: Eventually
) -> None:
    process = start(sys.executable, "-c", FLASK_RELOADER)
    record = record_of(state, eventually)
    assert eventually(lambda: len(tree()) >= 4)
    os.kill(record.pid, signal.SIGKILL)  # the reloader's parent: its child would live on
    assert finished(process)[0] == 137
    assert tree() == set()
    assert LeaseBook(state).held() == ()


def test_sigkill_of_the_supervisor_leaves_no_process(
    start: Start, tree: Tree, state: Path, eventually: Eventually
) -> None:
    process = start(sys.executable, "-c", FLASK_RELOADER)
    record = record_of(state, eventually)
    assert eventually(lambda: len(tree()) >= 4)
    os.kill(record.supervisor, signal.SIGKILL)
    assert finished(process)[0] == 137
    assert eventually(lambda: tree() == set() and LeaseBook(state).held() == ())


def test_a_child_in_its_own_session_does_not_outlive_the_server(start: Start, tree: Tree) -> None:
    code, _, _ = finished(
        start(
            "sh",
            "-c",
            "setsid sleep 300 & trap '' TERM; setsid sh -c 'trap \"\" TERM; sleep 300' & exit 3",
        )
    )
    assert code == 3
    assert tree() == set()


def test_a_server_that_takes_a_production_port_is_stopped_at_once(
    start: Start,
    state: Path,
    production_port: int,
    dev_range: tuple[int, int],
    eventually: Eventually,
) -> None:
    program = (
        "import socket, sys, time; s = socket.create_server(('127.0.0.1', int(sys.argv[1]))); "
        "print(time.time(), flush=True); time.sleep(60)"
    )
    code, out, err = finished(
        start(sys.executable, "-c", program, str(production_port), enforce="watch")
    )
    assert time.time() - float(out) < 30, "the server itself would sleep for a minute"
    assert code == 4
    assert f"took port {production_port}, which belongs to production's darts-app" in err
    assert f"{LeaseBook(state).remembered(str(state.parent))} this time" in err


def test_a_grandchild_on_a_production_port_is_stopped_too(
    start: Start, production_port: int
) -> None:
    program = (
        "import socket, sys, time; s = socket.create_server(('', int(sys.argv[1]))); time.sleep(60)"
    )
    assert (
        finished(
            start(
                "sh",
                "-c",
                f'setsid {sys.executable} -c "$0" {production_port} & wait',
                program,
                enforce="watch",
            )
        )[0]
        == 4
    )


def test_production_on_its_own_port_does_not_stop_the_server(
    start: Start, state: Path, production_port: int, eventually: Eventually
) -> None:
    with socket.create_server(("127.0.0.1", production_port)):
        process = start(*LISTEN)
        record_of(state, eventually)
        assert process.stderr is not None
        # the look that saw the server saw production's socket too
        assert "dartsctl: http://" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert finished(process)[0] == 143


LISTENS_ON = """
import socket, sys, time
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
time.sleep(300)
"""
HOW_TO = "put {port} into the command, or let the server read FLASK_RUN_PORT, FLASK_PORT or PORT\n"


@pytest.mark.parametrize("port", ["below", "ephemeral"])
def test_a_server_that_listens_elsewhere_is_told_at_once(
    start: Start, production_port: int, port: str
) -> None:  # edge-cases.md#65
    other = production_port - 20
    if port == "ephemeral":
        with socket.create_server(("127.0.0.1", 0)) as free:
            other = free.getsockname()[1]
    process = start(sys.executable, "-c", LISTENS_ON, str(other), ready_within=300)
    assert process.stderr is not None
    assert re.fullmatch(
        rf"warn: the server listens on port {other}, and not on the leased \d+; "
        f"{re.escape(HOW_TO)}",
        process.stderr.readline(),
    )


def test_a_server_that_listens_elsewhere_is_stopped_at_the_deadline(
    start: Start, production_port: int
) -> None:
    other = production_port - 20
    code, _, err = finished(
        start(sys.executable, "-c", LISTENS_ON, str(other), ready_within=SLOW_START)
    )
    assert code == 1
    assert re.search(
        rf"error: the server listens on port {other}, and not on the leased \d+, and was stopped\n",
        err,
    )


def test_a_server_that_ignores_its_bound_socket_and_listens_elsewhere_is_told(
    start: Start, production_port: int
) -> None:
    """The leased port listens, because dartsctl made it, but nobody accepts."""
    other = production_port - 20
    process = start(sys.executable, "-c", LISTENS_ON, str(other), handover="werkzeug")
    assert process.stderr is not None
    assert re.match(
        rf"warn: the server listens on port {other}, and does not answer on the leased \d+; put",
        process.stderr.readline(),
    )


RUN_AT_IMPORT = """
from flask import Flask
app = Flask(__name__)
@app.get("/")
def hello():
    return "hello"
app.run(host="127.0.0.1", port={port})
"""
RETRIES = """
import socket, sys, time
while True:
    try:
        socket.create_server(("127.0.0.1", int(sys.argv[1])))
    except OSError:
        time.sleep(0.1)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="only seccomp sees every bind")
@pytest.mark.parametrize("ends", [True, False])
def test_a_literal_busy_port_names_its_holder(
    start: Start, tmp_path: Path, production_port: int, ends: bool
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        busy = holder.getsockname()[1]
        if ends:
            (tmp_path / "app.py").write_text(RUN_AT_IMPORT.format(port=busy))
            process = start(sys.executable, "app.py")
        else:
            process = start(sys.executable, "-c", RETRIES, str(busy), ready_within=300)
        assert process.stderr is not None
        line = next(line for line in process.stderr if line.startswith("warn: "))
        assert re.match(
            rf"warn: the server tried to listen on port {busy}, which is in use by "
            rf".*\(pid {os.getpid()}, .*; {re.escape(HOW_TO)}",
            line,
        )
        if not ends:
            process.terminate()
        assert finished(process)[0] == (1 if ends else 143)


def test_a_server_that_goes_on_after_a_refusal_is_stopped_and_that_is_said(
    start: Start, production_port: int
) -> None:
    code, _, err = finished(start(sys.executable, "-c", RETRIES, str(production_port)))
    assert code == 4
    assert re.search(rf"the server was refused port {production_port}, .*, and was stopped\n", err)


def test_flask_run_ignores_an_app_run_at_import(
    start: Start, state: Path, tmp_path: Path, eventually: Eventually, production_port: int
) -> None:
    (tmp_path / "app.py").write_text(RUN_AT_IMPORT.format(port=production_port))
    process = start(sys.executable, "-m", "flask", "run")
    record = record_of(state, eventually)
    assert process.stderr is not None
    assert any(record.url in line for line in process.stderr)
    process.terminate()
    finished(process)


def test_a_program_that_listens_nowhere_is_not_stopped(start: Start) -> None:
    code, _, err = finished(start("sleep", "1", ready_within=0.3))
    assert code == 0
    assert "nothing listens on port" in err


@pytest.mark.parametrize(
    ("more", "source"),
    [
        (lambda port: {"port": port}, "--port"),
        (lambda port: {"extra": {"PORT": str(port)}}, "PORT in [server.env]"),
    ],
    ids=["flag", "settings"],
)
def test_a_production_port_is_refused_before_anything_starts(
    start: Start,
    state: Path,
    production_port: int,
    more: Callable[[int], dict[str, Any]],
    source: str,
) -> None:
    code, out, err = finished(start("echo", "started", **more(production_port)))
    assert (code, out) == (4, "")
    assert f"port {production_port} ({source}) belongs to production's darts-app" in err
    assert not state.exists()


def test_a_port_that_was_taken_meanwhile_leads_to_the_next(
    start: Start, tmp_path: Path, eventually: Eventually
) -> None:
    program = (
        "import pathlib, sys, time\n"
        "me = pathlib.Path('asked-' + sys.argv[1]); me.touch()\n"
        "while me.exists(): time.sleep(0.01)\n"
        "sys.exit(1 if sum(1 for _ in pathlib.Path().glob('taken-*')) == 1 else 0)\n"
    )
    process = start(sys.executable, "-c", program, "{port}")
    asked = eventually(lambda: list(tmp_path.glob("asked-*")))[0]
    first = asked.name.removeprefix("asked-")
    with socket.create_server(("127.0.0.1", int(first))):
        (tmp_path / f"taken-{first}").touch()
        asked.unlink()
        again = eventually(lambda: list(tmp_path.glob("asked-*")))[0]
        (tmp_path / "taken-again").touch()
        again.unlink()
        code, _, err = finished(process)
    assert code == 0
    assert again.name != asked.name
    assert (
        f"another process took port {first} before the server bound it; retrying on the next port"
        in err
    )


def test_the_checkout_keeps_its_port_and_a_change_is_explained(
    start: Start, state: Path, tmp_path: Path
) -> None:  # edge-cases.md#64, edge-cases.md#67
    first = finished(start("sh", "-c", "echo {port}"))[1].strip()
    assert finished(start("sh", "-c", "echo {port}"))[1].strip() == first
    with socket.create_server(("127.0.0.1", int(first))):
        _, second, err = finished(start("sh", "-c", "echo {port}"))
    assert second.strip() != first
    assert f"this checkout's port changed from {first} to {second.strip()}: " in err
    assert f"(pid {os.getpid()}) listens on it" in err
    assert "redirect URIs" in err


def test_an_explicit_port_that_is_leased_names_its_holder(
    start: Start, state: Path, tmp_path: Path, eventually: Eventually
) -> None:
    start(*LISTEN, checkout="/src/first")
    record = record_of(state, eventually)
    code, _, err = finished(start("true", port=record.port))
    assert code == 3
    assert (
        f"port {record.port} (--port) is unavailable: "
        f"it is leased by /src/first (pid {record.pid}, user " in err
    )


def test_a_full_range_names_who_has_it(
    start: Start, state: Path, dev_range: tuple[int, int], eventually: Eventually
) -> None:  # edge-cases.md#62
    start(*LISTEN, checkout="/src/first", dev_range=(dev_range[0], dev_range[0]))
    record_of(state, eventually)
    code, _, err = finished(start("true", dev_range=(dev_range[0], dev_range[0])))
    assert code == 3
    assert "no port is free in the dev range" in err


def test_servers_that_start_together_keep_the_checkouts_port(
    start: Start,
    argv: Callable[..., list[str]],
    state: Path,
    tmp_path: Path,
    eventually: Eventually,
) -> None:
    def remembered() -> int | None:
        return LeaseBook(state).remembered(str(tmp_path))

    subprocess.run(argv("true"), check=True, capture_output=True, timeout=60)
    port = remembered()
    for _ in range(4):
        servers = [start(*LISTEN) for _ in range(3)]
        assert eventually(
            lambda: len({record.port for record in LeaseBook(state).held() if record.pid}) == 3
        )
        for server in servers:
            server.terminate()
        said = [server.communicate(timeout=60)[1] for server in servers]
        assert remembered() == port, said
    subprocess.run(
        argv("sh", "-c", "echo {port} >port"), check=True, capture_output=True, timeout=60
    )
    assert (tmp_path / "port").read_text().strip() == str(port)


def test_a_second_dev_of_a_checkout_shows_the_first_ones_url(
    start: Start, state: Path, eventually: Eventually
) -> None:
    start(*LISTEN, kind="dev")
    record = record_of(state, eventually)
    code, out, err = finished(start(*LISTEN, kind="dev"))
    assert (code, out) == (0, "")
    assert err.splitlines() == [
        "note: dartsctl: already running; to stop it: dartsctl dev stop",
        f"note: dartsctl: {record.url} (pid {record.pid})",
    ]


def test_a_port_outside_the_range_is_allowed_with_a_note(
    start: Start, production_port: int
) -> None:
    code, out, err = finished(start("sh", "-c", "echo {port}", port=production_port + 1))
    assert (code, out) == (0, f"{production_port + 1}\n")
    assert "outside the dev range" in err


@pytest.mark.skipif(os.getuid() != 0, reason="only root can become nobody")
def test_a_state_folder_that_cannot_be_written_is_reported(
    argv: Callable[..., list[str]], state: Path, tmp_path: Path
) -> None:
    state.mkdir(mode=0o755)
    for folder in (tmp_path, *tmp_path.parents[:2]):
        folder.chmod(0o755)
    nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"]
    start = [*nobody, sys.executable, "-c", "import dartsctl"]
    if subprocess.run(start, check=False, capture_output=True).returncode != 0:
        pytest.skip("this checkout or this Python is readable for its owner alone")
    done = subprocess.run(
        [*nobody, *argv("true")], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 1, done.stderr
    assert done.stderr.splitlines() == [
        f"error: cannot write the lease book in {state}: Permission denied",
        (
            "next: free space or correct the permissions there, "
            "or set DARTSCTL_STATE_DIR to another folder"
        ),
    ]
