"""A lease record that names another process.

Only the server that really holds the lease is ever signalled.
"""

from __future__ import annotations

import fcntl
import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from dartsctl.edges.host import processes
from dartsctl.edges.state.leases import LeaseBook
from own_ports import free_ports
from two_users import ANN, BOB, end, has_ended, needs_root, public_folder, start_as

Forged = tuple[int, int, int]


def take_and_forge(lock: Path, port: int, record: dict[str, object]) -> tuple[int, socket.socket]:
    """Lock the file and listen on the port as a server does, with a forged record."""
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT, 0o666)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    os.pwrite(descriptor, json.dumps({**record, "pid": os.getpid()}).encode(), 0)
    return descriptor, socket.create_server(("127.0.0.1", port))


@pytest.fixture
def shared(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A state folder that every user may write to, as a team may share one."""
    with public_folder() as folder:
        state = folder / "state"
        for subfolder in (state, state / "ports", state / "checkouts"):
            subfolder.mkdir()
            subfolder.chmod(0o1777)
        monkeypatch.setenv("DARTSCTL_STATE_DIR", str(state))
        yield state


@pytest.fixture(params=[BOB, 0], ids=["another user's", "root's"])
def forged(shared: Path, request: pytest.FixtureRequest) -> Iterator[Forged]:
    """The port, the forger's pid and the bystander's pid.

    Ann holds a lease whose record names another user's process as its supervisor.
    """
    (port,) = free_ports(1)
    bystander = start_as(request.param, lambda: None)
    record = {
        "kind": "dev",
        "checkout": "/src/app",
        "user": "root",
        "supervisor": bystander,
        "birth": processes.birth(bystander),
    }
    forger = start_as(ANN, lambda: take_and_forge(shared / "ports" / f"{port}.lock", port, record))
    yield port, forger, bystander
    end(forger)
    end(bystander)


def dartsctl(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "dartsctl", *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


@needs_root
@pytest.mark.parametrize("options", [(), ("--dry-run",)])
def test_stop_refuses_a_record_that_names_a_bystander(
    forged: Forged, options: tuple[str, ...]
) -> None:
    port, forger, bystander = forged
    done = dartsctl("dev", "stop", *options, str(port))
    assert done.returncode == 1
    assert f"error: port {port} is leased, but the kernel does not confirm whose" in done.stderr
    assert "nothing was stopped" in done.stderr
    assert not has_ended(bystander)
    assert not has_ended(forger)


@needs_root
def test_the_list_shows_only_the_port_of_a_forged_record(forged: Forged) -> None:
    port, _, _ = forged
    (server,) = json.loads(dartsctl("dev", "list", "--json").stdout)["servers"]
    assert (server["port"], server["pid"], server["checkout"], server["user"]) == (port, 0, "", "")


@needs_root
@pytest.mark.engine
def test_the_policy_stop_ends_the_process_with_the_port_and_not_the_one_in_the_record(
    forged: Forged, tmp_path: Path
) -> None:
    port, forger, bystander = forged
    compose = tmp_path / "compose.yml"
    compose.write_text(
        f"services: {{web: {{image: dartsctl-test/busybox:1, ports: ['{port}:80']}}}}\n"
    )
    done = dartsctl(
        "check", "-f", str(compose), "-p", "trust-forged", "--fix", "--on-conflict", "stop", "--yes"
    )
    assert (done.returncode, has_ended(bystander), has_ended(forger)) == (0, False, True), (
        done.stderr
    )


@needs_root
def test_a_hard_link_to_another_lock_is_no_lease(shared: Path) -> None:
    ports = free_ports(2)
    holder = LeaseBook(shared)
    lease = holder.acquire([ports[0]], confirm=lambda _port: True)
    assert lease is not None
    lock = shared / "ports" / f"{ports[0]}.lock"
    record = {"supervisor": os.getpid(), "birth": processes.birth(os.getpid())}
    lock.write_text(json.dumps(record))
    assert LeaseBook(shared).held()[0].confirmed
    os.link(lock, shared / "ports" / f"{ports[1]}.lock")
    assert not any(record.confirmed for record in LeaseBook(shared).held())
    lease.close()


@needs_root
def test_a_process_that_only_reads_the_lock_file_does_not_hold_it(shared: Path) -> None:
    (port,) = free_ports(1)
    lease = LeaseBook(shared).acquire([port], confirm=lambda _port: True)
    assert lease is not None
    lock = shared / "ports" / f"{port}.lock"
    lock.chmod(0o644)

    def only_read() -> object:
        os.close(lease.descriptor)
        return lock.open()

    reader = start_as(BOB, only_read)
    lock.write_text(json.dumps({"supervisor": reader, "birth": processes.birth(reader)}))
    assert not LeaseBook(shared).held()[0].confirmed
    lease.close()
    end(reader)


@needs_root
def test_a_record_cannot_confirm_itself(shared: Path) -> None:
    (port,) = free_ports(1)
    lease = LeaseBook(shared).acquire([port], confirm=lambda _port: True)
    assert lease is not None
    (shared / "ports" / f"{port}.lock").write_text(
        json.dumps({"confirmed": True, "pid": 1, "supervisor": 1, "birth": processes.birth(1)})
    )
    assert not LeaseBook(shared).held()[0].confirmed
    lease.close()
