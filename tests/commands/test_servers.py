"""`dev list`, `dev url` and `dev stop` on real servers."""

from __future__ import annotations

import getpass
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from dartsctl.cli.deps import Common, deps_of
from dartsctl.commands.servers import show_url
from dartsctl.edges.host import processes
from dartsctl.edges.state.leases import LeaseBook
from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.server.lease_record import LeaseRecord
from dartsctl.workflows.serve import stop as serve_stop
from dartsctl.workflows.serve.stop import server_of, server_to_stop, stop

Start = Callable[..., "subprocess.Popen[str]"]
Eventually = Callable[[Callable[[], Any]], Any]

LISTEN = (sys.executable, "-m", "http.server", "--bind", "{host}", "{port}")
STUBBORN = """
import signal, socket, subprocess, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
server = socket.create_server(("127.0.0.1", int(sys.argv[1])))
child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(300)"
subprocess.Popen([sys.executable, "-c", child])
time.sleep(300)
"""


def listening(state: Path, eventually: Eventually, count: int = 1) -> tuple[LeaseRecord, ...]:
    """Return the leased servers once there are `count` and all of them listen."""

    def ready() -> tuple[LeaseRecord, ...]:
        records = LeaseBook(state).held()
        listen = all(record.pid and _answers(record.port) for record in records)
        return records if listen and len(records) == count else ()

    records = eventually(ready)
    assert isinstance(records, tuple)
    assert len(records) == count
    return records


def _answers(port: int) -> bool:
    with socket.socket() as visitor:
        return visitor.connect_ex(("127.0.0.1", port)) == 0


def cli(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dartsctl", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_every_leased_server_is_listed_by_port(
    start: Start, state: Path, tmp_path: Path, eventually: Eventually
) -> None:
    start(*LISTEN, checkout="/src/one", branch="main", user="ann")
    start(*LISTEN, checkout="/src/two")
    records = listening(state, eventually, 2)
    assert [record.port for record in records] == sorted(record.port for record in records)
    first = next(record for record in records if record.checkout == "/src/one")
    user = getpass.getuser()  # not the one it claims
    assert (first.branch, first.user, first.kind, first.host) == ("main", user, "run", "127.0.0.1")
    assert first.command[-1] == str(first.port)
    assert processes.birth(first.supervisor) == first.birth
    listed = cli(tmp_path, "dev", "list", "--json")
    assert [server["port"] for server in json.loads(listed.stdout)["servers"]] == [
        record.port for record in records
    ]


def test_the_url_prefers_the_checkouts_dev_server_to_one_of_run(
    start: Start, state: Path, eventually: Eventually
) -> None:
    start(*LISTEN, checkout="/src/one", kind="dev")
    listening(state, eventually)
    start(*LISTEN, checkout="/src/one")
    listening(state, eventually, 2)
    server = server_of("/src/one", LeaseBook(state))
    assert server is not None
    assert server.kind == "dev"


def test_without_a_server_the_hint_starts_one(state: Path) -> None:
    with pytest.raises(DartsctlError, match="no server of /src/one is running") as caught:
        show_url("/src/one", deps=deps_of(Common()))
    assert (caught.value.code, caught.value.hint) == (ExitCode.FAILED, "dartsctl dev")
    with pytest.raises(DartsctlError, match="no dartsctl server is running on port 5007"):
        server_to_stop("/src/one", port=5007, leases=LeaseBook(state))


def test_stop_ends_the_server_and_returns_when_its_lease_is_free(
    start: Start, state: Path, tree: Callable[[], set[int]], eventually: Eventually
) -> None:
    process = start(*LISTEN, checkout="/src/one")
    (record,) = listening(state, eventually)
    book = LeaseBook(state)
    assert server_to_stop("/src/one", port=None, leases=book) == record
    stop(record, leases=book)
    assert book.held() == ()
    process.communicate(timeout=60)
    assert process.returncode == 143
    assert tree() == set()


def test_stop_ends_a_server_that_ignores_sigterm_and_all_its_children(
    start: Start,
    state: Path,
    tree: Callable[[], set[int]],
    eventually: Eventually,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serve_stop, "STOP_GRACE", 0.2)
    process = start(sys.executable, "-c", STUBBORN, "{port}", checkout="/src/one")
    (record,) = listening(state, eventually)
    assert eventually(lambda: len(tree()) == 4)
    stop(record, leases=LeaseBook(state))
    process.communicate(timeout=60)
    assert process.returncode == 137
    assert eventually(lambda: tree() == set())


def test_a_server_can_be_stopped_from_inside_another_server(
    start: Start, state: Path, eventually: Eventually
) -> None:
    process = start(*LISTEN, checkout="/src/one")
    (record,) = listening(state, eventually)
    inside = start(
        sys.executable, "-m", "dartsctl", "dev", "stop", str(record.port), checkout="/src/two"
    )
    assert eventually(lambda: inside.poll() is not None)
    assert (inside.returncode, eventually(process.poll)) == (0, 143)


def test_a_server_whose_owner_is_unconfirmed_is_not_stopped(state: Path) -> None:
    book = LeaseBook(state)
    lease = book.acquire([7001], confirm=lambda _port: True)
    assert lease is not None
    book.describe(LeaseRecord(7001, pid=os.getpid(), supervisor=os.getpid(), birth=1))
    with pytest.raises(DartsctlError, match="the kernel does not confirm whose server it is"):
        server_to_stop("/src/one", port=7001, leases=book)
    lease.close()


def test_a_dry_run_of_stop_names_the_server_and_fails_as_stop_does(
    start: Start, state: Path, tmp_path: Path, eventually: Eventually
) -> None:
    start(*LISTEN)
    (record,) = listening(state, eventually)
    done = cli(tmp_path, "dev", "stop", "--dry-run", "--json", str(record.port))
    assert (done.returncode, json.loads(done.stdout)["would_stop"]["pid"]) == (0, record.pid)
    assert LeaseBook(state).holder(record.port) == record
    assert (
        cli(tmp_path, "dev", "stop", "--dry-run", "1").returncode
        == cli(tmp_path, "dev", "stop", "1").returncode
        == 1
    )


@pytest.mark.parametrize(
    ("given", "hint"),
    [("up", "/up"), ("/a b", "/a%20b"), ("/a\r\nX: y", "/a%0D%0AX%3A%20y"), ("/a?b=1", None)],
)
def test_a_health_path_must_be_a_url_path(tmp_path: Path, given: str, hint: str | None) -> None:
    done = cli(tmp_path, "run", "--dry-run", "--health", given, "--", "true")
    assert (done.returncode, f"hint: use --health {hint}\n" in done.stderr) == (
        (2, True) if hint else (0, False)
    )
