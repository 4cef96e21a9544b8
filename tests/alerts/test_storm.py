"""Many messages at once become one summary."""

from __future__ import annotations

from dartsctl.alerts.rules import Rules
from fakes.alerting import Alerting, a_problem


def test_many_alerts_of_one_look_are_one_summary() -> None:
    watch = Alerting(Rules(open_after=0))
    watch.look(*(a_problem(f"s{number}") for number in range(30)))
    assert watch.loud() == ["summary of 30"]
    assert len(watch.events()) == 31


def test_many_exits_within_a_second_are_one_summary() -> None:
    watch = Alerting()
    for number in range(40):
        watch.exit(f"s{number}")
        watch.now += 0.02
    watch.wait(20)
    assert watch.loud() == ["summary of 40"]


def test_few_alerts_are_messages_of_their_own() -> None:
    watch = Alerting(Rules(open_after=0))
    watch.look(*(a_problem(f"s{number}") for number in range(5)))
    assert len(watch.loud()) == 5


def test_a_storm_that_goes_on_is_one_summary_in_each_window() -> None:
    watch = Alerting(Rules(open_after=0))
    for number in range(120):
        problems = [a_problem(f"s{other}") for other in range(3 * number, 3 * number + 3)]
        watch.look(*problems, covers=frozenset(), after=1)
    assert len(watch.loud()) <= 5 + 120 / 30 + 1
    watch.wait(60)
    summaries = [message for message in watch.messages if message.occasion == "summary"]
    in_summaries = sum(len(message.episodes) + message.more for message in summaries)
    single = sum(not m.muted for m in watch.messages if m.occasion == "opened")
    assert in_summaries + single == 360


def test_recoveries_of_a_storm_are_a_summary_too() -> None:
    watch = Alerting(Rules(open_after=0))
    watch.look(*(a_problem(f"s{number}") for number in range(30)))
    watch.wait(60)
    watch.look()
    watch.look(after=20)
    assert watch.loud() == ["summary of 30", "summary of 30"]
    assert all(episode.phase == "closing" for episode in watch.messages[-1].episodes)


def test_a_summary_names_a_limited_number_and_counts_the_others() -> None:
    watch = Alerting(Rules(open_after=0))
    watch.look(*(a_problem(f"s{number}") for number in range(300)))
    summary = watch.messages[-1]
    assert (len(summary.episodes), summary.more) == (50, 250)


def test_what_waits_for_a_summary_outlives_a_restart() -> None:
    watch = Alerting(Rules(open_after=0))
    watch.look(*(a_problem(f"s{number}") for number in range(9)))
    watch.look(*(a_problem(f"t{number}") for number in range(2)), covers=frozenset(), after=1)
    watch.restart()
    watch.wait(40)
    assert watch.loud() == ["summary of 9", "summary of 2"]


def test_many_that_come_back_do_not_wait_for_each_other_longer_than_others() -> None:
    watch = Alerting()
    for number in range(9):
        watch.exit(f"s{number}", comes_back=True)
        watch.now += 0.02
    watch.wait(8)
    assert watch.loud() == ["summary of 9"]


def test_a_second_storm_within_the_window_waits_for_its_end() -> None:
    watch = Alerting(Rules(open_after=0))
    watch.look(*(a_problem(f"s{number}") for number in range(9)))
    watch.look(*(a_problem(f"t{number}") for number in range(8)), covers=frozenset(), after=5)
    assert watch.loud() == ["summary of 9"]
    watch.wait(30)
    assert watch.loud() == ["summary of 9", "summary of 8"]


def test_a_summary_goes_to_the_second_channel_if_one_of_its_messages_does() -> None:
    watch = Alerting(Rules(open_after=0, escalate_after=60))
    for _ in range(14):
        watch.look(*(a_problem(f"s{number}") for number in range(9)), after=5)
    summaries = [message for message in watch.messages if message.occasion == "summary"]
    assert [message.second_channel for message in summaries] == [False, True]
