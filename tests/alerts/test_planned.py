"""Planned stops and deploys are no alerts; what they leave broken is."""

from __future__ import annotations

import pytest

from dartsctl.alerts.observations import WorkBegan, WorkEnded
from dartsctl.alerts.problem import Subject
from dartsctl.records import replace
from fakes.alerting import Alerting, a_problem

APP_DOWN = a_problem(cause="app-exited")


def test_a_stop_on_purpose_is_no_alert_however_long_it_lasts() -> None:
    watch = Alerting()
    watch.exit(planned=True)
    watch.keep_looking(APP_DOWN, seconds=3600)
    assert watch.events() == []


def test_what_follows_from_a_stop_on_purpose_is_none_either() -> None:
    watch = Alerting()
    watch.exit("db", planned=True)
    watch.exit("app")
    database = a_problem("db", "app-exited", affected=("app",))
    watch.look(database, after=1)
    watch.keep_looking(database, seconds=60)
    watch.start("db")
    watch.keep_looking(seconds=120)
    assert watch.events() == []


def test_an_open_alert_of_what_follows_from_a_stop_on_purpose_does_not_recover() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem("app"), seconds=30)
    watch.exit("db", planned=True)
    watch.keep_looking(a_problem("db", "app-exited", affected=("app",)), seconds=120)
    assert watch.events() == ["opened app: unhealthy"]


def test_what_followed_from_a_stop_on_purpose_has_time_to_get_well_after_the_start() -> None:
    watch = Alerting()
    watch.exit("db", planned=True)
    watch.keep_looking(a_problem("db", "app-exited", affected=("app",)), seconds=60)
    watch.start("db")
    watch.keep_looking(a_problem("app", "crash-loop"), seconds=60)
    watch.keep_looking(seconds=60)
    assert watch.events() == []
    watch.keep_looking(a_problem("app", "crash-loop"), seconds=30)
    assert watch.events() == ["opened app: crash-loop"]


def test_a_failure_after_a_stop_on_purpose_is_another_episode() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    watch.exit(planned=True)
    watch.keep_looking(seconds=60)
    watch.start()
    watch.keep_looking(a_problem(), seconds=30)
    assert len({message.episode.id for message in watch.messages}) == 2


def test_after_its_start_a_service_counts_again() -> None:
    watch = Alerting()
    watch.exit(planned=True)
    watch.start()
    watch.keep_looking(APP_DOWN, seconds=30)
    assert watch.events() == ["opened app: app-exited"]


def test_a_service_that_was_stopped_and_cannot_start_again_is_an_alert() -> None:
    watch = Alerting()
    watch.exit(planned=True)
    problem = replace(a_problem(cause="never-started"), data={"container": "shop-app-1"})
    watch.keep_looking(problem, seconds=30)
    assert watch.events() == ["opened app: never-started"]


def test_a_service_that_was_stopped_and_removed_is_no_alert() -> None:
    watch = Alerting()
    watch.exit(planned=True)
    watch.keep_looking(a_problem(cause="never-started"), seconds=60)
    assert watch.events() == []


def test_a_stop_on_purpose_ends_an_open_alert() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    watch.exit(planned=True)
    watch.keep_looking(APP_DOWN, seconds=60)
    assert watch.events() == ["opened app: unhealthy", "recovered app: unhealthy"]
    assert watch.messages[-1].note == "it was stopped on purpose"


def test_a_stop_on_purpose_outlives_a_restart_of_the_watch() -> None:
    watch = Alerting()
    watch.exit(planned=True)
    watch.restart(away=600)
    watch.keep_looking(APP_DOWN, seconds=60)
    assert watch.events() == []


@pytest.mark.parametrize("verb", ["up", "down", "restart", "doctor --fix"])
def test_exits_and_failed_looks_during_a_verb_are_no_alerts(verb: str) -> None:
    watch = Alerting()
    watch.observe(WorkBegan(verb))
    watch.exit()
    watch.keep_looking(APP_DOWN, a_problem(Subject("site"), "no-answer"), seconds=120)
    watch.observe(WorkEnded(verb))
    watch.exit()
    watch.keep_looking(seconds=60)
    assert watch.events() == []


