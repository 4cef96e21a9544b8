"""The lease book: kernel locks that live as long as their holders, with races of processes."""

from __future__ import annotations

import encodings.ascii  # noqa: F401 - another user may not be able to read Python's own files
import errno
import fcntl
import getpass
import os
import shutil
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from dartsctl.edges.host import processes, sockets
from dartsctl.edges.state.folder import state_folder
from dartsctl.edges.state.leases import Lease, LeaseBook
from dartsctl.errors import DartsctlError
from dartsctl.ports.allocation import BROWSERS_REFUSE, DEV_RANGE, PortRange, candidates
from dartsctl.ports.listeners import Probe
from dartsctl.records import replace
from dartsctl.server.lease_record import LeaseRecord
from dartsctl.stack.bindings import Endpoint
from dartsctl.system.files import UnsafeFile
from tiny_disk import tiny_disk
from two_users import ANN, NOBODY, Victim, as_user, needs_root, public_folder

SOURCE = Path(__file__).parents[3] / "src"
HOLDER = """
import sys
from pathlib import Path
from dartsctl.ports.allocation import PortRange, candidates
from dartsctl.stack.bindings import Endpoint
from dartsctl.edges.state.leases import LeaseBook
from dartsctl.edges.host.sockets import probe
from dartsctl.ports.listeners import Probe
folder, first, last, avoid, start = sys.argv[1:]
span, avoided = PortRange(int(first), int(last)), frozenset(map(int, avoid.split(",")))
order = candidates(span, preferred=None, start=int(start), avoid=avoided)
print("ready", flush=True)
sys.stdin.readline()
lease = LeaseBook(Path(folder)).acquire(
    order, confirm=lambda port: probe(Endpoint(port, "127.0.0.1")) is Probe.FREE
)
print(lease.port if lease else "full", flush=True)
sys.stdin.readline()
"""


@pytest.fixture
def book(tmp_path: Path) -> LeaseBook:
    return LeaseBook(tmp_path / "state")


@pytest.fixture
def leased() -> Iterator[list[Lease]]:
    """Leases to be closed at the end."""
    leases: list[Lease] = []
    yield leases
    for lease in leases:
        lease.close()


def take(book: LeaseBook, *order: int) -> Lease | None:
    return book.acquire(order, confirm=lambda _port: True)


def hold(folder: Path, span: PortRange, avoid: frozenset[int], start: int) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            sys.executable,
            "-c",
            HOLDER,
            str(folder),
            str(span.first),
            str(span.last),
            ",".join(map(str, sorted(avoid))),
            str(start),
        ],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(SOURCE)},
    )


def answer(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def go_on(process: subprocess.Popen[str]) -> None:
    assert process.stdin is not None
    process.stdin.write("\n")
    process.stdin.flush()


def free_span(length: int) -> PortRange:
    """A range of this length outside the real dev range in which nothing is bound."""
    for first in range(21001, 31000, length):
        span = PortRange(first, first + length - 1)
        if not sockets.listeners(span.numbers):
            return span
    pytest.fail("no free range")


def test_99_launches_at_once_share_no_port_and_the_rest_get_none(
    tmp_path: Path,
) -> None:  # edge-cases.md#60
    span = free_span(99)
    avoid = frozenset({span.first + 59, span.first + 60})
    holders = [hold(tmp_path / "state", span, avoid, 0) for _ in range(99)]
    try:
        assert [answer(process) for process in holders] == ["ready"] * 99
        for process in holders:
            go_on(process)
        answers = [answer(process) for process in holders]
        assert sorted(text for text in answers if text != "full") == sorted(
            str(port) for port in span.numbers if port not in avoid
        )
        assert answers.count("full") == 2
    finally:
        for process in holders:
            process.communicate()


def test_a_killed_holder_frees_its_port(
    tmp_path: Path, book: LeaseBook, leased: list[Lease]
) -> None:  # edge-cases.md#61
    span = free_span(1)
    holder = hold(book.folder, span, frozenset({1}), 0)
    answer(holder)
    go_on(holder)
    assert answer(holder) == str(span.first)
    assert take(book, span.first) is None
    holder.send_signal(signal.SIGKILL)
    holder.communicate()
    lease = take(book, span.first)
    assert lease is not None
    leased.append(lease)


def test_the_real_range_is_leased_without_what_browsers_block(
    book: LeaseBook, leased: list[Lease]
) -> None:  # edge-cases.md#63
    order = candidates(DEV_RANGE, preferred=None, start=0, avoid=frozenset())
    while lease := book.acquire(
        order, confirm=lambda port: sockets.probe(Endpoint(port, "127.0.0.1")) is Probe.FREE
    ):
        leased.append(lease)
    ports = [lease.port for lease in leased]
    assert len(ports) == len(set(ports)) >= 80  # the machine may have something on a few of them
    assert not BROWSERS_REFUSE & set(ports)


def test_the_lease_lives_as_long_as_a_process_that_inherited_it(book: LeaseBook) -> None:
    lease = take(book, 7001)
    assert lease is not None
    server = subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[lease.descriptor])
    lease.close()
    assert [record.port for record in book.held()] == [7001]
    assert take(book, 7001) is None
    server.communicate()
    assert book.held() == ()


