"""`doctor` on real stacks: each cause alone, made for real, and no finding on healthy ones."""

from __future__ import annotations

import http.client
import os
import socket
import subprocess
import sys
import textwrap
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from own_images import BUSYBOX
from signing import make_pair

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack",)
pytestmark = pytest.mark.engine

NGINX = "dartsctl-test/nginx:1"
CANARY = "canary-5f1e0c7d9b"
STATIC = "proxy_pass http://app:5000;"
DYNAMIC = "resolver 127.0.0.11 valid=1s ipv6=off; set $app http://app:5000; proxy_pass $app;"


def docker(*words: str) -> str:
    from live.stack import docker as run

    return run(*words)


def until(ask: Callable[[], Any], say: str = "") -> Any:
    from live.stack import until as wait

    return wait(ask, say=say)


# --- stacks -----------------------------------------------------------------------------------


def nginx_conf(
    live: LiveStack,
    way: str = STATIC,
    *,
    server: str = "listen 80;",
    http_block: str = "",
    log: str = "stderr",
) -> None:
    """Return a configuration whose `/` goes the given way.

    Its own health check stays green whatever happens behind it (edge-cases.md#72).
    """
    text = f"""
        worker_processes 1;
        error_log {log} notice;
        events {{}}
        http {{
            access_log off;
            proxy_connect_timeout 300ms;
            {http_block}
            server {{
                {server}
                location / {{ {way} }}
                location = /healthz {{ return 200 "ok\\n"; }}
            }}
        }}
    """
    (live.folder / "nginx.conf").write_text(textwrap.dedent(text))


def web(live: LiveStack, **more: Any) -> dict[str, Any]:
    return {
        "image": NGINX,
        "ports": [f"127.0.0.1:{live.ports[0]}:80"],
        "volumes": ["./nginx.conf:/etc/nginx/nginx.conf:ro"],
        "init": True,
        "stop_grace_period": "0s",
        **more,
    }


def app(live: LiveStack, **more: Any) -> dict[str, Any]:
    return {
        "image": BUSYBOX,
        "command": ["httpd", "-f", "-p", "5000", "-h", "/www"],
        "ports": [f"127.0.0.1:{live.ports[1]}:5000"],
        "init": True,
        "stop_grace_period": "0s",
        "environment": {"SECRET_KEY": CANARY, "GREETING": f"{CANARY} is shown nowhere"},
        **more,
    }


def files(
    live: LiveStack, way: str = STATIC, *, services: dict[str, Any] | None = None, **more: Any
) -> None:
    nginx_conf(live, way)
    live.compose(services or {"app": app(live), "web": web(live, depends_on=["app"])}, **more)
    live.of()


def up(
    live: LiveStack, way: str = STATIC, *, services: dict[str, Any] | None = None, **more: Any
) -> None:
    """Start the stack and wait until it answers."""
    files(live, way, services=services, **more)
    live.up()
    serves(live)


def compose(live: LiveStack, *words: str, fails: bool = False) -> None:
    done = subprocess.run(
        ["docker", "compose", *words],
        cwd=live.folder,
        env=live.environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode != 0) is fails, done.stderr


def name_of(live: LiveStack, service: str) -> str:
    return f"{live.project}-{service}-1"


def status(port: int, path: str = "/") -> int | None:
    line = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        line.request("GET", path)
        return line.getresponse().status
    except (OSError, http.client.HTTPException):
        return None
    finally:
        line.close()


def serves(live: LiveStack) -> None:
    until(lambda: status(live.ports[0]) == 200, say="the stack does not come up")


def stopped(live: LiveStack, service: str) -> None:
    docker("stop", "-t", "0", name_of(live, service))


def in_state(live: LiveStack, service: str, *states: str) -> None:
    until(
        lambda: live.containers().get(name_of(live, service)) in states,
        say=f"{service} does not become {' or '.join(states)}",
    )


def certificate(folder: Path, *, days: int) -> None:
    """Write a certificate that expires in `days`."""
    (folder / "certs").mkdir()
    make_pair(folder / "certs", days=days)


# --- what goes wrong --------------------------------------------------------------------------


def host_process(live: LiveStack) -> None:
    up(live)
    stopped(live, "app")
    squatter(live, live.ports[1])


