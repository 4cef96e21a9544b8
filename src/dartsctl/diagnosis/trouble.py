"""Trouble: one thing that is wrong with a service, and how its container stands in a chain."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from dartsctl.diagnosis.facts import ContainerFacts, Facts
from dartsctl.diagnosis.findings import Cause, Confidence, Link
from dartsctl.text.phrases import duration, local_time

_LAST_LINES = 5
_EXITS = {
    126: "its command cannot be executed",
    127: "its command was not found",
    134: "aborted",
    137: "killed (SIGKILL: a stop that took too long, or `docker kill`)",
    139: "crashed (SIGSEGV)",
    143: "ended by SIGTERM (a stop)",
}


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that is wrong; whether it is a root cause is decided where all of them are known."""

    cause: Cause
    service: str
    container: str
    sentence: str
    command: str
    confidence: Confidence = "certain"
    links: tuple[Link, ...] = ()
    data: Mapping[str, object] = field(default_factory=dict)
    because_of: tuple[str, ...] = ()
    """Services whose own trouble would explain this one."""


def exit_words(code: int) -> str:
    """`exit code 127: its command was not found`."""
    return f"exit code {code}" + (f": {_EXITS[code]}" if code in _EXITS else "")


def container_link(one: ContainerFacts, facts: Facts, *, bad: bool = True) -> Link:
    """How the container is, in its chain."""
    text = f"{one.name} is {one.state}"
    if one.runs:
        text += f" for {duration(facts.now - one.started)}" if one.started else ""
        text += f", {one.health}" if one.health else ""
    elif one.state in ("exited", "dead", "restarting"):
        text += f", {exit_words(one.exit_code)}" + (
            f", at {local_time(one.finished)}" if one.finished else ""
        )
    evidence = [f"State.Error: {one.error}"] if one.error else []
    evidence += ["OOMKilled: true"] if one.oom_killed else []
    evidence += (
        [f"health check: {one_line(one.health_output)}"]
        if one.health == "unhealthy" and one.health_output
        else []
    )
    if bad and (not one.runs or one.health == "unhealthy"):
        evidence += [f"log: {line.text[:300]}" for line in (one.log or ())[-_LAST_LINES:]]
        evidence += (
            ["its log cannot be read: the logging driver keeps none"] if one.log is None else []
        )
    return Link(
        "container", "bad" if bad else "ok", text, tuple(evidence), f"engine: inspect {one.name}"
    )


def one_line(text: str) -> str:
    """The beginning of a text, its lines put together."""
    return " ".join(text.split())[:200]