def test_a_lease_is_not_inherited_by_default(book: LeaseBook) -> None:
    lease = take(book, 7001)
    assert lease is not None
    bystander = subprocess.Popen(["cat"], stdin=subprocess.PIPE, close_fds=False)
    lease.close()
    assert book.held() == ()
    bystander.communicate()


def test_a_busy_port_is_skipped_and_stays_unleased(book: LeaseBook, leased: list[Lease]) -> None:
    lease = book.acquire([7001, 7002], confirm=lambda port: port != 7001)
    assert lease is not None
    leased.append(lease)
    assert lease.port == 7002
    assert [record.port for record in book.held()] == [7002]


def test_permanent_readers_do_not_block_a_lease(book: LeaseBook) -> None:
    watcher = (
        "import sys; from pathlib import Path; from dartsctl.edges.state.leases import LeaseBook\n"
        "book = LeaseBook(Path(sys.argv[1]))\nprint(flush=True)\n"
    )
    first = take(book, 7001)
    assert first is not None
    first.close()
    listers = [
        subprocess.Popen(
            [sys.executable, "-c", watcher + "while True: book.held()", str(book.folder)],
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(SOURCE)},
        )
        for _ in range(2)
    ]
    try:
        for lister in listers:
            assert lister.stdout is not None
            lister.stdout.readline()
        for _ in range(500):
            lease = take(book, 7001, 7002)
            assert lease is not None
            assert lease.port == 7001
            lease.close()
    finally:
        for lister in listers:
            lister.kill()
            lister.communicate()


def test_a_stopped_reader_costs_a_port_but_not_the_launch(
    book: LeaseBook, leased: list[Lease]
) -> None:
    leased += [lease for lease in [take(book, 7003)] if lease]
    lister = os.open(book.folder / "ports" / "7001.lock", os.O_RDWR | os.O_CREAT)
    fcntl.flock(lister, fcntl.LOCK_SH)
    leased += [lease for lease in [take(book, 7001, 7002)] if lease]
    os.close(lister)
    assert [lease.port for lease in leased] == [7003, 7002]


def test_a_failing_probe_releases_the_lock(book: LeaseBook) -> None:
    def fails(_port: int) -> bool:
        raise DartsctlError("unknown")

    with pytest.raises(DartsctlError, match="unknown"):
        book.acquire([7001], confirm=fails)
    assert book.held() == ()


def test_the_record_names_the_holder_and_is_used_only_while_the_lock_is_held(
    book: LeaseBook,
) -> None:
    lease = take(book, 7001)
    assert lease is not None
    birth = processes.birth(os.getpid()) or 0
    record = LeaseRecord(
        7001,
        "dev",
        "127.0.0.1",
        "http://127.0.0.1:7001",
        "/src/app",
        "main",
        "ann",
        ("flask", "run"),
        12.5,
        0,
        12.0,
        os.getpid(),
        birth,
    )
    book.describe(record)
    assert book.held() == (replace(record, user=getpass.getuser(), confirmed=True),)
    assert stat.S_IMODE((book.folder / "ports" / "7001.lock").stat().st_mode) == 0o600
    lease.close()
    assert book.held() == ()
    assert book.holder(7001) is None


