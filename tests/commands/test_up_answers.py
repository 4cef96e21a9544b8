"""`up` says "is up" only when the stack answers, on the real engine with a real nginx."""

from __future__ import annotations

import http.client
from typing import TYPE_CHECKING, Any

import pytest

from own_images import BUSYBOX

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)
pytestmark = pytest.mark.engine

NGINX = "dartsctl-test/nginx:1"
SERVE = "echo $NAME > /tmp/index.html; exec busybox httpd -f -p 80 -h /tmp"


def crashing(script: str, *published: str, restart: str = "unless-stopped") -> dict[str, Any]:
    """Return a service that is well for two seconds and then ends with exit code 1."""
    from live.stack import sleeper

    command = ["sh", "-c", f"{script} sleep 2; echo bind: address already in use; exit 1"]
    return {**sleeper(*published), "command": command, "restart": restart}


def app(name: str, start: str = "", **more: Any) -> dict[str, Any]:
    """Return a service without a health check that answers its name on port 80."""
    from live.stack import sleeper

    command = ["sh", "-c", start + SERVE.replace("$NAME", name)]
    return sleeper(command=command, **more)


def opened(live: LiveStack) -> str:
    """Return the shell command that waits until the file `gate/open` is there."""
    (live.folder / "gate").mkdir()
    return "until [ -e /gate/open ]; do sleep 0.1; done; "


def proxy(live: LiveStack, conf: str, **more: Any) -> dict[str, Any]:
    (live.folder / "site.conf").write_text(conf)
    return {
        "image": NGINX,
        "ports": [f"127.0.0.1:{live.ports[0]}:80"],
        "volumes": ["./site.conf:/etc/nginx/conf.d/default.conf:ro"],
        "stop_grace_period": "0s",
        **more,
    }


