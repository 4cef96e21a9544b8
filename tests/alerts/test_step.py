"""From observations to alerts: when they open, change and end."""

from __future__ import annotations

import pytest

from dartsctl.alerts.observations import Acknowledged, ClockJumped
from dartsctl.alerts.problem import Kind, Problem, Subject
from dartsctl.alerts.rules import Rules
from fakes.alerting import Alerting, a_problem

ONLY_PORTS: frozenset[Kind] = frozenset(("port",))
ONLY_SERVICES: frozenset[Kind] = frozenset(("service",))


def test_what_looks_see_is_an_alert_only_after_a_while() -> None:
    watch = Alerting()
    watch.look(a_problem())
    watch.look(a_problem(), after=10)
    assert watch.events() == []
    watch.look(a_problem(), after=10)
    assert watch.events() == ["opened app: unhealthy"]


def test_a_problem_that_was_gone_in_between_is_suspected_anew() -> None:
    watch = Alerting()
    watch.look(a_problem())
    watch.look(after=10)
    watch.look(a_problem(), after=10)
    watch.look(a_problem(), after=15)
    assert watch.events() == []


def test_a_problem_opens_later_where_no_other_look_confirms_it() -> None:
    watch = Alerting()
    watch.look(a_problem())
    watch.wait(39)
    assert watch.events() == []
    watch.wait(2)
    assert watch.events() == ["opened app: unhealthy"]


def test_a_problem_that_is_hours_old_is_confirmed_too_and_keeps_its_beginning() -> None:
    watch = Alerting()
    began = watch.now - 7200
    old = Problem(Subject("service", "app"), "unhealthy", "app is unhealthy", since=began)
    watch.look(old)
    assert watch.events() == []
    watch.look(old, after=20)
    assert watch.episode().began == began


def test_a_beginning_in_the_future_is_no_beginning() -> None:
    watch = Alerting()
    watch.look(Problem(Subject("disk"), "disk-full", "the disk is full", since=watch.now + 99))
    assert watch.state.episodes[Subject("disk")].began == watch.now


def test_a_recovery_needs_a_look_that_confirms_it() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    watch.look()
    watch.wait(60)
    assert watch.events() == ["opened app: unhealthy"]
    watch.look()
    assert watch.events()[1:] == ["recovered app: unhealthy"]


def test_a_problem_that_returns_while_it_closes_stays_the_same_alert() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    watch.look(after=5)
    watch.keep_looking(a_problem(), seconds=30)
    assert watch.events() == ["opened app: unhealthy"]


def test_a_recovery_has_the_id_of_its_opening() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    watch.keep_looking(seconds=30)
    opened, recovered = watch.messages
    assert opened.episode.id == recovered.episode.id


def test_a_look_says_nothing_of_kinds_that_it_does_not_cover() -> None:
    watch = Alerting()
    port = a_problem(Subject("port", "5000/tcp"), "port-squatter")
    watch.keep_looking(port, seconds=30)
    for _ in range(10):
        watch.look(covers=ONLY_SERVICES, after=10)
    assert watch.events() == ["opened 5000/tcp: port-squatter"]
    watch.look(covers=ONLY_PORTS)
    watch.look(covers=ONLY_PORTS, after=20)
    assert watch.events()[1:] == ["recovered 5000/tcp: port-squatter"]


def test_of_two_problems_of_a_subject_the_critical_one_counts() -> None:
    watch = Alerting(Rules(open_after=0))
    subject = Subject("certificate", "nginx")
    warning = Problem(subject, "ends-soon", "it ends soon", severity="warning")
    critical = Problem(subject, "certificate", "it has ended")
    watch.look(warning, critical, warning)
    assert watch.events() == ["opened nginx: certificate"]


# --- causes -------------------------------------------------------------------------------------


def test_another_cause_is_an_update_when_looks_keep_seeing_it() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    watch.look(a_problem(cause="no-ports"), after=5)
    assert watch.loud() == ["opened app: unhealthy"]
    watch.keep_looking(a_problem(cause="no-ports"), seconds=15)
    assert watch.loud()[1:] == ["updated app: no-ports"]


