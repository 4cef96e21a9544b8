"""nginx's error logs in one container: which are followed, how, and what becomes of a flood."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from dartsctl.diagnosis.facts import EngineFacts, ProxyFacts
from dartsctl.diagnosis.nginx.config import Config
from dartsctl.diagnosis.nginx.log import parse_moment
from dartsctl.errors import DockerUnavailable
from dartsctl.stack.model import Mount
from dartsctl.workflows.watch.container_logs import ContainerLogs
from fakes.deps import FakeClock, fake_deps
from fakes.log_engine import STAMP, FakeStream, LogEngine, frames
from fakes.stack_facts import NOW, container, facts

DEFAULT = "/var/log/nginx/error.log"


class Following:
    """The logs of `web`, followed from `NOW` on."""

    def __init__(self, tmp_path: Path, engine: LogEngine, *error_logs: str) -> None:
        self.clock = FakeClock(NOW)
        self.engine = engine
        self.notes: list[str] = []
        self.error_logs = error_logs
        self.is_here = True
        self.started = NOW - 60
        deps = fake_deps(tmp_path, self.clock)
        self.logs = ContainerLogs("shop-web-1", NOW, deps=deps, say=self.notes.append)

    def turn(self, seconds: float = 0.0) -> Sequence[str]:
        """Return the lines of one round, after some seconds."""
        self.clock.seconds += seconds
        proxy = ProxyFacts("web", "nginx", Config(error_logs=self.error_logs))
        known = facts(proxy=proxy)
        known = type(known)(
            EngineFacts("unix:///x", "28", is_here=self.is_here),
            NOW,
            proxy=proxy,
            services=known.services,
        )
        self.logs.follow(container("web", started=self.started), known, self.engine)  # type: ignore[arg-type]
        return [line.text for line in self.logs.lines(0.0)]


def test_a_link_to_stderr_is_followed_by_the_engines_log_without_stdout(tmp_path: Path) -> None:
    engine = LogEngine(links={DEFAULT: "/dev/stderr"})
    following = Following(tmp_path, engine)
    assert following.turn() == []
    assert engine.followed == [(f"{NOW:.6f}", False)]
    assert engine.stream
    engine.stream.chunks.append(frames("first", "second"))
    assert following.turn() == ["first", "second"]
    assert following.notes == []


@pytest.mark.parametrize(
    "error_logs", [("/dev/stdout",), ("/proc/self/fd/1",), (DEFAULT,), ("logs/error.log",)]
)
def test_stdout_is_asked_for_only_where_the_errors_go_there(
    tmp_path: Path, error_logs: tuple[str, ...]
) -> None:
    links = {DEFAULT: "../nginx/out", "/var/log/nginx/out": "/dev/stdout"}
    engine = LogEngine(links={**links, "/etc/nginx/logs/error.log": "/dev/stdout"})
    Following(tmp_path, engine, *error_logs).turn()
    assert engine.followed == [(f"{NOW:.6f}", True)]


def test_a_log_that_ends_goes_on_where_it_ended(tmp_path: Path) -> None:
    engine = LogEngine(FakeStream([frames("last words", second=7)], ended=True))
    following = Following(tmp_path, engine, "stderr")
    assert following.turn() == ["last words"]
    assert following.turn() == []
    assert not following.logs.waits
    following.turn(0.5)
    assert len(engine.followed) == 1
    engine.stream = FakeStream([frames("after the start", second=8)])
    following.started = NOW
    assert following.turn(1.0) == ["after the start"]
    assert engine.followed[1][0] == f"{parse_moment(STAMP.format(7)):.1f}00000001"


def test_a_stopped_container_is_asked_rarer_and_rarer(tmp_path: Path) -> None:
    engine = LogEngine(FakeStream(ended=True))
    following = Following(tmp_path, engine, "stderr")
    for _ in range(120):
        following.turn(1.0)
    assert 8 <= len(engine.followed) <= 13


def test_a_driver_that_keeps_no_log_is_said_and_not_asked_again(tmp_path: Path) -> None:
    engine = LogEngine(stream=None)
    following = Following(tmp_path, engine, "stderr")
    for _ in range(60):
        following.turn(10.0)
    assert len(engine.followed) == 1
    (note,) = following.notes
    assert note == (
        "the engine's log of shop-web-1 cannot be followed: its logging driver keeps none that "
        "can be read"
    )


def test_an_engine_that_is_gone_is_tried_again(tmp_path: Path) -> None:
    engine = LogEngine(FakeStream([frames("line")]), answers=False)
    following = Following(tmp_path, engine, DEFAULT)
    with pytest.raises(DockerUnavailable):
        following.turn()
    engine.answers = True
    engine.links[DEFAULT] = "/dev/stderr"
    assert following.turn(2.0) == ["line"]


def test_a_file_in_a_folder_of_the_host_is_followed_there(tmp_path: Path) -> None:
    log = tmp_path / "logs" / "error.log"
    log.parent.mkdir()
    log.write_text("old\n")
    mounts = (Mount("/", "/var"), Mount(str(log.parent), "/var/log/nginx"))
    engine = LogEngine(files={DEFAULT: b"old\n"}, mounts=mounts, has_tools=False)
    following = Following(tmp_path, engine)
    assert following.turn() == []
    with log.open("a") as file:
        file.write("2026/11/23 new\n")
    assert following.turn() == ["2026/11/23 new"]
    log.rename(log.with_suffix(".1"))
    log.write_text("after the rotation\n")
    assert [*following.turn(), *following.turn()] == ["after the rotation"]


@pytest.mark.parametrize("has_tools", [True, False])
def test_a_file_that_only_the_container_sees_is_read_on_an_interval(
    tmp_path: Path, *, has_tools: bool
) -> None:
    engine = LogEngine(files={DEFAULT: b"old\n"}, has_tools=has_tools)
    following = Following(tmp_path, engine)
    following.is_here = False
    assert following.turn() == []
    engine.files[DEFAULT] += b"one\nhal"
    assert following.turn(1.0) == []
    assert following.turn(15.0) == ["one"]
    engine.files[DEFAULT] += b"f\n"
    assert following.turn(15.0) == ["half"]
    engine.files[DEFAULT] = b"cut\n"
    assert following.turn(15.0) == ["cut"]


def test_a_rotated_file_in_the_container_is_read_to_its_end_first(tmp_path: Path) -> None:
    engine = LogEngine(files={DEFAULT: b"old\n"}, inodes={DEFAULT: 7, f"{DEFAULT}.1": 7})
    following = Following(tmp_path, engine)
    following.turn()
    engine.files[f"{DEFAULT}.1"] = b"old\nlate\n"
    engine.files[DEFAULT] = b"new and longer\n"
    engine.inodes[DEFAULT] = 8
    assert following.turn(15.0) == ["late", "new and longer"]


def test_a_file_is_followed_when_it_is_there_and_said_to_be_missing_when_it_stays_so(
    tmp_path: Path,
) -> None:
    engine = LogEngine()
    following = Following(tmp_path, engine, "/logs/error.log")
    for _ in range(3):
        following.turn(1.0)
    engine.files["/logs/error.log"] = b""
    for _ in range(60):
        following.turn(1.0)
    assert following.notes == []
    missing = Following(tmp_path, LogEngine(), "/logs/error.log")
    for _ in range(60):
        missing.turn(1.0)
    assert missing.notes == ["shop-web-1 has no nginx error log /logs/error.log that can be read"]


def test_a_line_that_nginx_writes_to_two_places_is_one_line(tmp_path: Path) -> None:
    log = tmp_path / "error.log"
    log.write_text("")
    engine = LogEngine(files={"/logs/error.log": b""}, mounts=(Mount(str(tmp_path), "/logs"),))
    following = Following(tmp_path, engine, "stderr", "/logs/error.log")
    following.turn()
    assert engine.stream
    engine.stream.chunks.append(frames("both", "both", "only here"))
    log.write_text("both\nboth\nand there\n")
    assert sorted(following.turn()) == ["and there", "both", "both", "only here"]


def test_a_syslog_server_is_said(tmp_path: Path) -> None:
    following = Following(tmp_path, LogEngine(), "syslog:server=10.0.0.9")
    following.turn()
    assert following.notes == [
        "shop-web-1 writes nginx's errors to syslog:server=10.0.0.9, which cannot be followed"
    ]


@pytest.mark.parametrize("lines", [["x" * 16_000] * 2, ["x" * 300] * 60])
def test_a_log_that_grows_faster_than_it_is_read_is_skipped_to_now(
    tmp_path: Path, lines: list[str]
) -> None:
    flood = [frames(*lines)] * 150
    engine = LogEngine(FakeStream(flood))
    following = Following(tmp_path, engine, "stderr")
    following.clock.seconds = NOW + 10_000_000
    for _ in range(100):
        following.turn()
    assert len(engine.followed) == 1
    following.turn()
    engine.stream = FakeStream([frames("now")])
    assert following.turn() == ["now"]
    assert engine.followed[-1][0] == f"{NOW + 10_000_000:.6f}"
    assert following.notes == [
        "shop-web-1 writes faster than its log is read: a part of it was skipped"
    ]
