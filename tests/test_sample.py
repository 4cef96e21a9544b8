"""The sample server of compose/sample, on the host: SQLite, no broker, nothing of Docker."""

import http.client
import importlib
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Generator, Iterator
from pathlib import Path
from typing import Any

import pytest

SAMPLE = Path(__file__).resolve().parents[1] / "compose" / "sample"
CONTRACT = ("DATABASE_URL", "SCORES_DB", "FLASK_", "RABBITMQ_", "WSO2_", "JWT_", "WERKZEUG_")


@pytest.fixture(autouse=True)
def _no_settings_from_outside(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ:
        if name.startswith(CONTRACT):
            monkeypatch.delenv(name)
    monkeypatch.syspath_prepend(SAMPLE)
    monkeypatch.setattr(
        sys, "dont_write_bytecode", True
    )  # the sample's folder is the images' build context


@pytest.fixture
def client(tmp_path: Path) -> Any:
    app = importlib.import_module("darts_sample.app")
    return app.create_app(f"sqlite:///{tmp_path}/scores.db").test_client()


def throw(client: Any, points: object, player: object = "Ann") -> Any:
    return client.post("/scores", json={"player": player, "points": points})


def test_the_root_redirects_to_a_login_page(client: Any) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.location) == (302, "/login")
    assert client.get(answer.location).status_code == 200
    assert '"/stream"' in client.get("/board").text


def test_health_names_the_database(client: Any) -> None:
    answer = client.get("/health")
    assert answer.status_code == 200
    assert answer.json["status"] == "ok"
    assert answer.json["database"] == "sqlite"
    assert answer.json["consumer"] == "off"


def test_health_is_503_while_the_database_does_not_answer(tmp_path: Path) -> None:
    app = importlib.import_module("darts_sample.app")
    client = app.create_app(f"sqlite:///{tmp_path}").test_client()  # a folder is no database
    assert client.get("/health").status_code == 503
    assert client.get("/health").json["database"] == "sqlite"
    assert throw(client, 60).status_code == 503


def test_a_score_is_counted_down_from_501_and_read_back(client: Any) -> None:
    answer = throw(client, 180)
    assert answer.status_code == 201
    assert (answer.json["remaining"], answer.json["source"]) == (321, "http")
    throw(client, 26, "Bo")
    board = client.get("/scores").json
    assert board["players"] == [{"name": "Ann", "remaining": 321}, {"name": "Bo", "remaining": 475}]
    assert [visit["points"] for visit in board["visits"]] == [26, 180]


@pytest.mark.parametrize(
    ("remaining", "points", "left"),
    [(501, 60, 441), (40, 40, 0), (40, 38, 2), (40, 39, 40), (40, 41, 40), (0, 1, 500)],
    ids=[
        "counts",
        "out",
        "two left",
        "one left is a bust",
        "below nothing is a bust",
        "the next leg",
    ],
)
def test_the_rule_of_501(remaining: int, points: int, left: int) -> None:
    assert importlib.import_module("darts_sample.board").left_after(remaining, points) == left


@pytest.mark.parametrize("points", [-1, 181, 179, "60", 1.5, True, None])
def test_impossible_points_are_refused(client: Any, points: object) -> None:
    answer = throw(client, points)
    assert answer.status_code == 400
    assert "points" in answer.json["error"]


@pytest.mark.parametrize("body", [b"", b"60", b"[]", b"{"])
def test_an_invalid_body_is_refused(client: Any, body: bytes) -> None:
    assert client.post("/scores", data=body, content_type="application/json").status_code == 400


def test_a_message_delivered_twice_counts_once(client: Any) -> None:
    board = client.application.extensions["board"]
    score = importlib.import_module("darts_sample.score").Score("Ann", 60)
    first = board.record(score, source="rabbitmq", message_id="m-1")
    assert board.record(score, source="rabbitmq", message_id="m-1") == first
    assert client.get("/scores").json["players"] == [{"name": "Ann", "remaining": 441}]


def follow(client: Any, last: str = "") -> Generator[tuple[str, dict[str, Any]]]:
    """Yield the events of the stream without comments, until the test ends it."""
    answer = client.get("/stream", headers={"Last-Event-ID": last} if last else {}, buffered=False)
    assert (answer.status_code, answer.content_type) == (200, "text/event-stream")
    assert answer.headers["X-Accel-Buffering"] == "no"
    try:
        for event in answer.response:
            fields = dict(line.split(": ", 1) for line in event.decode().splitlines() if line)
            if "event" in fields:
                yield fields["event"], json.loads(fields["data"])
    finally:
        answer.close()


def test_the_stream_begins_with_the_board_and_goes_on_with_every_visit(client: Any) -> None:
    throw(client, 60)
    stream = follow(client)
    name, board = next(stream)
    assert (name, board["players"]) == ("board", [{"name": "Ann", "remaining": 441}])
    later = threading.Timer(0.2, throw, (client.application.test_client(), 41, "Bo"))
    later.start()
    began = time.monotonic()
    name, visit = next(stream)
    assert (name, visit["player"], visit["remaining"]) == ("visit", "Bo", 460)
    assert time.monotonic() - began < 10, "sent at once, not at the next heartbeat"
    later.join()
    stream.close()


