"""The incident report: everything in it, nothing in it as markup."""

from __future__ import annotations

import re

import pytest

from dartsctl.diagnosis.facts import EngineFacts, Facts, HttpFacts
from dartsctl.diagnosis.findings import Cause, Diagnosis, Finding, Link
from dartsctl.diagnosis.incident import Afterwards, Event, Report, code, plain
from dartsctl.text.masker import Masker

FACTS = Facts(EngineFacts("unix://x"), 1764000000.0, "prod", "darts")
CHAIN = (
    Link("symptom", "bad", "https://localhost/ answers 502", (), "http"),
    Link(
        "proxy",
        "ok",
        "nginx is running",
        ('upstream: "http://10.0.0.5:5000/" | `x`',),
        "nginx error log",
    ),
    Link("cause", "bad", "port 5000 is held by python"),
)
FOUND = Finding(
    Cause.PORT_SQUATTER,
    "app",
    "app-1",
    CHAIN,
    "app is down because *:5000 is held",
    "dartsctl doctor --fix",
    "certain",
)
DIAGNOSIS = Diagnosis((FOUND,), ("https://localhost/ answers 502",))


def test_symptom_chain_evidence_cause_timeline_and_verification_are_in_it() -> None:
    timeline = [
        Event(1764000001.0, "recreate app", "done", seconds=1.25),
        Event(1764000003.0, "verify", "a | b", is_good=False),
    ]
    text = Report(Masker().line).markdown(
        FACTS, DIAGNOSIS, timeline, Afterwards(("https://localhost/ answers 302 (proxy)",))
    )
    headings = re.findall(r"^#+ .*", text, re.MULTILINE)
    assert headings[0].startswith("# Incident: darts, 2025-11-2")
    assert headings[1:] == [
        "## Symptom",
        "## Cause 1: app is down because \\*:5000 is held",
        "## Timeline",
        "## Verification",
    ]
    assert "- symptom: **bad**: https://localhost/ answers 502 (http)" in text
    assert '  - `` upstream: "http://10.0.0.5:5000/" | `x` ``' in text
    assert "Repair: `dartsctl doctor --fix`" in text
    assert "| recreate app | done (1.2 s) |" in text
    assert "| verify | a \\| b |" in text
    assert "Repaired and verified.\n\n- https://localhost/ answers 302 (proxy)\n" in text


def test_a_report_without_a_repair_has_no_timeline_and_claims_nothing() -> None:
    text = Report(Masker().line).markdown(FACTS, DIAGNOSIS)
    assert "Timeline" not in text
    assert "erified" not in text


def test_remaining_problems_are_listed() -> None:
    text = Report(Masker().line).markdown(
        FACTS,
        DIAGNOSIS,
        [Event(0.0, "x", "failed", is_good=False)],
        Afterwards((), ("app has ended",)),
    )
    assert "Not repaired." in text
    assert "- **still wrong:** app has ended" in text
    assert "Repaired" not in text


def test_every_answer_is_listed_and_a_symptom_without_a_cause_remains() -> None:
    facts = Facts(
        EngineFacts("unix://x"),
        0.0,
        http=(HttpFacts("http://localhost/", "proxy", "web", status=302),),
    )
    assert Afterwards.of(facts, Diagnosis((), ())) == Afterwards(
        ("http://localhost/ answers 302 (proxy)",)
    )
    assert Afterwards.of(facts, Diagnosis((), ("http://localhost/ answers 502",))).left == (
        "http://localhost/ answers 502",
    )
    assert Afterwards.of(facts, DIAGNOSIS).left == ("app is down because *:5000 is held",)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a|b", "a\\|b"),
        ("<script>", "\\<script\\>"),
        ("# not a title", "\\# not a title"),
        ("two\nlines\x1b[31m", "two\\\\nlines\\\\x1b\\[31m"),
        ("*:5000", "\\*:5000"),
    ],
)
def test_text_from_outside_is_never_markup(text: str, shown: str) -> None:
    assert plain(text) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [("a", "`a`"), ("a`b", "`` a`b ``"), ("``", "``` `` ```"), ("a\n# b", "`a\\n# b`")],
)
def test_a_code_span_ends_where_it_should(text: str, shown: str) -> None:
    assert code(text) == shown