def squatter(live: LiveStack, port: int) -> int:
    """Start a host server as in the incident: it answers, so the app seems to work."""
    pid = live.spawn(
        [sys.executable, "-m", "http.server", str(port), "--bind", "127.0.0.1"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ).pid
    until(lambda: status(port))
    return pid


def host_process_and_a_start_that_failed(live: LiveStack) -> None:
    host_process(live)
    compose(live, "-f", "compose.json", "start", "app", fails=True)


def other_container(live: LiveStack) -> None:
    up(live)
    stopped(live, "app")
    live.container("-p", f"127.0.0.1:{live.ports[1]}:80", BUSYBOX, "sleep", "600")


def exited(live: LiveStack) -> None:
    files(
        live,
        DYNAMIC,
        services={
            "app": app(live, command=["sh", "-c", f"echo last words {CANARY}; exit 3"]),
            "web": web(live),
        },
    )
    live.up()
    in_state(live, "app", "exited")


def somebody_stopped_it(live: LiveStack) -> None:
    up(live)
    stopped(live, "app")


def crash_loop(live: LiveStack) -> None:
    files(
        live,
        DYNAMIC,
        services={
            "app": app(live, command=["sh", "-c", "echo again; exit 2"], restart="always"),
            "web": web(live),
        },
    )
    live.up()
    until(lambda: int(docker("inspect", "-f", "{{.RestartCount}}", name_of(live, "app"))) >= 3)


def out_of_memory(live: LiveStack) -> None:
    greedy = app(
        live, command=["tail", "/dev/zero"], init=False, mem_limit="12m", memswap_limit="12m"
    )
    files(live, DYNAMIC, services={"app": greedy, "web": web(live)})
    live.up()
    in_state(live, "app", "exited")
    while (
        docker("inspect", "-f", "{{.State.OOMKilled}}", name_of(live, "app")).strip() != "true"
    ):  # the engine may miss it
        docker("start", name_of(live, "app"))
        in_state(live, "app", "exited")


def unhealthy(live: LiveStack) -> None:
    check = {
        "test": ["CMD-SHELL", "echo no table scores; false"],
        "interval": "300ms",
        "retries": 1,
        "timeout": "5s",
    }
    files(live, DYNAMIC, services={"app": app(live, healthcheck=check), "web": web(live)})
    live.up()
    until(
        lambda: (
            docker("inspect", "-f", "{{.State.Health.Status}}", name_of(live, "app")).strip()
            == "unhealthy"
        )
    )


def listens_elsewhere(live: LiveStack) -> None:
    files(
        live,
        services={
            "app": app(live, command=["httpd", "-f", "-p", "8000", "-h", "/www"], ports=[]),
            "web": web(live, depends_on=["app"]),
        },
    )
    live.up()


def command_that_is_not_there(live: LiveStack) -> None:
    files(
        live,
        DYNAMIC,
        services={"app": app(live, command=["no-such-command"], init=False), "web": web(live)},
    )
    compose(live, "-f", "compose.json", "up", "-d", fails=True)
    compose(live, "-f", "compose.json", "up", "-d", "--no-deps", "web")


def port_that_is_free_again(live: LiveStack) -> None:
    files(live, DYNAMIC, services={"app": app(live), "web": web(live)})
    pid = live.listen(live.ports[1])
    compose(live, "-f", "compose.json", "up", "-d", fails=True)
    compose(live, "-f", "compose.json", "up", "-d", "--no-deps", "web")
    live.end(pid)


def never_up(live: LiveStack) -> None:
    files(live)


def loopback_only(live: LiveStack) -> None:
    files(
        live,
        services={
            "app": app(live, command=["httpd", "-f", "-p", "127.0.0.1:5000", "-h", "/www"]),
            "web": web(live, depends_on=["app"]),
        },
    )
    live.up()


def stale_address(live: LiveStack) -> None:
    up(live)
    before = address(live, "app")
    docker("rm", "-f", name_of(live, "app"))
    for number in range(3):  # takes the address that was given back
        live.container(
            "--network",
            f"{live.project}_default",
            BUSYBOX,
            "sleep",
            "600",
            name=f"{live.project}-filler-{number}",
        )
        compose(live, "-f", "compose.json", "up", "-d", "--no-deps", "--force-recreate", "app")
        if address(live, "app") != before:
            break
    assert address(live, "app") != before
    until(lambda: status(live.ports[1]) == 200)


def address(live: LiveStack, service: str) -> str:
    return docker(
        "inspect",
        "-f",
        "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}",
        name_of(live, service),
    ).strip()


def stale_address_that_another_service_has(live: LiveStack) -> None:
    """edge-cases.md#70: it answers at once, on the same port."""
    block = f"10.{200 + live.ports[0] % 50}.{live.ports[0] % 250}"

    def at(number: int) -> dict[str, Any]:
        return {"networks": {"default": {"ipv4_address": f"{block}.{number}"}}}

    networks = {"default": {"ipam": {"config": [{"subnet": f"{block}.0/28"}]}}}
    up(
        live,
        services={"app": app(live, **at(5)), "web": web(live, depends_on=["app"])},
        networks=networks,
    )
    other = app(live, ports=[], **at(5))
    live.compose(
        {"app": app(live, **at(6)), "web": web(live, depends_on=["app"]), "other": other},
        networks=networks,
    )
    compose(live, "-f", "compose.json", "up", "-d", "--no-deps", "app")
    compose(live, "-f", "compose.json", "up", "-d", "--no-deps", "other")
    until(lambda: status(live.ports[0]) == 200 == status(live.ports[1]))


def addresses_that_changed_places(live: LiveStack) -> None:
    """edge-cases.md#70: both services answer at once, each in the place of the other."""
    block = f"10.{200 + live.ports[0] % 50}.{live.ports[0] % 250}"

    def at(number: int) -> dict[str, Any]:
        return {"networks": {"default": {"ipv4_address": f"{block}.{number}"}}}

    def services(first: int, second: int) -> dict[str, Any]:
        return {
            "app": app(live, **at(first)),
            "api": app(live, ports=[], **at(second)),
            "web": web(live, depends_on=["app", "api"], **at(4)),
        }

    networks = {"default": {"ipam": {"config": [{"subnet": f"{block}.0/28"}]}}}
    files(live, services=services(5, 6), networks=networks)
    nginx_conf(
        live,
        "proxy_pass http://backend; } location /api/ { proxy_pass http://api:5000/;",
        http_block="upstream backend { server app:5000; }",
    )
    live.up()
    serves(live)
    live.compose(services(6, 5), networks=networks)
    docker("rm", "-f", name_of(live, "app"), name_of(live, "api"))
    compose(live, "-f", "compose.json", "up", "-d", "app", "api")
    until(lambda: status(live.ports[0]) == 200 == status(live.ports[1]))


def other_network(live: LiveStack) -> None:
    services = {"app": app(live, networks=["back"]), "web": web(live, networks=["front"])}
    files(live, DYNAMIC, services=services, networks={"back": {}, "front": {}})
    live.up()


def other_network_of_a_name_that_is_looked_up_at_the_start(live: LiveStack) -> None:
    services = {"app": app(live, networks=["back"]), "web": web(live, networks=["front"])}
    files(live, STATIC, services=services, networks={"back": {}, "front": {}})
    live.up()
    in_state(live, "web", "exited")


def proxy_down(live: LiveStack) -> None:
    up(live)
    stopped(live, "web")


def proxy_without_its_upstream(live: LiveStack) -> None:
    """nginx started without the app and ended; the app is back."""
    files(live, services={"app": app(live), "web": web(live)})
    compose(live, "-f", "compose.json", "up", "-d", "web")
    in_state(live, "web", "exited")
    compose(live, "-f", "compose.json", "up", "-d", "--no-deps", "app")


def proxy_with_a_wrong_name(live: LiveStack) -> None:
    """The app is a small file server on 8080, with a program called httpd: no proxy."""
    served = app(
        live,
        command=["busybox", "httpd", "-f", "-p", "8080", "-h", "/www"],
        ports=[f"127.0.0.1:{live.ports[1]}:8080"],
    )
    files(
        live,
        "proxy_pass http://nobody:8080;",
        services={"app": served, "web": web(live, restart="always")},
    )
    live.up()
    restarts = "{{.RestartCount}}"  # from 3 on it is a crash loop at every moment
    until(lambda: int(docker("inspect", "-f", restarts, name_of(live, "web"))) >= 3)


def https(live: LiveStack) -> None:
    files(live)
    nginx_conf(
        live,
        server="listen 443 ssl; ssl_certificate certs/tls.crt; ssl_certificate_key certs/tls.key;",
    )
    volumes = ["./nginx.conf:/etc/nginx/nginx.conf:ro", "./certs:/etc/nginx/certs:ro"]
    live.compose(
        {
            "app": app(live),
            "web": web(
                live, ports=[f"127.0.0.1:{live.ports[0]}:443"], volumes=volumes, depends_on=["app"]
            ),
        }
    )
    live.up()


def certificate_missing(live: LiveStack) -> None:
    (live.folder / "certs").mkdir()
    https(live)
    in_state(live, "web", "exited")


def certificate_expired(live: LiveStack) -> None:
    certificate(live.folder, days=-1)
    https(live)
    until(lambda: status(live.ports[0]), say="nginx does not listen")


def entry_taken(live: LiveStack) -> None:
    up(live)
    stopped(live, "web")
    squatter(live, live.ports[0])


def entry_taken_by_a_container(live: LiveStack) -> None:
    up(live)
    stopped(live, "web")
    live.container("-p", f"127.0.0.1:{live.ports[0]}:80", BUSYBOX, "sleep", "600")


def paused(live: LiveStack) -> None:
    up(live)
    docker("pause", name_of(live, "app"))


def several(live: LiveStack) -> None:
    """Two independent causes; their effects are no findings of their own."""
    api = app(
        live,
        command=["httpd", "-f", "-p", "127.0.0.1:7000", "-h", "/www"],
        ports=[f"127.0.0.1:{live.ports[2]}:7000"],
    )
    services = {"app": app(live), "api": api, "web": web(live, depends_on=["app", "api"])}
    files(live, services=services)
    nginx_conf(live, STATIC + " } location /api/ { proxy_pass http://api:7000;")
    live.up()
    serves(live)
    stopped(live, "app")
    squatter(live, live.ports[1])


def app_down_so_the_proxy_cannot_start(live: LiveStack) -> None:
    files(live, services={"app": app(live, command=["sh", "-c", "exit 4"]), "web": web(live)})
    live.up()
    in_state(live, "app", "exited")
    docker("restart", name_of(live, "web"))
    in_state(live, "web", "exited")


SCENARIOS: tuple[tuple[Callable[[LiveStack], None], list[tuple[str, str]]], ...] = (
    (host_process, [("port-squatter", "app")]),
    (host_process_and_a_start_that_failed, [("port-squatter", "app")]),
    (other_container, [("other-container", "app")]),
    (exited, [("app-exited", "app")]),
    (somebody_stopped_it, [("app-exited", "app")]),
    (crash_loop, [("crash-loop", "app")]),
    (out_of_memory, [("out-of-memory", "app")]),
    (unhealthy, [("unhealthy", "app")]),
    (listens_elsewhere, [("wrong-port", "web")]),
    (command_that_is_not_there, [("never-started", "app")]),
    (port_that_is_free_again, [("never-started", "app")]),
    (never_up, [("never-started", "app")]),
    (loopback_only, [("loopback-only", "app")]),
    (stale_address, [("stale-upstream", "app")]),
    (stale_address_that_another_service_has, [("stale-upstream", "app")]),
    (addresses_that_changed_places, [("stale-upstream", "api"), ("stale-upstream", "app")]),
    (other_network, [("other-network", "app")]),
    (other_network_of_a_name_that_is_looked_up_at_the_start, [("other-network", "web")]),
    (proxy_down, [("proxy-down", "web")]),
    (proxy_without_its_upstream, [("proxy-cannot-start", "web")]),
    (proxy_with_a_wrong_name, [("external-upstream", "web")]),
    (certificate_missing, [("certificate", "web")]),
    (certificate_expired, [("certificate", "web")]),
    (entry_taken, [("entry-port-taken", "web")]),
    (entry_taken_by_a_container, [("entry-port-taken", "web")]),
    (paused, [("paused", "app")]),
    (several, [("port-squatter", "app"), ("loopback-only", "api")]),
    (app_down_so_the_proxy_cannot_start, [("app-exited", "app")]),
)


def causes(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(finding["cause"], finding["service"]) for finding in document["findings"]]


@pytest.mark.parametrize(
    ("make", "expected"), SCENARIOS, ids=[make.__name__ for make, _ in SCENARIOS]
)
def test_each_cause_is_detected_and_not_mistaken_for_another(
    live: LiveStack, make: Callable[[LiveStack], None], expected: Sequence[tuple[str, str]]
) -> None:
    make(live)
    said = live.run("doctor", "-f", "compose.json", "--json")
    assert causes(said.document) == expected, said.out
    assert said.code == 1
    assert CANARY not in said.text
    for finding in said.document["findings"]:
        assert finding["chain"][0]["name"] == "symptom"
        assert all(
            link["source"]
            for link in finding["chain"]
            if link["mark"] == "bad" and link["name"] != "cause"
        ), finding["chain"]
        assert finding["sentence"]
        assert finding["command"]


# --- health -----------------------------------------------------------------------------------


def test_a_healthy_stack_has_no_finding_however_often_it_is_started(live: LiveStack) -> None:
    up(live)
    for start in range(5):  # six more below are of other shapes
        if start:
            # No `docker restart -t 0`: in about one of fifty runs the engine noticed the old end
            # after the new start and released the port again.
            compose(live, "-f", "compose.json", "up", "-d", "--force-recreate", "--timeout", "0")
            serves(live)
        said = live.run("doctor", "-f", "compose.json", "--json")
        assert (said.code, causes(said.document)) == (0, []), said.out
        assert {row["status"] for row in said.document["facts"]["http"]} == {200}
        assert CANARY not in said.text


def pool(live: LiveStack) -> None:
    """An upstream block with two servers."""
    services = {
        "app": app(live),
        "second": app(live, ports=[]),
        "web": web(live, depends_on=["app", "second"]),
    }
    files(live, services=services)
    nginx_conf(
        live,
        "proxy_pass http://pool;",
        http_block="upstream pool { server app:5000; server second:5000; }",
    )


def looked_up_while_it_serves(live: LiveStack) -> None:
    files(live, DYNAMIC)


def with_tls(live: LiveStack) -> None:
    certificate(live.folder, days=30)
    https(live)


def replicas(live: LiveStack) -> None:
    files(
        live, services={"app": app(live, ports=[], scale=2), "web": web(live, depends_on=["app"])}
    )


def one_shot(live: LiveStack) -> None:
    """A finished migration, and a service that waits for it."""
    migrate = app(live, command=["true"], ports=[], restart="no")
    waits = app(live, depends_on={"migrate": {"condition": "service_completed_successfully"}})
    files(live, services={"migrate": migrate, "app": waits, "web": web(live, depends_on=["app"])})


def host_network(live: LiveStack) -> None:
    """No port is published; the proxy is detected all the same."""
    services = {"app": app(live), "web": web(live, ports=[], network_mode="host")}
    files(live, services=services)
    nginx_conf(
        live,
        f"proxy_pass http://127.0.0.1:{live.ports[1]};",
        server=f"listen 127.0.0.1:{live.ports[0]};",
    )


@pytest.mark.parametrize(
    "make", [pool, looked_up_while_it_serves, replicas, one_shot, host_network]
)
def test_healthy_stacks_of_other_shapes_have_no_finding(
    live: LiveStack, make: Callable[[LiveStack], None]
) -> None:
    make(live)
    live.up()
    serves(live)
    said = live.run("doctor", "-f", "compose.json", "--json")
    assert (said.code, causes(said.document)) == (0, []), said.out
    assert any(row["through"] == "proxy" for row in said.document["facts"]["http"]), "it was asked"


def test_many_doctors_at_once_find_no_fault_that_they_made(live: LiveStack) -> None:
    files(live)
    nginx_conf(
        live,
        "limit_req zone=site; proxy_pass http://app:5000;",
        http_block="limit_req_zone $binary_remote_addr zone=site:1m rate=6r/m;",
    )
    live.up()
    serves(live)
    with ThreadPoolExecutor(3) as pool:
        runs = list(pool.map(lambda _: live.run("doctor", "-f", "compose.json"), range(3)))
    assert [run.code for run in runs] == [0] * 3, [run.text for run in runs]
    assert not any("symptom" in run.out for run in runs)
    refused = f"http://127.0.0.1:{live.ports[0]}/ answers 503: asked too often"
    assert any(refused in run.text for run in runs), [run.text for run in runs]


def test_tls_with_a_valid_certificate_is_healthy(live: LiveStack) -> None:
    with_tls(live)
    said = until(
        lambda: (run := live.run("doctor", "-f", "compose.json", "--json")).code == 0 and run,
        say="never healthy",
    )
    assert [
        (row["url"], row["status"])
        for row in said.document["facts"]["http"]
        if row["through"] == "proxy"
    ] == [(f"https://127.0.0.1:{live.ports[0]}/", 200)]


# --- what is shown ----------------------------------------------------------------------------


def test_the_chain_is_drawn_with_its_evidence_and_ends_with_the_cause_and_the_repair(
    live: LiveStack,
) -> None:
    host_process_and_a_start_that_failed(live)
    live.settings()
    said = live.run("doctor")
    pid = next(iter(live._processes)).pid
    assert said.code == 1
    lines = said.out.splitlines()
    assert lines[0] == "app: port-squatter (certain)"
    assert (
        lines[1] == f"BAD symptom: http://127.0.0.1:{live.ports[0]}/ answers 502  [http]"
        or "answers 504" in lines[1]
    )
    names = [line.split("- ")[1].split()[1].rstrip(":") for line in lines if "`- " in line]
    assert names == ["proxy", "upstream", "container", "port", "holder"]
    assert "failed to bind host port" in said.out, "State.Error is the evidence"
    (cause,) = [line for line in lines if line.startswith("cause: ")]
    assert f"127.0.0.1:{live.ports[1]}" in cause
    assert f"pid {pid}" in cause
    assert "-m http.server" in cause, "the command line"
    assert "repair: dartsctl doctor --fix" in lines


def test_production_is_the_default_environment(live: LiveStack) -> None:
    stopped_app(live)
    live.settings()
    assert "dartsctl doctor --fix" in live.run("doctor").out
    assert live.run("doctor", "--json").document["environment"] == "prod"
    live.settings(environment="staging")
    said = live.run("doctor", "staging", "--json")
    assert (said.document["environment"], said.document["findings"][0]["command"]) == (
        "staging",
        "dartsctl doctor staging --fix",
    )
    assert live.run("doctor", "stagin").code == 2


def stopped_app(live: LiveStack) -> None:
    up(live)
    stopped(live, "app")


def test_times_are_local_with_their_zone(live: LiveStack) -> None:
    stopped_app(live)
    said = live.run("doctor", "-f", "compose.json", TZ="Asia/Kolkata")
    assert "+05:30" in said.out


def test_a_log_file_is_read_across_its_rotation_with_the_container_s_zone(live: LiveStack) -> None:
    """Lines before and after the rotation count. Lines of an engine's log would be in UTC."""
    files(
        live,
        services={
            "app": app(live),
            "web": web(live, depends_on=["app"], environment={"TZ": "XYZ-3"}),
        },
    )
    nginx_conf(live, log="/var/log/nginx/own.log")
    live.up()
    serves(live)
    stopped(live, "app")
    until(lambda: (status(live.ports[0]) or 0) >= 500)
    docker("exec", name_of(live, "web"), "mv", "/var/log/nginx/own.log", "/var/log/nginx/own.log.1")
    docker(
        "kill", "-s", "USR1", name_of(live, "web")
    )  # `nginx -s reopen` refuses while the name is missing
    until(lambda: "own.log\n" in docker("exec", name_of(live, "web"), "ls", "/var/log/nginx"))
    said = live.run("doctor", "-f", "compose.json", "--json")
    proxy = said.document["facts"]["proxy"]
    assert "own.log" in proxy["log_source"]
    assert sum(count["count"] for count in proxy["failures"]) == 2, proxy["failures"]
    assert all(
        abs(said.document["facts"]["now"] - count["last"]) < 60 for count in proxy["failures"]
    ), "nginx wrote the times three hours ahead"


def test_a_log_without_a_readable_driver_is_unknown(live: LiveStack) -> None:
    """edge-cases.md#78."""
    files(
        live,
        DYNAMIC,
        services={
            "app": app(live, command=["false"], logging={"driver": "none"}),
            "web": web(live),
        },
    )
    live.up()
    in_state(live, "app", "exited")
    said = live.run("doctor", "-f", "compose.json")
    assert "its log cannot be read" in said.out


def test_secrets_of_env_files_and_variables_are_never_shown(live: LiveStack) -> None:
    """In a log, in a health check's output, in a command line, in State.Error."""
    (live.folder / "secrets.env").write_text(
        "DB_PASSWORD=canary-of-the-env-file\nPLAIN=Zx9vCanary0And1Odd2Y01canary89\nAPP_MODE=frontend\n"
    )
    (live.folder / ".env").write_text("TOKEN=canary-of-compose-itself\n")
    shout = "env; env >&2; echo ${TOKEN}"
    check = {
        "test": ["CMD-SHELL", "env; false"],
        "interval": "300ms",
        "retries": 1,
        "timeout": "5s",
    }
    talkative = app(
        live,
        command=["sh", "-c", f"{shout}; httpd -f -p 5000"],
        env_file=["secrets.env"],
        healthcheck=check,
    )
    files(
        live,
        DYNAMIC,
        services={
            "app": talkative,
            "web": web(live),
            "broken": app(live, command=["${TOKEN}"], ports=[], init=False),
        },
    )
    compose(live, "-f", "compose.json", "up", "-d", fails=True)
    compose(live, "-f", "compose.json", "up", "-d", "--no-deps", "web", "app")
    until(
        lambda: (
            docker("inspect", "-f", "{{.State.Health.Status}}", name_of(live, "app")).strip()
            == "unhealthy"
        )
    )
    for words in ((), ("--json",), ("-v",)):
        said = live.run("doctor", "-f", "compose.json", *words)
        assert said.code == 1
        assert "canary" not in said.text, said.text
        assert "unhealthy" in said.text
        assert "APP_MODE=frontend" in said.text


def test_an_env_file_with_the_upstream_s_name_hides_no_cause(live: LiveStack) -> None:
    """A host name is no secret."""
    (live.folder / ".env").write_text("BACKEND_HOST=backend-of-the-shop\n")
    name = "backend-of-the-shop"
    files(
        live,
        "proxy_pass http://backend-of-the-shop:5000;",
        services={name: app(live), "web": web(live, depends_on=[name])},
    )
    live.up()
    serves(live)
    stopped(live, name)
    said = live.run("doctor", "-f", "compose.json", "--json")
    assert causes(said.document) == [("app-exited", name)]
    assert [link["name"] for link in said.document["findings"][0]["chain"]][:3] == [
        "symptom",
        "proxy",
        "upstream",
    ]


# --- what somebody knows better ---------------------------------------------------------------


def test_an_additional_url_is_requested(live: LiveStack) -> None:
    up(live)
    live.settings(f'\n[doctor]\nurl = "http://127.0.0.1:{live.ports[3]}/gone"')
    said = live.run("doctor", "--json")
    assert said.code == 1
    assert causes(said.document) == [("unknown", "web")]
    assert (
        f"http://127.0.0.1:{live.ports[3]}/gone fails: connection refused"
        in said.document["symptoms"]
    )
    said = live.run("doctor", "--json", "--url", f"http://127.0.0.1:{live.ports[0]}/healthz")
    assert said.code == 0, said.out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--url", "example.org"), "--url: 'example.org' is not a URL"),
        (("--url", "http://example.org:99999/"), "--url: 'http://example.org:99999/' is not a URL"),
        (
            ("--url", "http://me:hunter2@example.org/"),
            "--url: the URL must not contain a user name or password",
        ),
        (("--proxy", "gate"), "the stack has no service 'gate'"),
        (("prod", "-f", "compose.json"), "an environment and --file cannot be combined"),
    ],
)
def test_invalid_arguments_are_an_error_with_code_2(
    live: LiveStack, words: Sequence[str], message: str
) -> None:
    files(live)
    said = live.run("doctor", *(words if "-f" in words else ("-f", "compose.json", *words)))
    assert (said.code, message in said.err) == (2, True), said.err
    assert "hunter2" not in said.text


