"""One request to a unix socket: the deadline for the whole answer, and the size limit."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from dartsctl.edges.engine import unix_http
from fakes import hostile_engine
from fakes.hostile_engine import Behaviour, engine


def ask(address: str, *, seconds: float = 10, limit: int = 1 << 20, cut: bool = False) -> bytes:
    until = time.monotonic() + seconds
    with unix_http.connect(address.removeprefix("unix://"), until=until) as connection:
        return unix_http.exchange(
            connection, "GET", "/version", b"", until=until, limit=limit, cut=cut
        )


def test_the_whole_answer_is_returned(tmp_path: Path) -> None:
    with engine(tmp_path, hostile_engine.drips_after_its_version) as address:
        assert ask(address) == hostile_engine.VERSION


@pytest.mark.parametrize("behaviour", [hostile_engine.drips, hostile_engine.is_silent])
def test_the_deadline_is_that_of_the_whole_answer(tmp_path: Path, behaviour: Behaviour) -> None:
    with engine(tmp_path, behaviour) as address, pytest.raises(TimeoutError):
        ask(address, seconds=0.5)


def test_an_answer_over_the_limit_is_an_error_or_is_cut(tmp_path: Path) -> None:
    with engine(tmp_path, hostile_engine.floods) as address:
        with pytest.raises(unix_http.AnswerTooLarge):
            ask(address)
        assert len(ask(address, cut=True)) == 1 << 20


def test_a_missing_socket_is_an_oserror(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        ask(f"unix://{tmp_path}/none.sock")


@pytest.mark.parametrize("path", ["a\0b", "x" * 200, "\ud800"])
def test_an_impossible_path_is_an_oserror(path: str) -> None:
    with pytest.raises(OSError, match=r"not the path of a socket|too long|No such file"):
        unix_http.connect(path, until=time.monotonic() + 5)
