"""The timeline of a repair, and the incident report in Markdown."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dartsctl.records import record
from dartsctl.text.phrases import local_time
from dartsctl.text.safe_text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    from dartsctl.diagnosis.facts import Facts
    from dartsctl.diagnosis.findings import Diagnosis, Finding, Link

_MARKS = {"ok": "ok", "bad": "**bad**", "unknown": "unknown"}


@record
class Event:
    """One line of the timeline. `when` is Unix time, `seconds` the duration."""

    when: float
    what: str
    result: str
    is_good: bool = True
    seconds: float = 0.0

    @property
    def cells(self) -> tuple[str, str, str]:
        """The columns: when, what, result."""
        result = self.result
        if self.seconds >= 0.05:
            result += f" ({self.seconds:.1f} s)"
        return local_time(self.when), self.what, result


@record
class Afterwards:
    """The result of the last examination: what every URL answers, and what is still wrong."""

    answers: tuple[str, ...] = ()
    left: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    """Findings of their own, such as an expired certificate: they keep no incident open."""

    @property
    def is_healthy(self) -> bool:
        return not self.left

    @classmethod
    def of(
        cls, facts: Facts, diagnosis: Diagnosis, repaired: Collection[str] | None = None
    ) -> Afterwards:
        """Return what a diagnosis says about the state of the stack.

        `repaired`: the services that a plan was for. Of the others only what does harm is left.
        """
        answers = tuple(f"{http.url} {http.answer} ({http.through})" for http in facts.http)
        left, beside = [], []
        for finding in diagnosis.findings:
            is_other = repaired is not None and finding.service not in repaired
            if finding.is_aside or (finding.harmless and is_other):
                beside.append(finding.sentence)
            else:
                left.append(finding.sentence)
        return cls(answers, tuple(left) or diagnosis.symptoms, tuple(beside))


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
        subject = self._plain(facts.project or facts.environment)
        parts = [f"# Incident: {subject}, {local_time(facts.now)}", self._symptoms(diagnosis)]
        for number, finding in enumerate(diagnosis.findings, 1):
            parts += self._cause(number, finding)
        if timeline:
            parts.append(self._timeline(timeline))
        if after:
            parts.append(self._verification(after))
        return "\n\n".join(parts) + "\n"

    def _cause(self, number: int, finding: Finding) -> list[str]:
        links = [self._link(link) for link in finding.chain if link.name != "cause"]
        return [
            f"## Cause {number}: {self._plain(finding.sentence)}",
            f"`{finding.cause.value}`, {finding.confidence}.",
            "\n".join(links),
            f"Repair: {self._code(finding.command)}",
        ]

    def _timeline(self, timeline: Sequence[Event]) -> str:
        lines = ["## Timeline", "", "| When | What | Result |", "|---|---|---|"]
        for event in timeline:
            cells = " | ".join(map(self._plain, event.cells))
            lines.append(f"| {cells} |")
        return "\n".join(lines)

    def _verification(self, after: Afterwards) -> str:
        verdict = "Repaired and verified." if after.is_healthy else "Not repaired."
        lines = ["## Verification", "", verdict, ""]
        lines += [f"- {self._plain(line)}" for line in after.answers]
        lines += [f"- **still wrong:** {self._plain(line)}" for line in after.left]
        lines += [f"- beside it: {self._plain(line)}" for line in after.beside]
        return "\n".join(lines).rstrip()

    def _symptoms(self, diagnosis: Diagnosis) -> str:
        lines = [f"- {self._plain(symptom)}" for symptom in diagnosis.symptoms]
        if not lines:
            lines.append("- no failed request")
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
    """Return `text` as one line of Markdown in which nothing is markup, a cell's end or HTML."""
    return re.sub(r"([\\`*_\[\]<>|#~&!])", r"\\\1", _one_line(text))


def code(text: str) -> str:
    """Return `text` as a code span; it may contain backticks."""
    line = _one_line(text)
    fence = "`" * (1 + max((len(run) for run in re.findall(r"`+", line)), default=0))
    return f"{fence} {line} {fence}" if "`" in line else f"`{line}`"


def _one_line(text: str) -> str:
    return " ".join(one_line(text).split())