def test_what_a_deploy_leaves_broken_is_an_alert_after_it() -> None:
    watch = Alerting()
    watch.exit(planned=True)
    watch.observe(WorkBegan("up"))
    watch.keep_looking(APP_DOWN, seconds=60)
    watch.observe(WorkEnded("up", succeeded=False))
    watch.keep_looking(APP_DOWN, seconds=40)
    assert watch.events() == ["opened app: app-exited"]


def test_an_exit_long_after_the_verb_is_an_alert() -> None:
    watch = Alerting()
    watch.observe(WorkBegan("up"))
    watch.observe(WorkEnded("up"))
    watch.wait(10)
    watch.exit()
    watch.wait(6)
    assert watch.events() == ["opened app: app-exited"]


def test_a_verb_for_some_services_plans_nothing_for_the_others() -> None:
    watch = Alerting()
    watch.observe(WorkBegan("up", frozenset(("app",))))
    watch.exit("app")
    watch.exit("db")
    watch.wait(6)
    assert watch.events() == ["opened db: app-exited"]


def test_an_exit_right_before_the_verb_was_noticed_belongs_to_it() -> None:
    watch = Alerting()
    watch.exit()
    watch.observe(WorkBegan("restart"))
    watch.wait(60)
    assert watch.events() == []


def test_a_stranger_on_a_port_is_an_alert_during_a_verb_too() -> None:
    watch = Alerting()
    watch.observe(WorkBegan("up"))
    watch.keep_looking(a_problem(Subject("port", "5000/tcp"), "port-squatter"), seconds=30)
    assert watch.events() == ["opened 5000/tcp: port-squatter"]


def test_an_alert_that_is_open_stays_open_during_a_verb_that_does_not_help() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    watch.observe(WorkBegan("up"))
    watch.keep_looking(APP_DOWN, seconds=60)
    watch.observe(WorkEnded("up"))
    watch.keep_looking(a_problem(), seconds=60)
    assert watch.events() == ["opened app: unhealthy"]


def test_a_verb_that_repairs_lets_an_open_alert_recover() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    watch.observe(WorkBegan("doctor --fix"))
    watch.keep_looking(seconds=30)
    assert watch.events() == ["opened app: unhealthy", "recovered app: unhealthy"]


def test_an_open_alert_of_what_follows_from_a_verb_does_not_recover_meanwhile() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem("app"), seconds=30)
    watch.observe(WorkBegan("restart", frozenset(("db",))))
    watch.keep_looking(a_problem("db", "app-exited", affected=("app",)), seconds=120)
    assert watch.events() == ["opened app: unhealthy"]


def test_a_sudden_exit_after_a_start_that_no_event_told_is_an_alert() -> None:
    watch = Alerting()
    watch.exit(planned=True)
    watch.exit()
    watch.keep_looking(APP_DOWN, seconds=30)
    assert watch.events() == ["opened app: app-exited"]


def test_a_down_that_comes_to_nothing_leaves_a_stopped_service_stopped() -> None:
    watch = Alerting()
    watch.exit(planned=True)
    watch.observe(WorkBegan("down"))
    watch.observe(WorkEnded("down", succeeded=False))
    watch.keep_looking(APP_DOWN, seconds=60)
    assert watch.events() == []


def test_a_verb_of_long_ago_that_is_said_to_have_ended_again_plans_nothing() -> None:
    """A watch that starts again reads the last record."""
    watch = Alerting()
    watch.observe(WorkBegan("up"))
    watch.observe(WorkEnded("up"))
    watch.restart(away=10)
    watch.observe(WorkEnded("up"))
    watch.exit()
    watch.wait(6)
    assert watch.events() == ["opened app: app-exited"]
