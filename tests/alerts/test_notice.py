from __future__ import annotations

import re

import pytest

from dartsctl.alerts.notice import NoticeWriter
from dartsctl.alerts.observations import Occasion
from dartsctl.alerts.problem import Problem, Subject
from dartsctl.alerts.state import Episode, Message, Phase
from dartsctl.records import replace
from dartsctl.text.masker import Masker

WRITER = NoticeWriter("prod (project darts) on host", Masker().line)
PROBLEM = Problem(
    Subject("service", "darts-app"),
    "out-of-memory",
    "darts-app was killed at its memory limit of 64 MiB",
    "dartsctl doctor prod --fix",
    evidence=("exit code 137", "OOMKilled: true"),
    affected=(Subject("service", "nginx"), Subject("port", "443/tcp")),
)
EPISODE = Episode("service:darts-app@1000", PROBLEM, began=1000.0)


def message(occasion: Occasion, when: float = 1000.0, episode: Episode = EPISODE) -> Message:
    return Message(occasion, episode, when)


def test_an_alert_has_sentence_cause_time_evidence_and_command() -> None:
    notice = WRITER.write(message("opened"))
    assert notice.kind == "failure"
    assert notice.title == "FAILED: darts-app: prod (project darts) on host"
    lines = notice.body.splitlines()
    assert lines[0] == PROBLEM.sentence
    assert lines[1] == "cause: out-of-memory"
    assert re.match(r"since: \d{4}-\d\d-\d\dT\d\d:", lines[2])
    assert lines[3:] == [
        "affected: nginx, port 443/tcp",
        "evidence:",
        "- exit code 137",
        "- OOMKilled: true",
        "what to do: dartsctl doctor prod --fix",
        f"message: {notice.id}",
    ]
    assert notice.short == f"FAILED: darts-app: {PROBLEM.sentence} [{notice.id}]"


@pytest.mark.parametrize(
    ("occasion", "kind", "title"),
    [
        ("recovered", "success", "RECOVERED after 5 min: darts-app"),
        ("reminder", "failure", "STILL FAILING for 5 min: darts-app"),
        ("updated", "failure", "CHANGED: darts-app"),
    ],
)
def test_the_title_says_what_has_happened(occasion: Occasion, kind: str, title: str) -> None:
    notice = WRITER.write(message(occasion, 1300.0))
    assert (notice.kind, notice.title) == (kind, f"{title}: prod (project darts) on host")


def test_a_recovery_says_what_it_was_and_how_long() -> None:
    confirmed_later = replace(EPISODE, good_since=1240.0)
    notice = WRITER.write(message("recovered", 1300.0, confirmed_later))
    assert notice.body.startswith(f"darts-app has recovered; before: {PROBLEM.sentence}\n")
    assert re.search(r"^until: \d{4}-\d\d-\d\dT.* \(4 min\)$", notice.body, re.MULTILINE)
    assert notice.title.startswith("RECOVERED after 4 min: darts-app: ")


@pytest.mark.parametrize("occasion", ["opened", "recovered"])
def test_no_message_says_how_long_ago_it_was_when_somebody_looked(occasion: Occasion) -> None:
    """It may be read hours later."""
    aged = replace(PROBLEM, sentence=f"{PROBLEM.sentence}, 1 min 20 s ago")
    notice = WRITER.write(message(occasion, episode=replace(EPISODE, problem=aged)))
    assert " ago" not in notice.title + notice.body + notice.short


def summary(*phases: Phase, more: int = 0) -> Message:
    episodes = []
    for number, phase in enumerate(phases):
        problem = replace(PROBLEM, sentence=f"service-{number} has ended, 2 s ago")
        episodes.append(replace(EPISODE, problem=problem, phase=phase))
    return Message("summary", episodes[0], 1000.0, episodes=tuple(episodes), more=more)


def test_a_summary_names_the_episodes_and_counts_the_rest() -> None:
    still_open: list[Phase] = ["open"] * 30
    notice = WRITER.write(summary("open", "closing", *still_open, more=7))
    lines = notice.body.splitlines()
    assert lines[:3] == [
        "39 alerts at once",
        "- failed: service-0 has ended",
        "- recovered: service-1 has ended",
    ]
    assert lines[-2] == "... and 24 more: dartsctl watch status"
    assert notice.title == "SUMMARY: prod (project darts) on host"
    assert notice.short == f"SUMMARY: 39 alerts at once [{notice.id}]"


@pytest.mark.parametrize(
    ("phases", "kind", "first"),
    [
        (("open", "closing"), "failure", "2 alerts at once: 1 failed, 1 recovered"),
        (("closing", "closing"), "success", "2 alerts at once: 0 failed, 2 recovered"),
    ],
)
def test_a_summary_is_as_bad_as_what_is_still_open(
    phases: tuple[Phase, ...], kind: str, first: str
) -> None:
    notice = WRITER.write(summary(*phases))
    assert (notice.kind, notice.body.splitlines()[0]) == (kind, first)


def test_a_warning_is_no_failure() -> None:
    problem = replace(
        PROBLEM, subject=Subject("certificate", "nginx: darts.crt"), severity="warning"
    )
    notice = WRITER.write(message("opened", episode=replace(EPISODE, problem=problem)))
    assert notice.kind == "warning"
    assert notice.title.startswith("WARNING: certificate nginx: darts.crt: ")


def test_every_message_has_an_id_of_its_own_that_stays_the_same() -> None:
    opened, again = WRITER.write(message("opened")), WRITER.write(message("opened"))
    others = {
        WRITER.write(message("recovered")).id,
        WRITER.write(message("reminder", 1001.0)).id,
        WRITER.write(message("reminder", 1002.0)).id,
        WRITER.write(message("opened", episode=replace(EPISODE, id="port:80@1"))).id,
    }
    assert opened == again
    assert len({opened.id, *others}) == 5


def test_secrets_and_control_characters_of_a_log_are_not_sent() -> None:
    masker = Masker()
    masker.learn_values(["hunter2-hunter2"])
    problem = replace(
        PROBLEM,
        sentence="died: password hunter2-hunter2",
        evidence=("\x1b]0;owned\x07\x1b[31mred hunter2-hunter2", "two\nlines\r"),
    )
    notice = NoticeWriter("prod", masker.line).write(
        message("opened", episode=replace(EPISODE, problem=problem))
    )
    everything = notice.title + notice.body + notice.short
    assert "hunter2" not in everything
    assert all(line.isprintable() for line in everything.splitlines())
    assert "two\\nlines" in notice.body


def test_a_long_log_keeps_its_begin_and_its_end() -> None:
    problem = replace(
        PROBLEM, sentence="x" * 9000, evidence=tuple(f"line {n} {'y' * 9000}" for n in range(500))
    )
    notice = WRITER.write(message("opened", episode=replace(EPISODE, problem=problem)))
    assert "- line 0 " in notice.body
    assert "- line 499 " in notice.body
    assert "488 more lines" in notice.body
    assert len(notice.body) < 6000
    assert len(notice.short) < 180
    assert notice.short.endswith(f"[{notice.id}]")


def test_a_test_alert_says_that_nothing_has_failed() -> None:
    notice = WRITER.test("abc")
    assert (notice.kind, notice.id) == ("info", "abc")
    assert "Nothing has failed" in notice.body
