"""Services on the host's network: their ports are checked before `up` and after it.

Source: edge-cases.md#53.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)
pytestmark = pytest.mark.engine


@pytest.fixture
def stack(live: LiveStack) -> LiveStack:
    """A stack of an nginx whose file names its address, and an app that only exposes its port."""
    from live.stack import sleeper

    proxy, app = live.ports[:2]
    site = f'server {{ listen 127.0.0.1:{proxy}; location / {{ return 200 "ok"; }} }}'
    (live.folder / "site.conf").write_text(site)
    live.compose(
        {
            "proxy": {
                "image": "dartsctl-test/nginx:1",
                "network_mode": "host",
                "volumes": ["./site.conf:/etc/nginx/conf.d/default.conf:ro"],
                "stop_grace_period": "0s",
            },
            "app": sleeper(network_mode="host", expose=[str(app)]),
        }
    )
    live.settings("settling_time = 1", environment="dev")
    return live


def test_a_squatter_on_a_host_networks_port_is_found_before_and_after(stack: LiveStack) -> None:
    proxy, app = stack.ports[:2]
    squatter, other = stack.listen(proxy), stack.listen(app)
    checked = stack.run("dev", "check")
    assert checked.code == 3
    assert f"proxy cannot listen on the host's port 127.0.0.1:{proxy}/tcp: in use" in checked.err
    assert f"app cannot listen on the host's port 0.0.0.0:{app}/tcp: in use" in checked.err
    assert f"(pid {squatter}" in checked.err
    refused = stack.run("dev", "up", "--on-conflict", "remap", "--json")
    assert refused.code == 3, "a program's own port cannot be published elsewhere"
    assert [row["host_network"] for row in refused.document["conflicts"]] == [True, True]
    assert stack.leftovers() == []

    stack.end(squatter)
    result = stack.run("dev", "up", "--skip-port-check", "--json")
    assert result.code == 6
    (missing,) = result.document["missing_bindings"]
    assert (missing["service"], missing["port"], missing["reason"]) == (
        "app",
        app,
        "host-port-taken",
    )
    assert missing["pids"] == [other]

    stack.end(other)
    assert stack.run("dev", "up").code == 0
    held = stack.run("dev", "check")
    assert held.code == 0
    assert f"127.0.0.1:{proxy}" in held.out
    assert "held" in held.out, "its own nginx has the port"
    recreated = stack.run("dev", "up", "--force-recreate")
    assert recreated.code == 0, "its own nginx is stopped first"
