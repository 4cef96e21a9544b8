"""What the loop's thread decides about the channels. Sending is a fake that answers when told."""

from __future__ import annotations

import queue
import threading
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from typing import Any

import pytest

from dartsctl.alerts import outbox as box
from dartsctl.alerts.notice import Notice, NoticeWriter
from dartsctl.alerts.observations import Occasion
from dartsctl.alerts.outbox import Outbox
from dartsctl.alerts.problem import Problem, Subject
from dartsctl.alerts.state import Episode, Message
from dartsctl.edges.state.watch_receipts import Receipt
from dartsctl.text.masker import Masker
from dartsctl.workflows.watch.delivery import Channel, Delivery
from dartsctl.workflows.watch.signals import Sent, Signal

MAIN = Channel("notify json://a", "json://a", "notify", "json://u:s3cret@a")
OTHER = Channel("notify json://b", "json://b", "notify", "json://b/s3cret")
SECOND = Channel("escalate json://c", "json://c", "escalate", "json://c/s3cret")
PATIENCE = 60.0


@dataclass
class Receivers:
    """Takes messages; a url in `broken` answers with its problem, `hang` until the test ends."""

    broken: dict[str, str] = field(default_factory=dict)
    taken: list[tuple[str, str]] = field(default_factory=list)
    end: threading.Event = field(default_factory=threading.Event)

    def send(self, url: str, text: Notice, *, receipt: int | None = None) -> str:
        assert receipt is None
        problem = self.broken.get(url, "")
        if problem == "hang":
            self.end.wait(PATIENCE)
        if problem == "bug":
            raise ValueError(url)
        if not problem:
            self.taken.append((url, text.title.partition(":")[0]))
        return problem


@dataclass(frozen=True)
class OneReceipt:
    """The same receipt for every channel."""

    receipt: Receipt

    def of(self, channel: str) -> AbstractContextManager[Receipt]:
        del channel
        return nullcontext(self.receipt)


class Loop:
    """What the real loop does with a delivery, at a time that the test sets."""

    def __init__(
        self, *channels: Channel, outbox: Outbox | None = None, receipt: Receipt | None = None
    ) -> None:
        self.receivers = Receivers()
        self.signals: queue.SimpleQueue[Signal] = queue.SimpleQueue()
        self.notes: list[str] = []
        self.now = 1000.0
        self.delivery = Delivery(
            channels,
            outbox or Outbox(),
            writer=NoticeWriter("prod", Masker().line),
            send=self.receivers.send,
            receipts=OneReceipt(receipt or Receipt()),
            chance=lambda: 0.5,
        )

    def message(self, occasion: Occasion, name: str = "web", **more: Any) -> None:
        problem = Problem(Subject("service", name), "crash", f"{name} has crashed")
        escalated = more.pop("escalated", False)
        episode = Episode(f"service:{name}@1", problem, 900.0, escalated=escalated)
        self.delivery.queue(Message(occasion, episode, self.now, **more))

    def turn(self, reports: int, seconds: float = 0.0) -> None:
        """Let time pass, and take so many reports."""
        self.now += seconds
        self.delivery.start_due(self.now, self.signals.put)
        for _ in range(reports):
            report = self.signals.get(timeout=PATIENCE)
            assert isinstance(report, Sent)
            self.notes += self.delivery.sent(report, self.now)
            self.delivery.start_due(self.now, self.signals.put)

    @property
    def taken(self) -> list[tuple[str, str]]:
        return self.receivers.taken


def test_every_channel_gets_each_message_once_and_in_order() -> None:
    loop = Loop(MAIN, OTHER)
    loop.message("opened")
    loop.message("opened", "db")
    loop.turn(4)
    assert sorted(loop.taken) == [(OTHER.url, "FAILED")] * 2 + [(MAIN.url, "FAILED")] * 2
    loop.message("recovered")
    loop.turn(2)
    recovered = "RECOVERED after 1 min 40 s"
    assert sorted(loop.taken[4:]) == [(OTHER.url, recovered), (MAIN.url, recovered)]
    assert loop.delivery.outbox == Outbox()


def test_a_channel_that_hangs_delays_no_other() -> None:
    loop = Loop(MAIN, OTHER)
    loop.receivers.broken = {MAIN.url: "hang"}
    for name in ("web", "db", "mq"):
        loop.message("opened", name)
    loop.turn(3)
    assert loop.taken == [(OTHER.url, "FAILED")] * 3
    assert loop.delivery.is_sending
    assert len(loop.delivery.outbox.of(MAIN.id)) == 3
    loop.receivers.end.set()


def test_a_channel_that_fails_gets_its_messages_once_when_it_works_again() -> None:
    loop = Loop(MAIN)
    loop.receivers.broken = {MAIN.url: "answers 500"}
    loop.message("opened")
    loop.message("opened", "db")
    assert loop.delivery.waiting() == {}
    loop.turn(1)
    assert loop.notes == ["channel json://a answers 500; its messages wait and are sent again"]
    assert loop.delivery.waiting() == {MAIN.id: 2}
    loop.turn(0, 1.0)
    loop.turn(1, 1.0)
    assert loop.taken == []
    loop.receivers.broken = {}
    loop.turn(2, 60.0)
    assert loop.taken == [(MAIN.url, "FAILED")] * 2
    assert loop.notes[1:] == ["channel json://a takes messages again"]
    assert loop.delivery.waiting() == {}
    loop.turn(0, 600.0)
    assert len(loop.taken) == 2


