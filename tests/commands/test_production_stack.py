"""compose/prod.yml, started by `dartsctl prod up` on other ports.

What it answers, what its containers may do, and what it survives. One stack serves the whole file.
nginx, PostgreSQL, RabbitMQ, darts-app and api-gateway are real. WSO2 Identity Server is a stand-in
that reads the same deployment.toml and issues and checks tokens with the same requests
(tests/engine/README.md).
"""

from __future__ import annotations

import json
import re
import ssl
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from live.clients import Watcher, ask, basic, connect, handshake, own_port, status, websocket
from own_images import BUSYBOX

if TYPE_CHECKING:
    from live.stack import LiveStack

pytest_plugins = ("live.stack", "live.production")
pytestmark = [pytest.mark.engine, pytest.mark.stack, pytest.mark.timeout(400, func_only=True)]

COMPOSE = Path(__file__).parents[2] / "compose"
SERVICES = ("nginx", "darts-app", "api-gateway", "rabbitmq", "wso2is", "postgres")

WEBSOCKET = """
import base64, hashlib, socket
server = socket.create_server(("", 5000))
while True:
    peer, _ = server.accept()
    request = peer.recv(65536).decode()
    headers = {}
    for line in request.split("\\r\\n")[1:]:
        name, _, value = line.partition(": ")
        headers[name.lower()] = value
    assert headers["upgrade"].lower() == "websocket", headers
    assert headers["connection"].lower() == "upgrade", headers
    key = headers["sec-websocket-key"] + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
    accept = base64.b64encode(hashlib.sha1(key.encode()).digest()).decode()
    lines = ["HTTP/1.1 101 Switching Protocols", "Upgrade: websocket", "Connection: Upgrade"]
    lines += ["Sec-WebSocket-Accept: " + accept, ""]
    peer.sendall("".join(line + "\\r\\n" for line in lines).encode())
    while got := peer.recv(1024):
        peer.sendall(got)
"""
"""A server with RFC 6455's handshake that echoes what it gets: to a proxy, frames are bytes."""

HARDENED = {
    "x-content-type-options": "nosniff",
    "x-frame-options": "SAMEORIGIN",
    "content-security-policy": "frame-ancestors 'self'",
    "referrer-policy": "strict-origin-when-cross-origin",
}


def token_of(stack: LiveStack) -> str:
    """Return an access token: a client registered on port 9443, a token over the public address."""
    password = re.findall(
        "^WSO2_IS_INTROSPECT_PASSWORD=(.*)$", (stack.folder / "env").read_text(), re.MULTILINE
    )[0]
    wanted = {"client_name": "boards", "grant_types": ["client_credentials"]}
    client = ask(
        "/api/identity/oauth2/dcr/v1.1/register",
        wanted,
        port=9443,
        Authorization=basic("admin", password),
    )
    assert client.status == 201, client
    credentials = basic(client.document["client_id"], client.document["client_secret"])
    token = ask(
        "/auth/oauth2/token", form="grant_type=client_credentials", Authorization=credentials
    )
    assert token.status == 200, token
    return str(token.document["access_token"])


def up(stack: LiveStack) -> None:
    """Run Compose's own `up`: it creates what is missing and keeps the rest."""
    from live.production import compose_files

    files = [word for file in compose_files(stack) for word in ("-f", file)]
    stack.up(*files, "-p", stack.project, "--env-file", stack.folder / "env")


def inspected(stack: LiveStack, service: str) -> Any:
    from live.stack import docker

    return json.loads(docker("inspect", f"{stack.project}-{service}-1"))[0]


def test_prod_up_ends_with_every_service_healthy_on_its_own_port(running: LiveStack) -> None:
    from live.production import owners

    assert {inspected(running, service)["State"]["Health"]["Status"] for service in SERVICES} == {
        "healthy"
    }
    assert sorted(running.containers()) == sorted(
        f"{running.project}-{service}-1" for service in SERVICES
    )
    ports = running.run("ports", "--json").document["production"]
    assert {row["port"]: (row["owner"], row["state"]) for row in ports} == {
        port: (name, "held by its service") for port, name in owners().items()
    }
    assert json.loads(ask("/health").body) == {
        "status": "ok",
        "service": "darts-app",
        "database": "postgresql",
        "consumer": "connected",
    }