def test_a_client_that_reconnects_gets_the_missed_events_once(client: Any) -> None:
    seen = throw(client, 60).json["id"]
    throw(client, 1, "Bo")
    throw(client, 2, "Cy")
    stream = follow(client, last=str(seen))
    assert [next(stream)[1]["player"] for _ in range(2)] == ["Bo", "Cy"]
    stream.close()


def test_a_silent_stream_sends_heartbeats(client: Any) -> None:
    module = importlib.import_module("darts_sample.stream")
    events = module.events(client.application.extensions["board"], 0, silence=0.01)
    assert [next(events) for _ in range(3)] == [": nothing new\n\n"] * 3


def test_streams_leave_threads_for_everybody_else(client: Any) -> None:
    most = importlib.import_module("darts_sample.stream").MOST
    assert most < runpy.run_path(str(SAMPLE / "gunicorn.conf.py"))["threads"]
    streams = [follow(client) for _ in range(most)]
    for stream in streams:
        next(stream)
    refused = client.get("/stream")
    assert (refused.status_code, refused.headers["Retry-After"]) == (503, "30")
    for stream in streams:
        stream.close()
    assert next(follow(client))[0] == "board", "those that have ended are free again"


def test_a_stream_ends_when_the_database_is_gone(tmp_path: Path) -> None:
    app = importlib.import_module("darts_sample.app").create_app(
        f"sqlite:///{tmp_path}"
    )  # a folder is no database
    assert app.test_client().get("/stream").data == b""


def gateway(*, delivers: bool = True, active: bool | None = True) -> tuple[Any, list[Any]]:
    """A gateway, its broker, and an Identity Server.

    The broker accepts scores or not. The server knows the token, or not; None: it is down.
    """
    module = importlib.import_module("darts_sample.gateway")
    published: list[Any] = []

    def publish(score: Any, message_id: str) -> None:
        if not delivers:
            raise module.NotDelivered("away")
        published.append((score.player, score.points, message_id))

    def is_active(token: str) -> bool:
        if active is None:
            raise OSError("away")
        return active and token == "good"

    return module.create_gateway(publish, is_active).test_client(), published


def post(client: Any, headers: dict[str, str] | None = None, points: int = 60) -> Any:
    return client.post("/api/scores", json={"player": "Ann", "points": points}, headers=headers)


def test_the_gateway_forwards_a_score() -> None:
    client, published = gateway()
    answer = post(client)
    assert answer.status_code == 202
    assert published == [("Ann", 60, answer.json["accepted"])]
    assert client.get("/health").json["tokens"] == "not checked"


def test_the_gateway_forwards_no_bad_score() -> None:
    client, published = gateway()
    assert (post(client, points=181).status_code, published) == (400, [])


def test_a_score_that_rabbitmq_rejects_is_not_reported_as_accepted() -> None:
    client, _ = gateway(delivers=False)
    assert post(client).status_code == 503


@pytest.mark.parametrize(
    ("active", "headers", "status"),
    [
        (True, {"Authorization": "Bearer good"}, 202),
        (True, {}, 401),
        (True, {"Authorization": "Basic good"}, 401),
        (False, {"Authorization": "Bearer good"}, 401),
        (None, {"Authorization": "Bearer good"}, 503),
    ],
    ids=[
        "a good token",
        "no token",
        "no bearer token",
        "a token that is not active",
        "Identity Server away",
    ],
)
def test_with_an_identity_server_only_a_good_token_opens_the_gateway(
    monkeypatch: pytest.MonkeyPatch, active: bool | None, headers: dict[str, str], status: int
) -> None:
    monkeypatch.setenv("WSO2_IS_INTERNAL_URL", "https://wso2is.invalid:9443")
    client, published = gateway(active=active)
    assert post(client, headers).status_code == status
    assert bool(published) == (status == 202)
    assert client.get("/health").json["tokens"] == "checked"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[int, subprocess.Popen[bytes]]]:
    """Start run.py as a process, configured only by its variables."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    environment = os.environ | {
        "FLASK_PORT": str(port),
        "DATABASE_URL": f"sqlite:///{tmp_path}/scores.db",
        "RABBITMQ_HOST": "",  # set, so that a developer's .env has no effect
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    with subprocess.Popen(
        [sys.executable, str(SAMPLE / "run.py")],
        cwd=tmp_path,
        env=environment,
        stderr=subprocess.DEVNULL,
    ) as server:
        yield port, server
        server.kill()


def test_run_py_serves_on_its_configured_port_and_ends_on_sigterm(
    served: tuple[int, subprocess.Popen[bytes]],
) -> None:
    port, server = served
    deadline = time.monotonic() + 30
    while True:
        try:
            connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
            connection.request("GET", "/")
            break
        except ConnectionRefusedError:
            assert server.poll() is None, "run.py ended"
            assert time.monotonic() < deadline, "run.py does not listen"
            time.sleep(0.05)
    answer = connection.getresponse()
    connection.close()
    assert (answer.status, answer.getheader("Location")) == (302, "/login")
    server.terminate()
    assert server.wait(timeout=60) == -signal.SIGTERM
