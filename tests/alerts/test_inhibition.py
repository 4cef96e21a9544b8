"""A root cause mutes what follows from it."""

from __future__ import annotations

from dartsctl.alerts.inhibition import roots_of
from dartsctl.alerts.problem import Problem, Subject
from dartsctl.alerts.rules import Rules
from dartsctl.alerts.state import Episode
from dartsctl.records import replace
from fakes.alerting import Alerting, a_problem, service

DATABASE = a_problem("db", "app-exited", affected=("app", "api", "worker"))


def test_a_dead_database_with_three_dependents_is_one_alert() -> None:
    watch = Alerting()
    watch.exit("db")
    for name in ("app", "api", "worker"):
        watch.exit(name)
    watch.look(DATABASE, after=1)
    watch.keep_looking(DATABASE, seconds=120)
    watch.keep_looking(seconds=60)
    assert watch.events() == ["opened db: app-exited", "recovered db: app-exited"]


def test_a_dependent_that_looks_well_for_a_moment_is_named_by_a_later_look() -> None:
    """It restarts all the time, and the first looks happen to see it running."""
    watch = Alerting()
    watch.exit("db")
    watch.now += 0.3
    watch.exit("app", comes_back=True)
    for _ in range(8):
        watch.look(a_problem("db", "app-exited"), after=1)
        watch.exit("app", comes_back=True)
    assert watch.loud() == ["opened db: app-exited"]
    database = a_problem("db", "app-exited", affected=("app",))
    watch.look(database, after=1)
    watch.keep_looking(database, seconds=120)
    assert watch.loud() == ["opened db: app-exited"]


def test_two_that_end_together_and_are_not_connected_are_two_alerts() -> None:
    watch = Alerting()
    watch.exit("db", comes_back=True)
    watch.now += 0.3
    watch.exit("app", comes_back=True)
    watch.keep_looking(seconds=11)
    assert watch.loud() == ["opened db: app-exited", "opened app: app-exited"]


def test_what_only_another_source_sees_of_a_dependent_is_muted_too() -> None:
    watch = Alerting()
    port = Problem(
        Subject("port", "5000/tcp"),
        "port-squatter",
        "a stranger has port 5000",
        affected=(service("app"),),
    )
    for _ in range(20):
        watch.look(port, covers=frozenset(("port",)), after=5)
        watch.look(a_problem(cause="port-squatter"), covers=frozenset(("service",)))
    assert watch.events() == ["opened 5000/tcp: port-squatter"]


def test_a_root_that_is_known_later_takes_over_the_alert_of_its_dependent() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem("app"), seconds=30)
    watch.keep_looking(DATABASE, seconds=60)
    watch.keep_looking(seconds=60)
    assert watch.events() == [
        "opened app: unhealthy",
        "updated db: app-exited",
        "recovered db: app-exited",
    ]
    assert len({message.episode.id for message in watch.messages}) == 1
    assert watch.messages[1].note == "it is the root cause of service:app"


def test_of_two_open_dependents_the_older_one_becomes_the_root_and_both_end() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem("app"), seconds=30)
    watch.keep_looking(a_problem("app"), a_problem("api"), seconds=30)
    watch.keep_looking(DATABASE, seconds=60)
    watch.keep_looking(seconds=60)
    opened = [m.episode.id for m in watch.messages if m.occasion == "opened"]
    recovered = [m.episode.id for m in watch.messages if m.occasion == "recovered"]
    assert sorted(opened) == sorted(recovered)
    assert len(opened) == 2
    (note,) = [m.note for m in watch.messages if m.occasion == "updated"]
    assert note == "it is the root cause of service:app"


def test_a_dependent_that_stays_bad_after_its_root_becomes_an_alert_of_its_own() -> None:
    watch = Alerting()
    watch.keep_looking(DATABASE, seconds=60)
    watch.keep_looking(a_problem("app"), seconds=70)
    assert watch.events() == ["opened db: app-exited", "recovered db: app-exited"]
    watch.keep_looking(a_problem("app"), seconds=20)
    assert watch.events() == [
        "opened db: app-exited",
        "recovered db: app-exited",
        "opened app: unhealthy",
    ]


def test_a_dependent_that_the_engine_starts_again_late_is_no_alert() -> None:
    """It has ended so often that the engine waits for a minute."""
    watch = Alerting()
    watch.exit("db")
    watch.look(DATABASE, after=1)
    watch.keep_looking(DATABASE, seconds=60)
    watch.keep_looking(a_problem("app", "crash-loop"), seconds=55)
    watch.exit("app", comes_back=True)
    watch.start("app")
    watch.keep_looking(seconds=60)
    assert watch.events() == ["opened db: app-exited", "recovered db: app-exited"]


def test_after_a_take_over_the_dependent_that_stays_bad_has_another_id() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem("app"), seconds=30)
    watch.keep_looking(DATABASE, seconds=60)
    watch.keep_looking(a_problem("app"), seconds=120)
    opened = [m.episode.id for m in watch.messages if m.occasion == "opened"]
    assert len(set(opened)) == 2


