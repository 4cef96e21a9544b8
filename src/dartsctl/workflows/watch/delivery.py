"""Messages to the channels: queued in the outbox, sent by a thread for each, reported to the loop.

The outbox belongs to the loop. A thread only sends what it is given and reports how that went, so
a receiver that hangs delays nothing but its own channel.
"""

from __future__ import annotations

import random
import threading
from contextlib import AbstractContextManager, nullcontext, suppress
from typing import TYPE_CHECKING, Literal, Protocol

from dartsctl.alerts import outbox as box
from dartsctl.alerts.outbox import Outbox, Waiting
from dartsctl.edges.state.watch_receipts import Receipt
from dartsctl.records import field, record, replace
from dartsctl.workflows.watch.signals import Sent

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dartsctl.alerts.notice import Notice, NoticeWriter
    from dartsctl.alerts.state import Message
    from dartsctl.workflows.watch.signals import Emit

_random = random.SystemRandom()
Role = Literal["notify", "escalate"]


@record
class Channel:
    """A place that messages are sent to."""

    id: str
    """Kept in the state file: role, label, and a number where several have the same."""
    label: str
    """Scheme and host: what is shown."""
    role: Role
    url: str = field(repr=False)


class Send(Protocol):
    """Sends a text to a URL within a deadline. Never raises."""

    def __call__(self, url: str, text: Notice, *, receipt: int | None = None) -> str:
        """Return why it was not delivered, or nothing.

        `receipt`: the descriptor of a file that gets the id of a message that was delivered.
        """


class Receipts(Protocol):
    """Where it is kept what each channel has taken last, also while no watch runs."""

    def of(self, channel: str) -> AbstractContextManager[Receipt]:
        """Lock the receipt of a channel for sending to it. Never raises."""


class NoReceipts:
    """Keeps nothing."""

    def of(self, channel: str) -> AbstractContextManager[Receipt]:
        """Return an empty receipt."""
        del channel
        return nullcontext(Receipt())


