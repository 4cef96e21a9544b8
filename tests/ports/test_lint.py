"""Warnings: what works today and will hurt one day."""

from __future__ import annotations

import pytest

from dartsctl.ports.conflicts import BindingVerdict, Verdict
from dartsctl.ports.lint import notices, shared_project
from dartsctl.ports.notices import Notice
from dartsctl.records import replace
from dartsctl.stack.bindings import PortBinding
from dartsctl.stack.health_check import HealthCheck
from dartsctl.stack.model import PortEntry, Service, Stack
from fakes.kernel import container

FIXED = PortEntry(80, "tcp", "8080")
CHECK = HealthCheck(("CMD", "true"))


def demo(*services: Service, unset: tuple[str, ...] = ()) -> Stack:
    return Stack("demo", {service.name: service for service in services}, {}, unset)


def codes(
    *services: Service,
    unset: tuple[str, ...] = (),
    ephemeral_range: tuple[int, int] | None = (32768, 60999),
) -> list[str]:
    return [
        notice.code
        for notice in notices(demo(*services, unset=unset), (), ephemeral_range=ephemeral_range)
    ]


def healthy(*ports: PortEntry, replicas: int = 1, network_mode: str = "") -> Service:
    return Service(
        "web", replicas=replicas, ports=ports, network_mode=network_mode, health_check=CHECK
    )


def test_a_sound_service_gives_no_warning() -> None:
    assert codes(healthy(FIXED)) == []


@pytest.mark.parametrize(
    ("service", "code"),
    [
        (healthy(FIXED, replicas=2), "replicas-fixed-port"),
        (healthy(FIXED, network_mode="service:db"), "shared-network"),
        (healthy(FIXED, network_mode="container:db"), "shared-network"),
        (healthy(network_mode="host"), "host-network"),
        (healthy(PortEntry(80, "tcp", "32768")), "ephemeral-range"),
        (healthy(PortEntry(80, "tcp", "60999")), "ephemeral-range"),
        (healthy(PortEntry(80, "tcp", "32760-32768")), "ephemeral-range"),
        (Service("web", ports=(FIXED,)), "no-health-check"),
    ],
    ids=[
        "replicas",
        "service:",
        "container:",
        "host",
        "first",
        "last",
        "range reaches in",
        "no health check",
    ],
)
def test_a_warning_for_what_will_hurt(
    service: Service, code: str
) -> None:  # edge-cases.md#49, edge-cases.md#53, edge-cases.md#54, edge-cases.md#73
    (notice,) = notices(demo(service), (), ephemeral_range=(32768, 60999))
    assert (notice.code, notice.service) == (code, "web")


@pytest.mark.parametrize(
    "service",
    [
        healthy(PortEntry(80, "tcp", "8080-8081"), replicas=2),
        healthy(PortEntry(80, "tcp"), replicas=2),
        healthy(network_mode="service:db"),
        healthy(PortEntry(80, "tcp", "32767")),
        healthy(PortEntry(80, "tcp", "61000")),
        healthy(PortEntry(80, "tcp", "0")),
        Service("web"),
    ],
    ids=[
        "replicas over a range",
        "replicas, ephemeral",
        "no ports",
        "below",
        "above",
        "ephemeral",
        "nothing published",
    ],
)
def test_no_warning_beside_it(service: Service) -> None:
    assert codes(service) == []


def test_an_unknown_ephemeral_range_gives_no_warning() -> None:
    assert codes(healthy(PortEntry(80, "tcp", "40000")), ephemeral_range=None) == []


def test_a_port_without_a_number_beside_unset_variables_was_perhaps_meant_to_have_one() -> (
    None
):  # edge-cases.md#48
    (notice,) = notices(
        demo(healthy(PortEntry(80, "tcp")), unset=("WEB_PORT",)), (), ephemeral_range=None
    )
    assert (notice.code, "WEB_PORT" in notice.sentence) == ("became-ephemeral", True)
    assert codes(healthy(PortEntry(80, "tcp"))) == []
    assert codes(healthy(PortEntry(80, "tcp", "0")), unset=("WEB_PORT",)) == []
    assert codes(healthy(FIXED), unset=("WEB_PORT",)) == []


