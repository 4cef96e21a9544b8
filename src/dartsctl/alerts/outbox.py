"""The outbox: messages that wait until their channel has taken them. Pure values and functions.

The order of a channel is kept: only its oldest message is sent, until it is delivered. Nothing is
lost silently: what no longer fits is folded into one summary. It is saved with the episodes before
anything is sent, so a message may be sent twice after a crash; its id then says so.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar, get_args

from dartsctl.alerts.notice import Notice, NoticeKind
from dartsctl.alerts.observations import Occasion
from dartsctl.errors import Advice
from dartsctl.records import field, record, replace
from dartsctl.text.phrases import local_time
from dartsctl.text.strict_json import Cursor, Source

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

MOST_WAITING = 50
"""Messages that wait for one channel."""
FIRST_DELAY = 2.0
"""Seconds after the first failure; each further one doubles them."""
LONGEST_DELAY = 60.0
JITTER = 0.25
"""The part of a delay that is random, so that many watches do not come at once."""
_MOST_LINES = 20
"""Lines of a summary: the latest ones."""


@record
class Waiting:
    """A message that waits for one channel. Times are Unix time, in seconds."""

    channel: str
    """The channel's id, which has no secret; never its URL."""
    episode: str
    occasion: Occasion
    notice: Notice
    queued: float
    due: float
    tries: int = 0
    problem: str = ""
    """Why the last try failed."""
    folded: int = 0
    """How many messages this summary stands for."""
    lines: tuple[str, ...] = ()
    """The latest of them in short."""

    @property
    def id(self) -> str:
        return self.notice.id


@record
class Outbox:
    """Everything that is not delivered yet, the oldest first."""

    waiting: tuple[Waiting, ...] = field(default=())

    def of(self, channel: str) -> tuple[Waiting, ...]:
        """Return what waits for a channel, the oldest first."""
        return tuple(entry for entry in self.waiting if entry.channel == channel)


def queue(
    outbox: Outbox,
    entry: Waiting,
    *,
    busy: Collection[str] = (),
    most: int = MOST_WAITING,
) -> Outbox:
    """Return the outbox with one more message.

    A message about an episode whose alert still waits becomes one message with it. `busy`: ids of
    messages that are being sent right now, and so must stay as they are.
    """
    waiting = list(outbox.waiting)
    for place, earlier in enumerate(waiting):
        if (earlier.channel, earlier.id) == (entry.channel, entry.id):
            return outbox
        if _belongs_to(entry, earlier) and earlier.id not in busy:
            waiting[place] = _joined(earlier, entry)
            return Outbox(tuple(waiting))
    return _folded(Outbox((*waiting, entry)), entry.channel, busy=busy, most=most)


def opening_waits(
    outbox: Outbox, channel: str, episode: str, *, busy: Collection[str] = ()
) -> bool:
    """Return whether a channel has not been sent the alert that opens an episode.

    What follows is then written as that alert.
    """
    return any(
        entry.episode == episode and entry.occasion == "opened" and entry.id not in busy
        for entry in outbox.of(channel)
    )


def due(outbox: Outbox, channel: str, now: float) -> Waiting | None:
    """Return the message that a channel should be sent now, or None.

    A time too far ahead comes from a clock that was set back: it is now.
    """
    for entry in outbox.waiting:
        if entry.channel != channel:
            continue
        if entry.due <= now or entry.due > now + LONGEST_DELAY * (1 + JITTER):
            return entry
        return None
    return None


def delivered(outbox: Outbox, channel: str, identifier: str) -> Outbox:
    """Return the outbox without a message that its channel has taken."""
    rest = [entry for entry in outbox.waiting if (entry.channel, entry.id) != (channel, identifier)]
    return Outbox(tuple(rest))


def failed(
    outbox: Outbox, channel: str, identifier: str, *, now: float, problem: str, chance: float
) -> Outbox:
    """Return the outbox after a failed try. `chance`: a random number from 0 to 1."""
    waiting = list(outbox.waiting)
    for place, entry in enumerate(waiting):
        if (entry.channel, entry.id) == (channel, identifier):
            delay = min(LONGEST_DELAY, FIRST_DELAY * 2 ** min(entry.tries, 16))
            delay *= 1 + JITTER * (2 * chance - 1)
            waiting[place] = replace(entry, tries=entry.tries + 1, due=now + delay, problem=problem)
    return Outbox(tuple(waiting))


def only_for(outbox: Outbox, channels: Collection[str]) -> tuple[Outbox, tuple[Waiting, ...]]:
    """Return the outbox without the messages of other channels, and those messages."""
    kept = [entry for entry in outbox.waiting if entry.channel in channels]
    others = [entry for entry in outbox.waiting if entry.channel not in channels]
    return Outbox(tuple(kept)), tuple(others)


# --- joining and folding -----------------------------------------------------------------------


