"""`doctor` on a real nginx with many broken locations: each has its cause, and none another's.

nginx 1.22 wrote the lines in tests/data/nginx and tests/fakes/route_faults.py on such a stack
(edge-cases.md#88).
"""

from __future__ import annotations

import http.client
import subprocess
from collections import Counter
from collections.abc import Mapping
from contextlib import closing, suppress
from typing import TYPE_CHECKING, Any

import pytest

from own_images import BUSYBOX
from signing import make_pair

if TYPE_CHECKING:
    from live.stack import LiveStack, Said

pytest_plugins = ("live.stack",)
pytestmark = pytest.mark.engine

NGINX = "dartsctl-test/nginx:1"
BIG = "x" * 3000
BACK = f"""
worker_processes 1; error_log stderr warn; events {{}}
http {{
    access_log off;
    server {{ listen 80; location / {{ return 200 "ok"; }} location /large {{ return 413; }} }}
    server {{
        listen 443 ssl; ssl_certificate certs/tls.crt; ssl_certificate_key certs/tls.key;
        location / {{ return 200 "ok"; }}
    }}
    server {{ listen 81; location / {{ return 444; }} }}
    server {{
        listen 82;
        location / {{ add_header X-A "{BIG}"; add_header X-B "{BIG}"; return 200 "ok"; }}
    }}
}}
"""


HEALTHY = """
worker_processes 1; error_log stderr warn; events {}
http {
    access_log off;
    upstream pool { server pool:80; }
    server { listen 8081; location / { return 200 "self"; } location /ws { return 426; } }
    server { listen unix:/run/own.sock; location / { return 200 "socket"; } }
    server { listen 82; location / { return 413; } }
    server {
        listen 80;
        location / { proxy_pass http://app/; }
        location /pool/ { proxy_pass http://pool/; }
        location /later/ {
            resolver 127.0.0.11 ipv6=off; set $host_of_app app; proxy_pass http://$host_of_app:80/;
        }
        location /self/ { proxy_pass http://127.0.0.1:8081/; }
        location /ws/ { proxy_pass http://localhost:8081/ws; }
        location /socket/ { proxy_pass http://unix:/run/own.sock:/; }
        location /upload/ { proxy_pass http://127.0.0.1:82/; }
        location = /nothing-is-here { return 404; }
    }
}
"""


def front_conf(locations: Mapping[str, str]) -> str:
    """Return a configuration with one location on each line."""
    lines = [f"location {path} {{ {way} }}" for path, way in locations.items()]
    return "\n".join(
        [
            "worker_processes 1; error_log stderr warn; events {}",
            "http { access_log off; proxy_connect_timeout 1s; resolver_timeout 2s;",
            "server { listen 80;",
            *lines,
            "} }",
        ]
    )


def idle(*command: str) -> dict[str, Any]:
    return {"image": BUSYBOX, "command": list(command), "init": True, "stop_grace_period": "0s"}


def nc(program: str) -> dict[str, Any]:
    """Return a service that starts a program for each connection to its port 80."""
    return idle("sh", "-c", f"while true; do nc -l -p 80 -e {program}; done")


def broken(live: LiveStack, locations: Mapping[str, str]) -> None:
    """Start nginx with these locations, and four services behind it."""
    (live.folder / "certs").mkdir()
    make_pair(live.folder / "certs", days=60)
    (live.folder / "back.conf").write_text(BACK)
    (live.folder / "site.conf").write_text(front_conf(locations))
    back = {
        "image": NGINX,
        "init": True,
        "stop_grace_period": "0s",
        "ports": [f"127.0.0.1:{live.ports[1]}:80"],
        "volumes": ["./back.conf:/etc/nginx/nginx.conf:ro", "./certs:/etc/nginx/certs:ro"],
    }
    front = {
        "image": NGINX,
        "init": True,
        "stop_grace_period": "0s",
        "ports": [f"127.0.0.1:{live.ports[0]}:80"],
        "volumes": ["./site.conf:/etc/nginx/nginx.conf:ro"],
        "depends_on": ["back", "garbage", "slow"],
    }
    script = "printf '#!/bin/sh\nsleep 60\n' > /tmp/cgi-bin/late; chmod +x /tmp/cgi-bin/late"
    slow = idle("sh", "-c", f"mkdir /tmp/cgi-bin; {script}; exec httpd -f -p 80 -h /tmp")
    garbage = nc("sh -c 'read line; echo SSH-2.0-OpenSSH; echo; sleep 1'")
    live.compose({"back": back, "front": front, "garbage": garbage, "slow": slow})
    live.of()
    live.up()
    serves(live)


def serves(live: LiveStack) -> None:
    from live.stack import until

    def answers() -> bool:
        line = http.client.HTTPConnection("127.0.0.1", live.ports[0], timeout=5)
        with closing(line), suppress(OSError, http.client.HTTPException):
            line.request("GET", "/nothing-is-here")
            return line.getresponse().status == 404
        return False

    until(answers, say="nginx does not answer")


