"""Messages wait in order, are joined and folded, and never lost silently."""

from __future__ import annotations

import json

import pytest

from dartsctl.alerts import outbox as box
from dartsctl.alerts.notice import Notice
from dartsctl.alerts.observations import Occasion
from dartsctl.alerts.outbox import Outbox, Waiting
from dartsctl.errors import DartsctlError
from dartsctl.records import replace


def waiting(
    identifier: str,
    occasion: Occasion = "opened",
    *,
    episode: str = "",
    channel: str = "a",
    now: float = 100.0,
) -> Waiting:
    notice = Notice(identifier, "failure", f"title {identifier}", f"body {identifier}", "short")
    return Waiting(channel, episode or f"episode {identifier}", occasion, notice, now, now)


def queued(*entries: Waiting, most: int = box.MOST_WAITING) -> Outbox:
    outbox = Outbox()
    for entry in entries:
        outbox = box.queue(outbox, entry, most=most)
    return outbox


def due_id(outbox: Outbox, channel: str = "a", now: float = 100.0) -> str:
    entry = box.due(outbox, channel, now)
    return entry.id if entry else ""


def failed(outbox: Outbox, identifier: str, now: float, chance: float = 0.5) -> Outbox:
    return box.failed(outbox, "a", identifier, now=now, problem="answers 500", chance=chance)


def test_a_channel_gets_its_messages_in_their_order() -> None:
    outbox = queued(waiting("1"), waiting("2"), waiting("3", channel="b"))
    assert (due_id(outbox), due_id(outbox, "b"), due_id(outbox, "c")) == ("1", "3", "")
    outbox = box.delivered(outbox, "a", "1")
    assert (due_id(outbox), due_id(outbox, "b")) == ("2", "3")
    outbox = box.delivered(outbox, "a", "2")
    assert due_id(outbox) == ""


def test_the_same_message_to_two_channels_is_delivered_to_each() -> None:
    outbox = queued(waiting("1"), waiting("1", channel="b"))
    outbox = box.delivered(outbox, "a", "1")
    assert (due_id(outbox), due_id(outbox, "b")) == ("", "1")


def test_a_message_waits_only_once() -> None:
    once = queued(waiting("1"), waiting("1", channel="b"))
    assert box.queue(once, waiting("1")) == once


def test_a_failure_delays_its_channel_and_no_later_message_passes_it() -> None:
    outbox = failed(queued(waiting("1"), waiting("2"), waiting("3", channel="b")), "1", 100.0)
    assert (due_id(outbox, now=101.9), due_id(outbox, now=102.0)) == ("", "1")
    assert due_id(outbox, "b") == "3"
    assert outbox.of("a")[0].problem == "answers 500"


def test_delays_double_up_to_a_limit_and_never_end() -> None:
    outbox, now, delays = queued(waiting("1")), 100.0, []
    for _ in range(2000):
        outbox = failed(outbox, "1", now)
        entry = outbox.of("a")[0]
        delays.append(entry.due - now)
        now = entry.due
    assert delays[:6] == pytest.approx([2, 4, 8, 16, 32, 60])
    assert delays[-1] == pytest.approx(60)
    assert due_id(outbox, now=now) == "1"


@pytest.mark.parametrize("tries", [0, 3, 20])
def test_the_jitter_is_a_part_of_the_delay(tries: int) -> None:
    outbox = Outbox((replace(waiting("1"), tries=tries),))
    first, middle, last = (
        failed(outbox, "1", 100.0, chance).waiting[0].due - 100 for chance in (0.0, 0.5, 1.0)
    )
    assert (first / middle, last / middle) == pytest.approx((0.75, 1.25))


def test_a_clock_that_was_set_back_delays_nothing() -> None:
    outbox = failed(queued(waiting("1", now=1e9)), "1", 1e9)
    assert due_id(outbox, now=1e9 - 3600) == "1"


def test_a_recovery_whose_alert_still_waits_becomes_one_message_that_says_both() -> None:
    outbox = queued(
        waiting("other"), waiting("1", episode="e"), waiting("2", "recovered", episode="e")
    )
    (_, joined) = outbox.of("a")
    assert (joined.id, joined.occasion) == ("2", "recovered")
    assert joined.notice.body.startswith("body 2\n")
    assert "title 1\nbody 1" in joined.notice.body


def test_a_recovery_whose_alert_was_delivered_is_a_message_of_its_own() -> None:
    outbox = box.delivered(queued(waiting("1", episode="e")), "a", "1")
    outbox = box.queue(outbox, waiting("2", "recovered", episode="e"))
    assert [entry.notice.body for entry in outbox.waiting] == ["body 2"]


