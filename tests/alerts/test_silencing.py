"""Silences hold for every path, and lose nothing."""

from __future__ import annotations

import time

from dartsctl.alerts.observations import Acknowledged, Silence
from dartsctl.alerts.problem import Subject
from dartsctl.alerts.rules import Rules
from fakes.alerting import START, Alerting, a_problem, service


def test_an_alert_that_opened_while_silenced_is_sent_when_the_silence_ends() -> None:
    watch = Alerting()
    watch.silence(Silence(service("app"), watch.now + 600))
    watch.keep_looking(a_problem(), seconds=590)
    assert watch.events() == ["(opened app: unhealthy)"]
    watch.keep_looking(a_problem(), seconds=20)
    assert watch.loud() == ["opened app: unhealthy"]
    assert watch.messages[0].episode.id == watch.messages[1].episode.id


def test_it_is_sent_at_once_when_the_silence_is_lifted() -> None:
    watch = Alerting()
    watch.silence(Silence(None, watch.now + 600))
    watch.keep_looking(a_problem(), seconds=60)
    watch.silence()
    assert watch.loud() == ["opened app: unhealthy"]


def test_a_recovery_is_not_sent_if_its_opening_never_was() -> None:
    watch = Alerting()
    watch.silence(Silence(service("app"), watch.now + 40))
    watch.keep_looking(a_problem(), seconds=30)
    watch.keep_looking(seconds=120)
    assert watch.loud() == []
    assert watch.events() == ["(opened app: unhealthy)", "(recovered app: unhealthy)"]


def test_a_recovery_during_a_silence_is_sent_after_it() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    watch.silence(Silence(service("app"), watch.now + 3600))
    watch.keep_looking(seconds=60)
    assert watch.loud() == ["opened app: unhealthy"]
    watch.restart()
    watch.keep_looking(seconds=3600)
    assert watch.loud()[1:] == ["recovered app: unhealthy"]


def test_a_failure_after_a_recovery_that_was_silenced_is_no_second_alert() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    watch.silence(Silence(service("app"), watch.now + 3600))
    watch.keep_looking(seconds=60)
    watch.keep_looking(a_problem(), seconds=60)
    watch.silence()
    watch.keep_looking(a_problem(), seconds=60)
    assert watch.loud() == ["opened app: unhealthy"]
    watch.keep_looking(seconds=60)
    assert watch.loud()[1:] == ["recovered app: unhealthy"]


def test_what_follows_from_another_alert_is_not_sent_when_its_silence_ends() -> None:
    watch = Alerting()
    watch.silence(Silence(service("app"), watch.now + 100))
    watch.keep_looking(a_problem("app"), a_problem("db"), seconds=60)
    watch.keep_looking(a_problem("db", affected=("app",)), seconds=100)
    assert watch.loud() == ["opened db: unhealthy"]


def test_a_silence_of_one_subject_is_none_of_another() -> None:
    watch = Alerting(Rules(open_after=0))
    watch.silence(Silence(Subject("port", "5000/tcp"), watch.now + 600))
    watch.look(a_problem(), a_problem(Subject("port", "5000/tcp"), "port-squatter"))
    assert watch.loud() == ["opened app: unhealthy"]


def test_a_silence_of_a_kind_is_one_of_all_its_subjects() -> None:
    watch = Alerting(Rules(open_after=0))
    watch.silence(Silence(Subject("certificate"), watch.now + 600))
    watch.look(a_problem(), a_problem(Subject("certificate", "nginx"), "certificate"))
    assert watch.loud() == ["opened app: unhealthy"]


def test_a_silence_of_everything_holds_for_every_kind_of_message() -> None:
    watch = Alerting(Rules(remind=60, escalate_after=60))
    watch.keep_looking(a_problem(), seconds=30)
    watch.silence(Silence(None, watch.now + 6000, reason="night"))
    watch.keep_looking(a_problem(cause="no-ports"), a_problem("db"), seconds=600)
    watch.exit("api")
    watch.keep_looking(seconds=60)
    assert watch.loud() == ["opened app: unhealthy"]


def test_a_message_that_waits_for_a_summary_is_silenced_too() -> None:
    watch = Alerting(Rules(open_after=0))
    watch.look(*(a_problem(f"s{number}") for number in range(9)))
    watch.look(*(a_problem(f"t{number}") for number in range(3)), covers=frozenset())
    watch.silence(Silence(None, watch.now + 300))
    watch.wait(200)
    assert watch.loud() == ["summary of 9"]
    watch.wait(200)
    assert watch.loud()[1:] == [f"opened t{number}: unhealthy" for number in range(3)]


def test_a_muted_message_says_until_when() -> None:
    watch = Alerting()
    watch.silence(Silence(service("app"), watch.now + 600))
    watch.keep_looking(a_problem(), seconds=60)
    assert watch.messages[0].muted.startswith("silenced until 20")


def test_the_end_by_a_stop_on_purpose_during_a_silence_is_sent_after_it() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    watch.silence(Silence(service("app"), watch.now + 600))
    watch.exit(planned=True)
    watch.keep_looking(seconds=60)
    assert watch.loud() == ["opened app: unhealthy"]
    watch.keep_looking(seconds=600)
    assert watch.loud()[1:] == ["recovered app: unhealthy"]


def test_what_was_acknowledged_while_silenced_is_not_sent_when_the_silence_ends() -> None:
    watch = Alerting()
    watch.silence(Silence(None, watch.now + 60))
    watch.keep_looking(a_problem(), seconds=30)
    watch.observe(Acknowledged(watch.episode().id))
    watch.keep_looking(a_problem(), seconds=60)
    assert watch.loud() == []


def test_to_acknowledge_what_is_only_suspected_says_nothing() -> None:
    watch = Alerting()
    watch.look(a_problem())
    watch.observe(Acknowledged(watch.episode().id))
    assert watch.events() == []
    assert watch.episode().acknowledged


def test_what_is_silenced_has_no_reminders_and_has_one_after_it() -> None:
    watch = Alerting(Rules(remind=60))
    watch.keep_looking(a_problem(), seconds=30)
    watch.silence(Silence(service("app"), watch.now + 300))
    watch.keep_looking(a_problem(), seconds=299)
    assert watch.events() == ["opened app: unhealthy"]
    watch.keep_looking(a_problem(), seconds=5)
    assert watch.loud()[1:] == ["reminder app: unhealthy"]


def test_of_two_silences_the_longer_one_is_named() -> None:
    longer, shorter = Silence(None, START + 86400), Silence(service("app"), START + 600)
    for silences in ((longer, shorter), (shorter, longer)):
        watch = Alerting()
        watch.silence(*silences)
        watch.keep_looking(a_problem(), seconds=30)
        day = time.strftime("%Y-%m-%d", time.localtime(longer.until))
        assert watch.messages[0].muted.startswith(f"silenced until {day}")


def test_a_recovery_that_the_channels_wait_for_outlives_many_others() -> None:
    watch = Alerting(Rules(open_after=0, close_after=0))
    watch.look(a_problem())
    watch.silence(Silence(service("app"), watch.now + 3600))
    watch.look()
    watch.look(*(a_problem(f"s{number}") for number in range(300)), after=1)
    watch.look(after=1)
    watch.wait(120)
    before = len(watch.loud())
    watch.silence()
    assert watch.loud()[before:] == ["recovered app: unhealthy"]
