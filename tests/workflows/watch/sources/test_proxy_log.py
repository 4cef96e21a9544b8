"""nginx's error log as a source: what is counted, what asks for a look, and what a flood costs."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from dartsctl.alerts.problem import Problem
from dartsctl.alerts.state import State, Work
from dartsctl.diagnosis.facts import EngineFacts, Facts, ProxyFacts
from dartsctl.edges.screen.output import Screen
from dartsctl.records import replace
from dartsctl.text.masker import Masker
from dartsctl.workflows.watch.known import Known
from dartsctl.workflows.watch.signals import LookWanted, Note, Noticed, Signal
from dartsctl.workflows.watch.sources.proxy_log import ProxyLog
from fakes.deps import FakeClock, fake_deps
from fakes.examinations import examination
from fakes.log_engine import FakeStream, LogEngine, frames
from fakes.stack_facts import container, down, facts, service

WHEN = 1_795_474_731.5
"""The time of the lines of fakes.log_engine at their second 1."""
REFUSED = (
    "2026/11/23 22:58:51 [error] 29#29: *{} connect() failed (111: Connection refused) while "
    "connecting to upstream, client: 10.0.0.1, server: , "
    'request: "GET /?token=canary-11aa22bb HTTP/1.1", upstream: "http://10.0.0.2:5000/", '
    'host: "localhost"'
)
LIMITED = (
    '2026/11/23 22:58:51 [error] 7#7: *2 limiting requests, excess: 0.9 by zone "strict", '
    'client: 10.0.0.1, server: , request: "GET /api HTTP/1.1", host: "localhost"'
)
EMERGENCY = (
    "2026/11/23 22:58:51 [emerg] 1#1: unexpected end of file, "
    'expecting ";" or "}" in canary-11aa22bb /etc/nginx/nginx.conf:3'
)
MISSING_FILE = (
    '2026/11/23 22:58:51 [error] 7#7: *2 open() "/www/favicon.ico" failed (2: No such file or '
    'directory), client: 10.0.0.1, request: "GET /favicon.ico HTTP/1.1", host: "x"'
)
MANY = Noticed(
    "log", "app", "nginx has logged 5 errors of it within 60 s, the last: connection refused", WHEN
)
LOOK = LookWanted("nginx's error log: errors of app")


class Log:
    """The source, with the log of one container that a test writes."""

    def __init__(self, tmp_path: Path) -> None:
        self.clock = FakeClock(WHEN)
        self.known = Known()
        self.stream = FakeStream()
        self.engine = LogEngine(self.stream, links={"/var/log/nginx/error.log": "/dev/stderr"})
        masker = Masker()
        masker.learn_values(["canary-11aa22bb"])
        deps = fake_deps(
            tmp_path,
            self.clock,
            engine=lambda **_: self.engine,
            screen=Screen(masker=masker),
        )
        self.source = ProxyLog(self.known, deps=deps)
        self.learn(facts())

    def learn(self, known: Facts) -> None:
        look = examination()
        self.known.learn(replace(look, facts=known))

    def problem(self, service: str, now: float) -> Problem | None:
        return self.known.upstream_errors.problem(service, now, command="", shown=str)

    def turn(self, *lines: str) -> list[Signal]:
        """Return what the source emits about these lines."""
        if lines:
            self.stream.chunks.append(frames(*lines, second=1))
        signals: list[Signal] = []
        self.source.turn(signals.append, 0.0)
        return signals


@pytest.fixture
def log(tmp_path: Path) -> Log:
    return Log(tmp_path)


def refused(count: int, first: int = 0) -> list[str]:
    return [REFUSED.format(first + number) for number in range(count)]


def test_errors_are_counted_by_service_and_many_ask_for_a_look_once(log: Log) -> None:
    assert log.turn(*refused(4)) == []
    assert log.known.upstream_errors.totals == {"app": 4}
    assert log.turn(*refused(3, 10)) == [MANY, LOOK]
    assert log.turn(*refused(9, 20)) == []
    problem = log.problem("app", WHEN + 1)
    assert problem
    assert 'upstream: "http://10.0.0.2:5000/"' in problem.evidence[-1]


def test_other_lines_count_for_nothing(log: Log) -> None:
    noise = [
        "GET / 200",
        "\x1b[2J",
        MISSING_FILE,
        "2026/11/23 22:58:51 [notice] 1#1: reconfiguring",
    ]
    assert log.turn(*noise * 20) == []
    assert log.known.upstream_errors.totals == {}


def test_the_engines_time_of_a_line_counts_by_our_clock(log: Log) -> None:
    ahead = replace(facts(), engine=EngineFacts("unix:///x", "28", skew=100.0))
    log.learn(ahead)
    log.turn(*refused(5))
    assert log.problem("app", WHEN - 101) is not None
    assert log.problem("app", WHEN - 39) is None


def test_errors_while_it_is_planned_are_counted_and_no_more(log: Log) -> None:
    for state in (State(stopped=frozenset({"app"})), State(work=Work("up"))):
        log.known.state = state
        assert log.turn(*refused(9)) == []
    log.known.state = State()
    assert log.turn(*refused(4)) == []
    assert log.known.upstream_errors.totals == {"app": 22}
    assert log.turn(*refused(1)) == [MANY, LOOK]


def test_a_trouble_of_nginx_itself_asks_for_a_look_at_once_but_not_for_each_line(log: Log) -> None:
    noticed, wanted = log.turn(EMERGENCY, EMERGENCY)
    assert isinstance(noticed, Noticed)
    assert (noticed.source, noticed.service) == ("log", "web")
    assert noticed.what.startswith("cannot start: unexpected end of file")
    assert "canary" not in noticed.what
    assert wanted == LookWanted("nginx's error log: cannot start")
    log.clock.seconds += 11
    assert len(log.turn(EMERGENCY)) == 2


def test_refusals_of_the_sites_limits_are_kept_for_the_checks(log: Log) -> None:
    assert log.turn(LIMITED) == []
    (limited,) = log.known.limited
    assert (limited.zone, limited.path, limited.when) == ("strict", "/api", WHEN)
    assert log.known.follows_log
    assert log.known.upstream_errors.totals == {}


def test_a_flood_is_read_in_part_and_the_rest_is_counted(log: Log) -> None:
    log.turn(*refused(3000))
    assert log.known.upstream_errors.totals == {"app": 500}
    log.clock.seconds += 1
    signals = log.turn(*refused(600))
    assert log.known.upstream_errors.totals == {"app": 1000}
    assert signals == []
    log.clock.seconds += 60
    assert log.turn() == [
        Note("100 lines of nginx's error log were not read: too many at once", log.clock.seconds)
    ]


def test_a_server_outside_of_the_stack_is_counted_at_the_proxy(log: Log) -> None:
    log.learn(facts(proxy=ProxyFacts("web", "nginx", None)))
    log.turn(*[line.replace("10.0.0.2", "93.184.216.34") for line in refused(5)])
    problem = log.problem("web", WHEN)
    assert problem
    assert problem.evidence[0] == "5 times connection refused (93.184.216.34:5000)"


@pytest.mark.parametrize(
    ("known", "text"),
    [
        (
            facts(proxy=ProxyFacts("web", "haproxy")),
            "the log of web is not followed (haproxy): only the HTTP checks see requests that fail",
        ),
        (facts(), "the log of web is not followed: the engine at unix:///x can only be asked for"),
    ],
)
def test_what_is_not_followed_is_said_once(log: Log, known: Facts, text: str) -> None:
    log.engine.control = lambda: None  # type: ignore[method-assign]
    log.learn(known)
    (note,) = log.turn()
    assert isinstance(note, Note)
    assert note.text.startswith(text)
    assert log.turn() == []
    assert not log.known.follows_log


def test_without_a_look_an_engine_or_a_proxy_nothing_is_said(log: Log) -> None:
    gone = EngineFacts("unix:///x", problem="no answer")
    for known in (
        replace(facts(), proxy=None),
        replace(facts(), engine=gone, services={}, proxy=None),
        facts(service("web", down("web"))),
        facts(service("web")),
    ):
        log.learn(known)
        assert log.turn() == []
    assert log.engine.followed == []


def test_an_engine_that_is_gone_for_a_while_loses_no_line_and_repeats_none(log: Log) -> None:
    log.turn(*refused(2))
    log.learn(Facts(EngineFacts("unix:///x", problem="no answer"), WHEN))
    log.stream.ended = True
    log.engine.answers = False
    log.turn()
    log.learn(facts())
    for _ in range(3):
        log.clock.seconds += 20
        log.turn()
    log.engine.answers = True
    log.engine.stream = FakeStream([frames(*refused(2, 5), second=2)])
    log.clock.seconds += 20
    log.turn()
    assert [since for since, _ in log.engine.followed] == [f"{WHEN:.6f}", f"{WHEN:.1f}00000001"]
    assert log.known.upstream_errors.totals == {"app": 4}


def test_a_container_that_was_made_anew_is_read_from_its_beginning(log: Log) -> None:
    log.turn()
    first = log.stream
    log.clock.seconds += 500
    log.engine.stream = log.stream = FakeStream()
    log.learn(facts(service("web", replace(container("web", "10.0.0.3"), id="other"))))
    log.turn(*refused(1))
    assert first.closed
    assert log.engine.followed[1] == (f"{WHEN:.6f}", False)
    assert log.known.upstream_errors.totals == {"app": 1}


def test_the_end_closes_what_is_open(log: Log) -> None:
    stop = threading.Event()

    def emit(_signal: Signal) -> None:
        stop.set()

    log.stream.chunks.append(frames(*refused(5), second=1))
    log.source.run(emit, stop)
    assert log.stream.closed
