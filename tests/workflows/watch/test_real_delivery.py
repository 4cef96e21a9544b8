"""The delivery with the real Apprise, real receivers and the real clock."""

from __future__ import annotations

import queue
import time
from collections.abc import Callable

import pytest

from dartsctl.alerts.notice import NoticeWriter
from dartsctl.alerts.outbox import Outbox
from dartsctl.alerts.problem import Problem, Subject
from dartsctl.alerts.state import Episode, Message
from dartsctl.edges.notify import channels as notify
from dartsctl.text.masker import Masker
from dartsctl.workflows.watch.delivery import Channel, Delivery
from dartsctl.workflows.watch.signals import Sent, Signal
from fakes.receivers import Receiver, receiver

pytestmark = pytest.mark.once

PATIENCE = 120.0


def channel(server: Receiver, name: str) -> Channel:
    return Channel(name, name, "notify", server.url("json", "/?rto=0.5"))


def turn_until(delivery: Delivery, is_done: Callable[[], bool]) -> None:
    signals: queue.SimpleQueue[Signal] = queue.SimpleQueue()
    until = time.monotonic() + PATIENCE
    while not is_done() or delivery.is_sending:
        assert time.monotonic() < until
        delivery.start_due(time.time(), signals.put)
        try:
            report = signals.get(timeout=0.05)
        except queue.Empty:
            continue
        assert isinstance(report, Sent)
        delivery.sent(report, time.time())


def test_receivers_that_fail_delay_nothing_and_get_their_alerts_once_afterwards() -> None:
    problem = Problem(Subject("service", "web"), "crash", "web has crashed")
    episode = Episode("service:web@1", problem, time.time())
    with receiver() as good, receiver("500") as broken, receiver("hang") as hanging:
        delivery = Delivery(
            [channel(good, "good"), channel(broken, "broken"), channel(hanging, "hanging")],
            Outbox(),
            writer=NoticeWriter("prod", Masker().line),
            send=notify.send,
        )
        began = time.monotonic()
        delivery.queue(Message("opened", episode, time.time()))
        assert time.monotonic() - began < 5
        turn_until(delivery, lambda: bool(good.taken and broken.asked and hanging.asked))
        assert (broken.taken, hanging.taken) == ([], [])
        assert {entry.channel for entry in delivery.outbox.waiting} == {"broken", "hanging"}
        broken.mode = hanging.mode = "ok"
        turn_until(delivery, lambda: not delivery.outbox.waiting)
        bodies = [good.bodies, broken.bodies, hanging.bodies]
    assert [len(taken) for taken in bodies] == [1, 1, 1]
    assert bodies[0] == bodies[1] == bodies[2]