def asked(port: int, path: str = "/") -> tuple[int, str]:
    """Return what the proxy answers at this very moment, status and text."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("GET", path)
        response = connection.getresponse()
        return response.status, response.read().decode().strip()
    finally:
        connection.close()


def test_a_slow_crash_is_never_ready_whether_it_listens_or_not(
    live: LiveStack,
) -> None:  # edge-cases.md#75
    from live.stack import sleeper

    first, second, third = (f"127.0.0.1:{port}:80" for port in live.ports[:3])
    live.compose(
        {
            "silent": crashing("", first),
            "listens": crashing("busybox httpd -p 80 -h /var;", second),
            "worker": crashing(""),
            "loopback": sleeper(third, command=["httpd", "-f", "-p", "127.0.0.1:80"]),
            "well": sleeper(),
        }
    )
    live.settings()
    result = live.run("prod", "up", "--wait-timeout", "15", "--json", DARTSCTL_SETTLING_TIME="3")
    assert result.code == 6, result.text
    services = {row["service"]: row for row in result.document["services"]}
    conditions = {name: row["condition"] for name, row in services.items()}
    crashes = ("silent", "listens", "worker")
    assert {conditions.pop(name) for name in crashes} == {"starting"}, services
    assert conditions == {"loopback": "starting", "well": "ready"}
    assert all(services[name]["restarts"] for name in crashes), services
    assert services["loopback"]["detail"].endswith("listens only on 127.0.0.1:80/tcp inside")
    assert "bind: address already in use" in services["silent"]["log"]
    assert "nothing listens on port 80 inside" in result.err


def test_an_end_without_a_restart_policy_is_a_failure_with_its_code_and_log(
    live: LiveStack,
) -> None:  # edge-cases.md#74
    from live.stack import sleeper

    live.compose(
        {
            "web": crashing("", f"127.0.0.1:{live.ports[0]}:80", restart="no"),
            "migrate": sleeper(command=["true"]),
        }
    )
    live.settings()
    result = live.run("prod", "up", DARTSCTL_SETTLING_TIME="60")
    assert result.code == 6, result.text
    assert "web is failed: Exited (1)" in result.err
    assert "bind: address already in use" in result.err
    assert "migrate is" not in result.err, "a one-shot that ended with 0 is done"


def test_up_ends_when_every_location_answers_and_follows_an_address_that_moved(
    live: LiveStack,
) -> None:  # edge-cases.md#69
    from live.stack import docker

    port = live.ports[0]
    routes = "location / { proxy_pass http://app; } location /api/ { proxy_pass http://api/; }"
    front = proxy(
        live,
        f"server {{ listen 80; proxy_connect_timeout 2s; {routes} }}",
        depends_on=["app", "api"],
    )
    late = app("app", opened(live), volumes=["./gate:/gate:ro"])
    services = {"front": front, "app": late, "api": app("api")}
    live.compose(services)
    live.settings()
    up = live.start("prod", "up", DARTSCTL_SETTLING_TIME="0")
    assert up.stdout is not None
    said = []
    for line in up.stdout:
        said.append(line)
        if "waiting for app (nothing listens on port 80 inside, and front passes" in line:
            (live.folder / "gate" / "open").touch()
    code, text = up.wait(60), "".join(said)
    assert [asked(port), asked(port, "/api/")] == [(200, "app"), (200, "api")], "at this moment"
    assert code == 0, text
    assert "waiting for app (nothing listens on port 80 inside, and front passes" in text
    assert text.splitlines()[-1].strip() == f"http://localhost:{port}/"

    # Another container takes the first of the addresses that are free now.
    live.compose({**services, "app": app("app")})
    docker("rm", "-f", f"{live.project}-app-1", f"{live.project}-api-1")
    live.container("--network", f"{live.project}_default", BUSYBOX, "sleep", "600")
    result = live.run("prod", "up", "--json", DARTSCTL_SETTLING_TIME="0")
    assert [asked(port), asked(port, "/api/")] == [(200, "app"), (200, "api")]
    assert result.code == 0, result.text
    assert result.document["urls"] == [f"http://localhost:{port}/"]
    history = live.run("history", "--json").document["entries"]
    assert {(entry["action"], entry["what"]) for entry in history} == {
        ("repair-reload-proxy", "front")
    }
    assert "front: nginx still connects to" in result.err


def test_a_location_that_does_not_answer_is_exit_6_and_one_elsewhere_a_warning(
    live: LiveStack,
) -> None:
    port = live.ports[0]
    conf = """server { listen 80; resolver 127.0.0.11; set $out http://not-here.invalid:8000;
        location /out { proxy_pass $out; }
        location /app/ { proxy_pass http://app/; }
        location / { proxy_pass http://127.0.0.1:5005; } }"""
    services = {"front": proxy(live, conf, depends_on=["app"]), "app": app("app")}
    live.compose(services)
    live.settings()
    result = live.run("prod", "up", "--wait-timeout", "20", DARTSCTL_SETTLING_TIME="0")
    assert result.code == 6, result.text
    site = f"http://localhost:{port}"
    assert f"warning: {site}/ answers 502: front passes it to 127.0.0.1:5005\n" in result.err
    assert f"{site}/out answers 502: front passes it to not-here.invalid:8000, which" in result.err
    assert f"{site}/app/ answers" not in result.err
    assert result.err.rstrip().endswith("next: dartsctl doctor prod")

    (live.folder / "site.conf").write_text(conf.replace("127.0.0.1:5005", "app"))
    result = live.run("prod", "up", "--force-recreate", DARTSCTL_SETTLING_TIME="0")
    assert result.code == 0, result.text
    assert f"{site}/out answers 502" in result.err
    assert "is up: 2 containers ready" in result.err


def test_an_nginx_that_ended_because_a_service_was_not_there_is_started_again_when_it_is(
    live: LiveStack,
) -> None:  # edge-cases.md#71
    from live.stack import ended, sleeper, until

    conf = "server { listen 80; location / { proxy_pass http://app; } }"
    gate = sleeper(
        command=["sh", "-c", opened(live)], volumes=["./gate:/gate:ro"], depends_on=["front"]
    )
    after = {"gate": {"condition": "service_completed_successfully"}}
    late = app("app", "sleep 2; ", depends_on=after)
    live.compose({"front": proxy(live, conf), "gate": gate, "app": late})
    live.settings()
    up = live.start("prod", "up", DARTSCTL_SETTLING_TIME="0")
    until(lambda: live.containers().get(f"{live.project}-front-1") == "exited")
    (live.folder / "gate" / "open").touch()  # the app's name exists only from now on
    code, text = ended(up, seconds=120)
    assert code == 0, text
    assert asked(live.ports[0]) == (200, "app"), text
    assert "starting front again: app was not there yet" in text


def test_without_a_proxy_up_ends_with_what_speaks_http_and_the_places_of_the_rest(
    live: LiveStack,
) -> None:
    from live.stack import sleeper

    web, database = live.ports[:2]
    postgres = sleeper(f"127.0.0.1:{database}:5432", command=["httpd", "-f", "-p", "5432"])
    live.compose({"web": sleeper(f"{web}:8000"), "db": postgres})
    live.settings()
    result = live.run("prod", "up", "--json", DARTSCTL_SETTLING_TIME="0")
    document = result.document
    assert document["urls"] == [f"http://localhost:{web}/"], result.text
    assert document["places"] == [f"localhost:{database}"], "a database is never asked for a page"
