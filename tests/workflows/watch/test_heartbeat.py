from __future__ import annotations

import queue
import threading

from dartsctl.alerts.rules import Rules
from dartsctl.edges.http.ping import Ping
from dartsctl.workflows.watch.build_view import ViewBoard
from dartsctl.workflows.watch.heartbeat import Heartbeat
from dartsctl.workflows.watch.known import Known
from dartsctl.workflows.watch.loop import Watcher
from dartsctl.workflows.watch.signals import Note, Signal

PATIENCE = 60.0


class Receiver:
    """Passes each signal on to the test."""

    def __init__(self) -> None:
        self.pings: queue.SimpleQueue[Ping] = queue.SimpleQueue()
        self.problem = ""

    def send(self, url: str, signal: Ping) -> str:
        assert url == "https://s3cret"
        problem = self.problem
        self.pings.put(signal)
        return problem

    def next(self) -> Ping:
        return self.pings.get(timeout=PATIENCE)


class Running:
    """A heartbeat that runs, and what it emits."""

    def __init__(self, interval: float) -> None:
        self.receiver = Receiver()
        self.notes: queue.SimpleQueue[Signal] = queue.SimpleQueue()
        self.stop = threading.Event()
        self.heartbeat = Heartbeat(
            "https://s3cret", interval, send=self.receiver.send, clock=lambda: 7.0
        )
        run = self.heartbeat.run
        self.thread = threading.Thread(target=run, args=(self.notes.put, self.stop), daemon=True)
        self.thread.start()

    def end(self) -> None:
        self.stop.set()
        self.thread.join(PATIENCE)
        assert not self.thread.is_alive()


def test_it_pings_as_long_as_the_loop_turns() -> None:
    running = Running(0.01)
    assert running.receiver.next() == "start"
    for _ in range(3):
        while running.receiver.pings.empty():
            running.heartbeat.turned()
        assert running.receiver.next() == "success"
    running.end()


def test_a_loop_that_hangs_is_as_silent_as_a_dead_watch() -> None:
    running = Running(0.01)
    assert running.receiver.next() == "start"
    while running.receiver.pings.empty():
        running.heartbeat.turned()
    running.receiver.next()
    assert not running.stop.wait(0.3)  # 30 intervals without a turn
    assert running.receiver.pings.qsize() <= 1, "a last turn may have come after the ping"
    while running.receiver.pings.empty():
        running.heartbeat.turned()
    running.end()


def test_a_clean_end_signals_nothing() -> None:
    running = Running(1000.0)
    assert running.receiver.next() == "start"
    running.end()
    assert running.receiver.pings.empty()


def test_a_watch_that_cannot_go_on_signals_the_failure_and_nothing_after_it() -> None:
    running = Running(0.01)
    running.receiver.next()
    running.heartbeat.fail()
    running.heartbeat.turned()
    running.thread.join(PATIENCE)
    signals = []
    while not running.receiver.pings.empty():
        signals.append(running.receiver.next())
    assert signals == ["fail"]


def test_a_receiver_that_fails_is_noted_once_and_when_it_is_back() -> None:
    running = Running(0.01)
    running.receiver.problem = "answers 500"
    running.receiver.next()
    for problem in ("answers 500", "answers 500", "", ""):
        running.receiver.problem = problem
        while running.receiver.pings.empty():
            running.heartbeat.turned()
        running.receiver.next()
    running.end()
    notes = []
    while not running.notes.empty():
        notes.append(running.notes.get())
    assert notes == [
        Note("the heartbeat's receiver answers 500", 7.0),
        Note("the heartbeat's receiver answers again", 7.0),
    ]


class Turns(Heartbeat):
    """Counts the turns that the loop reports."""

    count = 0

    def turned(self) -> None:
        self.count += 1


def test_a_look_that_hangs_stops_the_heartbeat_though_the_loop_turns() -> None:
    heartbeat = Turns("https://s3cret", 1.0, send=Receiver().send, clock=lambda: 7.0)
    known = Known()
    watcher = Watcher(
        [],
        rules=Rules(),
        clock=lambda: 7.0,
        board=ViewBoard("prod", "shop", known),
        want_look=lambda _: None,
        known=known,
        heartbeat=heartbeat,
    )
    signals: queue.SimpleQueue[Signal] = queue.SimpleQueue()
    watcher.end_turn(signals.put, is_alive=False)
    assert heartbeat.count == 0
    watcher.end_turn(signals.put, is_alive=True)
    assert heartbeat.count == 1