def test_the_proxy_can_be_named(live: LiveStack) -> None:
    up(live)
    said = live.run("doctor", "-f", "compose.json", "--json", "--proxy", "app")
    assert said.document["facts"]["proxy"]["service"] == "app"


# --- the engine -------------------------------------------------------------------------------


def test_an_engine_that_is_down_is_the_finding_and_the_code_is_5(live: LiveStack) -> None:
    files(live)
    dead = f"unix://{live.folder}/no.sock"
    said = live.run("doctor", "-f", "compose.json", "--json", DOCKER_HOST=dead)
    assert (said.code, causes(said.document)) == (5, [("engine-down", "")])
    said = live.run("doctor", "-f", "compose.json", DOCKER_HOST=dead)
    assert said.code == 5
    assert f"no Docker engine answers at {dead}" in said.out


def test_a_silent_engine_does_not_delay_doctor(live: LiveStack) -> None:
    """edge-cases.md#41: it accepts the connection and does not answer."""
    files(live)
    place = live.folder / "silent.sock"
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(place))
        silent.listen()
        began = time.monotonic()
        said = live.run("doctor", "-f", "compose.json", "--json", DOCKER_HOST=f"unix://{place}")
        assert time.monotonic() - began < 30
    assert (said.code, causes(said.document)) == (5, [("engine-down", "")])


