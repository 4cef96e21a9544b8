"""Healthy starts of many shapes have no finding, with and without health checks."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from dartsctl.diagnosis.diagnose import diagnose
from dartsctl.diagnosis.facts import (
    CertificateFacts,
    Connect,
    ContainerFacts,
    Facts,
    HttpFacts,
    LoggedLine,
    ProxyFacts,
    PublishedPort,
    ServiceFacts,
    UpstreamFacts,
)
from dartsctl.diagnosis.nginx.config import Config, Listen, Route, Server, Target
from dartsctl.diagnosis.nginx.log import NginxFailure
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint
from fakes.stack_facts import (
    NOW,
    ROUTE,
    answer,
    container,
    down,
    facts,
    failed,
    failures,
    service,
)

ENDED_WELL = down("migrate", 0, wanted=(), restart_policy="no")


def behind(name: str, *containers: ContainerFacts, needs: tuple[str, ...] = ()) -> ServiceFacts:
    return service(name, *containers, published=(), depends_on=needs)


def ports(*numbers: int) -> tuple[Endpoint, ...]:
    return tuple(Endpoint(number, "0.0.0.0") for number in numbers)


def simple() -> Facts:
    return facts()


def chain_of_needs() -> Facts:
    """migrate needs db, the gateway needs both and RabbitMQ, the app needs the gateway."""
    return facts(
        behind("db", container("db")),
        service("migrate", ENDED_WELL, published=(), depends_on=("db",), waits_for_end_of=("db",)),
        behind("rabbitmq", container("rabbitmq")),
        behind("gateway", container("gateway"), needs=("migrate", "db", "rabbitmq")),
        service("app", container("app"), depends_on=("gateway",)),
    )


def one_shot_in_the_short_form() -> Facts:
    return facts(
        behind("init", down("init", 0, wanted=(), restart_policy="no")),
        service("app", container("app"), depends_on=("init",)),
    )


def one_shot_with_on_failure() -> Facts:
    return facts(behind("init", down("init", 0, wanted=(), restart_policy="on-failure")))


def replicas() -> Facts:
    two = [
        replace(
            container("app", f"10.0.0.{number}", wanted=(), bound=()), name=f"shop-app-{number}"
        )
        for number in (4, 5)
    ]
    return facts(service("app", *two, published=(), replicas=2))


def proxy_on_the_host_network() -> Facts:
    route = replace(ROUTE, targets=(Target("127.0.0.1", 5000),))
    front = container(
        "web", "", networks={"host": ""}, network_mode="host", listening=ports(80, 5000)
    )
    return facts(
        service("web", front),
        upstreams=(UpstreamFacts(Target("127.0.0.1", 5000), (route,)),),
        http=(answer(200, "", target="127.0.0.1:5000"),),
    )


def no_proxy() -> Facts:
    return replace(facts(), proxy=None, upstreams=(), http=(answer(200),))


def traefik() -> Facts:
    return facts(proxy=ProxyFacts("web", "traefik"), upstreams=(), http=(answer(404, ""),))


def static_nginx() -> Facts:
    proxy = replace(failures(), config=Config((Server((Listen(80),)),)))
    return facts(proxy=proxy, upstreams=(), http=(answer(403, ""),))


def websockets() -> Facts:
    """A socket answers a plain GET with 400 or 426, and nothing speaks TLS."""
    route = replace(ROUTE, location="/socket.io/")
    upstream = UpstreamFacts(Target("app", 5000), (ROUTE, route), "app")
    http = [answer(status, target="app:5000") for status in (200, 400, 426)]
    return facts(upstreams=(upstream,), http=tuple(http))


def upload_limit() -> Facts:
    return facts(http=(answer(413, target="app:5000"),))


def slow_starter_in_its_start_period() -> Facts:
    """Behind no location of nginx, so that nobody asks it yet."""
    return facts(behind("search", container("search", health="starting", started=NOW - 3)))


def restarts_long_ago() -> Facts:
    return facts(service("app", container("app", restart_count=12, started=NOW - 7200)))


def restarted_just_now_and_healthy() -> Facts:
    young = container("app", restart_count=5, started=NOW - 4, health="healthy")
    return facts(service("app", young))


def certificate_for_sixty_days() -> Facts:
    proxy = replace(failures(), listens=(Listen(443, "", tls=True),))
    soon = CertificateFacts("/srv/tls.crt", "expires in 60 days", refusing=False, source="file")
    front = container("web", "10.0.0.3", listening=ports(443))
    return facts(service("web", front), proxy=proxy, certificates=(soon,))


def scaled_to_nothing() -> Facts:
    return facts(service("worker", replicas=0, published=()))


def paused_on_purpose() -> Facts:
    """Nothing asks it, it publishes nothing, and nobody wants it restarted."""
    paused = container("batch", state="paused", wanted=(), bound=(), restart_policy="no")
    return facts(behind("batch", replace(paused, listening=None)))


def nginx_asks_itself() -> Facts:
    """A second server of the same nginx."""
    route = replace(ROUTE, targets=(Target("127.0.0.1", 8081),))
    front = container("web", "10.0.0.3", listening=ports(80, 8081))
    return facts(
        service("web", front),
        upstreams=(UpstreamFacts(Target("127.0.0.1", 8081), (route,)),),
        http=(answer(200, "", target="127.0.0.1:8081"),),
    )


def upstream_outside_the_stack() -> Facts:
    route = Route("/", "https", (Target("api.example.org", 443),), True, "https://api.example.org")
    return facts(
        upstreams=(UpstreamFacts(Target("api.example.org", 443), (route,)),),
        http=(answer(200, "", target="api.example.org:443"),),
    )


def other_ports_beside_the_asked_one() -> Facts:
    app = container("app", listening=ports(5000, 9090, 5678))
    return facts(service("app", app))


def published_on_another_number() -> Facts:
    places = (PublishedPort(5000, Endpoint(8443, "127.0.0.1")),)
    return facts(service("app", container("app", wanted=places, bound=places)))


def unix_socket() -> Facts:
    target = Target("unix:/run/app.sock", 0)
    route = replace(ROUTE, targets=(target,))
    return facts(
        upstreams=(UpstreamFacts(target, (route,)),), http=(answer(200, "", target=str(target)),)
    )


def resolver_of_the_company() -> Facts:
    """It forwards to Docker's: the requests succeed, and that is what counts."""
    route = replace(ROUTE, dynamic=True, resolvers=("10.0.0.53",))
    return facts(upstreams=(UpstreamFacts(Target("app", 5000), (route,), "app"),))


