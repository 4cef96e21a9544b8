"""The look through the proxy: what is asked, what is reloaded, and what is said to be unchecked."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from dartsctl.diagnosis.nginx.log import parse_moment
from dartsctl.workflows.up.through_proxy import ThroughProxy
from fakes.deps import FakeClock, fake_deps
from fakes.proxied_stack import WHEN, ProxiedStack, site

PASSES_ON = "events {} http { server { listen 80; location / { proxy_pass http://app:5000; } } }"

Gate = Callable[[ProxiedStack], ThroughProxy]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(8) as pool:
        yield pool


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(parse_moment(WHEN) or 0.0)


@pytest.fixture
def gate(tmp_path: Path, clock: FakeClock, pool: ThreadPoolExecutor) -> Gate:
    """Return what looks through the proxy of a stack."""

    def look_at(stack: ProxiedStack) -> ThroughProxy:
        deps = fake_deps(tmp_path / "state", clock, engine=lambda **_: stack)
        return ThroughProxy(stack.preflight(), proxy="", pool=pool, deps=deps)

    return look_at


def locations(*paths: str, more: str = "") -> str:
    """Return a configuration that passes each of the paths to the app."""
    blocks = " ".join(f"location {path} {{ {more} proxy_pass http://app:5000; }}" for path in paths)
    zone = "limit_req_zone $binary_remote_addr zone=site:1m rate=6r/m;" if more else ""
    return f"events {{}} http {{ {zone} server {{ listen 80; {blocks} }} }}"


def test_a_good_location_is_asked_only_once(gate: Gate) -> None:
    with site(lambda _: 200) as (port, asked):
        stack = ProxiedStack(port, PASSES_ON)
        looks = gate(stack)
        outcomes = [looks.look(), looks.look()]
    assert asked == ["/"]
    assert [outcome.is_good for outcome in outcomes] == [True, True]
    assert (outcomes[0].proxy, outcomes[0].site) == ("front", (f"http://localhost:{port}/",))
    assert (outcomes[1].failing, outcomes[1].unchecked, stack.actions) == ((), (), [])


# --- stale addresses --------------------------------------------------------------------------


def test_a_stale_address_is_reloaded_away_and_all_is_asked_again(
    gate: Gate, capsys: pytest.CaptureFixture[str]
) -> None:
    stack = ProxiedStack(0, PASSES_ON)
    with site(lambda _: 200 if "-s reload" in stack.actions else 502) as (stack.port, asked):
        stack.fail_at("10.9.0.7")
        looks = gate(stack)
        first, second = looks.look(), looks.look()
    assert (first.was_reloaded, second.was_reloaded, second.is_good) == (True, False, True)
    assert stack.actions == ["-t", "-s reload"]
    assert asked == ["/", "/"]
    assert (
        "reloaded front: nginx still connects to 10.9.0.7:5000 for app" in capsys.readouterr().err
    )


def test_nginx_is_reloaded_twice_at_most(gate: Gate) -> None:
    stack = ProxiedStack(0, PASSES_ON)
    with site(lambda _: 502) as (stack.port, _):
        looks = gate(stack)
        outcomes = []
        for address in ("10.9.0.7", "10.9.0.8", "10.9.0.9"):
            stack.fail_at(address)
            outcomes.append(looks.look())
    assert [outcome.was_reloaded for outcome in outcomes] == [True, True, False]
    assert stack.actions == ["-t", "-s reload"] * 2
    assert [location.answer for location in outcomes[2].failing] == ["answers 502"]


def test_two_stale_addresses_at_once_are_one_reload(gate: Gate) -> None:
    routes = [f"location /{name}/ {{ proxy_pass http://{name}:5000; }}" for name in ("app", "api")]
    config = f"events {{}} http {{ server {{ listen 80; {' '.join(routes)} }} }}"
    stack = ProxiedStack(0, config, apps=("app", "api"))
    with site(lambda _: 502) as (stack.port, _):
        looks = gate(stack)
        stack.fail_at("10.9.0.7", "/app/")
        stack.fail_at("10.9.0.8", "/api/")
        first = looks.look()
        stack.fail_at("10.9.0.9", "/app/")
        second = looks.look()
    assert (first.was_reloaded, second.was_reloaded) == (True, True)
    assert stack.actions == ["-t", "-s reload"] * 2


def test_the_same_stale_address_is_no_reason_for_a_second_reload(gate: Gate) -> None:
    stack = ProxiedStack(0, PASSES_ON)
    with site(lambda _: 502) as (stack.port, _):
        stack.fail_at("10.9.0.7")
        looks = gate(stack)
        outcomes = [looks.look(), looks.look()]
    assert [outcome.was_reloaded for outcome in outcomes] == [True, False]
    assert stack.actions == ["-t", "-s reload"]


def test_a_refused_configuration_is_not_reloaded_and_nginxs_words_are_shown(
    gate: Gate, capsys: pytest.CaptureFixture[str]
) -> None:
    refusal = 'nginx: [emerg] host not found in upstream "ap" in /etc/nginx/nginx.conf:1'
    stack = ProxiedStack(0, PASSES_ON, test_error=refusal)
    with site(lambda _: 502) as (stack.port, _):
        stack.fail_at("10.9.0.7")
        looks = gate(stack)
        first, second = looks.look(), looks.look()
    assert (first.was_reloaded, second.was_reloaded) == (False, False)
    assert stack.actions == ["-t"]
    assert [location.service for location in second.failing] == ["app"]
    said = capsys.readouterr().err
    assert "10.9.0.7:5000 for app" in said
    assert f"darts-dev-front-1 did not reload; {refusal}" in " ".join(said.split())


# --- what is not asked ------------------------------------------------------------------------


def test_a_request_that_the_sites_limits_leave_no_time_for_is_said_and_sent_later(
    gate: Gate, clock: FakeClock
) -> None:
    with site(lambda _: 200) as (port, asked):
        stack = ProxiedStack(port, locations("/a/", "/b/", more="limit_req zone=site;"))
        looks = gate(stack)
        first = looks.look()
        assert asked == ["/a/"]
        clock.sleep(20)
        second = looks.look()
    assert first.unchecked == (
        f"http://localhost:{port}/b/ was not asked, to keep the site's limits",
    )
    assert first.is_good
    assert asked == ["/a/", "/b/"]
    assert second.unchecked == ()


def test_of_many_locations_the_first_forty_are_asked_and_the_others_are_said(gate: Gate) -> None:
    with site(lambda _: 200) as (port, asked):
        paths = [f"/l{number}/" for number in range(43)]
        outcome = gate(ProxiedStack(port, locations(*paths))).look()
    assert asked == paths[:40]
    assert outcome.unchecked == (
        (
            f"http://localhost:{port}/l40/ and 2 more locations were not asked: "
            "only the first 40 locations are"
        ),
    )


def test_forty_locations_are_all_asked(gate: Gate) -> None:
    with site(lambda _: 200) as (port, asked):
        outcome = gate(ProxiedStack(port, locations(*(f"/l{n}/" for n in range(40))))).look()
    assert len(asked) == 40
    assert outcome.unchecked == ()


def test_the_only_location_too_many_is_said_alone(gate: Gate) -> None:
    with site(lambda _: 200) as (port, _):
        outcome = gate(ProxiedStack(port, locations(*(f"/l{n}/" for n in range(41))))).look()
    assert outcome.unchecked == (
        f"http://localhost:{port}/l40/ was not asked: only the first 40 locations are",
    )


def test_an_engine_elsewhere_publishes_ports_that_cannot_be_asked(
    tmp_path: Path, clock: FakeClock, pool: ThreadPoolExecutor
) -> None:
    with site(lambda _: 200) as (port, asked):
        stack = ProxiedStack(port, PASSES_ON)
        deps = fake_deps(tmp_path, clock, engine=lambda **_: stack)
        outcome = ThroughProxy(stack.preflight("remote"), proxy="", pool=pool, deps=deps).look()
    assert asked == []
    assert outcome.unchecked == (
        "skipped the check that front answers: its ports are published on another machine",
    )


# --- other proxies, and TLS -------------------------------------------------------------------


@pytest.mark.parametrize("status", [200, 502])
def test_a_proxy_that_is_not_nginx_is_asked_once_and_never_reloaded(
    gate: Gate, status: int
) -> None:
    stack = ProxiedStack(0, image="traefik:3")
    with site(lambda _: status) as (stack.port, asked):
        stack.fail_at("10.9.0.7")
        outcome = gate(stack).look()
    assert asked == ["/"]
    assert (outcome.proxy, outcome.is_good) == ("front", status == 200)
    assert (stack.actions, outcome.was_reloaded, outcome.unchecked) == ([], False, ())


def test_the_url_of_a_tls_port_is_https_and_no_tls_there_proves_nothing(gate: Gate) -> None:
    config = PASSES_ON.replace("listen 80;", "listen 443 ssl;")
    with site(lambda _: 200) as (port, _):
        outcome = gate(ProxiedStack(port, config, target=443)).look()
    assert outcome.site == (f"https://localhost:{port}/",)
    assert outcome.failing == ()
    sentence = next(iter(outcome.unchecked))
    assert sentence.startswith(f"cannot tell whether it works: https://localhost:{port}/ fails in")


def test_an_nginx_whose_configuration_cannot_be_read_is_asked_for_its_first_page(
    gate: Gate,
) -> None:
    with site(lambda _: 200) as (port, asked):
        outcome = gate(ProxiedStack(port)).look()
    assert asked == ["/"]
    assert outcome.unchecked == (
        "nginx's configuration could not be read: nginx -T cannot be run in darts-dev-front-1",
    )


def test_a_stack_without_a_proxy_has_nothing_to_look_through(gate: Gate) -> None:
    with site(lambda _: 200) as (port, asked):
        outcome = gate(ProxiedStack(port, image="shop:1", target=5000)).look()
    assert (asked, outcome.proxy, outcome.unchecked) == ([], "", ())