def test_the_public_address_is_https_and_shows_the_app(running: LiveStack) -> None:
    assert (ask("/").status, ask("/").headers["location"]) == (302, "/login")
    plain = ask("/board?x=1", port=80, Host="darts.example.org")
    assert (plain.status, plain.headers["location"]) == (302, "https://darts.example.org/board?x=1")
    assert ask("/healthz", port=80).body == ask("/healthz").body == "ok\n"


def test_tls_1_2_is_spoken_and_1_1_is_not(running: LiveStack) -> None:
    modern, old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    modern.maximum_version = ssl.TLSVersion.TLSv1_2
    with handshake(modern) as session:
        assert session.version() == "TLSv1.2"
    old.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        old.minimum_version = old.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError, match="alert protocol version"):
        handshake(old)


def test_security_headers_are_on_every_answer_once(running: LiveStack) -> None:
    for reply in (
        ask("/login"),
        ask("/healthz"),
        ask("/api/scores", {}),
        ask("/auth/console"),
        ask("/no-such-page"),
        ask("/", port=80),
    ):
        assert HARDENED.items() <= reply.headers.items(), reply
        assert len(reply.names) == len(set(reply.names))
        assert reply.headers["server"] == "nginx", "no version"
    login = ask("/auth/authenticationendpoint/login.do")
    assert login.headers["x-frame-options"] == "DENY", "what the service says itself stays"
    assert login.names.count("x-frame-options") == 1
    hsts = {
        host: ask("/login", Host=host).headers.get("strict-transport-security")
        for host in ("localhost", "darts.example.org")
    }
    assert hsts == {"localhost": None, "darts.example.org": "max-age=31536000"}
    assert (
        "strict-transport-security" not in ask("/login", port=80, Host="darts.example.org").headers
    )


def test_a_score_goes_by_the_gateway_and_the_broker_to_the_database_and_to_those_who_watch(
    running: LiveStack,
) -> None:
    from live.stack import visits_in

    token = token_of(running)
    with Watcher() as board:
        assert board.next("board")["players"] == []
        score = {"player": "Ann", "points": 60}
        answer = ask("/api/scores", score, Authorization=f"Bearer {token}")
        assert answer.status == 202, answer
        visit = board.next("visit")
    assert (visit["player"], visit["remaining"], visit["source"], visit["message_id"]) == (
        "Ann",
        441,
        "rabbitmq",
        answer.document["accepted"],
    )
    assert ask("/scores").document["players"] == [{"name": "Ann", "remaining": 441}]
    assert visits_in(running.project) == ["Ann|60|rabbitmq"]

    # A client that reconnects with the last id it saw misses nothing and gets nothing twice.
    assert ask("/scores", {"player": "Bo", "points": 26}).status == 201
    with Watcher(last=str(visit["id"])) as board:
        assert board.next("visit")["player"] == "Bo"


def test_the_gateway_takes_a_score_with_a_valid_token_only(running: LiveStack) -> None:
    from live.stack import visits_in

    score = {"player": "Eve", "points": 180}
    before = visits_in(running.project)
    assert ask("/api/scores", score).status == 401
    assert ask("/api/scores", score, Authorization="Bearer invented").status == 401
    assert ask("/api/health").document["tokens"] == "checked"
    assert visits_in(running.project) == before


def test_the_identity_server_is_public_under_auth_without_its_administration(
    running: LiveStack,
) -> None:
    document = ask("/auth/oauth2/token/.well-known/openid-configuration").document
    assert document["token_endpoint"] == "https://localhost/auth/oauth2/token"
    assert (
        ask("/auth/oauth2/authorize").headers["location"]
        == "https://localhost/auth/authenticationendpoint/login.do"
    )
    assert "Path=/auth/" in ask("/auth/authenticationendpoint/login.do").headers["set-cookie"], (
        "its cookies stay its own"
    )
    closed = (
        "console",
        "carbon/admin/login.jsp",
        "scim2/Users",
        "t/carbon.super/api/server/v1/x",
        "x;y/console",
        "api/identity/oauth2/dcr/v1.1/register",
    )
    assert {path: ask(f"/auth/{path}").status for path in closed} == dict.fromkeys(closed, 403)
    assert ask("/console", port=9443).status == 200


