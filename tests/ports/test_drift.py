"""Where a stack and `[ports.production]` disagree."""

from __future__ import annotations

from dartsctl.ports.allocation import Allocation
from dartsctl.ports.drift import dev_on_production_ports, drift
from dartsctl.ports.notices import Notice
from dartsctl.stack.model import PortEntry, Service, Stack


def demo(*services: Service) -> Stack:
    return Stack("demo", {service.name: service for service in services}, {}, ())


def test_drift_is_told_in_all_directions() -> None:
    stack = demo(
        Service("nginx", ports=(PortEntry(80, "tcp", "80"), PortEntry(443, "tcp", "8443"))),
        Service("proxy", ports=(PortEntry(80, "tcp", "8080"),)),
    )
    shown = drift(stack, Allocation({80: "nginx", 443: "nginx", 8080: "api-gateway"}))
    assert [(notice.code, notice.service, notice.sentence) for notice in shown] == [
        ("drift", "nginx", "port 8443 is published and not in [ports.production]"),
        ("drift", "nginx", "port 443 is in [ports.production] and not published"),
        (
            "drift",
            "proxy",
            "port 8080 is published by proxy, and api-gateway's in [ports.production]",
        ),
    ]


def test_without_drift_there_is_nothing_to_tell() -> None:
    assert (
        drift(
            demo(Service("nginx", ports=(PortEntry(80, "tcp", "80"),))), Allocation({80: "nginx"})
        )
        == ()
    )


def test_a_dev_stack_on_a_production_port_is_told() -> None:
    stack = demo(
        Service(
            "db",
            ports=(
                PortEntry(5432, "tcp", "5432"),
                PortEntry(5432, "tcp", "15432"),
                PortEntry(5432, "udp", "80"),
            ),
        )
    )
    assert dev_on_production_ports(stack, Allocation({5432: "postgres", 80: "nginx"})) == (
        Notice("production-port", "db", "port 5432 belongs to production's postgres"),
    )


def test_a_dev_stack_on_a_port_of_the_default_list_hears_of_no_foreign_service() -> None:
    stack = demo(Service("web", ports=(PortEntry(80, "tcp", "8080"),)))
    (notice,) = dev_on_production_ports(stack, Allocation.default())
    assert notice.sentence == (
        "port 8080 is reserved for production by dartsctl's default list,"
        " which [ports.production] in dartsctl.toml replaces"
    )


def test_a_run_of_production_ports_is_one_warning() -> None:
    owners = dict.fromkeys(range(6000, 6020), "turn")
    stack = demo(Service("web", ports=tuple(PortEntry(n, "tcp", str(n)) for n in owners)))
    (notice,) = dev_on_production_ports(stack, Allocation(owners))
    assert notice.sentence == "ports 6000-6019 belong to production's turn"


def test_production_does_not_differ_from_a_list_that_nobody_wrote() -> None:
    assert (
        drift(demo(Service("web", ports=(PortEntry(80, "tcp", "8080"),))), Allocation.default())
        == ()
    )