def test_a_dependent_of_two_roots_waits_for_both() -> None:
    watch = Alerting()
    cache = a_problem("cache", "app-exited", affected=("app",))
    watch.keep_looking(DATABASE, cache, seconds=60)
    watch.exit("app")
    watch.keep_looking(cache, seconds=60)
    assert watch.loud() == [
        "opened db: app-exited",
        "opened cache: app-exited",
        "recovered db: app-exited",
    ]


def test_an_exit_whose_suspected_root_comes_to_nothing_is_an_alert() -> None:
    watch = Alerting()
    watch.look(a_problem("db", "unhealthy", affected=("app",)))
    watch.exit("app")
    watch.wait(6)
    assert watch.events() == []
    watch.look()
    assert watch.events() == ["opened app: app-exited"]


def test_a_dependent_that_is_open_has_no_reminders_while_its_root_is() -> None:
    watch = Alerting(Rules(remind=300))
    watch.keep_looking(a_problem("app"), a_problem("db"), seconds=30)
    watch.keep_looking(a_problem("db", affected=("app",)), seconds=400)
    assert "reminder app: unhealthy" not in watch.loud()
    assert "reminder db: unhealthy" in watch.loud()


def test_what_follows_follows_over_several_steps() -> None:
    roots = roots_of(
        [
            Episode("1", a_problem("db", affected=("app",)), 1.0),
            Episode("2", a_problem("app", affected=("nginx",)), 0.0),
        ]
    )
    assert roots == {service("app"): service("db"), service("nginx"): service("db")}


def test_in_a_circle_the_earliest_speaks() -> None:
    roots = roots_of(
        [
            Episode("1", a_problem("a", affected=("b",)), 3.0),
            Episode("2", a_problem("b", affected=("c",)), 1.0),
            Episode("3", a_problem("c", affected=("a",)), 2.0),
        ]
    )
    assert roots == {service("a"): service("b"), service("c"): service("b")}


def test_nothing_follows_from_itself() -> None:
    assert roots_of([Episode("1", a_problem("a", affected=("a",)), 1.0)]) == {}


def test_another_cause_of_an_open_dependent_is_no_message() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem("app"), a_problem("db"), seconds=30)
    root = a_problem("db", affected=("app",))
    watch.keep_looking(a_problem("app", "no-ports"), root, seconds=60)
    assert watch.events()[2:] == ["(updated app: no-ports)"]
    assert watch.messages[2].muted == "it follows from another problem"


def test_an_end_with_another_cause_of_an_open_dependent_is_no_message() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem("app"), a_problem("db"), seconds=30)
    watch.look(a_problem("app"), a_problem("db", affected=("app",)), after=5)
    watch.exit("app")
    assert watch.events()[2:] == ["(updated app: app-exited)"]


def test_what_follows_from_a_root_that_is_starting_again_is_muted() -> None:
    """A look right after an exit says no more of its cause, but what follows from it."""
    starting = a_problem("db", affected=("app",))
    watch = Alerting()
    watch.exit("db")
    watch.wait(6)
    watch.keep_looking(starting, a_problem("app"), seconds=45)
    assert watch.events() == ["opened db: app-exited"]


def test_what_follows_from_a_root_that_is_only_suspected_is_muted_when_it_opens() -> None:
    watch = Alerting()
    watch.exit("db")
    watch.exit("app")
    watch.look(a_problem("db", affected=("app",)), after=1)
    watch.wait(10)
    assert watch.events() == ["opened db: app-exited"]


def test_an_open_dependent_does_not_wait_until_its_root_has_recovered() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem("app"), a_problem("db"), seconds=30)
    watch.look(a_problem("app"), a_problem("db", affected=("app",)), after=5)
    watch.keep_looking(seconds=25)
    assert sorted(watch.events()[2:]) == ["recovered app: unhealthy", "recovered db: unhealthy"]


def test_an_alert_that_its_root_takes_over_has_lasted_since_the_first_of_both() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem("app"), seconds=30)
    began = watch.episode().began
    watch.keep_looking(DATABASE, seconds=60)
    assert watch.episode("db").began == began
    watch = Alerting()
    watch.keep_looking(a_problem("app"), seconds=30)
    watch.keep_looking(replace(DATABASE, since=began - 300), seconds=60)
    assert watch.episode("db").began == began - 300


def test_a_root_that_takes_over_keeps_its_cause_while_it_starts_again() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem("app"), seconds=30)
    watch.exit("db")
    watch.look(DATABASE, after=1)
    watch.keep_looking(a_problem("db", affected=("app",)), seconds=40)
    assert watch.events() == ["opened app: unhealthy", "updated db: app-exited"]


def test_an_exit_forgets_nothing_that_follows_from_what_was_suspected() -> None:
    watch = Alerting()
    watch.look(DATABASE)
    watch.exit("db")
    watch.exit("app")
    watch.wait(10)
    assert watch.events() == ["opened db: app-exited"]