def test_what_is_being_sent_stays_as_it_is() -> None:
    outbox = queued(waiting("1", episode="e"))
    outbox = box.queue(outbox, waiting("2", "recovered", episode="e"), busy={"1"})
    assert [entry.id for entry in outbox.waiting] == ["1", "2"]


def test_an_update_of_an_alert_that_waits_takes_its_place() -> None:
    outbox = queued(waiting("1", episode="e"), waiting("x"), waiting("2", "updated", episode="e"))
    assert [(entry.id, entry.occasion) for entry in outbox.waiting] == [
        ("2", "opened"),
        ("x", "opened"),
    ]
    outbox = box.queue(outbox, waiting("3", "recovered", episode="e"))
    assert "body 2" in outbox.waiting[0].notice.body
    assert outbox.waiting[0].id == "3"


def test_a_reminder_and_the_recovery_after_it_are_one_message() -> None:
    outbox = queued(
        waiting("1", "reminder", episode="e"),
        waiting("2", "reminder", episode="e"),
        waiting("3", "recovered", episode="e"),
    )
    assert [(entry.id, entry.notice.body) for entry in outbox.waiting] == [("3", "body 3")]


def test_episodes_and_channels_are_not_mixed() -> None:
    outbox = queued(
        waiting("1", episode="e"),
        waiting("2", "recovered", episode="f"),
        waiting("3", "recovered", episode="e", channel="b"),
        waiting("4", episode="e"),
    )
    assert [entry.id for entry in outbox.waiting] == ["1", "2", "3", "4"]


def test_whether_an_opening_waits() -> None:
    outbox = queued(waiting("1", episode="e"), waiting("2", "reminder", episode="f"))
    assert box.opening_waits(outbox, "a", "e")
    assert not box.opening_waits(outbox, "a", "e", busy={"1"})
    assert not box.opening_waits(outbox, "a", "f")
    assert not box.opening_waits(outbox, "b", "e")


def test_when_full_the_oldest_become_one_summary_and_none_is_lost() -> None:
    outbox = Outbox()
    for number in range(1000):
        outbox = box.queue(outbox, waiting(str(number)), most=10)
        assert len(outbox.waiting) <= 10
    summary, *rest = outbox.of("a")
    assert summary.folded + len(rest) == 1000
    assert [entry.id for entry in rest] == [str(n) for n in range(1000 - len(rest), 1000)]
    assert summary.occasion == "summary"
    assert f"{summary.folded} messages since " in summary.notice.title
    latest = [f" title {number}" for number in range(summary.folded - 20, summary.folded)]
    listed = summary.notice.body.splitlines()[2:-1]
    assert [line[line.index(" title") :] for line in listed] == latest
    assert len(summary.notice.body) < 3000
    assert due_id(outbox) == summary.id


def test_folding_leaves_what_is_being_sent_and_other_channels_alone() -> None:
    outbox = queued(waiting("b1", channel="b"))
    for number in range(30):
        outbox = box.queue(outbox, waiting(str(number)), busy={"0"}, most=5)
    assert [entry.id for entry in outbox.of("b")] == ["b1"]
    first, summary, *rest = outbox.of("a")
    assert first.id == "0"
    assert summary.folded + len(rest) == 29


def test_a_summary_has_a_new_id_each_time_it_grows() -> None:
    """A receiver that took an earlier one must not throw the later one away."""
    ids = set()
    outbox = Outbox()
    for number in range(40):
        outbox = box.queue(outbox, waiting(str(number)), most=4)
        ids |= {(entry.id, entry.folded) for entry in outbox.waiting if entry.folded}
    assert len({identifier for identifier, _ in ids}) == len(ids) > 5


def test_messages_of_channels_that_are_gone_are_returned() -> None:
    outbox, others = box.only_for(queued(waiting("1"), waiting("2", channel="b")), {"a"})
    assert [entry.id for entry in outbox.waiting] == ["1"]
    assert [entry.id for entry in others] == ["2"]


def test_it_is_the_same_after_a_restart() -> None:
    outbox = queued(*(waiting(str(n), episode="e") for n in range(12)), most=5)
    outbox = failed(outbox, outbox.waiting[0].id, 123.456)
    document = json.loads(json.dumps(box.as_document(outbox)))
    assert box.from_document(document, "state.json") == outbox


@pytest.mark.parametrize(
    "change",
    [
        {"channel": 5},
        {"occasion": "dance"},
        {"kind": "catastrophe"},
        {"due": "soon"},
        {"due": True},
        {"queued": 1e300},
        {"lines": ["a", 1]},
        {"body": None},
    ],
)
def test_a_damaged_entry_is_named_by_its_place(change: dict[str, object]) -> None:
    (document,) = box.as_document(queued(waiting("1")))
    with pytest.raises(DartsctlError, match=r"state.json: outbox\[0\]"):
        box.from_document([document | change], "state.json")
