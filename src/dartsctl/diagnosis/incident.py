"""What happened in a repair, and the incident report that is made of it: Markdown that can be pasted."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from dartsctl.diagnosis.facts import Facts
from dartsctl.diagnosis.findings import Diagnosis, Link
from dartsctl.text.phrases import local_time
from dartsctl.text.safe_text import one_line

_MARKS = {"ok": "ok", "bad": "**bad**", "unknown": "unknown"}


@dataclass(frozen=True, slots=True)
class Event:
    """One line of the timeline. `when` is Unix time, `seconds` how long it took."""

    when: float
    what: str
    result: str
    is_good: bool = True
    seconds: float = 0.0

    @property
    def cells(self) -> tuple[str, str, str]:
        """When, what, result."""
        took = f" ({self.seconds:.1f} s)" if self.seconds >= 0.05 else ""
        return local_time(self.when), self.what, f"{self.result}{took}"


@dataclass(frozen=True, slots=True)
class Afterwards:
    """What the last look saw: what every URL answers, and what is still wrong."""

    answers: tuple[str, ...] = ()
    left: tuple[str, ...] = ()

    @property
    def is_healthy(self) -> bool:
        return not self.left

    @classmethod
    def of(cls, facts: Facts, diagnosis: Diagnosis) -> Afterwards:
        answers = tuple(f"{one.url} {one.answer} ({one.through})" for one in facts.http)
        return cls(answers, tuple(one.sentence for one in diagnosis.findings) or diagnosis.symptoms)


class Report:
    """Writes the report. Every text passes `line` (Masker.line) before it becomes Markdown."""

    def __init__(self, line: Callable[[str], str]) -> None:
        self._line = line

    def markdown(
        self,
        facts: Facts,
        diagnosis: Diagnosis,
        timeline: Sequence[Event] = (),
        after: Afterwards | None = None,
    ) -> str:
        """Return the report: symptom, chain with evidence, cause, timeline, verification."""
        plain, code = self._plain, self._code
        parts = [
            f"# Incident: {plain(facts.project or facts.environment)}, {local_time(facts.now)}",
            self._symptoms(diagnosis),
        ]
        for number, finding in enumerate(diagnosis.findings, 1):
            parts.append(
                f"## Cause {number}: {plain(finding.sentence)}\n\n`{finding.cause.value}`, {finding.confidence}."
            )
            parts.append(
                "\n".join(self._link(link) for link in finding.chain if link.name != "cause")
            )
            parts.append(f"Repair: {code(finding.command)}")
        if timeline:
            rows = "\n".join(
                "| " + " | ".join(plain(cell) for cell in event.cells) + " |" for event in timeline
            )
            parts.append(f"## Timeline\n\n| When | What | Result |\n|---|---|---|\n{rows}")
        if after:
            lines = [
                *(f"- {plain(line)}" for line in after.answers),
                *(f"- **still wrong:** {plain(line)}" for line in after.left),
            ]
            verdict = "Repaired and verified." if after.is_healthy else "Not repaired."
            parts.append("\n".join(["## Verification", "", verdict, "", *lines]).rstrip())
        return "\n\n".join(parts) + "\n"

    def _symptoms(self, diagnosis: Diagnosis) -> str:
        lines = [f"- {self._plain(symptom)}" for symptom in diagnosis.symptoms] or [
            "- none that a request would show"
        ]
        return "\n".join(["## Symptom", "", *lines])

    def _link(self, link: Link) -> str:
        source = f" ({self._plain(link.source)})" if link.source else ""
        lines = [f"- {link.name}: {_MARKS[link.mark]}: {self._plain(link.text)}{source}"]
        return "\n".join([*lines, *(f"  - {self._code(evidence)}" for evidence in link.evidence)])

    def _plain(self, text: str) -> str:
        return plain(self._line(text))

    def _code(self, text: str) -> str:
        return code(self._line(text))


def plain(text: str) -> str:
    """`text` as one line of Markdown that shows what it says: nothing in it is markup, a table cell's end or HTML."""
    return re.sub(r"([\\`*_\[\]<>|#~&!])", r"\\\1", _one_line(text))


def code(text: str) -> str:
    """`text` as a code span, whatever backticks are in it."""
    line = _one_line(text)
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", line)), default=0))
    return f"{fence} {line} {fence}" if "`" in line else f"`{line}`"


def _one_line(text: str) -> str:
    return " ".join(one_line(text).split())
