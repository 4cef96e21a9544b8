"""Containers that end: one alert each, with the cause that a look knows."""

from __future__ import annotations

from dartsctl.alerts.rules import Rules
from fakes.alerting import Alerting, a_problem


def test_an_exit_opens_with_the_look_that_knows_its_cause() -> None:
    watch = Alerting()
    watch.exit()
    assert watch.events() == []
    watch.look(a_problem(cause="out-of-memory"), after=1)
    assert watch.events() == ["opened app: out-of-memory"]


def test_an_exit_without_a_look_opens_with_what_the_events_say() -> None:
    watch = Alerting()
    watch.exit()
    watch.wait(4)
    assert watch.events() == []
    watch.wait(1)
    assert watch.events() == ["opened app: app-exited"]


def test_the_first_look_after_such_an_opening_may_name_another_cause_at_once() -> None:
    watch = Alerting()
    watch.exit()
    watch.wait(6)
    watch.look(a_problem(cause="port-squatter"))
    assert watch.loud() == ["opened app: app-exited", "updated app: port-squatter"]


def test_an_exit_is_an_alert_even_if_the_container_came_back_at_once() -> None:
    watch = Alerting()
    watch.exit(comes_back=True)
    watch.start()
    watch.keep_looking(seconds=40)
    assert watch.events() == ["opened app: app-exited", "recovered app: app-exited"]


def test_a_container_that_is_starting_again_has_not_ended_because_of_that() -> None:
    """The look sees an app that does not answer yet: no reason why it was killed."""
    watch = Alerting()
    watch.exit(cause="out-of-memory", comes_back=True)
    watch.start()
    watch.keep_looking(a_problem(cause="no-answer"), seconds=15)
    watch.keep_looking(seconds=30)
    assert watch.events() == ["opened app: out-of-memory", "recovered app: out-of-memory"]


def test_a_service_that_never_becomes_healthy_after_its_exit_says_so_later() -> None:
    watch = Alerting()
    watch.exit(comes_back=True)
    watch.start()
    watch.keep_looking(a_problem(cause="unhealthy"), seconds=90)
    assert watch.loud() == ["opened app: app-exited", "updated app: unhealthy"]


def test_a_fast_crash_loop_is_one_alert() -> None:
    watch = Alerting()
    for pause in (0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8, 25.6):
        watch.exit(comes_back=True)
        watch.start()
        watch.wait(pause)
        watch.look(a_problem(cause="crash-loop", sentence="app ended with exit code 3"))
    assert watch.loud() == ["opened app: crash-loop"]
    watch.keep_looking(seconds=60)
    assert watch.loud()[1:] == ["recovered app: crash-loop"]


def test_a_crash_loop_that_no_look_explains_is_counted_by_its_exits() -> None:
    watch = Alerting()
    for _ in range(3):
        watch.exit(comes_back=True)
        watch.start()
        watch.wait(1)
    watch.wait(5)
    assert watch.loud() == ["opened app: crash-loop"]
    sentence = watch.episode().problem.sentence
    assert sentence == "app ended with exit code 3, 3 times within 2 s"
    assert watch.episode().count == 3


def test_a_slow_crash_loop_becomes_one_and_is_then_quiet() -> None:
    watch = Alerting()
    for _ in range(30):
        watch.exit(comes_back=True)
        watch.start()
        watch.keep_looking(seconds=30)
    loud = watch.loud()
    assert loud.count("updated app: crash-loop") == 1
    assert len(loud) <= 6, loud


def test_memory_that_runs_out_again_and_again_stays_that_cause() -> None:
    watch = Alerting()
    for _ in range(3):
        watch.exit(cause="out-of-memory", comes_back=True)
        watch.wait(1)
    watch.wait(5)
    assert watch.loud() == ["opened app: out-of-memory"]


def test_an_exit_of_what_was_only_unhealthy_is_news() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    watch.exit()
    watch.look(a_problem(cause="app-exited"), after=2)
    assert watch.loud() == ["opened app: unhealthy", "updated app: app-exited"]


def test_services_that_end_together_have_an_alert_each() -> None:
    watch = Alerting()
    watch.exit("app")
    watch.exit("db")
    watch.look(a_problem("app", "app-exited"), a_problem("db", "out-of-memory"), after=1)
    assert watch.events() == ["opened app: app-exited", "opened db: out-of-memory"]


def test_an_exit_before_a_restart_of_the_watch_is_not_lost() -> None:
    watch = Alerting(Rules())
    watch.exit()
    watch.restart(away=300)
    watch.look()
    assert watch.events() == ["opened app: app-exited"]


def test_an_exit_does_not_hide_the_cause_that_a_look_has_named() -> None:
    watch = Alerting()
    watch.exit(comes_back=True)
    watch.look(a_problem(cause="wrong-port"), after=1)
    watch.exit(comes_back=True)
    watch.wait(10)
    assert watch.events() == ["opened app: wrong-port"]


def test_a_crash_loop_is_one_until_it_has_stayed_down_for_a_while() -> None:
    watch = Alerting()
    for _ in range(3):
        watch.exit(comes_back=True)
        watch.wait(1)
    watch.keep_looking(a_problem(cause="app-exited"), seconds=100)
    assert watch.loud() == ["opened app: crash-loop"]
    watch.keep_looking(a_problem(cause="app-exited"), seconds=60)
    assert watch.loud()[1:] == ["updated app: app-exited"]
