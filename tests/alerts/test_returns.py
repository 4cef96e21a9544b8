"""What fails again soon after its recovery is the same episode, and is damped."""

from __future__ import annotations

from dartsctl.alerts.returns import close_after
from dartsctl.alerts.rules import Rules
from dartsctl.alerts.state import Episode
from fakes.alerting import Alerting, a_problem


def test_a_failure_soon_after_a_recovery_continues_the_episode() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    watch.keep_looking(seconds=60)
    watch.keep_looking(a_problem(), seconds=30)
    assert [message.occasion for message in watch.messages] == ["opened", "recovered", "opened"]
    first, _, again = watch.messages
    assert again.episode.id == first.episode.id
    assert again.episode.began == first.episode.began
    assert again.note == "failure 2 of this episode"


def test_a_look_that_saw_nothing_wrong_for_a_moment_is_no_return() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    for _ in range(5):
        watch.look(after=5)
        watch.look(a_problem(), after=5)
    assert watch.episode().returns == 0


def test_a_failure_long_after_it_is_another_episode() -> None:
    watch = Alerting()
    watch.keep_looking(a_problem(), seconds=30)
    watch.keep_looking(seconds=900)
    watch.keep_looking(a_problem(), seconds=30)
    assert watch.messages[0].episode.id != watch.messages[2].episode.id
    assert watch.messages[2].note == ""


def test_a_subject_that_flaps_for_hours_says_so_once_and_is_then_quiet() -> None:
    watch = Alerting()
    for _ in range(60):
        watch.keep_looking(a_problem(), seconds=40)
        watch.keep_looking(seconds=40)
    notes = [message.note for message in watch.messages if "it flaps" in message.note]
    assert len(notes) == 1
    assert notes[0].startswith("it flaps: 3 failures within ")
    assert len(watch.loud()) <= 6


def test_a_flapping_subject_recovers_after_a_long_quiet_time() -> None:
    watch = Alerting()
    for _ in range(10):
        watch.keep_looking(a_problem(), seconds=40)
        watch.keep_looking(seconds=40)
    watch.keep_looking(seconds=400)
    assert watch.loud()[-1] == "recovered app: unhealthy"


def test_the_closing_threshold_doubles_up_to_its_limit() -> None:
    rules = Rules(close_after=15, longest_close=300)
    episodes = [Episode("1", a_problem(), 0.0, returns=returns) for returns in (0, 1, 2, 9, 10**6)]
    assert [close_after(episode, rules) for episode in episodes] == [15, 30, 60, 300, 300]


def test_the_count_of_failures_and_what_was_said_of_them_go_on_after_a_recovery() -> None:
    watch = Alerting()
    for _ in range(5):
        watch.exit(comes_back=True)
        watch.keep_looking(seconds=400)
    opened = [message for message in watch.messages if message.occasion == "opened"]
    assert [message.episode.count for message in opened] == [1, 2, 3, 4, 5]
    assert ["it flaps" in message.note for message in opened] == [False, False, True, False, False]
