"""What holds for the episodes whatever happens, in any order, at any time."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from dartsctl.alerts.observations import (
    Acknowledged,
    ClockJumped,
    Silence,
    WorkBegan,
    WorkEnded,
)
from dartsctl.alerts.problem import Kind, Subject
from dartsctl.alerts.rules import Rules
from dartsctl.alerts.state import Message
from fakes.alerting import KINDS, Alerting, a_problem, saved_and_loaded, service

EXAMPLES = int(os.environ.get("DARTSCTL_FUZZ_EXAMPLES", "60"))
any_order = settings(
    max_examples=EXAMPLES, deadline=None, database=None, suppress_health_check=list(HealthCheck)
)
RULES = Rules(remind=120, escalate_after=90, storm=3)
WAITS = "it waits for a summary"

names = some.sampled_from(["app", "db", "nginx"])
subjects = some.one_of(
    names.map(service), names.map(service), some.just(Subject("port", "5000/tcp"))
)
problems = some.builds(
    a_problem,
    subjects,
    some.sampled_from(["unhealthy", "app-exited", "crash-loop", "no-ports", "never-started"]),
    affected=some.lists(names, max_size=3).map(tuple),
)
covers: some.SearchStrategy[frozenset[Kind]] = some.sampled_from(
    [KINDS, KINDS, frozenset(("service",)), frozenset(("port",)), frozenset()]
)
Action = Callable[[Alerting], object]


def _jump(watch: Alerting, seconds: float) -> None:
    watch.now += seconds
    watch.observe(ClockJumped(seconds))


def _acknowledge(watch: Alerting) -> None:
    for episode in list(watch.state.episodes.values()):
        watch.observe(Acknowledged(episode.id))


def _work(watch: Alerting, verb: str, services: frozenset[str]) -> None:
    watch.observe(WorkBegan(verb, services))


looks = some.builds(
    lambda seen, kinds: lambda watch: watch.look(*seen, covers=kinds),
    some.lists(problems, max_size=4),
    covers,
)
steady_looks = some.builds(
    lambda seen, seconds: lambda watch: watch.keep_looking(*seen, seconds=seconds),
    some.one_of(some.just([]), some.lists(problems, max_size=2)),
    some.sampled_from([10.0, 25.0, 40.0, 130.0]),
)
exits = some.builds(
    lambda name, planned, back: lambda watch: watch.exit(name, planned=planned, comes_back=back),
    names,
    some.booleans(),
    some.booleans(),
)
starts = names.map(lambda name: lambda watch: watch.start(name))
waits = some.sampled_from([0.5, 3.0, 20.0, 70.0]).map(lambda s: lambda watch: watch.wait(s))
silences = some.lists(
    some.tuples(some.one_of(some.none(), subjects), some.sampled_from([30.0, 60.0, 150.0])),
    max_size=2,
).map(
    lambda held: (
        lambda watch: watch.silence(
            *[Silence(subject, watch.now + seconds) for subject, seconds in held]
        )
    )
)
works = some.builds(
    lambda verb, chosen: lambda watch: _work(watch, verb, chosen),
    some.sampled_from(["up", "down", "restart"]),
    some.frozensets(names, max_size=2),
)
ends = some.just(lambda watch: watch.observe(WorkEnded("up")))
jumps = some.sampled_from([-500.0, 4000.0]).map(lambda s: lambda watch: _jump(watch, s))
pauses = some.just(lambda watch: watch.restart(away=300.0))
actions: some.SearchStrategy[list[Action]] = some.lists(
    some.one_of(
        looks,
        steady_looks,
        steady_looks,
        steady_looks,
        exits,
        starts,
        waits,
        silences,
        works,
        ends,
        jumps,
        pauses,
        some.just(_acknowledge),
    ),
    max_size=20,
)


def until_all_is_well(watch: Alerting) -> None:
    """End every verb and silence, and see nothing wrong for long enough."""
    watch.observe(WorkEnded("up"))
    watch.silence()
    watch.keep_looking(seconds=2 * watch.rules.longest_close)
    watch.wait(2 * watch.rules.storm_window)


def sent(messages: list[Message]) -> Iterator[Message]:
    """Yield what channels learn, at once or in a summary."""
    for message in messages:
        if message.occasion != "summary" and message.muted in ("", WAITS):
            yield message


@any_order
@given(actions)
def test_every_message_is_about_an_open_episode_and_each_ends(todo: list[Action]) -> None:
    watch = Alerting(RULES)
    for action in todo:
        action(watch)
    opened: set[str] = set()
    ended: set[str] = set()
    until_all_is_well(watch)
    for message in watch.messages:
        identifier = message.episode.id
        if message.occasion == "opened":
            opened.add(identifier)
            ended.discard(identifier)
        elif message.occasion == "recovered":
            assert identifier in opened | ended
            opened.discard(identifier)
            ended.add(identifier)
        elif message.occasion != "summary":
            assert identifier in opened
    assert opened == set()
    assert watch.state.episodes == {}


@any_order
@given(actions)
def test_channels_get_each_opening_once_and_its_recovery(todo: list[Action]) -> None:
    watch = Alerting(RULES)
    for action in todo:
        action(watch)
    until_all_is_well(watch)
    opened: set[str] = set()
    for message in sent(watch.messages):
        identifier = message.episode.id
        if message.occasion == "opened":
            assert identifier not in opened
            opened.add(identifier)
        else:
            assert identifier in opened
        if message.occasion == "recovered":
            opened.remove(identifier)
    assert opened == set()


@any_order
@given(actions)
def test_no_subject_and_no_id_has_two_episodes(todo: list[Action]) -> None:
    watch = Alerting(RULES)
    for action in todo:
        action(watch)
        ids = [episode.id for episode in watch.state.episodes.values()]
        assert len(set(ids)) == len(ids)
        for subject, episode in watch.state.episodes.items():
            assert episode.subject == subject
    opened: dict[str, str] = {}
    for message in watch.messages:
        if message.occasion == "opened":
            about = str(message.episode.subject)
            assert opened.setdefault(about, message.episode.id) == message.episode.id
        if message.occasion == "recovered":
            opened = {key: value for key, value in opened.items() if value != message.episode.id}
        if message.occasion == "updated":  # a root may have taken over the episode
            opened = {key: value for key, value in opened.items() if value != message.episode.id}
            opened[str(message.episode.subject)] = message.episode.id


@any_order
@given(actions)
def test_nothing_is_sent_about_what_is_silenced(todo: list[Action]) -> None:
    watch = Alerting(RULES)
    before = 0
    original = watch.observe

    def observe(observation: object) -> tuple[Message, ...]:
        nonlocal before
        messages = original(observation)  # type: ignore[arg-type]
        held = [item for item in watch.state.silences if item.until > watch.state.now]
        for message in messages:
            if message.muted:
                continue
            for episode in message.episodes or (message.episode,):
                assert not any(item.subject in (None, episode.subject) for item in held)
        before += len(messages)
        return messages

    watch.observe = observe  # type: ignore[method-assign]
    for action in todo:
        action(watch)
    assert before == len(watch.messages)


@any_order
@given(actions, some.integers(1, 5))
def test_a_restart_at_any_point_changes_no_message(todo: list[Action], every: int) -> None:
    through, restarted = Alerting(RULES), Alerting(RULES)
    for number, action in enumerate(todo):
        action(through)
        action(restarted)
        if number % every == 0:
            restarted.state = saved_and_loaded(restarted.state)
    assert restarted.messages == through.messages


@any_order
@given(actions)
def test_a_planned_stop_of_everything_is_never_an_alert(todo: list[Action]) -> None:
    """Whatever happened before: what is stopped on purpose and well otherwise opens nothing."""
    watch = Alerting(RULES)
    for action in todo:
        action(watch)
    until_all_is_well(watch)
    count = len(watch.messages)
    for name in ("app", "db", "nginx"):
        watch.exit(name, planned=True)
    watch.keep_looking(a_problem("db", "app-exited", affected=("app", "nginx")), seconds=100)
    assert len(watch.messages) == count
