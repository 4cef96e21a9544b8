"""`dartsctl watch` on a real stack: each failure is one alert with its cause, and one recovery."""

from __future__ import annotations

import os
import signal
import textwrap
import time
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from live.stack import LiveStack
    from live.watched import Failure, Watched

pytest_plugins = ("live.stack", "live.watched")
pytestmark = pytest.mark.engine

NGINX = """
    worker_processes 1;
    error_log stderr notice;
    events {}
    http {
        access_log off;
        proxy_connect_timeout 1s;
        server {
            listen 80;
            location / { proxy_pass http://app:5000; }
        }
    }
"""
WATCH = """
[watch]
interval = 1
open_after = 2
close_after = 1
"""
SWITCHED = """
httpd -p {port} -h /switch
while :; do
  [ -e /switch/{name}-crash ] && exit 3
  [ -e /switch/{name}-eat ] && exec tail /dev/zero
  sleep 0.1
done
"""
"""A server that fails as the files in /switch say."""


def switched(live: LiveStack, name: str, *published: str, **more: Any) -> dict[str, Any]:
    from live.stack import sleeper

    script = SWITCHED.format(name=name, port=5000)
    return sleeper(
        *published,
        **{
            "command": ["sh", "-c", script],
            "init": False,
            "volumes": ["./switch:/switch:ro"],
            **more,
        },
    )


def needs_db(live: LiveStack, name: str) -> dict[str, Any]:
    check = {
        "test": ["CMD-SHELL", "wget -q -O /dev/null http://db:5000/index.html"],
        "interval": "1s",
        "timeout": "3s",
        "retries": 2,
    }
    return switched(live, name, depends_on=["db"], healthcheck=check)


def services(live: LiveStack) -> dict[str, Any]:
    from live.stack import sleeper

    web = sleeper(
        f"127.0.0.1:{live.ports[0]}:80",
        image="dartsctl-test/nginx:1",
        volumes=["./nginx.conf:/etc/nginx/nginx.conf:ro"],
        depends_on=["app"],
    )
    del web["command"]
    ill = {"test": ["CMD", "test", "!", "-e", "/switch/ill-ill"], "interval": "1s", "retries": 2}
    return {
        "web": web,
        "app": switched(live, "app", f"127.0.0.1:{live.ports[1]}:5000", restart="no"),
        "loop": switched(live, "loop", restart="always"),
        "eater": switched(live, "eater", restart="no", mem_limit="16m", memswap_limit="16m"),
        "ill": switched(live, "ill", healthcheck=ill),
        "db": switched(live, "db", restart="no"),
        **{name: needs_db(live, name) for name in ("scores", "players", "league")},
    }


@pytest.fixture
def stack(live: LiveStack, watched: Watched) -> LiveStack:
    (live.folder / "switch").mkdir()
    switch(live, "index.html").write_text("ready")
    (live.folder / "nginx.conf").write_text(textwrap.dedent(NGINX))
    live.compose(services(live))
    live.settings(f"{WATCH}[ports.production]\napp = {live.ports[1]}\n")
    live.up()
    watched.start()
    return live


def name_of(live: LiveStack, service: str) -> str:
    return f"{live.project}-{service}-1"


def pid_of(live: LiveStack, service: str) -> int:
    from live.stack import docker

    return int(docker("inspect", "-f", "{{.State.Pid}}", name_of(live, service)))


def start(live: LiveStack, service: str) -> None:
    from live.stack import docker

    docker("start", name_of(live, service))


def switch(live: LiveStack, name: str) -> Path:
    return live.folder / "switch" / name


def killed(live: LiveStack, service: str) -> Failure:
    from live.watched import Failure

    return Failure(
        lambda: os.kill(pid_of(live, service), signal.SIGKILL), lambda: start(live, service)
    )


def switched_on(live: LiveStack, service: str, what: str, *, ends: bool = False) -> Failure:
    """A failure that a file brings about. `ends`: the container has to be started afterwards."""
    from live.watched import Failure

    file = switch(live, f"{service}-{what}")

    def mend() -> None:
        file.unlink()
        if ends:
            start(live, service)

    return Failure(file.touch, mend)


def without_server(live: LiveStack, service: str) -> Failure:
    """The container runs, and its server has ended: nginx answers 502."""
    from live.stack import docker
    from live.watched import Failure

    name = name_of(live, service)
    serve = ("exec", "-d", name, "httpd", "-p", "5000", "-h", "/switch")
    return Failure(lambda: docker("exec", name, "killall", "httpd"), lambda: docker(*serve))


