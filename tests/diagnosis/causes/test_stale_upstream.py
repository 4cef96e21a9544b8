"""An address that nginx looked up once, and that the service has no more (edge-cases.md#70)."""

from __future__ import annotations

from typing import Any

import pytest

from dartsctl.diagnosis.diagnose import diagnose
from dartsctl.diagnosis.facts import Connect, Facts, ProxyTurn, UpstreamFacts
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.nginx.config import Target
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint
from fakes.stack_facts import (
    NOW,
    ROUTE,
    answer,
    causes,
    container,
    facts,
    failed,
    failures,
    service,
)

API = replace(ROUTE, location="/api", targets=(Target("api", 5000),), written="http://api:5000")


def stale(**more: Any) -> Facts:
    connects = (Connect("shop-app-1", "10.0.0.2", 5000, "open"),)
    usual: dict[str, Any] = {
        "proxy": failures(failed(NginxFailure.NO_ROUTE, "10.0.0.9:5000")),
        "http": (answer(502),),
        "upstreams": (UpstreamFacts(Target("app", 5000), (ROUTE,), "app", connects),),
    }
    return facts(**(usual | more))


def turn(*made: str, requests: tuple[int, ...] = (0,), kept: tuple[str, ...] = ()) -> ProxyTurn:
    """Return the connections to port 5000 of some addresses."""
    return ProxyTurn(requests, tuple(map(at, made)), tuple(map(at, kept)))


def at(address: str) -> Endpoint:
    return Endpoint(5000, address)


def test_an_address_that_the_service_no_longer_has_is_stale() -> None:
    (finding,) = diagnose(stale()).findings
    assert (finding.cause, finding.service, finding.data["stale"]) == (
        Cause.STALE_UPSTREAM,
        "app",
        "10.0.0.9",
    )
    assert "10.0.0.2" in finding.sentence


def test_a_hanging_request_is_seen_in_the_proxy_s_sockets() -> None:
    """The first request hangs for up to a minute, and nothing is in the log yet."""
    stack = stale(proxy=failures(), http=(answer(None),))
    turns = (turn("10.0.0.9"),)
    assert causes(diagnose(replace(stack, turns=turns))) == [(Cause.STALE_UPSTREAM, "app")]
    turns = (turn("10.0.0.2"),)
    assert causes(diagnose(replace(stack, turns=turns))) == [(Cause.UNKNOWN, "app")]


def test_an_address_of_another_service_is_stale_even_if_it_answers() -> None:
    """edge-cases.md#70: the wrong one answers."""
    stack = stale(
        proxy=failures(),
        http=(answer(200),),
        services={**facts().services, "other": service("other", container("other", "10.0.0.9"))},
    )
    stack = replace(stack, turns=(turn("10.0.0.9"),))
    (finding,) = diagnose(stack).findings
    assert finding.cause is Cause.STALE_UPSTREAM
    assert "which other has now" in finding.sentence
    assert not finding.harmless
    assert finding.chain[0].text == "requests for app are answered by another service"


def test_a_name_that_is_looked_up_for_each_request_is_not_stale() -> None:
    route = replace(ROUTE, dynamic=True)
    assert causes(
        diagnose(stale(upstreams=(UpstreamFacts(Target("app", 5000), (route,), "app"),)))
    ) == [(Cause.UNKNOWN, "app")]


def test_a_failure_before_our_request_does_not_count() -> None:
    stack = stale(proxy=failures(failed(NginxFailure.NO_ROUTE, "10.0.0.9:5000", when=NOW - 600)))
    assert causes(diagnose(stack)) == [(Cause.UNKNOWN, "app")]


def test_the_address_of_another_upstream_on_the_same_port_is_not_stale() -> None:
    both = (
        *stale().upstreams,
        UpstreamFacts(Target("api", 5000), (replace(ROUTE, location="/api"),), "api"),
    )
    listening = container(
        "api", "10.0.0.9", listening=(Endpoint(5000, "0.0.0.0"),), wanted=(), bound=()
    )
    diagnosis = diagnose(
        stale(services={**facts().services, "api": service("api", listening)}, upstreams=both)
    )
    assert Cause.STALE_UPSTREAM not in {cause for cause, _ in causes(diagnosis)}