def doctor(live: LiveStack) -> Said:
    return live.run("doctor", "-f", "compose.json", "--json")


def rows(said: Said, live: LiveStack) -> Counter[tuple[str, str, tuple[str, ...]]]:
    """Return cause, service and the paths of the requests through nginx of each finding."""
    found: Counter[tuple[str, str, tuple[str, ...]]] = Counter()
    port = f":{live.ports[0]}/"
    for finding in said.document["findings"]:
        paths = tuple(f"/{url.split('/', 3)[3]}" for url in finding["requests"] if port in url)
        found[finding["cause"], finding["service"], paths] += 1
    return found


def command_of(said: Said, path: str) -> str:
    for finding in said.document["findings"]:
        if any(url.endswith(path) for url in finding["requests"]):
            return str(finding["command"])
    return ""


def test_targets_ports_and_answers(live: LiveStack) -> None:
    published = live.ports[1]
    broken(
        live,
        {
            "/loopback": "proxy_pass http://127.0.0.1:5005/;",
            "/published": f"proxy_pass http://back:{published}/;",
            "/wrong": "proxy_pass http://back:8000/;",
            "/early": "proxy_pass http://back:81/;",
            "/big": "proxy_pass http://back:82/;",
            "/tls": "proxy_pass https://back:80/;",
            "/garbage": "proxy_pass http://garbage/;",
            "/large": "proxy_pass http://back/large;",
        },
    )
    said = doctor(live)
    assert rows(said, live) == Counter(
        {
            ("loopback-upstream", "front", ("/loopback",)): 1,
            ("published-port", "front", ("/published",)): 1,
            ("wrong-port", "front", ("/wrong",)): 1,
            ("closes-early", "back", ("/early",)): 1,
            ("header-too-big", "front", ("/big",)): 1,
            ("wrong-protocol", "front", ("/tls",)): 1,
            ("invalid-answer", "garbage", ("/garbage",)): 1,
        }
    ), said.out
    file = f"{live.folder}/site.conf"
    advice = command_of(said, "/published")
    assert f"write `proxy_pass http://back:80/` in {file}:5 " in advice
    assert advice.endswith("restart front`")
    assert "80, 81, 82, 443" in command_of(said, "/wrong")
    assert "write `proxy_pass http://back:80/`" in command_of(said, "/tls")


def test_names_sockets_protocols_and_time(live: LiveStack) -> None:
    dockers = "resolver 127.0.0.11 ipv6=off;"
    broken(
        live,
        {
            "/none": "set $a back; proxy_pass http://$a:81;",
            "/dead": "resolver 127.0.0.12 ipv6=off; set $b back; proxy_pass http://$b:83;",
            "/typo": f"{dockers} set $c garbgae; proxy_pass http://$c:80;",
            "/away": f"{dockers} set $d ledger.internal; proxy_pass http://$d:80;",
            "/socket": "proxy_pass http://unix:/run/app.sock:/;",
            "/uwsgi": "uwsgi_pass back:80;",
            "/plain": "proxy_pass http://back:443/;",
            "/slow": "proxy_pass http://slow/cgi-bin/late;",
        },
    )
    said = doctor(live)
    assert rows(said, live) == Counter(
        {
            ("resolver", "front", ("/none",)): 1,
            ("resolver", "front", ("/dead",)): 1,
            ("misspelled-upstream", "front", ("/typo",)): 1,
            ("external-upstream", "front", ("/away",)): 1,
            ("missing-socket", "front", ("/socket",)): 1,
            ("wrong-protocol", "front", ()): 2,
            ("no-answer", "slow", ("/slow",)): 1,
        }
    ), said.out
    assert "resolver 127.0.0.11" in command_of(said, "/dead")
    assert "proxy_pass http://garbage:80" in command_of(said, "/typo")
    wanted = {
        finding["data"]["upstream"]: finding["command"]
        for finding in said.document["findings"]
        if finding["cause"] == "wrong-protocol"
    }
    assert "write `proxy_pass http://back:80`" in wanted["back:80"]
    assert "write `proxy_pass https://back:443/`" in wanted["back:443"]


# --- nginx that cannot start ------------------------------------------------------------------


def ended(live: LiveStack, conf: str, services: dict[str, Any]) -> Said:
    """Start a stack whose nginx ends, and return what doctor says."""
    from live.stack import docker, until

    (live.folder / "site.conf").write_text(conf)
    front = {
        "image": NGINX,
        "init": True,
        "stop_grace_period": "0s",
        "ports": [f"127.0.0.1:{live.ports[0]}:80"],
        "volumes": ["./site.conf:/etc/nginx/nginx.conf:ro"],
    }
    live.compose({"front": front, **services})
    live.of()
    name = f"{live.project}-front-1"
    for words in (("front",), ("--no-deps", *services)):  # their names are not there for nginx
        subprocess.run(
            ["docker", "compose", "-f", "compose.json", "up", "-d", *words],
            cwd=live.folder,
            env=live.environ,
            capture_output=True,
            check=False,
            timeout=60,
        )
        until(lambda: docker("inspect", "-f", "{{.State.Status}}", name).strip() == "exited")
    return doctor(live)