def test_the_last_holders_record_is_not_shown_for_the_next_one(
    book: LeaseBook, leased: list[Lease]
) -> None:
    first = take(book, 7001)
    assert first is not None
    book.describe(LeaseRecord(7001, checkout="/src/old", pid=1))
    first.close()
    leased += [lease for lease in [take(book, 7001)] if lease]
    assert book.held() == (LeaseRecord(7001),)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"unknown": 1}'])
def test_a_broken_record_is_still_a_lease(book: LeaseBook, leased: list[Lease], text: str) -> None:
    leased += [lease for lease in [take(book, 7001)] if lease]
    (book.folder / "ports" / "7001.lock").write_text(text)
    assert book.held() == (LeaseRecord(7001),)


def test_reading_writes_nothing(book: LeaseBook) -> None:
    assert book.held() == ()
    assert book.remembered("/src/app") is None
    assert not book.folder.exists()


def test_the_folder_is_private_and_explains_itself(book: LeaseBook, leased: list[Lease]) -> None:
    leased += [lease for lease in [take(book, 7001)] if lease]
    assert stat.S_IMODE(book.folder.stat().st_mode) == 0o700
    assert "do not remove it" in (book.folder / "README.txt").read_text()


def test_a_missing_folder_is_created_again(book: LeaseBook, leased: list[Lease]) -> None:
    leased += [lease for lease in [take(book, 7001)] if lease]
    shutil.rmtree(book.folder)
    leased += [lease for lease in [take(book, 7002)] if lease]
    assert [record.port for record in book.held()] == [7002]


