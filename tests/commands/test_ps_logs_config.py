"""`ps`, `logs` and `config` on the real engine."""

from __future__ import annotations

import json
import signal
import subprocess
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)
pytestmark = pytest.mark.engine


# --- ps ----------------------------------------------------------------------------------------


def test_ps_shows_what_is_really_published(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper(f"127.0.0.1:{live.ports[0]}:80"), "db": sleeper()})
    live.settings()
    live.up()
    result = live.run("prod", "ps")
    assert result.code == 0
    assert [line.split()[:4] for line in result.out.splitlines()] == [
        ["SERVICE", "CONTAINER", "STATE", "PORTS"],
        ["db", f"{live.project}-db-1", "running", "-"],
        ["web", f"{live.project}-web-1", "running", f"127.0.0.1:{live.ports[0]}/tcp"],
    ]
    (web,) = live.run("prod", "ps", "web", "--json").document["containers"]
    assert (web["service"], web["state"], web["error"]) == ("web", "running", "")
    assert web["ports"] == [{"address": "127.0.0.1", "port": live.ports[0], "protocol": "tcp"}]


def test_ps_shows_a_container_that_never_started_with_its_error(
    live: LiveStack,
) -> None:  # edge-cases.md#32
    from live.stack import sleeper

    live.listen(live.ports[0])
    live.compose({"web": sleeper(f"127.0.0.1:{live.ports[0]}:80")})
    live.settings()
    subprocess.run(
        ["docker", "compose", "-f", "compose.json", "up", "-d"],
        cwd=live.folder,
        env=live.environ,
        capture_output=True,
        check=False,
    )
    result = live.run("prod", "ps")
    assert result.code == 0
    assert "created" in result.out
    assert "address already in use" in result.out
    (web,) = live.run("prod", "ps", "--json").document["containers"]
    assert web["state"] == "created"
    assert "address already in use" in web["error"]


def test_ps_of_a_stack_that_is_down_says_how_to_start_it(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper()})
    live.settings()
    result = live.run("prod", "ps")
    assert (result.code, result.out) == (0, "")
    assert "dartsctl prod up" in result.err
    assert live.run("prod", "ps", "--json").document["containers"] == []


# --- logs --------------------------------------------------------------------------------------


def test_logs_are_composes_own(live: LiveStack) -> None:
    from live.stack import sleeper, until

    live.compose(
        {
            "web": sleeper(command=["sh", "-c", "echo one; echo two; sleep 600"]),
            "db": sleeper(command=["sh", "-c", "echo three; sleep 600"]),
        }
    )
    live.settings()
    live.up()
    result = until(
        lambda: (
            "three" in (answer := live.run("prod", "logs")).out and "two" in answer.out and answer
        )
    )
    assert result.code == 0
    assert "one" in result.out
    last = live.run("prod", "logs", "--tail", "1", "web")
    assert "two" in last.out
    assert "one" not in last.out
    assert "three" not in last.out
    assert live.run("prod", "logs", "nobody").code != 0


def test_followed_logs_come_as_they_are_written_and_end_with_ctrl_c(live: LiveStack) -> None:
    from live.stack import ended, sleeper

    live.compose(
        {"web": sleeper(command=["sh", "-c", "while true; do echo tick; sleep 0.2; done"])}
    )
    live.settings()
    live.up()
    logs = live.start("prod", "logs", "-f", "--tail", "0")
    assert logs.stdout is not None
    assert any("tick" in line for line in logs.stdout)
    logs.send_signal(signal.SIGINT)
    assert ended(logs)[0] in (0, 130)


# --- config ------------------------------------------------------------------------------------


def test_config_shows_the_resolved_model_with_names_and_without_values(live: LiveStack) -> None:
    from live.stack import sleeper

    (live.folder / "secret.env").write_text("DB_PASSWORD=canary-1f2e3d\n")
    service = sleeper(
        f"{live.ports[0]}:80",
        environment={"DATABASE_URL": "postgres://u:${DB_PASSWORD}@db/x"},
        hostname="${DB_PASSWORD}",
    )
    live.compose({"web": service, "other": sleeper()})
    live.settings('env_files = ["secret.env"]')
    result = live.run("prod", "config", "web")
    assert result.code == 0
    assert "canary" not in result.text
    model = json.loads(result.out)
    assert list(model["services"]) == ["web"]
    assert model["services"]["web"]["environment"] == {"DATABASE_URL": "***"}
    assert model["services"]["web"]["ports"][0]["published"] == str(live.ports[0])
    document = live.run("prod", "config", "--json")
    assert sorted(document.document["model"]["services"]) == ["other", "web"]
    assert "canary" not in document.text


def test_config_names_the_variables_that_nothing_sets(live: LiveStack) -> None:
    from live.stack import sleeper

    live.compose({"web": sleeper(environment={"A": "${UNSET_ONE}"})})
    live.settings()
    result = live.run("prod", "config")
    assert result.code == 0
    assert "the variable UNSET_ONE is not set" in result.err