def test_no_container_may_do_more_than_it_needs(running: LiveStack) -> None:
    from live.stack import docker

    for service in SERVICES:
        settings = inspected(running, service)["HostConfig"]
        assert settings["CapDrop"] == ["ALL"], service
        assert settings["SecurityOpt"] == ["no-new-privileges:true"], service
        assert settings["ReadonlyRootfs"] == (service != "wso2is"), service
        assert settings["Memory"] > 0, service
        assert settings["PidsLimit"] > 0, service
        assert settings["LogConfig"]["Config"] == {"max-file": "3", "max-size": "10m"}, service
        assert settings["RestartPolicy"]["Name"] == "unless-stopped", service
        every = docker(
            "exec",
            f"{running.project}-{service}-1",
            "sh",
            "-c",
            "cat /proc/[0-9]*/status 2>/dev/null; true",
        )
        powers = {
            int(uid): eff
            for uid, eff in re.findall(
                r"^Uid:\t(\d+).*?^CapEff:\t(\w+)", every, re.MULTILINE | re.DOTALL
            )
            if uid != "0"
        }
        assert set(powers.values()) == {"0000000000000000"}, (
            f"{service}: nobody but an entry point or nginx's master has capabilities"
        )
    written = docker(
        "exec", f"{running.project}-nginx-1", "sh", "-c", "touch /usr/share/x || echo refused"
    )
    assert written == "refused\n"


def test_nginx_can_be_reloaded_without_the_capability_to_signal_its_workers(
    running: LiveStack,
) -> None:
    from live.stack import docker, until

    before = nginx(running)
    docker("exec", f"{running.project}-nginx-1", "nginx", "-s", "reload")
    until(
        lambda: not set(before[1:]) & set(nginx(running)[1:]), say="the old workers are still there"
    )
    assert nginx(running)[0] == before[0], "the container is the same"
    assert ask("/login").status == 200


@pytest.mark.parametrize(
    ("service", "port", "path", "page"),
    [
        ("darts-app", 5000, "/health", "text/html"),
        ("api-gateway", 8080, "/api/health", "application/json"),
        ("wso2is", 9443, "/auth/oauth2/jwks", "text/html"),
    ],
)
def test_nginx_outlives_a_service_that_goes_and_finds_it_at_its_new_address(
    running: LiveStack, service: str, port: int, path: str, page: str
) -> None:
    from live.stack import docker, until

    network = f"{running.project}_darts-network"
    before, container = nginx(running), f"{running.project}-{service}-1"
    address = inspected(running, service)["NetworkSettings"]["Networks"][network]["IPAddress"]
    assert ask(path).status == 200

    docker("rm", "-f", container)
    running.container(
        "--network", network, BUSYBOX, "sleep", "600"
    )  # it has the old address from now on
    gone = until(lambda: (reply := ask(path)).status == 502 and reply)
    assert "dartsctl doctor" in gone.body
    assert gone.headers["content-type"].startswith(page)
    assert (
        HARDENED.items() | {("retry-after", "5"), ("cache-control", "no-store")}
        <= gone.headers.items()
    )
    assert ask("/healthz").status == 200

    up(running)
    until(lambda: status(port), say=f"{service} does not come back")

    def is_reached() -> bool:
        return all(
            ask(path).status == 200 for _ in range(12)
        )  # each nginx worker resolves by itself

    until(is_reached, seconds=30, say="nginx does not reach it within 30 s of its return")
    assert (
        inspected(running, service)["NetworkSettings"]["Networks"][network]["IPAddress"] != address
    )
    assert nginx(running) == before, "neither restarted nor reloaded"


