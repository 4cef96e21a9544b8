"""Long entries of `ports:` that Compose takes, and no engine."""

from __future__ import annotations

from typing import Any

import pytest

from dartsctl.stack.long_ports import wrong_port


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({"target": 80, "published": "80 "}, "a port number or a range"),
        ({"target": 80, "published": "90-80"}, "a port number or a range"),
        ({"target": 80, "published": "80-"}, "a port number or a range"),
        ({"target": 80, "published": "70000"}, "a port number or a range"),
        ({"target": 80, "published": "80", "protocol": "upd"}, "a protocol (tcp, udp or sctp)"),
    ],
)
def test_what_the_engine_refuses_is_found(entry: dict[str, Any], expected: str) -> None:
    wrong = wrong_port({"services": {"web": {"ports": [entry]}}})
    assert wrong is not None
    assert (wrong.service, wrong.expected) == ("web", expected)


@pytest.mark.parametrize(
    "entry",
    [
        {"target": 80},
        {"target": 80, "published": ""},
        {"target": 80, "published": "80", "protocol": "sctp"},
        {"target": 80, "published": "8000-8009"},
    ],
)
def test_what_the_engine_takes_is_none(entry: dict[str, Any]) -> None:
    assert wrong_port({"services": {"web": {"ports": [entry]}}}) is None


@pytest.mark.parametrize("model", [{}, {"services": 7}, {"services": {"a": None, "b": 1}}])
def test_another_shape_is_left_to_the_reader_of_the_model(model: dict[str, Any]) -> None:
    assert wrong_port(model) is None