def yesterday_s_trouble() -> Facts:
    counts = [failed(kind, when=NOW - 86400, count=9) for kind in NginxFailure]
    return facts(proxy=failures(*counts))


def noise_in_logs() -> Facts:
    lines = (
        LoggedLine("Traceback (most recent call last):", NOW - 1),
        LoggedLine("ERROR libespeak.so.1 is missing", NOW - 1),
        LoggedLine("[CRITICAL] WORKER TIMEOUT (pid:9)", NOW - 1),
    )
    return facts(service("app", container("app", log=lines)))


def connections_that_are_open() -> Facts:
    connects = (Connect("shop-app-1", "10.0.0.2", 5000, "open"),)
    return facts(upstreams=(UpstreamFacts(Target("app", 5000), (ROUTE,), "app", connects),))


def not_readable() -> Facts:
    app, web = (
        replace(made, listening=None, log=None)
        for made in (container("app"), container("web", "10.0.0.3"))
    )
    return facts(service("app", app), service("web", web))


SHAPES: tuple[Callable[[], Facts], ...] = (
    simple,
    chain_of_needs,
    one_shot_in_the_short_form,
    one_shot_with_on_failure,
    replicas,
    proxy_on_the_host_network,
    no_proxy,
    traefik,
    static_nginx,
    websockets,
    upload_limit,
    slow_starter_in_its_start_period,
    restarts_long_ago,
    restarted_just_now_and_healthy,
    certificate_for_sixty_days,
    scaled_to_nothing,
    paused_on_purpose,
    nginx_asks_itself,
    upstream_outside_the_stack,
    other_ports_beside_the_asked_one,
    published_on_another_number,
    unix_socket,
    resolver_of_the_company,
    yesterday_s_trouble,
    noise_in_logs,
    connections_that_are_open,
    not_readable,
)


def with_health_checks(stack: Facts) -> Facts:
    """Return the stack with each running container healthy."""
    services = {}
    for name, each in stack.services.items():
        containers = [
            replace(made, health=made.health or "healthy") if made.runs else made
            for made in each.containers
        ]
        services[name] = replace(each, containers=tuple(containers))
    return replace(stack, services=services)


def test_there_are_at_least_twenty_shapes() -> None:
    assert len(SHAPES) >= 20


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("checked", [False, True], ids=["without checks", "with checks"])
def test_a_healthy_start_has_no_finding(shape: Callable[[], Facts], checked: bool) -> None:
    stack = shape()
    if checked:
        stack = with_health_checks(stack)
    diagnosis = diagnose(stack)
    assert diagnosis.healthy, diagnosis.findings
    assert diagnosis.symptoms == ()


def test_each_shape_shows_a_finding_once_its_requests_fail() -> None:
    """Otherwise a shape would be healthy only because nothing is looked at."""
    for shape in SHAPES:
        stack = shape()
        broken: tuple[HttpFacts, ...] = tuple(
            replace(http, status=502) for http in stack.http if http.through == "proxy"
        )
        assert not diagnose(replace(stack, http=broken)).healthy, shape.__name__