def test_a_stack_where_everything_hangs_is_examined_without_waiting_for_it(live: LiveStack) -> None:
    """The app accepts connections and never answers, also on its published port."""
    idle = ["sh", "-c", "while true; do nc -l -p 5000 -e sleep 600; done"]
    files(live, services={"app": app(live, command=idle), "web": web(live, depends_on=["app"])})
    live.up()
    began = time.monotonic()
    said = live.run("doctor", "-f", "compose.json", "--json")
    assert time.monotonic() - began < 30
    assert said.code == 1


@contextmanager
def relay(listening: socket.socket, silent_about: str = "") -> Iterator[None]:
    """Relay to the real engine, but never answer requests about one container."""
    real = (
        os.environ["DOCKER_HOST"].removeprefix("unix://")
        if "DOCKER_HOST" in os.environ
        else "/var/run/docker.sock"
    )

    def pump(source: socket.socket, target: socket.socket) -> None:
        with suppress(OSError):
            while data := source.recv(65536):
                if not (silent_about and silent_about.encode() in data.partition(b"\r\n")[0]):
                    target.sendall(data)
            target.shutdown(socket.SHUT_WR)

    lines: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve() -> None:
        with suppress(OSError):
            while True:
                client, _ = listening.accept()
                engine = socket.socket(socket.AF_UNIX)
                engine.connect(real)
                lines.extend((client, engine))
                for pair in ((client, engine), (engine, client)):
                    threads.append(threading.Thread(target=pump, args=pair, daemon=True))
                    threads[-1].start()

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    try:
        yield
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        server.join(10)
        for line in lines:
            with suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
        for thread in threads:
            thread.join(10)
        for line in lines:
            line.close()