def test_a_websocket_reaches_darts_app_and_its_bytes_go_both_ways(running: LiveStack) -> None:
    from live.stack import docker, until

    docker("rm", "-f", f"{running.project}-darts-app-1")
    network = f"{running.project}_darts-network"
    other = running.container(
        "--network",
        network,
        "--network-alias",
        "darts-app",
        "python:3.12-slim",
        "python",
        "-c",
        WEBSOCKET,
    )
    try:
        reply, session = until(websocket, say="no handshake")
        assert "sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo=" in reply.lower(), (
            reply
        )  # RFC 6455, 1.3
        with session, session.makefile("rb") as echo:
            for frame in (b"\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58", b"\x00" * 900):
                session.sendall(frame)
                assert echo.read(len(frame)) == frame
    finally:
        docker("rm", "-f", other)
        up(running)
    until(lambda: status(5000) == 302 and status(443) == 302)


def test_the_dev_stack_runs_beside_production_and_its_server_writes_to_its_own_database(
    running: LiveStack, live: LiveStack
) -> None:
    from live.production import REPOSITORY
    from live.stack import own_compose, until, visits_in

    text = (REPOSITORY / "dartsctl.toml").read_text()
    server = text[text.index("[server]") :].replace(
        '"compose/sample"', json.dumps(str(REPOSITORY / "compose" / "sample"))
    )
    ports = dict(
        zip(
            ("DEV_POSTGRES_PORT", "DEV_RABBITMQ_PORT", "DEV_RABBITMQ_UI_PORT"),
            live.ports,
            strict=False,
        )
    )
    (live.folder / "env").write_text("".join(f"{name}={port}\n" for name, port in ports.items()))
    leased = f'[ports]\ndev_range = "{live.ports[4]}-{live.ports[7]}"\n'
    live.settings(
        f'env_files = ["env"]\nwait_timeout = 240\n{leased}{server}',
        files=(own_compose(live.folder) / "dev.yml",),
        environment="dev",
    )
    before = visits_in(running.project)
    dev = live.start("dev")
    try:
        url = _url_of(dev)
        assert url in {f"http://127.0.0.1:{port}" for port in live.ports[4:8]}
        port = int(url.rpartition(":")[2])
        until(lambda: ask("/health", port=port).document["consumer"] == "connected")
        assert ask("/scores", {"player": "Dev", "points": 41}, port=port).status == 201
        assert visits_in(live.of()) == ["Dev|41|http"]
        assert visits_in(running.project) == before
        assert ask("/health").status == 200
    finally:
        live.end(dev.pid)


def test_more_than_a_burst_of_requests_is_refused_and_only_under_api_and_auth(
    running: LiveStack,
) -> None:
    refused: list[tuple[int, str]] = []

    def until_refused(_client: int) -> int:
        """Return how many requests of one client of several have passed."""
        connection, passed = connect(443), 0
        while not refused and passed < 2000:
            connection.request("GET", "/api/health")
            answer = connection.getresponse()
            body = answer.read()
            if answer.status == 200:
                passed += 1
            else:
                refused.append((answer.status, json.loads(body)["error"][:17]))
        connection.close()
        return passed

    with ThreadPoolExecutor(8) as pool:
        passed = sum(pool.map(until_refused, range(8)))
    assert set(refused) == {(429, "too many requests")}
    assert passed > 90, "a burst is no attack"
    assert {ask(path).status for path in ("/login", "/healthz", "/auth/oauth2/jwks")} == {200}