@pytest.mark.parametrize(
    ("verdict", "note", "code"),
    [
        (Verdict.UNCERTAIN, "a race", "uncertain"),
        (Verdict.FREE, "partly busy: 1 of 3 numbers", "partly-busy"),
        (Verdict.FREE, "", None),
        (Verdict.HELD, "already running", None),
        (Verdict.CONFLICT, "", None),
    ],
    ids=["uncertain", "partly busy", "free", "held", "conflict"],
)
def test_what_the_preflight_is_not_sure_of_is_a_warning(
    verdict: Verdict, note: str, code: str | None
) -> None:
    finding = BindingVerdict(
        PortBinding("web", 1, 80, "tcp", 8080, 8082, ("0.0.0.0",)), verdict, note
    )
    shown = notices(demo(healthy(FIXED)), [finding], ephemeral_range=None)
    assert shown == ((Notice(code, "web", f"port 8080-8082: {note}"),) if code else ())


def test_the_same_doubt_about_tcp_and_udp_is_two_warnings() -> None:
    tcp = PortBinding("dns", 1, 53, "tcp", 8053, 8053, ("0.0.0.0",))
    doubts = [
        BindingVerdict(binding, Verdict.UNCERTAIN, "a race")
        for binding in (tcp, replace(tcp, protocol="udp"))
    ]
    shown = notices(demo(), doubts, ephemeral_range=None)
    assert [notice.sentence for notice in shown] == ["port 8053: a race", "port 8053/udp: a race"]


def test_replicas_with_the_same_doubt_warn_once() -> None:
    doubts = [
        BindingVerdict(
            PortBinding("web", replica, 80, "tcp", 8080, 8082, ("0.0.0.0",)),
            Verdict.UNCERTAIN,
            "a race",
        )
        for replica in (1, 2)
    ]
    assert len(notices(demo(healthy(FIXED)), doubts, ephemeral_range=None)) == 1


def test_a_foreign_crash_loop_that_wants_our_port_makes_the_preflight_flicker() -> (
    None
):  # edge-cases.md#75
    loop = container("other", "app", state="restarting")
    shown = notices(
        demo(healthy(FIXED)),
        (),
        ephemeral_range=None,
        containers=[loop],
        restarting_wants={loop.id: [8080]},
    )
    assert shown == (
        Notice(
            "crash-loop",
            "web",
            "port 8080 is wanted by other-app-1 too, which restarts again and again",
        ),
    )


@pytest.mark.parametrize(
    ("project", "wants"),
    [("demo", [8080]), ("other", [8081]), ("other", [])],
    ids=["our own", "another port", "no port"],
)
def test_a_crash_loop_that_is_ours_or_elsewhere_does_not(project: str, wants: list[int]) -> None:
    loop = container(project, "app", state="restarting")
    assert (
        notices(
            demo(healthy(FIXED)),
            (),
            ephemeral_range=None,
            containers=[loop],
            restarting_wants={loop.id: wants},
        )
        == ()
    )


def test_two_folders_with_one_project_name_are_named_with_the_ways_to_part_them() -> None:
    others = [container("demo", "db"), container("demo", "cache")]
    (notice,) = shared_project(demo(healthy()), others, "/srv/beta")
    assert notice.line.startswith(
        "two stacks share the project name demo: /srv/beta, and /srv/demo"
    )
    for text in ("(demo-db-1, demo-cache-1)", "`name:`", "`project` in dartsctl.toml", "--project"):
        assert text in notice.sentence
    assert shared_project(demo(healthy()), [], "/srv/beta") == ()