def test_an_engine_silent_about_one_container_still_reports_the_others(live: LiveStack) -> None:
    """The engine may hold a container's lock for ever; the list of containers still has it."""
    stopped_app(live)
    identity = docker("inspect", "-f", "{{.Id}}", name_of(live, "web")).strip()
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(live.folder / "engine.sock"))
        listening.listen(64)
        with relay(listening, f"/{identity}/"):
            began = time.monotonic()
            said = live.run(
                "doctor",
                "-f",
                "compose.json",
                "--json",
                DOCKER_HOST=f"unix://{live.folder}/engine.sock",
            )
            seconds = time.monotonic() - began
    assert causes(said.document) == [("app-exited", "app")]
    assert any("did not answer" in line for line in said.document["unknown"])
    assert seconds < 30


def test_a_remote_engine_is_judged_by_its_list_and_the_rest_is_unknown(
    live: LiveStack,
) -> None:
    """edge-cases.md#43."""
    stopped_app(live)
    with socket.create_server(("127.0.0.1", 0)) as listening, relay(listening):
        said = live.run(
            "doctor",
            "-f",
            "compose.json",
            "--json",
            DOCKER_HOST=f"tcp://127.0.0.1:{listening.getsockname()[1]}",
        )
    assert causes(said.document) == [("app-exited", "app")]
    assert said.document["facts"]["http"] == []
    assert len(said.document["unknown"]) == 2
