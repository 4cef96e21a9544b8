"""Subjects as a person types them."""

from __future__ import annotations

import pytest

from dartsctl.alerts.problem import Subject
from dartsctl.alerts.subjects import parse_subject, spelled


@pytest.mark.parametrize(
    ("text", "subject"),
    [
        ("darts-app", Subject("service", "darts-app")),
        ("5000", Subject("port", "5000/tcp")),
        ("5000/udp", Subject("port", "5000/udp")),
        ("port:5000", Subject("port", "5000/tcp")),
        ("engine", Subject("engine")),
        ("certificate", Subject("certificate")),
        ("certificate:nginx/tls.pem", Subject("certificate", "nginx/tls.pem")),
        ("service:engine", Subject("service", "engine")),
        ("service:5000", Subject("service", "5000")),
        ("5000x", Subject("service", "5000x")),
        ("test", Subject("service", "test")),
        ("site:/health", Subject("site", "/health")),
    ],
)
def test_a_text_means_a_port_a_word_or_else_a_service(text: str, subject: Subject) -> None:
    assert parse_subject(text) == subject
    assert parse_subject(spelled(subject)) == subject
    assert parse_subject(str(subject)) == subject


@pytest.mark.parametrize(
    "text",
    ["", "0", "65536", "5000/icmp", "5000/", "port:x", "service:", "planet:mars", ":", "/tcp:"],
)
def test_a_text_that_means_no_subject(text: str) -> None:
    assert parse_subject(text) is None


def test_a_service_that_is_called_all_is_not_everything() -> None:
    assert spelled(None) == "all"
    assert spelled(Subject("service", "all")) == "service:all"