@pytest.mark.parametrize(
    ("way", "needs", "cause", "words"),
    [
        ("proxy_pass http://keysever:8080;", [], "misspelled-upstream", "keyserver:8080"),
        ("prxy_pass http://keyserver:8080;", [], "nginx-config", "site.conf:4"),
        (
            "proxy_pass http://keyserver:8080;",
            ["front"],
            "reversed-dependency",
            "let front depend on keyserver, not keyserver on front",
        ),
    ],
    ids=["misspelled", "directive", "reversed"],
)
def test_nginx_that_cannot_start_says_why(
    live: LiveStack, way: str, needs: list[str], cause: str, words: str
) -> None:
    serve = "sleep 2; exec httpd -f -p 8080" if needs else "exec httpd -f -p 8080"
    server = {**idle("sh", "-c", serve), "depends_on": needs}
    said = ended(live, front_conf({"/": way}), {"keyserver": server})
    (finding,) = said.document["findings"]
    assert (finding["cause"], finding["service"]) == (cause, "front"), said.out
    assert words in finding["command"]
    assert finding["container"] == f"{live.project}-front-1"


# --- along depends_on -------------------------------------------------------------------------


def test_a_stopped_queue_is_the_one_cause_of_the_gateway_s_crash_loop(live: LiveStack) -> None:
    """The gateway ends while it cannot connect, and is in front of nothing that works."""
    from live.stack import docker, until

    connects = "nc -z queue 5672 || exit 1; exec httpd -f -p 8080"
    (live.folder / "site.conf").write_text(
        front_conf(
            {
                "/": "resolver 127.0.0.11 ipv6=off; set $a gateway; proxy_pass http://$a:8080;",
            }
        )
    )
    front = {
        "image": NGINX,
        "init": True,
        "stop_grace_period": "0s",
        "ports": [f"127.0.0.1:{live.ports[0]}:80"],
        "volumes": ["./site.conf:/etc/nginx/nginx.conf:ro"],
    }
    gateway = {**idle("sh", "-c", connects), "depends_on": ["queue"], "restart": "always"}
    queue = idle("sh", "-c", "trap 'exit 0' TERM; nc -lk -p 5672 -e true & wait")
    live.compose({"front": front, "gateway": gateway, "queue": queue})
    live.of()
    live.up()
    docker("stop", "-t", "5", f"{live.project}-queue-1")
    name = f"{live.project}-gateway-1"
    docker("restart", "-t", "0", name)
    until(lambda: int(docker("inspect", "-f", "{{.RestartCount}}", name)) >= 3)
    said = doctor(live)
    (finding,) = said.document["findings"]
    assert (finding["cause"], finding["service"]) == ("app-exited", "queue"), said.out
    assert finding["data"]["followed_by"] == ["gateway"]
    assert finding["requests"]


# --- health -----------------------------------------------------------------------------------


def test_a_stack_of_many_healthy_shapes_has_no_finding(live: LiveStack) -> None:
    """With and without health checks: a chain of dependencies, a one-shot, a profile, a service
    scaled to 0, replicas, a second server of the same nginx, a unix socket, a socket that answers
    426, a limit of uploads.
    """
    from live.stack import until

    (live.folder / "site.conf").write_text(HEALTHY)
    check = {"test": ["CMD-SHELL", "nc -z 127.0.0.1 80"], "interval": "300ms", "retries": 20}
    served = idle("httpd", "-f", "-p", "80", "-h", "/www")
    after = {"migrate": {"condition": "service_completed_successfully"}}
    front = {
        "image": NGINX,
        "init": True,
        "stop_grace_period": "0s",
        "ports": [f"127.0.0.1:{live.ports[0]}:80"],
        "volumes": ["./site.conf:/etc/nginx/nginx.conf:ro"],
        "depends_on": ["app", "pool"],
    }
    live.compose(
        {
            "migrate": idle("true"),
            "app": {**served, "depends_on": after, "restart": "always", "healthcheck": check},
            "pool": {**served, "scale": 2},
            "tools": {**idle("false"), "profiles": ["tools"]},
            "none": {**idle("false"), "scale": 0},
            "front": front,
        }
    )
    live.of()
    live.up()
    serves(live)
    said = until(lambda: (run := doctor(live)).code == 0 and run, say="never healthy")
    assert said.document["findings"] == []
    statuses = {row["location"]: row["status"] for row in said.document["facts"]["http"]}
    assert set(statuses.values()) >= {200, 413, 426}, statuses