def test_a_full_disk_is_one_clear_error(book: LeaseBook, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_source: int, _operation: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(fcntl, "flock", full)
    with pytest.raises(DartsctlError, match=r"^cannot write .*: No space left on device") as caught:
        take(book, 7001)
    assert "DARTSCTL_STATE_DIR" in caught.value.hint


def test_a_checkout_keeps_its_port_and_no_other_checkouts(book: LeaseBook) -> None:
    book.remember("/src/one", 7001)
    book.remember("/src/two", 7002)
    book.remember("/src/one", 7003)
    assert (
        book.remembered("/src/one"),
        book.remembered("/src/two"),
        book.remembered("/src/three"),
    ) == (7003, 7002, None)
    assert not list(book.folder.rglob("*.tmp"))


def test_a_checkout_is_claimed_once(book: LeaseBook) -> None:
    claim = book.claim_checkout("/src/one")
    assert claim is not None
    assert book.claim_checkout("/src/one") is None
    other = book.claim_checkout("/src/two")
    assert other is not None
    os.close(claim)
    os.close(other)


def test_the_state_folder_is_found_by_the_environment() -> None:
    assert state_folder({"DARTSCTL_STATE_DIR": "/a", "XDG_STATE_HOME": "/b"}) == Path("/a")
    assert state_folder({"XDG_STATE_HOME": "/b"}) == Path("/b/dartsctl")
    assert state_folder({"XDG_STATE_HOME": "relative"}) == Path.home() / ".local/state/dartsctl"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can have been called by sudo")
def test_under_sudo_the_book_is_the_callers() -> None:  # edge-cases.md#84
    nobody = Path("/nonexistent/.local/state/dartsctl")
    assert state_folder({"SUDO_UID": "65534", "SUDO_GID": "65534"}) == nobody
    with pytest.raises(DartsctlError, match="no home folder"):
        state_folder({"SUDO_UID": "54321", "SUDO_GID": "54321"})


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can have been called by sudo")
def test_files_created_under_sudo_belong_to_the_caller(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:  # edge-cases.md#84
    monkeypatch.setenv("DARTSCTL_STATE_DIR", str(tmp_path / "state"))
    monkeypatch.setenv("SUDO_UID", "65534")
    monkeypatch.setenv("SUDO_GID", "65534")
    book = LeaseBook(state_folder())
    lease = take(book, 7001)
    assert lease is not None
    book.describe(LeaseRecord(7001))
    assert {path.stat().st_uid for path in (book.folder, *book.folder.rglob("*"))} == {65534}
    assert [record.port for record in LeaseBook(state_folder()).held()] == [7001]
    lease.close()


@pytest.fixture
def open_folder() -> Iterator[Path]:
    """A state folder that every user can reach."""
    with public_folder() as folder:
        (folder / "state").mkdir()
        yield folder / "state"


@needs_root
@pytest.mark.parametrize("mode", [0o1777, 0o777])
def test_two_users_share_the_book_where_its_folder_is_open_to_both(
    open_folder: Path, mode: int, leased: list[Lease]
) -> None:
    open_folder.chmod(mode)
    mine = take(LeaseBook(open_folder), 7001, 7002)
    assert mine is not None
    leased.append(mine)
    child = subprocess.Popen(["cat"], stdin=subprocess.PIPE)
    record = LeaseRecord(
        7001, pid=child.pid, supervisor=os.getpid(), birth=processes.birth(os.getpid()) or 0
    )
    LeaseBook(open_folder).describe(record)

    def look_and_take() -> str:
        theirs = LeaseBook(open_folder)
        holder = theirs.holder(7001)
        lease = take(theirs, 7001, 7002)
        theirs.describe(LeaseRecord(7002, user="nobody"))
        theirs.remember("/shared/checkout", 7002)
        return f"{holder.holder if holder else None} -> {lease.port if lease else None}"

    assert (
        as_user(NOBODY, look_and_take)
        == f"leased by another dartsctl (pid {child.pid}, user root) -> 7002"
    )
    child.communicate()
    again = take(LeaseBook(open_folder), 7002)  # made by the other one, free now
    assert again is not None
    leased.append(again)
    holder = LeaseBook(open_folder).holder(7002)
    assert holder is not None
    assert holder.user == ""  # the record of the last holder was removed
    LeaseBook(open_folder).remember("/shared/checkout", 7002)


@needs_root
def test_a_private_book_is_closed_to_other_users(open_folder: Path, leased: list[Lease]) -> None:
    open_folder.chmod(0o755)
    mine = take(LeaseBook(open_folder), 7001)
    assert mine is not None
    leased.append(mine)
    assert stat.S_IMODE((open_folder / "ports" / "7001.lock").stat().st_mode) == 0o600
    assert stat.S_IMODE((open_folder / "ports").stat().st_mode) == 0o700
    error = as_user(NOBODY, lambda: str(take(LeaseBook(open_folder), 7002)))
    assert "cannot write the lease book" in error
    assert "Permission denied" in error


def test_a_secret_in_a_command_is_not_written(book: LeaseBook, leased: list[Lease]) -> None:
    lease = take(book, 7001)
    assert lease is not None
    leased.append(lease)
    book.describe(LeaseRecord(7001, command=("serve", "--password", "canary-4711")))
    assert "canary-4711" not in (book.folder / "ports" / "7001.lock").read_text()


# --- other users of the host -------------------------------------------------------------------


@pytest.fixture
def victim(tmp_path: Path) -> Victim:
    return Victim.at(tmp_path / "victim")


def plant(path: Path, target: Path) -> None:
    """A link, made by another user, with the folders that it needs."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.symlink_to(target)


@needs_root
@pytest.mark.parametrize("name", ["ports/7001.lock", "checkouts", "ports", "."])
def test_root_under_sudo_follows_no_link_of_the_caller(
    open_folder: Path, victim: Victim, name: str, sudo: None, leased: list[Lease]
) -> None:
    os.chown(open_folder, ANN, ANN)
    target = victim.path if name.endswith("lock") else victim.path.parent
    as_user(
        ANN,
        lambda: plant(
            open_folder / "theirs" / name if name != "." else open_folder / "theirs", target
        ),
    )
    book = LeaseBook(open_folder / "theirs")

    def use() -> None:
        leased.extend(lease for lease in [take(book, 7001)] if lease)
        book.describe(LeaseRecord(7001))
        book.remember("/src/app", 7001)

    before = sorted(victim.path.parent.iterdir())
    with pytest.raises(UnsafeFile, match="is a symbolic link"):
        use()
    assert victim.is_untouched()
    assert sorted(victim.path.parent.iterdir()) == before


@needs_root
def test_a_readme_that_is_a_link_is_left_alone(
    open_folder: Path, victim: Victim, leased: list[Lease], sudo: None
) -> None:
    os.chown(open_folder, ANN, ANN)
    as_user(ANN, lambda: (open_folder / "README.txt").symlink_to(victim.path.parent / "new"))
    leased += [lease for lease in [take(LeaseBook(open_folder), 7001)] if lease]
    assert leased
    assert not (victim.path.parent / "new").exists()


@needs_root
def test_a_private_folder_of_another_user_is_refused(open_folder: Path) -> None:
    os.chown(open_folder, ANN, ANN)
    with pytest.raises(UnsafeFile, match=r"state belongs to another user"):
        take(LeaseBook(open_folder), 7001)
    assert list(open_folder.iterdir()) == []
    assert LeaseBook(open_folder).held() == ()


@needs_root
def test_a_folder_that_another_user_has_opened_to_everybody_is_shared(
    open_folder: Path, leased: list[Lease]
) -> None:
    os.chown(open_folder, ANN, ANN)
    open_folder.chmod(0o1777)
    assert as_user(ANN, lambda: LeaseBook(open_folder).remember("/theirs", 7001)) == "None"
    leased += [lease for lease in [take(LeaseBook(open_folder), 7001)] if lease]
    assert [record.port for record in LeaseBook(open_folder).held()] == [7001]
    assert as_user(NOBODY, lambda: take(LeaseBook(open_folder), 7001)) == "None"


@needs_root
def test_a_link_in_a_shared_folder_is_not_followed(open_folder: Path, victim: Victim) -> None:
    open_folder.chmod(0o1777)
    as_user(NOBODY, lambda: take(LeaseBook(open_folder), 7002))
    as_user(ANN, lambda: (open_folder / "ports" / "7001.lock").symlink_to(victim.path))
    with pytest.raises(UnsafeFile, match=r"7001.lock is a symbolic link"):
        take(LeaseBook(open_folder), 7001)
    assert LeaseBook(open_folder).holder(7001) is None
    assert victim.is_untouched()


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        '{"pid": ' + "9" * 5000 + "}",
        '{"pid": 1e300, "since": NaN, "started": "x", "user": 3, "command": [3], "birth": true}',
        '{"pid": 99999999999, "since": Infinity, "command": "flask", "port": 1}',
        "\ud800",
    ],
)
def test_broken_fields_of_a_record_are_skipped(
    book: LeaseBook, leased: list[Lease], text: str
) -> None:
    leased += [lease for lease in [take(book, 7001)] if lease]
    (book.folder / "ports" / "7001.lock").write_bytes(text.encode(errors="surrogatepass"))
    assert book.held() == (LeaseRecord(7001),)


def test_a_pipe_in_place_of_a_lock_file_is_not_waited_for(
    book: LeaseBook, leased: list[Lease]
) -> None:
    leased += [lease for lease in [take(book, 7001)] if lease]
    os.mkfifo(book.folder / "ports" / "7002.lock")
    assert [record.port for record in book.held()] == [7001]
    with pytest.raises(UnsafeFile, match="named pipe"):
        take(book, 7002)


@needs_root
def test_a_full_disk_leaves_the_old_port_of_a_checkout(tmp_path: Path) -> None:
    with tiny_disk(tmp_path):
        book = LeaseBook(tmp_path / "state")
        book.remember("/src/app", 7001)
        with suppress(OSError):
            (tmp_path / "filler").write_bytes(b"x" * 100_000)
        with pytest.raises(
            DartsctlError, match=r"^cannot write the lease book in .*: No space left on device"
        ):
            book.remember("/src/app", 7002)
        assert book.remembered("/src/app") == 7001
        assert [path.suffix for path in (tmp_path / "state" / "checkouts").iterdir()] == [".json"]
