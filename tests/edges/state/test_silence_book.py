"""Silences: who may read them, when they end, and files that are broken or planted."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from dartsctl.alerts.observations import Silence
from dartsctl.alerts.problem import Subject
from dartsctl.edges.state.silence_book import LONGEST, MOST, SilenceBook
from dartsctl.errors import DartsctlError
from dartsctl.system.files import UnsafeFile
from tiny_disk import tiny_disk

NOW = 1_000_000.0
APP = Subject("service", "app")


def silence(name: str = "app", seconds: float = 60) -> Silence:
    return Silence(Subject("service", name), NOW + seconds, "upgrade", "ann")


@pytest.fixture
def book(tmp_path: Path) -> SilenceBook:
    return SilenceBook(tmp_path, "shop")


def file_of(tmp_path: Path) -> Path:
    return tmp_path / "watch" / "shop" / "silences.json"


def test_what_is_written_is_read_again_and_only_by_this_user(
    tmp_path: Path, book: SilenceBook
) -> None:
    everything = Silence(None, NOW + 5)
    for row in (silence(), everything):
        assert book.silence(row, NOW) == ""
    assert book.read(NOW).silences == (silence(), everything)
    assert file_of(tmp_path).stat().st_mode & 0o777 == 0o600
    assert file_of(tmp_path).parent.stat().st_mode & 0o777 == 0o700


def test_reading_writes_nothing(tmp_path: Path, book: SilenceBook) -> None:
    assert book.read(NOW).silences == ()
    assert list(tmp_path.iterdir()) == []


def test_a_silence_ends_by_itself(book: SilenceBook) -> None:
    book.silence(silence(seconds=60), NOW)
    assert book.read(NOW + 59).silences
    assert book.read(NOW + 60).silences == ()


def test_the_same_subject_is_silenced_anew(book: SilenceBook) -> None:
    book.silence(silence(seconds=60), NOW)
    book.silence(silence(seconds=10), NOW)
    assert book.read(NOW).silences == (silence(seconds=10),)


def test_a_lifted_silence_is_gone_and_the_others_stay(book: SilenceBook) -> None:
    for name in ("app", "db"):
        book.silence(silence(name), NOW)
    book.lift((silence("app"),), NOW)
    assert book.read(NOW).silences == (silence("db"),)


def test_acknowledgements_stay_beside_silences(book: SilenceBook) -> None:
    book.acknowledge(("service:app@1",), NOW)
    book.silence(silence(), NOW)
    book.acknowledge(("service:db@2", "service:app@1"), NOW)
    page = book.read(NOW)
    assert page.acknowledged == ("service:app@1", "service:db@2")
    assert page.silences == (silence(),)


def test_both_are_bounded(book: SilenceBook) -> None:
    book.acknowledge(tuple(f"service:x@{number}" for number in range(3 * MOST)), NOW)
    latest = [f"service:x@{number}" for number in range(2 * MOST, 3 * MOST)]
    assert list(book.read(NOW).acknowledged) == latest
    for number in range(MOST):
        book.silence(silence(f"s{number}"), NOW)
    with pytest.raises(DartsctlError, match=f"{MOST} silences hold already"):
        book.silence(silence("one-more"), NOW)
    book.silence(silence("later", seconds=4000), NOW + 3600)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{", "broken"),
        ("", "broken"),
        ('{"version": 1}', "broken"),
        ('{"version": 1, "silences": {}, "acknowledged": []}', "broken"),
        ('{"version": 2, "silences": [], "acknowledged": []}', "another version"),
        ("[]", "another version"),
    ],
)
def test_a_file_that_cannot_be_used_is_said_and_set_aside(
    tmp_path: Path, book: SilenceBook, text: str, problem: str
) -> None:
    file_of(tmp_path).parent.mkdir(parents=True, mode=0o700)
    file_of(tmp_path).write_text(text)
    assert problem in book.read(NOW).problem
    assert file_of(tmp_path).read_text() == text
    aside = file_of(tmp_path).with_name("silences.set-aside.json")
    assert str(aside) in book.silence(silence(), NOW)
    assert aside.read_text() == text
    assert book.read(NOW).silences == (silence(),)


@pytest.mark.parametrize(
    "change",
    [
        {"subject": "planet:mars"},
        {"subject": 7},
        {"until": "tomorrow"},
        {"until": NOW + LONGEST + 3600},
        {"until": None},
        {"until": True},
        {"reason": "x" * 1000},
        {"by": None},
    ],
)
def test_an_entry_that_is_no_silence_is_not_used_and_the_others_are(
    tmp_path: Path, book: SilenceBook, change: dict[str, object]
) -> None:
    for name in ("app", "db"):
        book.silence(silence(name), NOW)
    document = json.loads(file_of(tmp_path).read_text())
    document["silences"][0] |= change
    file_of(tmp_path).write_text(json.dumps(document))
    page = book.read(NOW)
    assert page.silences == (silence("db"),)
    assert page.problem


def test_a_link_in_its_place_is_neither_read_nor_replaced(
    tmp_path: Path, book: SilenceBook
) -> None:
    file_of(tmp_path).parent.mkdir(parents=True, mode=0o700)
    target = tmp_path / "target"
    target.write_text("theirs")
    file_of(tmp_path).symlink_to(target)
    assert "is a symbolic link" in book.read(NOW).problem
    with pytest.raises(UnsafeFile):
        book.silence(silence(), NOW)
    assert target.read_text() == "theirs"


def test_every_change_of_the_file_changes_its_stamp(book: SilenceBook) -> None:
    stamps = [book.stamp()]
    for name in ("app", "db"):
        book.silence(silence(name), NOW)
        stamps.append(book.stamp())
    assert len(set(stamps)) == 3


def test_writers_wait_for_each_other(book: SilenceBook) -> None:
    threads = [
        threading.Thread(target=book.silence, args=(silence(f"s{number}"), NOW))
        for number in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(book.read(NOW).silences) == 8


def test_a_full_disk_loses_no_silence(tmp_path: Path) -> None:
    with tiny_disk(tmp_path):
        book = SilenceBook(tmp_path, "shop")
        book.silence(silence(), NOW)
        (tmp_path / "filler").write_bytes(b"x" * (30 << 10))
        (tmp_path / "rest").write_bytes(b"x" * (20 << 10))
        with pytest.raises(DartsctlError, match="cannot write the silences"):
            book.acknowledge(tuple(f"{number:0400}" for number in range(MOST)), NOW)
        assert silence() in book.read(NOW).silences
