"""Which part of a short `ports` entry is wrong."""

from __future__ import annotations

import pytest

from dartsctl.stack.config_errors.port_text import PortFault, port_fault


@pytest.mark.parametrize(
    "entry",
    [
        "80",
        "8080:80",
        "8080:80/udp",
        "53:53/UDP",
        "127.0.0.1:8080:80",
        "127.0.0.1::80",
        "[::1]:8080:80",
        "::1:8080:80",
        "8000-8009:80",
        "8000-8009:9000-9009/tcp",
    ],
)
def test_what_compose_takes_has_no_fault(entry: str) -> None:
    assert port_fault(entry) is None


@pytest.mark.parametrize(
    ("entry", "part", "expected"),
    [
        ("", "", "a container port"),
        ("8080:", "", "a container port"),
        ("8080:web", "web", "a container port"),
        ("8080:80-", "80-", "a container port"),
        ("8080:90-80", "90-80", "a container port"),
        ("web:80", "web", "a host port"),
        ("65536:80", "65536", "a host port"),
        ("8080 :80", "8080 ", "a host port"),
        ("8080:80/http", "http", "a protocol (tcp, udp or sctp)"),
        ("8080:80/", "", "a protocol (tcp, udp or sctp)"),
        ("localhost:8080:80", "localhost", "an IP address"),
        ("127.0.0.256:8080:80", "127.0.0.256", "an IP address"),
        ("8000-8002:80-81", "8000-8002:80-81", "a pair of ranges of one length"),
    ],
)
def test_the_wrong_part_is_named_as_it_is_written(entry: str, part: str, expected: str) -> None:
    assert port_fault(entry) == PortFault(part, expected)


def test_the_container_port_is_judged_first() -> None:
    assert port_fault("localhost:x:y/z") == PortFault("y", "a container port")