class Delivery:
    """The outbox and the threads that send. Every method is called by the loop."""

    def __init__(
        self,
        channels: Sequence[Channel],
        outbox: Outbox,
        *,
        writer: NoticeWriter,
        send: Send,
        receipts: Receipts | None = None,
        chance: Callable[[], float] = _random.random,
    ) -> None:
        self._writer = writer
        self._send = send
        self._receipts: Receipts = receipts or NoReceipts()
        self._chance = chance
        self._busy: dict[str, str] = {}
        """Channel -> the id of the message that is being sent to it."""
        self._failing: set[str] = set()
        self._channels: dict[str, Channel] = {}
        self.outbox = outbox
        self._begin_notes: tuple[str, ...] = ()
        self.use(channels)

    def use(self, channels: Sequence[Channel]) -> None:
        """Use these channels from now on.

        What waits for a channel that is no longer there goes to the new ones of its role: its URL
        may just have been corrected. `begin_notes` says so, or that it will not be sent.
        """
        self._channels = {channel.id: channel for channel in channels}
        self.outbox, others = box.only_for(self.outbox, self._channels)
        new = [channel for channel in channels if self._is_new(channel)]
        by_channel: dict[str, list[Waiting]] = {}
        for entry in others:
            by_channel.setdefault(entry.channel, []).append(entry)
        self._begin_notes = tuple(
            self._hand_over(gone, entries, new) for gone, entries in by_channel.items()
        )

    def begin_notes(self) -> tuple[str, ...]:
        """Return what there is to say about messages of channels that are no longer there."""
        return self._begin_notes

    def _is_new(self, channel: Channel) -> bool:
        """Return whether the channel has never taken a message, and none waits for it."""
        with self._receipts.of(channel.id) as receipt:
            was_used = receipt.is_busy or receipt.message
        return not was_used and not self.outbox.of(channel.id)

    def _hand_over(self, gone: str, entries: Sequence[Waiting], new: Sequence[Channel]) -> str:
        """Give the messages of a channel that is gone to the new ones; return what to say."""
        role = gone.partition(" ")[0]
        heirs = [channel for channel in new if channel.role == role]
        for channel in heirs:
            for entry in entries:
                moved = replace(entry, channel=channel.id, due=entry.queued, tries=0, problem="")
                self.outbox = box.queue(self.outbox, moved)
        number = f"{len(entries)} messages"
        if len(entries) == 1:
            number = "1 message"
        what = f"the settings no longer have the channel {gone}; {number} that waited for it"
        if heirs:
            return f"{what} will be sent to {', '.join(channel.label for channel in heirs)}"
        return f"{what} will not be sent, the last: {entries[-1].notice.title}"

    def queue(self, message: Message) -> None:
        """Put a message into the outbox for each channel that should get it."""
        if message.muted:
            return
        episode = message.episode
        episode_id = episode.id
        if message.occasion == "summary":  # about several
            episode_id = ""
        busy = set(self._busy.values())
        for channel in self._channels.values():
            if channel.role == "escalate" and not (message.second_channel or episode.escalated):
                continue
            occasion = message.occasion
            waits = box.opening_waits(self.outbox, channel.id, episode_id, busy=busy)
            if waits and occasion in ("updated", "reminder"):
                occasion = "opened"
            notice = self._writer.write(message, occasion=occasion)
            entry = Waiting(
                channel=channel.id,
                episode=episode_id,
                occasion=message.occasion,
                notice=notice,
                queued=message.when,
                due=message.when,
            )
            self.outbox = box.queue(self.outbox, entry, busy=busy)

    def start_due(self, now: float, emit: Emit) -> None:
        """Start to send what is due, one message for each channel at a time. Never blocks.

        Called after the outbox was saved.
        """
        for channel in self._channels.values():
            if channel.id in self._busy:
                continue
            entry = box.due(self.outbox, channel.id, now)
            if entry is None:
                continue
            thread = threading.Thread(
                target=self._deliver,
                args=(channel, entry, emit),
                name=f"send {channel.id}",
                daemon=True,
            )
            with suppress(RuntimeError):  # no more threads: the next turn tries again
                thread.start()
                self._busy[channel.id] = entry.id

    def sent(self, report: Sent, now: float) -> tuple[str, ...]:
        """Take a thread's report; return what there is to say about the channel."""
        self._busy.pop(report.channel, None)
        label = report.channel
        if channel := self._channels.get(report.channel):
            label = channel.label
        if not report.problem:
            self.outbox = box.delivered(self.outbox, report.channel, report.message)
            if report.channel in self._failing:
                self._failing.remove(report.channel)
                return (f"channel {label} takes messages again",)
            return ()
        self.outbox = box.failed(
            self.outbox,
            report.channel,
            report.message,
            now=now,
            problem=report.problem,
            chance=self._chance(),
        )
        if report.channel in self._failing:
            return ()
        self._failing.add(report.channel)
        return (f"channel {label} {report.problem}; its messages wait and are sent again",)

    @property
    def is_sending(self) -> bool:
        """Whether a message is on its way."""
        return bool(self._busy)

    def waiting(self) -> dict[str, int]:
        """Return how many messages wait for the channels that have not taken the first of them."""
        counts: dict[str, int] = {}
        for channel in self._channels.values():
            waiting = self.outbox.of(channel.id)
            if waiting and waiting[0].tries:
                counts[channel.id] = len(waiting)
        return counts

    def _deliver(self, channel: Channel, entry: Waiting, emit: Emit) -> None:
        try:
            problem = self._send_once(channel, entry.notice)
        except Exception as error:  # a bug must not stop the channel; the text may be a secret
            problem = f"cannot be used: {type(error).__name__}"
        emit(Sent(channel.id, entry.id, problem))

    def _send_once(self, channel: Channel, notice: Notice) -> str:
        """Send a message unless the process of a watch that was killed has done so."""
        with self._receipts.of(channel.id) as receipt:
            if receipt.is_busy:
                return "is still being sent a message by an earlier watch"
            if receipt.message == notice.id:
                return ""
            return self._send(channel.url, notice, receipt=receipt.descriptor)
