"""A partly busy range: engines before 27 try one number, so a free one is published instead."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)
pytestmark = pytest.mark.ports


def test_a_partly_busy_range_gets_a_free_number_whatever_the_engine(live: LiveStack) -> None:
    from live.stack import docker, sleeper

    first, second, third = live.ports[:3]
    live.compose({"web": sleeper(f"127.0.0.1:{first}-{third}:80")})
    live.settings(environment="dev")
    live.listen(first)
    live.listen(second)
    result = live.run("dev", "up")
    assert result.code == 0, result.text
    held = docker(
        "ps",
        "--filter",
        f"label=com.docker.compose.project={live.project}",
        "--format",
        "{{.Ports}}",
    )
    assert f"127.0.0.1:{third}->80/tcp" in held
    is_old = int(docker("version", "--format", "{{.Server.Version}}").split(".")[0]) < 27
    assert (f"published on {third}" in result.err) is is_old, result.err
    assert live.run("dev", "up").code == 0  # and the number is kept