def stranger(live: LiveStack, port: int, address: str = "127.0.0.1") -> Failure:
    from live.watched import Failure

    holders: list[int] = []
    return Failure(
        lambda: holders.append(live.listen(port, address)), lambda: live.end(holders.pop())
    )


def cannot_bind(live: LiveStack, service: str, port: int) -> Failure:
    """The engine cannot start a container, because a process has its port."""
    from live.stack import docker
    from live.watched import Failure

    rival = stranger(live, port)

    def happen() -> None:
        rival.happens()
        docker("start", name_of(live, service), check=False)

    def mend() -> None:
        rival.is_mended()
        start(live, service)

    return Failure(happen, mend)


def test_each_failure_is_one_alert_with_its_cause_and_one_recovery_and_what_follows_is_none(
    stack: LiveStack, watched: Watched
) -> None:
    alerts = watched.alerts(
        switched_on(stack, "loop", "crash"),
        switched_on(stack, "ill", "ill"),
        switched_on(stack, "eater", "eat", ends=True),
        killed(stack, "league"),
        without_server(stack, "app"),  # and web answers 502
    )
    assert alerts["service:loop"]["cause"] == "crash-loop"
    assert alerts["service:ill"]["cause"] == "unhealthy"
    assert alerts["service:eater"]["cause"] == "out-of-memory"
    assert alerts["service:league"]["cause"] == "app-exited"
    assert "exit code 137" in alerts["service:league"]["sentence"]
    silent = alerts["service:app"]
    assert any("answers 502" in line for line in silent["evidence"]), silent
    dead = watched.alerts(killed(stack, "db"))["service:db"]  # scores, players, league need it
    assert dead["cause"] == "app-exited"


def test_a_taken_port_names_its_holder_while_the_stack_is_up_and_while_it_is_down(
    stack: LiveStack, watched: Watched
) -> None:
    from live.stack import docker

    port = stack.ports[1]
    subject = f"port:{port}/tcp"
    docker("stop", name_of(stack, "app"))
    refused = watched.alerts(cannot_bind(stack, "app", port))
    (alert,) = refused.values()
    assert "python" in alert["sentence"], alert
    assert str(port) in alert["sentence"], alert
    assert watched.alerts(stranger(stack, port, "::1"))[subject]["severity"] == "warning"
    stack.run("prod", "down")
    assert "python" in watched.alerts(stranger(stack, port))[subject]["sentence"]


def test_what_was_planned_is_no_alert(stack: LiveStack, watched: Watched) -> None:
    from live.stack import docker

    def new_image() -> None:
        changed = services(stack)
        changed["app"]["environment"] = {"RELEASE": "2"}
        stack.compose(changed)
        stack.up()

    watched.no_alert(
        lambda: stack.run("prod", "restart"), lambda: docker("stop", name_of(stack, "app"))
    )
    watched.no_alert(
        lambda: stack.run("doctor", "--fix", "--yes"),
        lambda: stack.run("prod", "down"),
        lambda: stack.run("prod", "up"),
        new_image,
    )
    assert watched.stop() == 0


def test_a_watch_that_was_killed_goes_on_with_its_episode(
    stack: LiveStack, watched: Watched
) -> None:
    os.kill(pid_of(stack, "app"), signal.SIGKILL)
    opened = watched.wait_for("opened")
    watched.stop(signal.SIGKILL)
    watched.start()
    time.sleep(3)
    assert [row[0] for row in watched.messages()] == ["opened"], watched.text
    start(stack, "app")
    assert watched.wait_for("recovered")["episode"] == opened["episode"]


def test_heal_starts_what_ended_and_waits_until_a_port_is_free_again(
    stack: LiveStack, watched: Watched
) -> None:
    from live.stack import docker, until

    watched.stop()
    watched.start("--heal")
    begin = len(watched.lines)
    os.kill(pid_of(stack, "app"), signal.SIGKILL)
    healed = watched.wait_for("healed", begin)
    assert healed["data"]["ok"], healed
    assert healed["data"]["actions"][0] == "start"
    watched.wait_for("recovered", begin, subject="service:app")

    begin = len(watched.lines)
    docker("stop", name_of(stack, "app"))
    holder = stack.listen(stack.ports[1])
    docker("start", name_of(stack, "app"), check=False)
    watched.wait_for("opened", begin)
    time.sleep(3)
    assert not [line for line in watched.lines[begin:] if line["kind"] == "healed"], watched.text
    stack.end(holder)
    assert watched.wait_for("healed", begin)["data"]["ok"], watched.text
    until(lambda: stack.containers()[name_of(stack, "app")] == "running")
    watched.wait_for("recovered", begin)
    history = stack.run("history").text
    assert "repair-start" in history
    assert "repair-recreate" in history