def test_nginx_without_a_certificate_says_what_is_missing_and_what_makes_one(
    tmp_path: Path,
) -> None:
    mounts = {
        COMPOSE / "nginx": "/etc/nginx",
        tmp_path: "/etc/nginx/certs",
        COMPOSE / "nginx/preflight.sh": "/docker-entrypoint.d/05-preflight.sh",
    }
    words = [word for source, target in mounts.items() for word in ("-v", f"{source}:{target}:ro")]
    ended = subprocess.run(
        ["docker", "run", "--rm", *words, "nginx:1.28-alpine"],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ended.returncode == 1
    assert "tls.crt is missing" in ended.stderr
    assert "dartsctl init" in ended.stderr


def test_the_incident_is_explained_and_repaired_on_the_production_stack(running: LiveStack) -> None:
    from live.production import FLASK_SERVER
    from live.stack import docker, until

    # A developer's Flask server takes production's port while darts-app is down. darts-app cannot
    # be started again, and nginx answers 502.
    container = next(name for name in running.containers() if "darts-app" in name)
    until(lambda: inspected(running, "darts-app")["State"]["Health"]["Status"] == "healthy")
    docker("stop", "-t", "1", container)
    (running.folder / "run.py").write_text(FLASK_SERVER.format(port=own_port(5000)))
    log = running.folder / "server.log"
    with log.open("w") as file:
        server = running.spawn([sys.executable, "run.py"], stdout=file, stderr=file)
    until(lambda: status(5000) == 200, say=log.read_text())
    refused = subprocess.run(
        ["docker", "start", container], capture_output=True, text=True, check=False
    )
    assert "address already in use" in refused.stderr
    until(lambda: status(443) == 502)

    begin = time.monotonic()
    said = running.run("doctor", "--json")
    explained = time.monotonic() - begin
    assert said.code == 1
    (finding,) = said.document["findings"]
    assert (finding["cause"], finding["service"], finding["container"]) == (
        "port-squatter",
        "darts-app",
        container,
    )
    assert (finding["data"]["pid"], finding["data"]["port"], finding["confidence"]) == (
        server.pid,
        own_port(5000),
        "certain",
    )
    assert finding["data"]["command"][-1] == "run.py"
    shown = running.run("doctor").text
    for words in (f"pid {server.pid}", "run.py", str(own_port(5000)), container, "answers 502"):
        assert words in shown

    begin = time.monotonic()
    said = running.run("doctor", "--fix", "--yes", "--report", "incident.md", timeout=300)
    repaired = time.monotonic() - begin
    assert said.code == 0, said.text
    assert status(443) == 302
    assert status(5000) == 302, "port 5000 is production's"
    assert server.wait(60) < 0
    report = (running.folder / "incident.md").read_text()
    assert f"pid {server.pid}" in report
    assert "Repaired and verified." in report
    assert "canary-" not in said.text + shown + report + json.dumps(finding)
    sys.stdout.write(f"explained in {explained:.1f} s, repaired and verified in {repaired:.1f} s\n")


def test_with_internal_yml_only_nginx_is_published(running: LiveStack) -> None:
    """This test is the last one, because it changes the stack."""
    from live.production import compose_files, owners
    from live.stack import can_be_published, docker, own_compose

    docker("rm", "-f", *(f"{running.project}-{service}-1" for service in SERVICES))
    named = [
        word
        for file in (*compose_files(running), own_compose(running.folder) / "internal.yml")
        for word in ("-f", str(file))
    ]
    files = (*named, "--env-file", str(running.folder / "env"))
    docker("compose", "-p", running.project, *files, "--progress", "quiet", "up", "-d", "--no-deps")
    assert set(running.containers().values()) == {"running"}
    assert {port for port in owners() if not can_be_published(port)} == {
        own_port(80),
        own_port(443),
    }


def nginx(stack: LiveStack) -> list[str]:
    """Return when nginx's container started, and its workers."""
    from live.stack import docker

    started = inspected(stack, "nginx")["State"]["StartedAt"]
    pids = docker("exec", f"{stack.project}-nginx-1", "pidof", "nginx").split()
    return [started, *sorted(pid for pid in pids if pid != "1")]


def _url_of(dev: subprocess.Popen[str]) -> str:
    """Return what `dartsctl dev` prints when its server listens."""
    assert dev.stdout is not None
    result = ""
    while "dartsctl: http://" not in result.rpartition("\n")[2]:
        line = dev.stdout.readline()
        assert line, result
        result += line.rstrip("\n") if "dartsctl: http://" in line else line
    return result.rpartition("dartsctl: ")[2].split()[0]