def _belongs_to(entry: Waiting, earlier: Waiting) -> bool:
    """Return whether both are about an episode of which the channel knows nothing newer yet."""
    same = (entry.channel, entry.episode) == (earlier.channel, earlier.episode)
    if not same or not entry.episode:
        return False
    return earlier.occasion in ("opened", "updated", "reminder") and entry.occasion != "opened"


def _joined(earlier: Waiting, later: Waiting) -> Waiting:
    """Return one message that says both. It has the later id: the receiver has not seen its text.

    Of two states of an open episode the later one counts. A recovery says what was never said.
    """
    if later.occasion != "recovered":
        return replace(earlier, notice=later.notice)
    notice = later.notice
    if earlier.occasion == "opened":
        notice = _both(earlier.notice, later.notice)
    return replace(earlier, occasion="recovered", notice=notice)


def _both(opening: Notice, recovery: Notice) -> Notice:
    body = (
        f"{recovery.body}\n\nThe alert could not be sent before:\n{opening.title}\n{opening.body}"
    )
    return replace(recovery, body=body)


def _folded(outbox: Outbox, channel: str, *, busy: Collection[str], most: int) -> Outbox:
    """Return the outbox with the older half of a full channel as one summary."""
    own = outbox.of(channel)
    if len(own) <= most:
        return outbox
    movable = [entry for entry in own if entry.id not in busy]
    old = movable[: max(2, len(own) - most // 2)]
    summary = _summary(old)
    gone = {id(entry) for entry in old[1:]}
    waiting: list[Waiting] = []
    for entry in outbox.waiting:
        if entry is old[0]:
            waiting.append(summary)
        elif id(entry) not in gone:
            waiting.append(entry)
    return Outbox(tuple(waiting))


def _summary(entries: Sequence[Waiting]) -> Waiting:
    count = 0
    lines: list[str] = []
    for entry in entries:
        count += max(1, entry.folded)
        lines += list(entry.lines or (f"{local_time(entry.queued)} {entry.notice.title}",))
    lines = lines[-_MOST_LINES:]
    since = local_time(entries[0].queued)
    headline = f"{count} messages since {since} could not be sent in time"
    body = [headline, "The latest of them:", *lines]
    identifier = entries[-1].id
    notice = Notice(
        id=identifier,
        kind="warning",
        title=f"SUMMARY: {headline}",
        body="\n".join([*body, f"message: {identifier}"]),
        short=f"SUMMARY: {headline} [{identifier}]",
    )
    return replace(
        entries[0],
        episode="",
        occasion="summary",
        notice=notice,
        folded=count,
        lines=tuple(lines),
    )


# --- as JSON -----------------------------------------------------------------------------------


def as_document(outbox: Outbox) -> list[dict[str, Any]]:
    """Return the outbox for the state file."""
    return [_entry_document(entry) for entry in outbox.waiting]


def from_document(document: object, name: str) -> Outbox:
    """Return the outbox of a state file that messages call `name`. Raises DartsctlError."""
    hint = Advice("move the file away: what it says about open episodes is lost with it")
    entries = Cursor(document, Source(name, hint=hint), "outbox").items()
    return Outbox(tuple(_entry(entry) for entry in entries))


def _entry_document(entry: Waiting) -> dict[str, Any]:
    notice = entry.notice
    return {
        "channel": entry.channel,
        "episode": entry.episode,
        "occasion": entry.occasion,
        "id": notice.id,
        "kind": notice.kind,
        "title": notice.title,
        "body": notice.body,
        "short": notice.short,
        "queued": entry.queued,
        "due": entry.due,
        "tries": entry.tries,
        "problem": entry.problem,
        "folded": entry.folded,
        "lines": list(entry.lines),
    }


_OCCASIONS: tuple[Occasion, ...] = get_args(Occasion)
_KINDS: tuple[NoticeKind, ...] = get_args(NoticeKind)


def _entry(document: Cursor) -> Waiting:
    notice = Notice(
        id=document.at("id").text(),
        kind=_word(document.at("kind"), _KINDS),
        title=document.at("title").prose(),
        body=document.at("body").prose(),
        short=document.at("short").prose(),
    )
    return Waiting(
        channel=document.at("channel").text(),
        episode=document.at("episode").text(),
        occasion=_word(document.at("occasion"), _OCCASIONS),
        notice=notice,
        queued=_moment(document.at("queued")),
        due=_moment(document.at("due")),
        tries=document.at("tries").integer(0),
        problem=document.at("problem").prose(""),
        folded=document.at("folded").integer(0),
        lines=document.at("lines").texts(),
    )


Word = TypeVar("Word", bound=str)


def _word(cursor: Cursor, words: tuple[Word, ...]) -> Word:
    text = cursor.text()
    for word in words:
        if word == text:
            return word
    raise cursor.mistake(f"expected {words[0]!r} or another known word")


def _moment(cursor: Cursor) -> float:
    value = cursor.value
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < 1e11:
        raise cursor.mistake("expected a Unix time")
    return float(value)