# --- the wrong service answers ------------------------------------------------------------------


def two_upstreams(*turns: ProxyTurn, statuses: tuple[int | None, int | None] = (200, 200)) -> Facts:
    """Return app at .2 and api at .4, both behind nginx on port 5000, and an idle one at .9."""
    names = {"app": "10.0.0.2", "api": "10.0.0.4", "idle": "10.0.0.9"}
    listening = (Endpoint(5000, "0.0.0.0"),)
    services = {
        name: service(name, container(name, address, listening=listening, wanted=(), bound=()))
        for name, address in names.items()
    }
    upstreams = (
        UpstreamFacts(Target("app", 5000), (ROUTE,), "app"),
        UpstreamFacts(Target("api", 5000), (API,), "api"),
    )
    http = (answer(statuses[0]), replace(answer(statuses[1], "api"), location="/api"))
    return facts(*services.values(), upstreams=upstreams, http=http, turns=turns)


APP, API_AT, IDLE = "10.0.0.2", "10.0.0.4", "10.0.0.9"
STALE_APP = [(Cause.STALE_UPSTREAM, "app")]
BOTH = [(Cause.STALE_UPSTREAM, "api"), (Cause.STALE_UPSTREAM, "app")]


@pytest.mark.parametrize(
    ("turns", "expected"),
    [
        pytest.param((), [], id="nothing was seen"),
        pytest.param((turn(APP), turn(API_AT, requests=(1,))), [], id="healthy"),
        pytest.param((turn(IDLE), turn(API_AT, requests=(1,))), STALE_APP, id="app's is idle's"),
        pytest.param((turn(API_AT), turn(APP, requests=(1,))), BOTH, id="they changed places"),
        pytest.param(
            (turn(API_AT), turn(API_AT, requests=(1,))), [], id="app from a cache, others ask api"
        ),
        pytest.param((turn(API_AT), turn(requests=(1,))), [], id="others ask api meanwhile"),
        pytest.param((turn(APP, API_AT), turn(APP, API_AT, requests=(1,))), [], id="much traffic"),
        pytest.param((turn(kept=(APP, API_AT)), turn(requests=(1,))), [], id="kept connections"),
        pytest.param(
            (turn(API_AT, kept=(APP,)), turn(APP, requests=(1,), kept=(API_AT,))),
            [],
            id="kept connections serve ours, others' are new",
        ),
        pytest.param((turn(kept=(IDLE,)),), STALE_APP, id="the only kept one leads to idle"),
        pytest.param((turn("10.0.0.77"),), [], id="an address outside the stack that answers"),
        pytest.param(
            (turn(API_AT, requests=(0, 1)), turn(APP, requests=(0,))),
            [],
            id="two requests at once: whose connection it was is not known",
        ),
    ],
)
def test_the_connections_say_which_service_answered(
    turns: tuple[ProxyTurn, ...], expected: list[tuple[Cause, str]]
) -> None:
    assert causes(diagnose(two_upstreams(*turns))) == expected


def test_between_many_connections_of_others_ours_are_not_told_apart() -> None:
    stack = two_upstreams(turn(API_AT), turn(APP, requests=(1,)))
    assert diagnose(replace(stack, busy=(at(API_AT),))).healthy


def test_a_moved_service_on_the_address_of_one_that_moved_too() -> None:
    """Nginx asks api at an address that nobody has: so app's connection to api was its own."""
    stack = two_upstreams(turn(API_AT), turn("10.0.0.77", requests=(1,)), statuses=(200, 502))
    assert set(causes(diagnose(stack))) == set(BOTH)


def test_a_refused_request_says_nothing_about_an_address() -> None:
    stack = two_upstreams(turn(API_AT), turn(APP, requests=(1,)))
    limited = tuple(replace(http, limited="by limit_req zone site") for http in stack.http)
    assert diagnose(replace(stack, http=limited)).healthy