def test_what_waited_says_both_when_it_is_over() -> None:
    loop = Loop(MAIN)
    loop.receivers.broken = {MAIN.url: "answers 500"}
    loop.message("opened")
    loop.turn(1)
    loop.message("updated")
    loop.message("recovered")
    (entry,) = loop.delivery.outbox.waiting
    assert entry.notice.title.startswith("RECOVERED")
    assert "The alert could not be sent before:\nFAILED: web" in entry.notice.body


def test_an_update_before_its_alert_was_sent_is_the_alert() -> None:
    loop = Loop(MAIN)
    loop.message("opened")
    loop.message("updated")
    loop.turn(1)
    assert loop.taken == [(MAIN.url, "FAILED")]


def test_the_second_channel_hears_only_of_what_was_escalated() -> None:
    loop = Loop(MAIN, SECOND)
    loop.message("opened")
    loop.message("recovered", "db")
    loop.turn(2)
    assert {url for url, _ in loop.taken} == {MAIN.url}
    loop.message("reminder", second_channel=True, escalated=True)
    loop.turn(2)
    loop.message("recovered", escalated=True)
    loop.turn(2)
    seconds = [title.split()[0] for url, title in loop.taken if url == SECOND.url]
    assert seconds == ["STILL", "RECOVERED"]


def test_what_is_silenced_goes_nowhere() -> None:
    loop = Loop(MAIN, SECOND)
    loop.message("opened", muted="silenced until 14:00", second_channel=True)
    assert loop.delivery.outbox == Outbox()


def test_a_bug_in_sending_stops_nothing_and_shows_no_url() -> None:
    loop = Loop(MAIN)
    loop.receivers.broken = {MAIN.url: "bug"}
    loop.message("opened")
    loop.turn(1)
    assert loop.delivery.outbox.waiting[0].problem == "cannot be used: ValueError"
    loop.receivers.broken = {}
    loop.turn(1, 10.0)
    assert loop.taken == [(MAIN.url, "FAILED")]


def test_after_a_restart_what_was_saved_is_sent_with_the_same_id() -> None:
    before = Loop(MAIN)
    before.message("opened")
    saved = before.delivery.outbox
    before.turn(1)
    after = Loop(MAIN, outbox=box.from_document(box.as_document(saved), "state.json"))
    assert after.delivery.outbox.waiting[0].id == saved.waiting[0].id
    after.turn(1)
    assert after.taken == before.taken == [(MAIN.url, "FAILED")]


def test_what_the_process_of_a_killed_watch_has_delivered_is_not_sent_again() -> None:
    before = Loop(MAIN)
    before.message("opened")
    (entry,) = before.delivery.outbox.waiting
    after = Loop(MAIN, outbox=before.delivery.outbox, receipt=Receipt(message=entry.id))
    after.turn(1)
    assert after.taken == []
    assert after.delivery.outbox == Outbox()


def test_while_such_a_process_still_sends_the_channel_waits() -> None:
    loop = Loop(MAIN, receipt=Receipt(is_busy=True))
    loop.message("opened")
    loop.turn(1)
    loop.turn(1, 10.0)
    assert loop.taken == []
    (note,) = loop.notes
    assert note.startswith("channel json://a is still being sent a message by an earlier watch; ")


def test_no_url_is_saved_or_shown() -> None:
    loop = Loop(MAIN, OTHER, SECOND)
    loop.message("opened", second_channel=True)
    assert "s3cret" not in repr(box.as_document(loop.delivery.outbox)) + repr((MAIN, OTHER))


def test_a_channel_that_is_gone_keeps_nothing_from_the_others() -> None:
    loop = Loop(MAIN, OTHER)
    loop.message("opened")
    loop.delivery.use([MAIN])
    loop.turn(1)
    assert loop.taken == [(MAIN.url, "FAILED")]


def test_what_waited_for_a_url_that_was_wrong_goes_to_the_one_that_replaces_it() -> None:
    before = Loop(MAIN, SECOND)
    before.receivers.broken = {MAIN.url: "answers 404"}
    before.message("opened")
    before.message("opened", "db")
    before.turn(1)
    after = Loop(OTHER, SECOND, outbox=before.delivery.outbox)
    (note,) = after.delivery.begin_notes()
    assert note.startswith("the settings no longer have the channel notify json://a; 2 messages ")
    assert note.endswith("will be sent to json://b")
    after.turn(2)
    assert after.taken == [(OTHER.url, "FAILED")] * 2


def test_what_cannot_be_sent_any_more_is_said() -> None:
    before = Loop(MAIN, OTHER)
    before.message("opened")
    before.message("opened", "db")
    after = Loop(MAIN, outbox=before.delivery.outbox)
    (note,) = after.delivery.begin_notes()
    assert note.startswith("the settings no longer have the channel notify json://b; 2 messages ")
    assert note.endswith("will not be sent, the last: FAILED: db: prod")
    used = Loop(SECOND, outbox=before.delivery.outbox)
    assert len(used.delivery.begin_notes()) == 2
    assert used.delivery.outbox == Outbox()


@pytest.mark.parametrize("receipt", [Receipt(message="earlier"), Receipt(is_busy=True)])
def test_an_old_channel_gets_nothing_that_waited_for_another(receipt: Receipt) -> None:
    before = Loop(MAIN)
    before.message("opened")
    after = Loop(OTHER, outbox=before.delivery.outbox, receipt=receipt)
    assert "will not be sent" in after.delivery.begin_notes()[0]
    assert after.delivery.outbox == Outbox()


def test_a_summary_takes_no_place_of_an_alert_that_waits() -> None:
    loop = Loop(MAIN)
    loop.message("opened")
    loop.message("summary")
    loop.message("recovered")
    assert [entry.occasion for entry in loop.delivery.outbox.waiting] == ["recovered", "summary"]