def test_causes_that_alternate_are_no_news() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    for _ in range(20):
        watch.look(a_problem(cause="no-ports"), after=5)
        watch.look(a_problem(cause="unhealthy"), after=5)
    assert watch.loud() == ["opened app: unhealthy"]


def test_other_words_for_the_same_cause_are_for_the_screen_alone() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    other = a_problem(sentence="app fails its health check: timeout")
    watch.keep_looking(other, seconds=60)
    assert watch.events()[1:] == ["(updated app: unhealthy)"]
    assert watch.messages[1].muted == "the cause is the same"


def test_a_sentence_with_other_numbers_is_no_update() -> None:
    watch = Alerting()
    for seconds in ("5 s", "30 s", "1 min", "2 min", "5 min"):
        sentence = f"app has failed 3 times, the last {seconds} ago"
        watch.keep_looking(a_problem(sentence=sentence), seconds=70)
    assert watch.events() == ["opened app: unhealthy"]
    assert watch.episode().problem.sentence.endswith("5 min ago")


def test_sentences_that_alternate_are_shown_once_a_minute() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(sentence="it restarts"), seconds=30)
    for _ in range(60):
        watch.look(a_problem(sentence="it runs for a moment"), after=5)
        watch.look(a_problem(sentence="it restarts"), after=5)
    assert 0 < len(watch.events()) - 1 <= 10


def test_a_severity_that_alternates_is_news_once() -> None:
    watch = Alerting()
    subject = Subject("service", "app")
    certain = Problem(subject, "crash-loop", "it restarts")
    likely = Problem(subject, "crash-loop", "probably: it restarts", severity="warning")
    watch.keep_looking(likely, seconds=30)
    for _ in range(10):
        watch.keep_looking(certain, seconds=10)
        watch.keep_looking(likely, seconds=10)
    assert watch.loud() == ["opened app: crash-loop", "updated app: crash-loop"]


def test_other_evidence_alone_is_no_update() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    more = Problem(Subject("service", "app"), "unhealthy", "app is unhealthy", evidence=("log",))
    watch.look(more)
    assert watch.events() == ["opened app: unhealthy"]
    assert watch.episode().problem.evidence == ("log",)


def test_a_warning_that_becomes_critical_is_news() -> None:
    watch = Alerting()
    subject = Subject("certificate", "nginx")
    watch.keep_looking(
        Problem(subject, "certificate", "it ends in 3 days", severity="warning"), seconds=30
    )
    watch.look(Problem(subject, "certificate", "it has ended"))
    assert watch.loud() == ["opened nginx: certificate", "updated nginx: certificate"]


# --- reminders and acknowledgements -------------------------------------------------------------


def test_what_stays_open_is_reminded_of() -> None:
    watch = Alerting(Rules(remind=600))
    watch.keep_looking(a_problem(), seconds=1300)
    assert watch.loud() == ["opened app: unhealthy", *["reminder app: unhealthy"] * 2]


def test_the_second_channel_is_told_once_and_of_everything_after_that() -> None:
    watch = Alerting(Rules(escalate_after=300))
    watch.keep_looking(a_problem(), seconds=900)
    watch.keep_looking(seconds=60)
    assert watch.loud() == [
        "opened app: unhealthy",
        "reminder app: unhealthy",
        "recovered app: unhealthy",
    ]
    assert [message.second_channel for message in watch.messages] == [False, True, True]


def test_an_acknowledged_alert_has_no_reminder_and_no_second_channel() -> None:
    watch = Alerting(Rules(remind=600, escalate_after=300))
    watch.keep_looking(a_problem(), seconds=60)
    watch.observe(Acknowledged(watch.episode().id))
    watch.keep_looking(a_problem(), seconds=3600)
    watch.keep_looking(seconds=60)
    assert watch.loud() == ["opened app: unhealthy", "recovered app: unhealthy"]
    assert not watch.messages[-1].second_channel


