"""HTTP checks: what is asked, what a failure leads to, and when nothing is asked."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dartsctl.alerts.state import State, Work
from dartsctl.diagnosis.facts import ServiceFacts
from dartsctl.diagnosis.nginx.limits import Limit, LimitedRequest
from dartsctl.workflows.examine.requests import ProbeRequest
from dartsctl.workflows.watch.known import MOST_LATENCIES, Known
from dartsctl.workflows.watch.signals import LookWanted, Noticed, Signal
from dartsctl.workflows.watch.sources.requests import RequestChecks
from fakes.deps import FakeClock, fake_deps
from fakes.examinations import examination
from fakes.proxied_stack import site
from fakes.stack_facts import container, down, service

STRICT = Limit("strict", 1 / 60)
"""One request a minute."""


@dataclass
class Checked:
    """Checks of a real site whose status a test sets, and what they emit."""

    clock: FakeClock
    known: Known
    checks: RequestChecks
    asked: list[str]
    port: int
    status: dict[str, int]
    signals: list[Signal] = field(default_factory=list)
    stop: threading.Event = field(default_factory=threading.Event)

    def learn(self, *requests: ProbeRequest, services: tuple[ServiceFacts, ...] = ()) -> None:
        """Let a look end that knows these requests."""
        self.known.learn(examination(*services, requests=requests))

    def request(self, path: str = "/", **more: Any) -> ProbeRequest:
        usual: dict[str, Any] = {
            "url": f"http://127.0.0.1:{self.port}{path}",
            "address": "127.0.0.1",
            "port": self.port,
            "path": path,
            "host": "localhost",
            "tls": False,
            "service": "web",
            "through_proxy": True,
            "location": path,
            "upstream": "app",
            "target": "app:5000",
        }
        return ProbeRequest(**(usual | more))

    def check(self) -> list[Signal]:
        """Return what one round emits."""
        self.signals.clear()
        self.checks.check(self.signals.append, self.stop)
        return list(self.signals)


@pytest.fixture
def checked(tmp_path: Path) -> Iterator[Checked]:
    clock, known, status = FakeClock(1000.0), Known(), {"/": 200}

    def monotonic() -> float:
        clock.seconds += 1e-9  # two readings of a real clock are never the same
        return clock.seconds

    deps = fake_deps(tmp_path, clock, now=lambda: round(clock.seconds, 3), monotonic=monotonic)
    checks = RequestChecks(known, deps=deps, interval=15, chance=lambda: 0.5)
    with site(lambda path: status.get(path, 200)) as (port, asked):
        yield Checked(clock, known, checks, asked, port, status)


def test_every_request_of_the_last_look_is_sent_and_its_latency_kept(checked: Checked) -> None:
    assert checked.check() == []
    direct = checked.request("/direct", service="app", through_proxy=False)
    checked.learn(checked.request("/"), checked.request("/api"), direct)
    assert checked.check() == []
    assert checked.asked == ["/", "/api", "/direct"]
    answered = {f"http://127.0.0.1:{checked.port}{path}" for path in checked.asked}
    assert answered <= checked.known.answered
    (seconds,) = checked.known.latencies["app"]
    assert seconds is not None


def test_a_failed_check_is_noticed_once_and_asks_for_looks_until_it_is_confirmed(
    checked: Checked,
) -> None:
    checked.learn(checked.request())
    checked.status["/"] = 502
    symptom = f"http://127.0.0.1:{checked.port}/ answers 502"
    assert checked.check() == [Noticed("request", "app", symptom, 1000.0), LookWanted(symptom)]
    assert checked.check() == [LookWanted(symptom)]
    assert checked.check() == []
    checked.status["/"] = 504
    assert checked.check()[0] == Noticed("request", "app", symptom.replace("502", "504"), 1000.0)
    checked.status["/"] = 200
    again = f"http://127.0.0.1:{checked.port}/ answers 200 again"
    assert checked.check() == [Noticed("request", "app", again, 1000.0), LookWanted(again)]
    assert checked.check() == []
    assert [seconds is None for seconds in checked.known.latencies["app"]] == [True] * 4 + [
        False
    ] * 2


def test_a_check_that_has_just_failed_is_repeated_soon_and_alone(checked: Checked) -> None:
    checked.learn(checked.request("/"), checked.request("/api"))
    checked.status["/"] = 503
    checked.check()
    assert checked.checks._pause() == 3.0
    checked.check()
    assert checked.asked == ["/", "/api", "/"]
    assert checked.checks._pause() == 15.0


def test_rounds_come_a_fifth_of_the_interval_earlier_or_later(tmp_path: Path) -> None:
    deps = fake_deps(tmp_path, FakeClock())
    soonest = RequestChecks(Known(), deps=deps, interval=10, chance=lambda: 0.0)
    latest = RequestChecks(Known(), deps=deps, interval=10, chance=lambda: 1.0)
    assert (soonest._pause(), latest._pause()) == pytest.approx((8.0, 12.0))


@pytest.mark.parametrize(
    ("way", "words"),
    [
        ({"port": 1}, "fails: connection refused"),
        ({"tls": True}, "fails in the TLS handshake"),
    ],
)
def test_refused_and_tls_failures_are_failures(
    checked: Checked, way: dict[str, Any], words: str
) -> None:
    checked.learn(checked.request(**way))
    noticed, wanted = checked.check()
    assert isinstance(noticed, Noticed)
    assert words in noticed.what
    assert isinstance(wanted, LookWanted)


@pytest.mark.parametrize("status", [200, 204, 301, 302, 401, 403, 404, 429])
def test_redirects_and_refusals_of_the_app_are_no_failures(checked: Checked, status: int) -> None:
    checked.learn(checked.request())
    checked.status["/"] = status
    assert checked.check() == []


def test_a_refusal_of_the_sites_own_limit_is_no_failure(checked: Checked) -> None:
    limit = Limit("strict", 100.0)
    checked.learn(checked.request(limits=(limit,)))
    checked.status["/"] = 503
    checked.known.follows_log = True
    checked.known.limited.append(LimitedRequest("strict", "/", is_refused=True, when=1000.5))
    assert checked.check() == []
    assert "app" not in checked.known.latencies
    checked.known.limited.clear()
    checked.clock.seconds += 60
    assert len(checked.check()) == 2


def test_a_limit_of_the_site_makes_checks_rarer(checked: Checked) -> None:
    checked.learn(checked.request(limits=(STRICT,)))
    for _ in range(9):
        checked.check()
        checked.clock.seconds += 15
    assert len(checked.asked) == 2


def test_nothing_is_asked_that_is_down_on_purpose(checked: Checked) -> None:
    everything = (
        checked.request("/"),
        checked.request("/static", upstream="", target=""),
        checked.request("/direct", service="app", through_proxy=False),
    )
    checked.learn(*everything)
    checked.known.state = State(stopped=frozenset({"app"}))
    checked.check()
    assert checked.asked == ["/static"]
    checked.known.state = State(stopped=frozenset({"app", "web"}))
    checked.check()
    checked.known.state = State(work=Work("up"))
    checked.check()
    assert checked.asked == ["/static"]
    checked.known.state = State(work=Work("restart", frozenset({"app"})))
    checked.check()
    assert checked.asked == ["/static"] * 2
    checked.known.state = State(work=Work("up", ended=900.0))
    checked.check()
    assert checked.asked == ["/static"] * 2 + ["/", "/static", "/direct"]


def test_nothing_is_asked_where_no_container_runs(checked: Checked) -> None:
    requests = (checked.request("/"), checked.request("/direct", service="app"))
    url = checked.request("/url", service="", upstream="")
    all_down = (service("app", down("app")), service("web", down("web")))
    checked.learn(*requests, url, services=all_down)
    checked.check()
    checked.learn(*requests, url, services=(service("app"), service("web")))
    checked.check()
    assert checked.asked == []
    checked.learn(*requests, url, services=(service("app", down()),))
    checked.check()
    assert checked.asked == ["/", "/url"]


def test_an_answer_that_comes_when_the_service_is_being_stopped_counts_for_nothing(
    tmp_path: Path,
) -> None:
    known = Known()
    checks = RequestChecks(known, deps=fake_deps(tmp_path, FakeClock()), interval=15)

    def stopped_meanwhile(_path: str) -> int:
        known.state = State(stopped=frozenset({"app"}))
        return 502

    with site(stopped_meanwhile) as (port, asked):
        checked = Checked(FakeClock(), known, checks, asked, port, {})
        checked.learn(checked.request())
        assert checked.check() == []
    assert asked == ["/"]
    assert known.latencies == {}


def test_the_latest_latencies_are_kept(checked: Checked) -> None:
    for number in range(MOST_LATENCIES + 5):
        checked.known.checked("app", float(number))
    ring = checked.known.latencies["app"]
    assert (len(ring), ring[-1]) == (MOST_LATENCIES, MOST_LATENCIES + 4)


def test_a_stop_ends_the_checks_before_the_first_look_and_after(checked: Checked) -> None:
    checked.stop.set()
    checked.checks.run(checked.signals.append, checked.stop)
    checked.learn(checked.request())
    checked.checks.run(checked.signals.append, checked.stop)
    checked.check()
    assert checked.asked == []


def test_an_address_keeps_its_service_until_another_has_it(checked: Checked) -> None:
    checked.learn(services=(service("app", container("app", "10.0.0.7")),))
    checked.learn(services=(service("app", container("app", "10.0.0.8")),))
    assert checked.known.service_at("10.0.0.7") == "app"
    checked.learn(services=(service("web", container("web", "10.0.0.7")),))
    assert checked.known.service_at("10.0.0.7") == "web"


def test_a_failure_that_is_planned_or_gone_keeps_no_other_check_waiting(checked: Checked) -> None:
    static = checked.request("/static", upstream="", target="")
    checked.learn(checked.request(), static)
    checked.status["/"] = 502
    checked.check()
    checked.known.state = State(stopped=frozenset({"app"}))
    checked.check()
    checked.check()
    assert checked.asked == ["/", "/static", "/static"]
    checked.known.state = State()
    checked.check()
    checked.learn(static)
    checked.check()
    assert checked.asked[3:] == ["/", "/static", "/static"]
