"""What happens, as events for people: plain lines, and the last lines of the dashboard."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dartsctl.alerts.state import SAME_CAUSE
from dartsctl.edges.screen.stream import Event
from dartsctl.errors import Advice
from dartsctl.text.patterns import regex
from dartsctl.text.phrases import exact_duration, without_age

if TYPE_CHECKING:
    from dartsctl.alerts.problem import Problem, Subject
    from dartsctl.alerts.state import Episode, Message
    from dartsctl.workflows.watch.signals import Note, Noticed

MOST_EVIDENCE = 8
"""Lines of evidence that an event shows. JSON lines have all."""
_LABELS = {
    "updated": ("UPDATE", "unknown"),
    "recovered": ("RECOVERED", "ok"),
    "reminder": ("STILL OPEN", "bad"),
    "summary": ("SUMMARY", "unknown"),
    "test": ("TEST", "unknown"),
}
_COMMAND = regex(
    r"(?:\w+=\S+ )*(?:sudo )?"
    r"(?:dartsctl|docker|systemctl|journalctl|openssl|ss|ls|ps|df|curl|ip|open -a)"
    r"(?: [-\w./'\"~{$]|$)"
)


def is_news(message: Message) -> bool:
    """Return whether a person wants to read a message: not that other words say the same."""
    return message.occasion != "updated" or message.muted != SAME_CAUSE


def message_event(message: Message, started: float) -> Event:
    """Return a message about an episode. `started` is when `watch` began: its date goes unsaid."""
    episode = message.episode
    problem = episode.problem
    label, mark = _label(message)
    text = _sentence(problem)
    if message.occasion == "summary":
        return _summary(message, started)
    if message.occasion == "recovered":
        return Event(clock(message.when, started), label, mark, _recovery(episode, message.when))
    if message.occasion == "reminder":
        text += f" (for {exact_duration(message.when - episode.began)})"
    for remark in dict.fromkeys((message.note, message.muted)):
        if remark:
            text += f" ({remark})"
    return Event(clock(message.when, started), label, mark, text, details(episode))


def noticed_event(noticed: Noticed, started: float) -> Event:
    """Return what a source has noticed."""
    text = f"{noticed.service}: {noticed.what}"
    if not noticed.service:
        text = noticed.what
    return Event(clock(noticed.when, started), "noticed", "dim", text)


def note_event(note: Note, started: float) -> Event:
    """Return what `watch` has done or met."""
    text = note.text
    if note.service and not text.startswith(note.service):
        text = f"{note.service}: {text}"
    if note.kind == "healed":
        return Event(clock(note.when, started), "HEALED", "ok", text)
    return Event(clock(note.when, started), "", "", text)


def details(episode: Episode) -> tuple[tuple[str, str], ...]:
    """Return cause, evidence, what follows, and what to do."""
    problem = episode.problem
    lines = [("cause", problem.cause)]
    lines += [("", text) for text in problem.evidence[:MOST_EVIDENCE]]
    more = len(problem.evidence) - MOST_EVIDENCE
    if more > 0:
        lines.append(("", f"... {more} more lines, with --json"))
    if problem.affected:
        lines.append(("affects", ", ".join(map(subject_name, problem.affected))))
    if problem.command:
        lines.append((command_label(problem.command), problem.command))
    return tuple(lines)


def command_label(command: str) -> str:
    """Return `next` for a command that can be pasted, `hint` for advice in words."""
    if not isinstance(command, Advice) and _COMMAND.match(command):
        return "next"
    return "hint"


def subject_name(subject: Subject) -> str:
    """Return a subject as a person says it: `darts-app`, `port 5000/tcp`."""
    if subject.kind == "service" and subject.name:
        return subject.name
    return f"{subject.kind} {subject.name}".rstrip()


def clock(moment: float, started: float) -> str:
    """Return the local time, with its date unless it is that of `started`."""
    date = time.strftime("%Y-%m-%d", time.localtime(moment))
    text = time.strftime("%H:%M:%S", time.localtime(moment))
    if date == time.strftime("%Y-%m-%d", time.localtime(started)):
        return text
    return f"{date} {text}"


def _summary(message: Message, started: float) -> Event:
    """Return a summary: a line for each episode that it sums up."""
    label, mark = _LABELS["summary"]
    lines = []
    for episode in message.episodes or (message.episode,):
        text = _sentence(episode.problem)
        if episode.phase == "closing":
            text += " (recovered)"
        lines.append(("", text))
    if message.more:
        lines.append(("", f"... and {message.more} more"))
    text = message.note or f"{len(lines)} episodes"
    return Event(clock(message.when, started), label, mark, text, tuple(lines))


def short_time(moment: float, now: float) -> str:
    """Return a local time to the minute, with its date unless that is today: `14:30`."""
    return clock(moment, now).rpartition(":")[0]


def plural(count: int, noun: str) -> str:
    """Return a count with its noun: `1 alert`, `2 alerts`."""
    if count == 1:
        return f"1 {noun}"
    return f"{count} {noun}s"


def _label(message: Message) -> tuple[str, str]:
    if message.occasion == "opened" and message.episode.problem.severity == "warning":
        return "WARNING", "unknown"
    return _LABELS.get(message.occasion, ("ALERT", "bad"))


def _sentence(problem: Problem) -> str:
    """Return the sentence, after the subject unless it begins with it."""
    name, sentence = subject_name(problem.subject), without_age(problem.sentence)
    if sentence.startswith(name):
        return sentence
    return f"{name}: {sentence}"


def _recovery(episode: Episode, when: float) -> str:
    lasted = exact_duration((episode.good_since or when) - episode.began)
    name = subject_name(episode.subject)
    return f"{name}, after {lasted}; it was: {without_age(episode.problem.sentence)}"
