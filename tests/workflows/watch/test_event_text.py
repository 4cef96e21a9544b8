"""What happens, as a person reads it in a pipe or in systemd's journal."""

from __future__ import annotations

import pytest

from dartsctl.alerts.problem import Problem, Subject
from dartsctl.alerts.state import Episode, Message
from dartsctl.edges.screen.stream import Event, event_text
from dartsctl.errors import Advice
from dartsctl.records import replace
from dartsctl.text.masker import Masker
from dartsctl.workflows.watch.event_text import (
    clock,
    command_label,
    message_event,
    note_event,
    noticed_event,
)
from dartsctl.workflows.watch.signals import Note, Noticed
from fakes.watch_views import CERTIFICATE, NOW, SQUATTER, episode

KILLED = Problem(
    Subject("service", "darts-app"),
    "app-exited",
    "its process was killed (exit code 137, SIGKILL)",
    "docker compose logs darts-app",
    evidence=("State.OOMKilled: false", "last line of the log: serving"),
    affected=(Subject("service", "nginx"), Subject("site")),
)


pytestmark = pytest.mark.usefixtures("utc")


def shown(event: Event) -> str:
    return event_text(event, masker=Masker(), is_colored=False)


def message(occasion: str, of: Episode | None = None, **more: object) -> str:
    made = Message(occasion, of or episode(KILLED), NOW, **more)  # type: ignore[arg-type]
    return shown(message_event(made, NOW))


def test_an_alert_has_cause_evidence_and_the_next_command() -> None:
    assert message("opened") == (
        "14:02:11 ALERT darts-app: its process was killed (exit code 137, SIGKILL)\n"
        "  cause: app-exited\n"
        "  | State.OOMKilled: false\n"
        "  | last line of the log: serving\n"
        "  affects: nginx, site\n"
        "  next: docker compose logs darts-app\n"
    )


def test_a_sentence_that_names_its_subject_does_not_name_it_twice() -> None:
    text = message("opened", episode(SQUATTER))
    assert text.startswith("14:02:11 ALERT darts-app is down because 127.0.0.1:5000/tcp")


def test_a_recovery_says_how_long_it_took_and_nothing_more() -> None:
    recovered = episode(KILLED, phase="closing", good_since=NOW - 15)
    assert message("recovered", recovered) == (
        "14:02:11 RECOVERED darts-app, after 1 min 57 s; it was:"
        " its process was killed (exit code 137, SIGKILL)\n"
    )


@pytest.mark.parametrize(
    ("occasion", "of", "more", "line"),
    [
        ("opened", episode(CERTIFICATE), {}, "WARNING certificate nginx/certs/server.crt: the"),
        ("updated", None, {}, "UPDATE darts-app: its process was killed"),
        ("reminder", None, {}, "STILL OPEN darts-app: its process was killed (exit code 137, SIG"),
        ("test", None, {}, "TEST darts-app: "),
        (
            "opened",
            episode(replace(KILLED, subject=Subject("port", "5000/tcp"))),
            {},
            "ALERT port 5",
        ),
        ("opened", episode(replace(KILLED, subject=Subject("engine"))), {}, "ALERT engine: its"),
    ],
)
def test_every_occasion_has_its_label(
    occasion: str, of: Episode | None, more: dict[str, object], line: str
) -> None:
    assert message(occasion, of, **more).startswith(f"14:02:11 {line}")


def test_a_reminder_says_for_how_long_and_a_muted_alert_why() -> None:
    assert "(for 2 min 12 s)\n" in message("reminder")
    assert "SIGKILL) (silenced until 15:00)\n" in message("opened", muted="silenced until 15:00")
    assert "(flaps: 3 failures in 4 min)\n" in message("updated", note="flaps: 3 failures in 4 min")


def test_what_was_true_for_a_moment_is_not_in_a_line_that_stays() -> None:
    ended = "darts-app has ended with exit code 137: killed (SIGKILL)"
    for age in (", 0 s ago", ", 6 min ago", ", 1 h 20 min ago", ", 3 d ago"):
        of = episode(replace(KILLED, sentence=ended + age))
        assert message("opened", of).startswith(f"14:02:11 ALERT {ended}\n")
        assert message("recovered", of).endswith(f"; it was: {ended}\n")
    in_between = replace(KILLED, sentence="it ended, 6 s ago, and again")
    assert "it ended, 6 s ago, and again" in message("opened", episode(in_between))


def test_a_summary_lists_what_it_sums_up() -> None:
    episodes = (episode(SQUATTER), episode(KILLED, phase="closing"))
    text = message("summary", note="12 alerts in 10 s", episodes=episodes, more=10)
    lines = text.splitlines()
    assert lines[0] == "14:02:11 SUMMARY 12 alerts in 10 s"
    assert lines[1].startswith("  | darts-app is down because")
    assert lines[2].endswith("SIGKILL) (recovered)")
    assert lines[3] == "  | ... and 10 more"


def test_much_evidence_is_cut_and_counted() -> None:
    text = message("opened", episode(replace(KILLED, evidence=tuple("abcdefghijkl"))))
    assert text.count("\n  | ") == 9
    assert "  | ... 4 more lines, with --json\n" in text


def test_noticed_and_notes_are_one_line() -> None:
    noticed = Noticed("process", "darts-app", "its first process ended", NOW)
    assert shown(noticed_event(noticed, NOW)) == (
        "14:02:11 noticed darts-app: its first process ended\n"
    )
    assert shown(note_event(Note("the settings were read again", NOW), NOW)) == (
        "14:02:11 the settings were read again\n"
    )
    healed = Note("recreated with its ports", NOW, "healed", "darts-app")
    assert shown(note_event(healed, NOW)) == (
        "14:02:11 HEALED darts-app: recreated with its ports\n"
    )


def test_on_another_day_the_date_is_said() -> None:
    assert clock(NOW, NOW - 3600) == "14:02:11"
    assert clock(NOW + 43200, NOW) == "2026-11-27 02:02:11"


@pytest.mark.parametrize(
    ("command", "label"),
    [
        ("dartsctl doctor --fix", "next"),
        ("docker compose -p darts logs darts-app", "next"),
        ("sudo systemctl start docker", "next"),
        ("DOCKER_HOST=unix:///run/docker.sock docker info", "next"),
        ("raise the memory limit of darts-app, then run `dartsctl prod up`", "hint"),
        ("open the file, and correct line 5", "hint"),
        ("open -a Docker", "next"),
        (Advice("docker says why"), "hint"),
        (Advice("dartsctl prod up"), "hint"),
    ],
)
def test_only_a_command_that_can_be_pasted_is_next(command: str, label: str) -> None:
    assert command_label(command) == label


def test_nothing_from_outside_breaks_a_line_or_shows_a_secret() -> None:
    masker = Masker()
    masker.learn({"DB_PASSWORD": "canary-5f1d0c"})
    hostile = "\x1b[2J\r\nnext: rm -rf / canary-5f1d0c"
    problem = replace(KILLED, sentence=hostile, evidence=(hostile,), command=hostile)
    event = message_event(Message("opened", episode(problem), NOW), NOW)
    text = event_text(event, masker=masker, is_colored=False)
    assert text.count("\n") == 5
    assert "canary" not in text
    assert "\x1b" not in text
    assert "\r" not in text
