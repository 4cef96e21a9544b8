"""The engine's events as a stream: half lines, garbage, floods, and where to go on."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from dartsctl.alerts.container_life import ContainerEvent
from dartsctl.edges.engine.events import (
    FLOOD,
    LINE_LIMIT,
    BrokenStream,
    RecentEvents,
    open_events,
    read_event,
)
from dartsctl.edges.engine.unix_api import UnixApi
from fakes.hostile_engine import OK, engine

PROJECT = "shop"
NANO = 1_795_724_206_931_631_245


def line(
    action: str = "die",
    *,
    nano: int = NANO,
    project: str = PROJECT,
    oneoff: str = "False",
    **more: str,
) -> bytes:
    attributes = {
        "com.docker.compose.project": project,
        "com.docker.compose.service": "app",
        "com.docker.compose.oneoff": oneoff,
        "name": "shop-app-1",
        **more,
    }
    actor = {"ID": "c0ffee", "Attributes": attributes}
    return json.dumps(
        {"Type": "container", "Action": action, "Actor": actor, "timeNano": nano}
    ).encode()


DIED = ContainerEvent("die", "c0ffee", "shop-app-1", "app", NANO, exit_code=137)


@pytest.fixture
def sends(tmp_path: Path) -> Iterator[Callable[..., str]]:
    """Run an engine that sends these pieces as its events; returns its address."""
    running = []

    def run(*pieces: bytes, requests: list[str] | None = None) -> str:
        def behave(connection: socket.socket, request: str) -> None:
            if requests is not None:
                requests.append(request)
            connection.sendall(OK)
            for piece in pieces:
                connection.sendall(piece)

        context = engine(tmp_path, behave)
        running.append(context)
        return context.__enter__()

    yield run
    for context in running:
        context.__exit__(None, None, None)


def everything(address: str, recent: RecentEvents | None = None) -> list[ContainerEvent]:
    """Read a stream to its end."""
    events: list[ContainerEvent] = []
    stream = open_events(UnixApi(address, deadline=10), PROJECT, recent or RecentEvents())
    try:
        while (batch := stream.read(10)) is not None:
            events += batch
    finally:
        stream.close()
    return events


def test_events_arrive_however_the_stream_is_cut(sends: Callable[..., str]) -> None:
    whole = line(exitCode="137") + b"\n" + line("start", nano=NANO + 1) + b"\r\n\n"
    address = sends(whole[:10], whole[10:200], whole[200:], line("kill")[:50])
    died, started = everything(address)
    assert died == DIED
    assert (started.action, started.nano) == ("start", NANO + 1)


@pytest.mark.parametrize(
    "garbage",
    [
        b"not json\n",
        b"[]\n",
        b'{"Action": 7}\n',
        b'{"Action": "die", "Actor": {"ID": "c", "Attributes": {"name": 7}}, "timeNano": 1}\n',
        bytes(range(256)) + b"\n",
        b"x" * (LINE_LIMIT + 100_000),
    ],
)
def test_what_is_no_event_breaks_the_stream(garbage: bytes, sends: Callable[..., str]) -> None:
    with pytest.raises(BrokenStream):
        everything(sends(garbage))


def test_a_flood_breaks_the_stream_without_filling_the_memory(sends: Callable[..., str]) -> None:
    rows = (line(project="other") + b"\n") * 2000
    with pytest.raises(BrokenStream, match="more than 30000 events in 10 s"):
        everything(sends(*[rows] * (8 * FLOOD // 2000)))


def test_a_silent_stream_returns_in_time(tmp_path: Path) -> None:
    def is_silent(connection: socket.socket, _request: str) -> None:
        connection.sendall(OK)
        connection.recv(1)

    with engine(tmp_path, is_silent) as address:
        stream = open_events(UnixApi(address, deadline=10), PROJECT, RecentEvents())
        assert stream.read(0.01) == ()
        stream.close()


def test_after_a_break_it_goes_on_where_it_was_and_nothing_comes_twice(
    sends: Callable[..., str],
) -> None:  # edge-cases.md#77
    recent = RecentEvents()
    recent.add([DIED])
    requests: list[str] = []
    again = line(exitCode="137") + b"\n" + line("start", nano=NANO + 1) + b"\n"
    events = everything(sends(again, requests=requests), recent)
    assert [event.action for event in events] == ["start"]
    assert "&since=1795724206.931631245 " in requests[0]


def test_only_events_of_the_project_are_of_interest() -> None:
    assert read_event(line(project="other"), PROJECT) is None
    assert read_event(line("exec_die", exitCode="1"), PROJECT) is None
    assert read_event(line("top"), PROJECT) is None


def test_details_of_an_event() -> None:
    kill = read_event(line("kill", signal="15"), PROJECT)
    assert kill
    assert kill.signal == 15
    health = read_event(line("health_status: unhealthy"), PROJECT)
    assert health
    assert (health.action, health.health) == ("health_status", "unhealthy")
    run = read_event(line(oneoff="True"), PROJECT)
    assert run
    assert run.is_one_off
    assert run.exit_code is None
    strange = read_event(line(exitCode="-1"), PROJECT)
    assert strange
    assert strange.exit_code is None
