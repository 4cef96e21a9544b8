"""What to do next where the cause is unknown."""

from __future__ import annotations

import pytest

from dartsctl.diagnosis.diagnose import diagnose
from fakes.stack_facts import answer, container, facts, service


@pytest.mark.parametrize(
    ("image", "status", "command"),
    [
        ("nginx:1.28-alpine", 502, "dartsctl doctor --proxy app"),
        ("nginx:1.28-alpine", 500, "dartsctl prod logs app"),
        ("acme/app", 502, "dartsctl prod logs app"),
    ],
)
def test_an_nginx_behind_the_proxy_is_examined_next(image: str, status: int, command: str) -> None:
    app = service("app", container("app", image=image))
    (finding,) = diagnose(facts(app, http=(answer(status),))).findings
    assert finding.command == command
