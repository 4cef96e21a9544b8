"""`dartsctl watch` on a real stack: each failure is one alert with its cause, and one recovery."""

from __future__ import annotations

import os
import signal
import textwrap
import time
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from pathlib import Path

    from live.stack import LiveStack
    from live.watched import Watched

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
    service = sleeper(
        *published,
        **{
            "command": ["sh", "-c", script],
            "init": False,
            "volumes": ["./switch:/switch:ro"],
            **more,
        },
    )
    return service


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
def stack(live: LiveStack, watched: Watched) -> Iterator[LiveStack]:
    (live.folder / "switch").mkdir()
    switch(live, "index.html").write_text("ready")
    (live.folder / "nginx.conf").write_text(textwrap.dedent(NGINX))
    live.compose(services(live))
    live.settings(f"{WATCH}[ports.production]\napp = {live.ports[1]}\n")
    live.up()
    watched.start()
    yield live


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


def test_each_failure_is_one_alert_with_its_cause_and_one_recovery(
    stack: LiveStack, watched: Watched
) -> None:
    from live.stack import docker
    from live.watched import subject_of

    killed = watched.one_alert(
        break_it=lambda: os.kill(pid_of(stack, "app"), signal.SIGKILL),
        mend=lambda: start(stack, "app"),
    )
    assert (subject_of(killed), killed["cause"]) == ("service:app", "app-exited")
    assert "137" in killed["sentence"] + " ".join(killed["evidence"])

    eaten = watched.one_alert(
        break_it=lambda: switch(stack, "eater-eat").touch(),
        mend=lambda: (switch(stack, "eater-eat").unlink(), start(stack, "eater")),
    )
    assert (subject_of(eaten), eaten["cause"]) == ("service:eater", "out-of-memory")

    looping = watched.one_alert(
        break_it=lambda: switch(stack, "loop-crash").touch(),
        mend=lambda: switch(stack, "loop-crash").unlink(),
    )
    assert (subject_of(looping), looping["cause"]) == ("service:loop", "crash-loop")

    ill = watched.one_alert(
        break_it=lambda: switch(stack, "ill-ill").touch(),
        mend=lambda: switch(stack, "ill-ill").unlink(),
    )
    assert (subject_of(ill), ill["cause"]) == ("service:ill", "unhealthy")

    silent = watched.one_alert(
        break_it=lambda: docker("exec", name_of(stack, "app"), "killall", "httpd"),
        mend=lambda: docker("exec", "-d", name_of(stack, "app"), "httpd", "-p", "5000", "-h", "/switch"),
    )
    assert subject_of(silent) == "service:app"

    dead = watched.one_alert(
        break_it=lambda: os.kill(pid_of(stack, "db"), signal.SIGKILL),
        mend=lambda: start(stack, "db"),
    )
    assert (subject_of(dead), dead["cause"]) == ("service:db", "app-exited")


def test_a_taken_port_names_its_holder_while_the_stack_is_up_and_while_it_is_down(
    stack: LiveStack, watched: Watched
) -> None:
    from live.stack import docker
    from live.watched import subject_of

    port = stack.ports[1]
    docker("stop", name_of(stack, "app"))
    holders: list[int] = []

    def take() -> None:
        holders.append(stack.listen(port))
        docker("start", name_of(stack, "app"), check=False)

    refused = watched.one_alert(
        break_it=take, mend=lambda: (stack.end(holders.pop()), start(stack, "app"))
    )
    assert str(port) in refused["sentence"]
    stack.run("prod", "down")
    stranger = watched.one_alert(
        break_it=lambda: holders.append(stack.listen(port)),
        mend=lambda: stack.end(holders.pop()),
    )
    assert subject_of(stranger) == f"port:{port}/tcp"
    stack.up()
    beside = watched.one_alert(
        break_it=lambda: holders.append(stack.listen(port, "::1")),
        mend=lambda: stack.end(holders.pop()),
    )
    assert subject_of(beside) == f"port:{port}/tcp"


def test_what_was_planned_is_no_alert(stack: LiveStack, watched: Watched) -> None:
    from live.stack import docker

    def new_image() -> None:
        changed = services(stack)
        changed["app"]["environment"] = {"RELEASE": "2"}
        stack.compose(changed)
        stack.up()

    watched.no_alert(lambda: stack.run("prod", "restart"))
    watched.no_alert(lambda: docker("stop", name_of(stack, "app")))
    watched.no_alert(lambda: stack.run("prod", "up"))
    watched.no_alert(new_image)
    watched.no_alert(lambda: stack.run("prod", "down"))
    watched.no_alert(lambda: stack.run("prod", "up"))
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