def test_an_acknowledgement_ends_with_the_episode() -> None:
    watch = Alerting(Rules(remind=600))
    watch.keep_looking(a_problem(), seconds=60)
    watch.observe(Acknowledged(watch.episode().id))
    watch.keep_looking(seconds=60)
    watch.keep_looking(a_problem(), seconds=700)
    assert watch.loud()[-1] == "reminder app: unhealthy"


def test_an_acknowledgement_of_nothing_that_is_known_is_ignored() -> None:
    watch = Alerting()
    watch.observe(Acknowledged("service:other@1"))
    assert watch.events() == []


# --- time ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("seconds", [-86400.0, -1.0, 3.0, 7200.0, 1e8])
def test_a_clock_that_is_set_changes_nothing(seconds: float) -> None:
    watch = Alerting(Rules(remind=600))
    watch.keep_looking(a_problem(), seconds=10)
    watch.now += seconds
    watch.observe(ClockJumped(seconds))
    watch.keep_looking(a_problem(), seconds=10)
    assert watch.events() == []
    watch.keep_looking(a_problem(), seconds=10)
    assert watch.events() == ["opened app: unhealthy"]
    watch.now += seconds
    watch.observe(ClockJumped(seconds))
    watch.keep_looking(a_problem(), seconds=500)
    watch.keep_looking(seconds=60)
    assert watch.events() == ["opened app: unhealthy", "recovered app: unhealthy"]


@pytest.mark.parametrize("seconds", [-86400.0, 86400.0])
def test_an_exit_and_a_recovery_take_as_long_as_ever_by_a_clock_that_is_set(
    seconds: float,
) -> None:
    watch = Alerting()
    watch.exit()
    watch.now += seconds
    watch.observe(ClockJumped(seconds))
    watch.wait(4)
    assert watch.events() == []
    watch.wait(1)
    assert watch.events() == ["opened app: app-exited"]
    watch.look()
    watch.now += seconds
    watch.observe(ClockJumped(seconds))
    watch.look(after=14)
    assert watch.events() == ["opened app: app-exited"]
    watch.look(after=1)
    assert watch.events()[1:] == ["recovered app: app-exited"]


def test_no_two_episodes_have_one_id_even_within_a_second() -> None:
    watch = Alerting(Rules(open_after=0, close_after=0, flap_within=0))
    for _ in range(3):
        watch.look(a_problem())
        watch.look()
        watch.look()
    ids = {message.episode.id for message in watch.messages}
    assert len(ids) == 3


def test_what_was_only_suspected_before_a_long_pause_is_suspected_anew() -> None:
    watch = Alerting()
    watch.look(a_problem())
    watch.restart(away=3600)
    watch.look(a_problem())
    assert watch.events() == []


def test_a_restart_repeats_no_alert_and_tells_a_recovery_that_came_meanwhile() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    opened = watch.messages[0].episode
    watch.restart(away=600)
    watch.keep_looking(a_problem(), seconds=60)
    assert watch.events() == ["opened app: unhealthy"]
    assert watch.episode().began == opened.began
    watch.restart(away=600)
    watch.keep_looking(seconds=30)
    assert watch.events()[1:] == ["recovered app: unhealthy"]
    assert watch.messages[1].episode.id == opened.id


def test_an_observation_that_comes_late_does_not_turn_time_back() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=60)
    watch.now -= 30
    watch.exit("db")
    assert watch.state.now == watch.now + 30
    assert watch.episode("db").seen == watch.state.now


def test_a_cause_that_was_seen_before_a_good_look_is_waited_for_anew() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    watch.look(a_problem(cause="no-ports"), after=5)
    watch.look(after=5)
    watch.look(a_problem(cause="no-ports"), after=5)
    assert watch.events() == ["opened app: unhealthy"]


def test_what_is_getting_well_has_no_reminders() -> None:
    watch = Alerting(Rules(open_after=0, close_after=60, remind=10))
    watch.look(a_problem())
    watch.keep_looking(seconds=70)
    assert watch.events() == ["opened app: unhealthy", "recovered app: unhealthy"]
