"""A run: alone, with ports of its own, and nothing left."""

from __future__ import annotations

import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from measure import Failed, Skipped
from own_ports import free_ports as ports_of_a_test
from product import PORT_COUNT, Product, clean
from session import free_ports, guarded, products

pytestmark = pytest.mark.once


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """Restore what a run does with signals."""
    numbers = (signal.SIGINT, signal.SIGTERM)
    before = [signal.getsignal(number) for number in numbers]
    yield
    for number, handler in zip(numbers, before, strict=True):
        signal.signal(number, handler)


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set a folder for temporary files, where nobody's run is disturbed."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.fixture
def lock() -> int:
    return ports_of_a_test(1)[0]


def test_the_folder_is_there_during_the_run_only(lock: int, temporary: Path) -> None:
    killed = temporary / "dartsctl-benchmark-killed"
    killed.mkdir()
    (killed / "state").write_text("")
    (temporary / "other").mkdir()
    folders: list[Path] = []

    def work(folder: Path) -> int:
        folders.append(folder)
        (folder / "state").write_text("")
        return 1

    assert guarded(work, lock=lock, clean=lambda: None) == 1
    assert not folders[0].exists()
    assert [place.name for place in temporary.iterdir()] == ["other"]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_cleans_up_undisturbed(
    number: signal.Signals, lock: int, capsys: pytest.CaptureFixture[str]
) -> None:
    events: list[str] = []

    def work(_folder: Path) -> int:
        events.append("work")
        signal.raise_signal(number)
        return 0

    def tidy() -> None:
        events.append("clean")
        if "work" in events:
            signal.raise_signal(number)

    assert guarded(work, lock=lock, clean=tidy) == 130
    assert events == ["clean", "work", "clean"]
    assert capsys.readouterr().err == "interrupted; what was started is removed\n"


def test_a_failure_is_one_line(lock: int, capsys: pytest.CaptureFixture[str]) -> None:
    def work(_folder: Path) -> int:
        raise Failed("no commit 'x' in this repository: git log --oneline")

    assert guarded(work, lock=lock, clean=lambda: None) == 1
    assert capsys.readouterr().err == (
        "error: no commit 'x' in this repository: git log --oneline\n"
    )


def test_a_second_run_waits_for_the_first(lock: int, capsys: pytest.CaptureFixture[str]) -> None:
    events: list[str] = []
    first = socket.socket()
    first.bind(("127.0.0.1", lock))

    def end_first() -> None:
        while "waiting" not in (text := capsys.readouterr().err):
            assert text == ""
        events.append("first ends")
        first.close()

    def work(_folder: Path) -> int:
        events.append("second runs")
        return 0

    other = threading.Thread(target=end_first)
    other.start()
    assert guarded(work, lock=lock, clean=lambda: None) == 0
    other.join()
    assert events == ["first ends", "second runs"]


def test_two_versions_share_no_port_and_no_folder(tmp_path: Path) -> None:
    old, new = products(tmp_path, {"old": Path("/old"), "new": Path("/new")})
    assert new.first_port - old.first_port == PORT_COUNT
    assert max(old.stack_port + 6, old.production_port, old.last_dev_port) < new.first_port
    assert old.environ["DARTSCTL_STATE_DIR"] != new.environ["DARTSCTL_STATE_DIR"]
    assert Path(old.environ["DARTSCTL_STATE_DIR"]).is_relative_to(tmp_path)


def test_ports_of_a_run_are_free() -> None:
    first = free_ports(100)
    with socket.create_server(("127.0.0.1", first + 50)):
        assert free_ports(100) != first


def test_what_a_user_has_set_for_python_compose_or_dartsctl_does_not_count() -> None:
    environ = {"PATH": "/bin", "HOME": "/home/ann", "DOCKER_HOST": "unix:///engine"}
    changing = {
        "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": "src",
        "VIRTUAL_ENV": "/venv",
        "DARTSCTL_GUARD": "on",
        "COMPOSE_PROFILES": "dev",
    }
    assert clean(environ | changing) == environ


def test_dartsctl_is_the_one_of_its_environment(tmp_path: Path) -> None:
    product = Product("bench", Path("/wheel"), tmp_path, first_port=62_001)
    assert (product.script, product.python) == ("/wheel/bin/dartsctl", "/wheel/bin/python")


def test_a_measurement_that_ends_says_why(tmp_path: Path) -> None:
    product = Product("bench", Path("/wheel"), tmp_path, first_port=62_001)
    failing = tmp_path / "python"
    failing.write_text("#!/bin/sh\necho Traceback >&2\necho 'RuntimeError: no port' >&2\n")
    failing.chmod(0o755)
    with (
        pytest.raises(Failed, match=r"`lease` in inside.py ended: RuntimeError: no port"),
        product.inside("lease", python=str(failing)),
    ):
        pass


def test_a_measurement_that_a_version_lacks_is_skipped(tmp_path: Path) -> None:
    product = Product("bench", Path("/wheel"), tmp_path, first_port=62_001)
    older = tmp_path / "python"
    older.write_text("#!/bin/sh\necho 'skipped: ImportError: no such name'\n")
    older.chmod(0o755)
    with (
        pytest.raises(Skipped, match="ImportError: no such name"),
        product.inside("lease", python=str(older)),
    ):
        pass
