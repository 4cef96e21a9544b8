"""The episodes with a clock of their own: what is observed, and what is sent."""

from __future__ import annotations

import json

from dartsctl.alerts.observations import (
    Exited,
    Looked,
    Observation,
    Silence,
    Silenced,
    Started,
    Tick,
)
from dartsctl.alerts.problem import Kind, Problem, Subject
from dartsctl.alerts.rules import Rules
from dartsctl.alerts.state import Episode, Message, State
from dartsctl.alerts.state_document import read_state, state_document
from dartsctl.alerts.step import step
from dartsctl.text.strict_json import Source, read_json

START = 1_790_000_000.0
KINDS: frozenset[Kind] = frozenset(("service", "port", "engine", "certificate", "disk", "site"))


def service(name: str) -> Subject:
    return Subject("service", name)


def a_problem(
    subject: Subject | str = "app",
    cause: str = "unhealthy",
    *,
    affected: tuple[str, ...] = (),
    sentence: str = "",
) -> Problem:
    if isinstance(subject, str):
        subject = service(subject)
    return Problem(
        subject,
        cause,
        sentence or f"{subject.name} is {cause}",
        affected=tuple(service(name) for name in affected),
    )


def saved_and_loaded(state: State) -> State:
    text = json.dumps(state_document(state))
    return read_state(read_json(text, Source("state.json")))


class Alerting:
    """A state, the time, and every message since the beginning."""

    def __init__(self, rules: Rules | None = None) -> None:
        self.rules = rules or Rules()
        self.state = State()
        self.now = START
        self.messages: list[Message] = []

    def observe(self, observation: Observation) -> tuple[Message, ...]:
        self.state, messages = step(self.state, observation, self.now, self.rules)
        self.messages += messages
        return messages

    def look(
        self, *problems: Problem, covers: frozenset[Kind] = KINDS, after: float = 0.0
    ) -> tuple[Message, ...]:
        """Look once; `after` seconds later if given, with ticks in between."""
        self.wait(after)
        return self.observe(Looked(problems, covers))

    def keep_looking(self, *problems: Problem, seconds: float = 60.0) -> None:
        """Look every 5 s."""
        until = self.now + seconds
        while self.now < until:
            self.look(*problems, after=min(5.0, until - self.now))

    def exit(
        self,
        name: str = "app",
        cause: str = "app-exited",
        *,
        planned: bool = False,
        comes_back: bool = False,
    ) -> tuple[Message, ...]:
        problem = a_problem(name, cause, sentence=f"{name} ended with exit code 3")
        return self.observe(
            Exited(name, f"{name}-1", problem, planned=planned, comes_back=comes_back)
        )

    def start(self, name: str = "app") -> None:
        self.observe(Started(name, f"{name}-1"))

    def silence(self, *silences: Silence) -> None:
        self.observe(Silenced(silences))

    def wait(self, seconds: float) -> None:
        """Let time pass, a tick a second."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(self.now + 1.0, until)
            self.observe(Tick())

    def restart(self, away: float = 0.0) -> None:
        """Save the state, and load it after some time."""
        self.state = saved_and_loaded(self.state)
        self.now += away

    def episode(self, name: str = "app") -> Episode:
        return self.state.episodes[service(name)]

    def events(self) -> list[str]:
        """Return every message: `opened app: unhealthy`, in brackets if no channel gets it."""
        return [_event(message) for message in self.messages]

    def loud(self) -> list[str]:
        """Return the messages that channels get."""
        return [_event(message) for message in self.messages if not message.muted]


def _event(message: Message) -> str:
    problem = message.episode.problem
    text = f"{message.occasion} {problem.subject.name or problem.subject.kind}: {problem.cause}"
    if message.occasion == "summary":
        text = f"summary of {len(message.episodes) + message.more}"
    if message.muted:
        return f"({text})"
    return text