def test_all_replicas_and_all_servers_of_a_group_are_right() -> None:
    group = replace(ROUTE, targets=(Target("app", 5000), Target("api", 5000)))
    stack = two_upstreams(turn(API_AT), turn(APP, requests=(1,)))
    upstreams = tuple(replace(row, routes=(group,)) for row in stack.upstreams)
    assert diagnose(replace(stack, upstreams=upstreams)).healthy
    replicas = service("app", container("app"), container("app", "10.0.0.5"), replicas=2)
    assert diagnose(facts(replicas, turns=(turn("10.0.0.5"),))).healthy


def test_two_sites_with_the_same_location_that_changed_places() -> None:
    stack = two_upstreams(turn(API_AT), turn(APP, requests=(1,)))
    api = replace(API, location="/")
    upstreams = (stack.upstreams[0], replace(stack.upstreams[1], routes=(api,)))
    http = (
        replace(stack.http[0], target="app:5000"),
        replace(stack.http[1], target="api:5000", location="/"),
    )
    assert causes(diagnose(replace(stack, upstreams=upstreams, http=http))) == BOTH


def test_a_group_behind_a_pattern_is_known_by_its_first_server() -> None:
    targets = (Target("app", 5000), Target("idle", 5000))
    group = replace(ROUTE, location="~ ^/api", targets=targets)
    stack = two_upstreams(turn(IDLE))
    upstreams = (
        UpstreamFacts(targets[0], (group,), "app"),
        UpstreamFacts(targets[1], (group,), "idle"),
    )
    http = (replace(stack.http[0], location="/api", target="app:5000"),)
    assert diagnose(replace(stack, upstreams=upstreams, http=http)).healthy


def test_a_target_that_depends_on_the_request_may_be_any_service() -> None:
    stack = two_upstreams(turn(IDLE))
    anywhere = replace(ROUTE, location="/any", targets=(), dynamic=True, written="http://$host")
    assert causes(diagnose(stack)) == STALE_APP
    assert stack.proxy
    assert stack.proxy.config
    server = replace(stack.proxy.config.servers[0], routes=(ROUTE, anywhere))
    config = replace(stack.proxy.config, servers=(server,))
    assert diagnose(replace(stack, proxy=replace(stack.proxy, config=config))).healthy


# --- addresses --------------------------------------------------------------------------------


@pytest.mark.parametrize("logged", ["[fd00::2]:5000", "[FD00:0:0::2]:5000", "10.0.0.2:5000"])
def test_an_ipv6_address_of_the_service_is_its_own_however_it_is_written(logged: str) -> None:
    app = service("app", container("app", ipv6_addresses=("fd00::2",)))
    http = (answer(502),)
    stack = facts(app, proxy=failures(failed(NginxFailure.REFUSED, logged)), http=http)
    assert Cause.STALE_UPSTREAM not in {cause for cause, _ in causes(diagnose(stack))}


def test_an_old_ipv6_address_is_stale() -> None:
    app = service("app", container("app", "fd00::2"))
    logged = failures(failed(NginxFailure.NO_ROUTE, "[fd00::9]:5000"))
    (finding,) = diagnose(facts(app, proxy=logged, http=(answer(502),))).findings
    assert finding.sentence == (
        "nginx still connects to [fd00::9]:5000 for app; app is at fd00::2 now"
    )


# --- whose line it is -------------------------------------------------------------------------


def line(path: str) -> str:
    return f'connect() failed (113: No route to host), request: "GET {path} HTTP/1.1"'


def test_a_line_about_one_location_is_no_evidence_about_another() -> None:
    old = replace(failed(NginxFailure.NO_ROUTE, "10.0.0.77:5000"), example=line("/api"))
    stack = replace(two_upstreams(statuses=(502, 502)), proxy=failures(old))
    assert (Cause.STALE_UPSTREAM, "api") in causes(diagnose(stack))
    assert (Cause.STALE_UPSTREAM, "app") not in causes(diagnose(stack))


def test_a_wrong_service_that_closes_the_connection_is_found_by_the_line() -> None:
    closed = failed(NginxFailure.CLOSED, "10.0.0.9:5000")
    services = {**facts().services, "other": service("other", container("other", "10.0.0.9"))}
    stack = facts(services=services, proxy=failures(closed), http=(answer(502),))
    (finding,) = diagnose(stack).findings
    assert (finding.cause, finding.data["owner"]) == (Cause.STALE_UPSTREAM, "other")
