"""What follows from what: along `depends_on`, through the proxy, and what never follows."""

from __future__ import annotations

import pytest

from dartsctl.diagnosis.diagnose import diagnose
from dartsctl.diagnosis.facts import CertificateFacts, ContainerFacts, Facts, LoggedLine
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.nginx.config import Listen
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint
from fakes.route_faults import FAULTS, stack_with
from fakes.stack_facts import (
    FLASK,
    NOW,
    answer,
    causes,
    conflict,
    container,
    down,
    facts,
    failed,
    failures,
    service,
)

EXPIRED = CertificateFacts("/srv/tls.crt", "/srv/tls.crt expired", refusing=True, source="file")
LOOPING = down("gateway", 1, state="restarting", restart_count=7, wanted=())
BRIEFLY_UP = container("gateway", restart_count=7, started=NOW - 2, listening=(), wanted=())
FAILING = container("gateway", health="unhealthy", wanted=())
ENDED = down("gateway", 1, wanted=())


def gateway(made: ContainerFacts = LOOPING, *needs: str) -> Facts:
    """Return the stack with a gateway that needs RabbitMQ, which somebody has stopped."""
    return facts(
        service("gateway", made, depends_on=needs or ("rabbitmq",), published=()),
        service("rabbitmq", down("rabbitmq", 0), published=()),
    )


@pytest.mark.parametrize(
    "made",
    [LOOPING, BRIEFLY_UP, FAILING, ENDED],
    ids=["waits for its restart", "runs briefly", "unhealthy", "ended"],
)
def test_a_stopped_rabbitmq_is_the_cause_of_the_gateway_s_failure(made: ContainerFacts) -> None:
    (finding,) = diagnose(gateway(made)).findings
    assert (finding.cause, finding.service) == (Cause.APP_EXITED, "rabbitmq")
    assert finding.data["followed_by"] == ["gateway"]
    assert any(line.startswith("follows: gateway") for line in finding.chain[0].evidence)


@pytest.mark.parametrize("code", [0, 1, 137, 143])
@pytest.mark.parametrize("policy", ["no", "unless-stopped"])
def test_however_rabbitmq_was_stopped_it_is_the_cause(code: int, policy: str) -> None:
    stopped = down("rabbitmq", code, restart_policy=policy, wanted=())
    stack = facts(
        service("gateway", LOOPING, depends_on=("rabbitmq",), published=()),
        service("rabbitmq", stopped, published=()),
    )
    assert causes(diagnose(stack)) == [(Cause.APP_EXITED, "rabbitmq")]


def test_a_one_shot_that_has_ended_well_is_no_cause_of_a_crash_loop() -> None:
    migrate = service("migrate", down("migrate", 0, restart_policy="no", wanted=()), published=())
    looping = service(
        "gateway",
        LOOPING,
        depends_on=("migrate",),
        waits_for_end_of=("migrate",),
        published=(),
    )
    assert causes(diagnose(facts(looping, migrate))) == [(Cause.CRASH_LOOP, "gateway")]


def test_a_crash_loop_whose_dependencies_are_healthy_is_its_own_cause() -> None:
    stack = facts(
        service("gateway", LOOPING, depends_on=("rabbitmq",), published=()),
        service("rabbitmq", container("rabbitmq", health="healthy"), published=()),
    )
    assert causes(diagnose(stack)) == [(Cause.CRASH_LOOP, "gateway")]


def test_what_fails_beside_a_service_that_serves_is_no_cause_of_its_dependents() -> None:
    """The database is without its port on the host; inside the network it serves."""
    database = service("db", container("db", bound=()), conflicts=(conflict(FLASK),))
    looping = service("gateway", LOOPING, depends_on=("db",), published=())
    assert causes(diagnose(facts(looping, database))) == [
        (Cause.PORT_SQUATTER, "db"),
        (Cause.CRASH_LOOP, "gateway"),
    ]


def test_a_chain_of_dependencies_has_one_cause_also_through_the_proxy() -> None:
    """db is down, app loops, nginx misses the app's name, and a page waits for nginx."""
    proxy = failures(failed(NginxFailure.HOST_NOT_FOUND, "", name="app:5000"))
    stack = facts(
        service("db", down("db", 1), published=()),
        service("queue", down("queue", 1), depends_on=("db",), published=()),
        service("app", down("app", state="restarting", restart_count=4), depends_on=("queue",)),
        service("web", down("web", started=NOW - 2)),
        service("page", down("page", 0, state="created", finished=None), depends_on=("web",)),
        proxy=proxy,
        http=(answer(None),),
    )
    (finding,) = diagnose(stack).findings
    assert (finding.cause, finding.service) == (Cause.APP_EXITED, "db")
    assert set(finding.data["followed_by"]) == {"queue", "app", "web", "page"}  # type: ignore[call-overload]
    assert finding.requests == ("http://127.0.0.1:80/",)


