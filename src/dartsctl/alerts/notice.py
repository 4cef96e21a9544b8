"""A message as text for a channel: a title, a body, and a short form."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Literal

from dartsctl.records import record, replace
from dartsctl.text.phrases import exact_duration, listed, local_time, without_age
from dartsctl.text.safe_text import cut

if TYPE_CHECKING:
    from collections.abc import Callable

    from dartsctl.alerts.observations import Occasion
    from dartsctl.alerts.problem import Problem, Subject
    from dartsctl.alerts.state import Message

NoticeKind = Literal["failure", "warning", "success", "info"]
"""Apprise's notify types."""

_MOST_EVIDENCE = 12
"""Lines of evidence in a body. The whole of it is in `doctor` and in the JSON lines."""
_MOST_SUMMARISED = 15
"""Episodes that a summary names."""
_LONGEST_LINE = 300
_LONGEST_SHORT = 140
"""Characters of the short form without the id: one SMS."""


@record
class Notice:
    """Plain text without secrets and without control characters but the body's line ends."""

    id: str
    """Every form carries it, so that a receiver can tell a repeated message."""
    kind: NoticeKind
    title: str
    body: str
    short: str
    """For channels whose messages are short: a single line that says the most important."""


@record
class NoticeWriter:
    """Writes messages as text."""

    place: str
    """What is watched: `prod (project darts) on myhost`."""
    clean: Callable[[str], str]
    """Makes one safe line of any text: masked, without control characters."""

    def write(self, message: Message, *, occasion: Occasion | None = None) -> Notice:
        """Return a message as text. `occasion`: what the channel should hear instead."""
        identifier = message_id(message)
        message = replace(message, occasion=occasion or message.occasion)
        problem = message.episode.problem
        what = describe_subject(problem.subject)
        title = self._line(f"{_headline(message, what)}: {self.place}")
        sentence = without_age(problem.sentence)
        body = [self._line(sentence), *map(self._line, _details(message))]
        if message.occasion == "recovered":
            body[0] = self._line(f"{what} has recovered; before: {sentence}")
        short = f"{_headline(message, what)}: {sentence}"
        if message.occasion == "summary":
            body = list(map(self._line, _summary(message)))
            short = f"SUMMARY: {body[0]}"
        return Notice(
            id=identifier,
            kind=_kind(message),
            title=title,
            body="\n".join([*body, f"message: {identifier}"]),
            short=self._short(short, identifier),
        )

    def test(self, identifier: str) -> Notice:
        """Return the text of a test alert."""
        title = self._line(f"TEST: {self.place}")
        body = "This is a test alert of `dartsctl watch test`. Nothing has failed."
        return Notice(
            id=identifier,
            kind="info",
            title=title,
            body=f"{body}\nmessage: {identifier}",
            short=self._short(f"{title}: nothing has failed", identifier),
        )

    def _line(self, text: str) -> str:
        return cut(self.clean(text), _LONGEST_LINE)

    def _short(self, text: str, identifier: str) -> str:
        return f"{cut(self.clean(text), _LONGEST_SHORT)} [{identifier}]"


def message_id(message: Message) -> str:
    """Return the id of a message: the same whenever the same thing is told again."""
    parts = f"{message.episode.id} {message.occasion} {message.when:.3f}"
    return hashlib.sha256(parts.encode(errors="replace")).hexdigest()[:12]


def describe_subject(subject: Subject) -> str:
    """Return a subject as a title begins: `darts-app`, `port 5000/tcp`, `the engine`."""
    match subject.kind:
        case "service":
            return subject.name or "a service"
        case "engine":
            return "the engine"
        case "disk":
            return "the engine's disk"
        case "site":
            return subject.name or "the site"
    return f"{subject.kind} {subject.name}".strip()


def _headline(message: Message, what: str) -> str:
    episode = message.episode
    lasted = _lasted(message)
    words = {
        "opened": f"FAILED: {what}",
        "updated": f"CHANGED: {what}",
        "recovered": f"RECOVERED after {lasted}: {what}",
        "reminder": f"STILL FAILING for {lasted}: {what}",
        "summary": "SUMMARY",
        "test": "TEST",
    }
    if message.occasion == "opened" and episode.problem.severity == "warning":
        return f"WARNING: {what}"
    return words[message.occasion]


def _lasted(message: Message) -> str:
    """Return how long it has lasted: of what has recovered, until nothing was wrong any more."""
    until = message.when
    if message.occasion == "recovered":
        until = message.episode.good_since or message.when
    return exact_duration(max(0.0, until - message.episode.began))


def _kind(message: Message) -> NoticeKind:
    if message.occasion == "recovered":
        return "success"
    if message.occasion == "test":
        return "info"
    if message.occasion == "summary":
        return _summary_kind(message)
    if message.episode.problem.severity == "warning":
        return "warning"
    return "failure"


def _summary_kind(message: Message) -> NoticeKind:
    still_open = [episode for episode in message.episodes if episode.phase != "closing"]
    if not still_open:
        return "success"
    if all(episode.problem.severity == "warning" for episode in still_open):
        return "warning"
    return "failure"


def _summary(message: Message) -> list[str]:
    """Return how many episodes there are, and a line for each of the first ones."""
    closed = [episode for episode in message.episodes if episode.phase == "closing"]
    total = len(message.episodes) + message.more
    lines = [f"{total} alerts at once: {total - len(closed)} failed, {len(closed)} recovered"]
    if message.more:
        lines = [f"{total} alerts at once"]
    for episode in message.episodes[:_MOST_SUMMARISED]:
        word = "failed"
        if episode.phase == "closing":
            word = "recovered"
        lines.append(f"- {word}: {without_age(episode.problem.sentence)}")
    left_out = total - min(len(message.episodes), _MOST_SUMMARISED)
    if left_out:
        lines.append(f"... and {left_out} more: dartsctl watch status")
    return lines


def _details(message: Message) -> list[str]:
    """Return the lines below the sentence."""
    episode = message.episode
    problem = episode.problem
    lines = [f"cause: {problem.cause}", f"since: {local_time(episode.began)}"]
    if message.occasion == "recovered":
        until = episode.good_since or message.when
        return [*lines, f"until: {local_time(until)} ({_lasted(message)})"]
    if message.note:
        lines.append(message.note)
    elif episode.count > 1:
        lines.append(f"failures: {episode.count}")
    if problem.affected:
        names = sorted(map(describe_subject, problem.affected))
        lines.append(f"affected: {listed(names)}")
    lines += _evidence(problem)
    if problem.command:
        lines.append(f"what to do: {problem.command}")
    return lines


def _evidence(problem: Problem) -> list[str]:
    """Return the evidence, without the middle of a long one: its end is the log's end."""
    evidence = list(problem.evidence)
    if len(evidence) > _MOST_EVIDENCE:
        half = _MOST_EVIDENCE // 2
        left_out = len(evidence) - 2 * half
        evidence = [*evidence[:half], f"... {left_out} more lines", *evidence[-half:]]
    if not evidence:
        return []
    return ["evidence:", *(f"- {line}" for line in evidence)]
