"""Requests are sent one by one, below the site's own limits (edge-cases.md#72)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path

import pytest

from dartsctl.diagnosis.nginx.limits import Limit
from dartsctl.stack.bindings import Endpoint
from dartsctl.workflows.examine.connections import BUSY, ConnectionTable, ProxyConnection
from dartsctl.workflows.examine.requests import ProbeRequest
from dartsctl.workflows.examine.sending import PATIENCE, RequestProbes
from fakes.deps import FakeClock, fake_deps

SITE = Limit("site", 1.0)


class Site:
    """A real site. It remembers when each path was asked, and waits before `/late`."""

    def __init__(self, clock: FakeClock) -> None:
        self.asked: list[tuple[str, float]] = []
        self.let_go = threading.Event()
        site = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                site.asked.append((self.path, clock.now()))
                if self.path == "/late":
                    site.let_go.wait(60)
                self.send_response(200)
                self.end_headers()

            def log_message(self, *words: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self.server.server_address[1]

    def request(self, path: str, *limits: Limit, through_proxy: bool = True) -> ProbeRequest:
        return ProbeRequest(
            url=f"http://127.0.0.1:{self.port}{path}",
            address="127.0.0.1",
            port=self.port,
            path=path,
            host="localhost",
            tls=False,
            service="web",
            through_proxy=through_proxy,
            location=path,
            limits=limits,
        )


@contextmanager
def serving(clock: FakeClock) -> Iterator[Site]:
    site = Site(clock)
    thread = threading.Thread(target=site.server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield site
    finally:
        site.let_go.set()
        site.server.shutdown()
        thread.join()
        site.server.server_close()


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(1000.0)


@pytest.fixture
def site(clock: FakeClock) -> Iterator[Site]:
    with serving(clock) as made:
        yield made


@pytest.fixture
def probes(clock: FakeClock, tmp_path: Path) -> Iterator[RequestProbes]:
    with ThreadPoolExecutor(8) as pool:
        yield RequestProbes(pool, fake_deps(tmp_path, clock), skew=0.0)


def test_requests_through_a_limit_keep_its_pace(site: Site, probes: RequestProbes) -> None:
    requests = [site.request(f"/{number}", SITE) for number in range(4)]
    results = probes.send(requests)
    times = [when for _, when in site.asked]
    gaps = [later - earlier for earlier, later in pairwise(times)]
    assert len(times) == 4
    assert all(gap >= SITE.pause - 0.001 for gap in gaps), gaps
    assert [http.status for http in results.answers] == [200] * 4
    assert results.answers[0].limits == (SITE,)


def test_the_next_round_keeps_the_pace_too(site: Site, probes: RequestProbes) -> None:
    probes.send([site.request("/", SITE)])
    probes.send([site.request("/", SITE)])
    (_, first), (_, second) = site.asked
    assert second - first >= SITE.pause - 0.001


def test_other_zones_and_unlimited_locations_are_not_waited_for(
    site: Site, probes: RequestProbes, clock: FakeClock
) -> None:
    requests = [site.request("/a", SITE), site.request("/b", Limit("other", 1.0))]
    probes.send([*requests, site.request("/c"), site.request("/d")])
    assert clock.seconds == 1000.0


def test_what_the_limits_leave_no_time_for_is_not_sent_and_is_said(
    site: Site, probes: RequestProbes, clock: FakeClock
) -> None:
    slow = Limit("slow", 1 / 6)
    results = probes.send([site.request(f"/{number}", slow) for number in range(4)])
    assert [path for path, _ in site.asked] == ["/0", "/1"]
    assert [request.path for request in results.unsent] == ["/2", "/3"]
    assert len(results.answers) == 2
    assert clock.seconds - 1000.0 <= PATIENCE


def test_a_limit_of_connections_is_asked_one_at_a_time(site: Site, probes: RequestProbes) -> None:
    alone = Limit("addr", connections=1)
    waited: list[int] = []

    def look() -> ConnectionTable:
        waited.append(len(site.asked))
        if len(waited) == 3:  # the first request's turn has ended without an answer
            threading.Timer(0.2, site.let_go.set).start()
        return {}

    results = probes.send([site.request("/late", alone), site.request("/b", alone)], look=look)
    assert waited[:4] == [0, 0, 1, 1], "nothing was sent while the first one was open"
    assert [http.status for http in results.answers] == [200, 200]


def test_a_delayed_answer_is_waited_for() -> None:
    request = ProbeRequest(
        url="", address="", port=1, path="/", host="", tls=False, service="", through_proxy=True
    )
    assert request.deadline == 2.5
    with_delay = ProbeRequest(
        url="", address="", port=1, path="/", host="", tls=False, service="", through_proxy=True,
        limits=(Limit("site", 1.0, delayed=3),),
    )  # fmt: skip
    assert with_delay.deadline == 5.5


# --- connections ------------------------------------------------------------------------------


OLD = ProxyConnection("10.0.0.2", 5000, 40000)
ENDED = ProxyConnection("10.0.0.3", 5000, 40001)
NEW = ProxyConnection("10.0.0.4", 5000, 40002)


def test_a_turn_has_the_connections_that_are_new_and_those_that_were_open(
    site: Site, probes: RequestProbes
) -> None:
    tables: list[ConnectionTable] = [
        {OLD: True, ENDED: False},
        {OLD: True, ENDED: False, NEW: False},
        {OLD: True, NEW: False},
    ]
    requests = [
        site.request("/direct", through_proxy=False), site.request("/a"), site.request("/b")
    ]  # fmt: skip
    results = probes.send(requests, look=lambda: tables.pop(0))
    assert [http.location for http in results.answers] == ["/a", "/b", "/direct"]
    first, second = results.turns
    assert (first.requests, first.made, first.kept) == ((0,), (NEW.endpoint,), (OLD.endpoint,))
    assert (second.requests, second.made, second.kept) == ((1,), (), (OLD.endpoint,))
    assert results.busy == ()


def test_a_request_that_is_late_belongs_to_the_turns_after_it(
    site: Site, probes: RequestProbes
) -> None:
    looks: list[ConnectionTable] = []

    def look() -> ConnectionTable:
        looks.append({})
        if len(looks) == 3:
            site.let_go.set()
        return {}

    results = probes.send([site.request("/late"), site.request("/b")], look=look)
    assert [turn.requests for turn in results.turns][:2] == [(0,), (0, 1)]
    assert all(http.status == 200 for http in results.answers)


def test_a_turn_whose_connections_are_not_known_says_nothing(
    site: Site, probes: RequestProbes
) -> None:
    tables: list[ConnectionTable | None] = [{OLD: True}, None, {NEW: True}, {NEW: True}]
    requests = [site.request("/a"), site.request("/b"), site.request("/c")]
    results = probes.send(requests, look=lambda: tables.pop(0))
    assert [turn.requests for turn in results.turns] == [(2,)]
    assert probes.send([site.request("/d")]).turns == ()


def test_where_many_connections_lead_to_is_busy(site: Site, probes: RequestProbes) -> None:
    table = {ProxyConnection("10.0.0.2", 5000, 40000 + n): False for n in range(BUSY)}
    results = probes.send([site.request("/")], look=lambda: table)
    assert results.busy == (Endpoint(5000, "10.0.0.2"),)