def test_services_that_wait_for_each_other_do_not_hide_what_they_both_need() -> None:
    stack = facts(
        service("app", down(), depends_on=("api", "db")),
        service("api", down("api"), depends_on=("app",), published=()),
        service("db", down("db", 1), published=()),
    )
    assert causes(diagnose(stack)) == [(Cause.APP_EXITED, "db")]


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_failed_request_follows_from_what_its_service_needs(status: int) -> None:
    stack = facts(
        service("app", container("app"), depends_on=("api",)),
        service("api", container("api"), depends_on=("db",), published=()),
        service("db", down("db", 1), published=()),
        http=(answer(status),),
    )
    (finding,) = diagnose(stack).findings
    assert (finding.cause, finding.service) == (Cause.APP_EXITED, "db")
    assert finding.data["followed_by"] == ["app"]
    assert finding.chain[0].text == f"http://127.0.0.1:80/ answers {status}"


def test_a_failed_request_does_not_follow_from_a_service_that_is_not_needed() -> None:
    stack = facts(service("db", down("db", 1), published=()), http=(answer(502),))
    assert sorted(cause.value for cause, _ in causes(diagnose(stack))) == ["app-exited", "unknown"]


@pytest.mark.parametrize("name", [name for name in FAULTS if name != "the app's own error"])
def test_an_expired_certificate_has_no_502_as_its_symptom_and_hides_no_cause(name: str) -> None:
    fault = FAULTS[name](1)
    stack = stack_with(fault)
    assert stack.proxy is not None
    proxy = replace(stack.proxy, listens=(Listen(443, "", tls=True),))
    diagnosis = diagnose(replace(stack, proxy=proxy, certificates=(EXPIRED,)))
    assert set(causes(diagnosis)) == {(Cause.CERTIFICATE, "web"), (fault.cause, fault.blamed)}
    for finding in diagnosis.findings:
        is_certificate = finding.cause is Cause.CERTIFICATE
        assert is_certificate == ("browsers refuse" in finding.chain[0].text)
        if is_certificate:
            assert finding.requests == ()


def test_an_expired_certificate_is_no_cause_of_a_service_that_waits_for_the_proxy() -> None:
    proxy = replace(failures(), listens=(Listen(443, "", tls=True),))
    looping = service("page", replace(LOOPING, service="page"), depends_on=("web",), published=())
    stack = facts(looping, proxy=proxy, certificates=(EXPIRED,))
    assert {cause for cause, _ in causes(diagnose(stack))} == {
        Cause.CERTIFICATE,
        Cause.CRASH_LOOP,
    }


def test_a_traceback_in_a_log_is_no_cause() -> None:
    lines = (LoggedLine("Traceback (most recent call last):"), LoggedLine("OSError: libespeak.so"))
    assert diagnose(facts(service("app", container("app", log=lines)))).healthy


def test_a_reversed_dependency_is_the_cause_also_while_the_app_waits() -> None:
    proxy = failures(failed(NginxFailure.HOST_NOT_FOUND, "", name="app:5000"))
    waiting = service("app", down("app", 0, state="created", finished=None), depends_on=("web",))
    stack = facts(waiting, service("web", down("web", started=NOW - 2)), proxy=proxy)
    (finding,) = diagnose(stack).findings
    assert (finding.cause, finding.service) == (Cause.REVERSED_DEPENDENCY, "web")
    assert finding.data["followed_by"] == ["app"]
    assert "let web depend on app, not app on web" in finding.command


def test_a_reversed_dependency_through_another_service_names_that_one() -> None:
    proxy = failures(failed(NginxFailure.HOST_NOT_FOUND, "", name="app:5000"))
    stack = facts(
        service("app", container("app"), depends_on=("cache",)),
        service("cache", container("cache"), depends_on=("web",), published=()),
        service("web", down("web", started=NOW - 2)),
        proxy=proxy,
    )
    (finding,) = diagnose(stack).findings
    assert finding.cause is Cause.REVERSED_DEPENDENCY
    assert "let web depend on app, not cache on web" in finding.command


def test_two_ports_of_one_service_have_a_finding_each() -> None:
    first, second = FAULTS["closed"](1), FAULTS["slow"](1)
    (upstream,), (http,), (line,) = second.upstreams, second.http, second.lines
    target = replace(upstream.target, port=81)
    route = replace(upstream.routes[0], location="/slow/", targets=(target,))
    slow = replace(
        second,
        services=(),
        upstreams=(replace(upstream, target=target, routes=(route,)),),
        http=(replace(http, url="http://x/slow/", location="/slow/", target=str(target)),),
        lines=(line.replace("GET /1/", "GET /slow/").replace(":80/1/", ":81/slow/"),),
    )
    stack = stack_with(first, slow)
    (made,) = first.services[0].containers
    made = replace(made, listening=(Endpoint(80, "0.0.0.0"), Endpoint(81, "0.0.0.0")))
    services = {**stack.services, first.blamed: replace(first.services[0], containers=(made,))}
    diagnosis = diagnose(replace(stack, services=services))
    assert causes(diagnosis) == [
        (Cause.CLOSES_EARLY, first.blamed),
        (Cause.NO_ANSWER, first.blamed),
    ]
    assert [finding.requests for finding in diagnosis.findings] == [
        (first.http[0].url,),
        ("http://x/slow/",),
    ]
