"""What the engine's events mean: recorded sequences of engine 28.5.2 (tests/data/engine)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from dartsctl.alerts.container_events import ContainerHistory, Happening, needed_services
from dartsctl.alerts.container_life import ContainerEvent, Snapshot
from dartsctl.alerts.observations import Exited, Started
from dartsctl.records import replace

RECORDED = Path(__file__).parents[1] / "data" / "engine" / "events.json"
SEQUENCES: dict[str, list[dict[str, Any]]] = json.loads(RECORDED.read_text())
BEGIN = 1_795_724_206 * 10**9
PLANNED = "planned"
STARTED = "started"
ALWAYS = {"restart_policy": "always"}

MEANINGS: dict[str, tuple[str, ...]] = {
    "docker stop": (STARTED, PLANNED),
    "docker stop, down": (),
    "docker kill": (STARTED, PLANNED),
    "docker restart": (STARTED, PLANNED, STARTED),
    "docker rm -f": (STARTED, PLANNED),
    "docker stop of a paused one": (STARTED, "look", "look", PLANNED),
    "docker kill -s HUP that ends it": (STARTED, PLANNED),
    "docker kill with restart": (STARTED, PLANNED),
    "docker stop, SIGKILL at last": (STARTED, PLANNED),
    "docker stop, exit code 0": (STARTED, PLANNED),
    "stop_signal": (STARTED, PLANNED),
    "compose restart": (STARTED, PLANNED, STARTED),
    "compose stop": (STARTED, PLANNED),
    "compose kill": (STARTED, PLANNED),
    "compose up --force-recreate": (STARTED, PLANNED, STARTED),
    "compose up, changed": (STARTED, PLANNED, STARTED),
    "scale up": (STARTED, STARTED),
    "scale up, down": (PLANNED, PLANNED),
    "scale down": (STARTED, STARTED, PLANNED),
    "compose run": (STARTED,),
    "docker rename": (STARTED,),
    "docker rename, down": (PLANNED,),
    "SIGKILL from the host": (STARTED, "exit 137"),
    "SIGKILL from the host, down": (PLANNED,),
    "SIGTERM from the host": (STARTED, "exit 143"),
    "SIGKILL from the host with restart": (STARTED, "exit 137, comes back", STARTED),
    "docker kill -s HUP, a crash later": (STARTED, "exit 137"),
    "exit code 3": (STARTED, "exit 3"),
    "exit code 0": (STARTED, "look"),
    "exit code 127": (STARTED, "exit 127"),
    "crash loop, docker stop, down": (),
    "out of memory": (STARTED, "look", "exit 137 out of memory"),
    "out of memory, down": (PLANNED,),
    "out of memory in a child": (STARTED, "look"),
    "out of memory in a child, down": (PLANNED,),
    "unhealthy": (STARTED, "look"),
    "bind failure": ("look",),
    "start again, port taken": (STARTED, PLANNED),
}


def event_of(row: dict[str, Any], offset: int = 0) -> ContainerEvent:
    action, _, health = row["action"].partition(": ")
    code = row.get("exitCode")
    return ContainerEvent(
        action=action,
        id=row["id"],
        name=row["name"],
        service="app",
        nano=BEGIN + offset + row["nano"],
        is_one_off=row.get("oneoff", False),
        signal=int(row.get("signal", "0")),
        exit_code=None if code is None else int(code),
        health=health,
    )


def word(happening: Happening) -> str:
    match happening.observation:
        case Started():
            return STARTED
        case Exited(planned=True):
            return PLANNED
        case Exited(problem=problem, comes_back=comes_back):
            text = f"exit {problem.data.get('exit_code')}"
            if problem.cause != "app-exited":
                text += f" {problem.cause}".replace("-", " ")
            if comes_back:
                text += ", comes back"
            return text
    assert happening.look
    return "look"


def play(*names: str, **settings: Any) -> list[Happening]:
    """Play recorded rows as they came; the settings are read after each start, as by inspect."""
    history = ContainerHistory(command="dartsctl doctor")
    happenings: list[Happening] = []
    for index, name in enumerate(names):
        for row in SEQUENCES[name]:
            event = event_of(row, offset=index * 60 * 10**9)
            happenings += history.follow(event, event.time)
            if event.action == "start":
                snapshot = Snapshot(event.id, event.name, "app", "running", started=event.time)
                history.learn(replace(snapshot, **settings))
    happenings += history.due(BEGIN + 10**6)
    return happenings


def meaning(*names: str, **settings: Any) -> tuple[str, ...]:
    return tuple(map(word, play(*names, **settings)))


@pytest.mark.parametrize("name", MEANINGS)
def test_a_planned_end_is_told_from_a_crash(name: str) -> None:
    settings: dict[str, Any] = {}
    if "with restart" in name:
        settings = ALWAYS
    if "stop_signal" in name:
        settings = {"stop_signal": 2}
    before = name.removesuffix(", down")
    if before == name:
        assert meaning(name, **settings) == MEANINGS[name]
    else:
        first = meaning(before, **settings)
        assert meaning(before, name, **settings)[len(first) :] == MEANINGS[name]


def test_a_crash_loop_is_an_exit_and_a_start_each_time_until_somebody_stops_it() -> None:
    loop = meaning("crash loop", **ALWAYS)
    assert loop[:4] == (STARTED, "exit 3, comes back", STARTED, "exit 3, comes back")
    stopped = meaning("crash loop, docker stop", **ALWAYS)
    assert stopped[-2:] == ("exit 3, comes back", PLANNED)
    assert meaning("on-failure:1", restart_policy="on-failure")[-1] == "exit 3, comes back"


# --- what no recording has ----------------------------------------------------------------------


def at(action: str, seconds: float, *, container: str = "c" * 64, **details: Any) -> ContainerEvent:
    nano = BEGIN + int(seconds * 1e9)
    return ContainerEvent(action, container, "shop-app-1", "app", nano, **details)


def described(state: str = "running", **details: Any) -> Snapshot:
    return Snapshot("c" * 64, "shop-app-1", "app", state, **details)


def time_of(seconds: float) -> float:
    return BEGIN / 1e9 + seconds


def running(**settings: Any) -> ContainerHistory:
    """A container that runs since second 0, as the first list has it."""
    history = ContainerHistory(command="dartsctl doctor")
    row = described(started=time_of(0), **settings)
    assert history.reconcile([row], 0.0) == ()
    return history


def follow(history: ContainerHistory, *events: ContainerEvent) -> tuple[str, ...]:
    words: list[str] = []
    for event in events:
        words += map(word, history.follow(event, event.time))
    return tuple(words)


@pytest.mark.parametrize(
    ("sent", "died", "settings", "expected"),
    [
        ((15, 0), (137, 9), {}, (PLANNED,)),
        ((15, 0), (1, 14.9), {}, (PLANNED,)),
        ((15, 0), (139, 16), {}, ()),
        ((15, 0), (139, 300), {}, ()),
        ((15, 0), (1, 64), {"stop_timeout": 60.0}, (PLANNED,)),
        ((9, 0), (137, 8), {}, (PLANNED,)),
        ((1, 0), (129, 0.2), {}, (PLANNED,)),
        ((1, 0), (137, 0.2), {}, ("exit 137",)),
        ((1, 0), (129, 30), {}, ("exit 129",)),
        ((10, 0), (138, 0.1), {}, (PLANNED,)),
        ((28, 0), (0, 5), {"stop_signal": 28, "is_needed": True}, (PLANNED,)),
        ((28, 0), (0, 5), {"is_needed": True}, ("exit 0",)),
        ((3, 0), (0, 5), {"is_needed": True}, (PLANNED,)),
    ],
)
def test_a_signal_counts_only_if_it_stops_and_for_as_long_as_a_stop_takes(
    sent: tuple[int, float],
    died: tuple[int, float],
    settings: dict[str, Any],
    expected: tuple[str, ...],
) -> None:
    history = running(**settings)
    kill = at("kill", sent[1], signal=sent[0])
    assert follow(history, kill, at("die", died[1], exit_code=died[0])) == expected


def test_a_late_end_after_a_stop_signal_waits_a_moment_for_the_stop_that_explains_it() -> None:
    history = running()
    late = (at("kill", 0, signal=15), at("die", 100, exit_code=139))
    assert follow(history, *late) == ()
    assert history.is_waiting
    assert follow(history, at("stop", 100.1)) == (PLANNED,)
    history = running()
    follow(history, *late)
    assert history.due(time_of(100.9)) == ()
    assert tuple(map(word, history.due(time_of(101)))) == ("exit 139",)
    assert history.due(time_of(200)) == ()


def test_a_stop_of_long_ago_explains_no_end() -> None:
    events = (at("stop", 0), at("die", 300, exit_code=139))
    assert follow(running(), *events) == ("exit 139",)


def test_signals_of_an_earlier_life_do_not_count() -> None:
    history = running()
    events = (at("kill", 0, signal=15), at("die", 1, exit_code=143), at("start", 2))
    assert follow(history, *events, at("die", 3, exit_code=137)) == (PLANNED, STARTED, "exit 137")


def test_code_0_is_an_exit_only_of_a_container_that_should_run_all_the_time() -> None:
    assert follow(running(), at("die", 1, exit_code=0)) == ("look",)
    assert follow(running(is_needed=True), at("die", 1, exit_code=0)) == ("exit 0",)
    needed = running(is_needed=True, restart_policy="on-failure")
    assert follow(needed, at("die", 1, exit_code=0)) == ("exit 0",)
    needed = running(is_needed=True, restart_policy="unless-stopped")
    assert follow(needed, at("die", 1, exit_code=0)) == ("exit 0, comes back",)


def test_who_waits_for_the_end_of_a_service_does_not_need_it_to_run() -> None:
    conditions = [
        {"migrate": "service_completed_successfully", "db": "service_healthy"},
        {"cache": "service_started"},
        {},
    ]
    assert needed_services(conditions) == {"db", "cache"}


def test_memory_is_the_cause_only_of_the_end_right_after() -> None:
    killed = (at("oom", 1), at("die", 1.2, exit_code=137))
    assert follow(running(), *killed) == ("look", "exit 137 out of memory")
    assert follow(running(), at("oom", 1), at("die", 60, exit_code=137)) == ("look", "exit 137")
    history = running()
    history.follow(at("oom", 1), 1.0)
    (happening,) = history.follow(at("die", 2, exit_code=1), 2.0)
    assert isinstance(happening.observation, Exited)
    problem = happening.observation.problem
    assert problem.cause == "app-exited"
    assert problem.sentence == (
        "app ended with exit code 1: the kernel killed a process of it for memory"
    )


def test_a_flood_of_memory_events_asks_for_one_look() -> None:
    history = running()
    assert follow(history, *(at("oom", second / 100) for second in range(300))) == ("look",)
    assert follow(history, at("oom", 60)) == ("look",)


def test_the_alert_says_what_the_events_say() -> None:
    history = running(restart_policy="always")
    (happening,) = history.follow(at("die", 75, exit_code=137), 75.0)
    assert isinstance(happening.observation, Exited)
    problem = happening.observation.problem
    assert str(problem.subject) == "service:app"
    assert problem.sentence == (
        "app ended with exit code 137 (SIGKILL), and nobody stopped it through the engine"
    )
    assert problem.command == "dartsctl doctor"
    assert problem.evidence == (
        "shop-app-1: exit code 137 (SIGKILL)",
        "it ran for 1 min 15 s",
        "its restart policy: always",
    )
    assert happening.when == pytest.approx(time_of(75))


def test_a_temporary_name_of_compose_is_not_shown() -> None:
    history = running()
    event = replace(at("die", 1, exit_code=3), name="0123456789ab_shop-app-1")
    (happening,) = history.follow(event, 1.0)
    assert isinstance(happening.observation, Exited)
    assert happening.observation.container == "shop-app-1"


def test_the_alert_names_a_container_as_it_is_called_now() -> None:
    history = running()
    follow(history, replace(at("rename", 1), name="shop-old-1"))
    (happening,) = history.follow(replace(at("die", 2, exit_code=1), name="shop-old-1"), 2.0)
    assert isinstance(happening.observation, Exited)
    assert happening.observation.container == "shop-old-1"


# --- lists --------------------------------------------------------------------------------------


def reconciled(history: ContainerHistory, *rows: Snapshot, **details: Any) -> tuple[str, ...]:
    """What a list means after a second without an event."""
    words = [*map(word, history.reconcile(rows, 100.0, **details))]
    words += map(word, history.due(101.0))
    return tuple(words)


DIED = described("exited", started=time_of(0), finished=time_of(50), exit_code=137)


def test_what_died_while_no_event_could_be_read_is_an_exit_once() -> None:  # edge-cases.md#77
    history = running()
    assert reconciled(history, DIED) == ("exit 137",)
    assert reconciled(history, DIED) == ()
    assert follow(history, at("die", 50.1, exit_code=137)) == ()


def test_a_list_tells_that_the_memory_was_the_cause() -> None:
    assert reconciled(running(), replace(DIED, oom_killed=True)) == ("exit 137 out of memory",)


def test_an_event_that_comes_after_the_list_explains_it() -> None:
    history = running()
    assert history.reconcile([DIED], 100.0) == ()
    events = (at("kill", 49.8, signal=15), at("die", 50.1, exit_code=137))
    assert follow(history, *events) == (PLANNED,)
    assert history.due(200.0) == ()


def test_another_list_does_not_put_off_what_the_first_one_shows() -> None:
    history = running()
    for second in range(3):
        assert history.reconcile([DIED], 100.0 + second / 3) == ()
    assert tuple(map(word, history.due(101.0))) == ("exit 137",)


def test_a_stop_that_comes_before_its_die_explains_a_list_once() -> None:
    history = running()
    assert history.reconcile([DIED], 100.0) == ()
    assert follow(history, at("stop", 50.1)) == ()
    assert follow(history, at("die", 50.2, exit_code=137)) == (PLANNED,)
    history = running()
    history.reconcile([DIED], 100.0)
    history.follow(at("stop", 50.1), 100.1)
    assert tuple(map(word, history.due(101.0))) == (PLANNED,)


def test_what_died_and_was_started_again_by_its_restart_policy_is_an_exit_and_a_start() -> None:
    history = running(restart_policy="always")
    again = described(started=time_of(51), finished=time_of(50), restart_count=1, **ALWAYS)
    assert reconciled(history, again) == ("exit None, comes back", STARTED)
    assert reconciled(history, again) == ()


def test_what_somebody_has_started_again_is_only_a_start() -> None:
    history = running(restart_count=3)
    again = described(started=time_of(51), finished=time_of(50), restart_count=0)
    assert reconciled(history, again) == (STARTED,)


def test_what_was_removed_was_removed_on_purpose() -> None:
    history = running()
    assert reconciled(history) == (PLANNED,)
    assert reconciled(history) == ()


def test_a_container_that_ends_again_between_two_lists_is_another_exit() -> None:
    history = running(**ALWAYS)
    assert follow(history, at("die", 50.1, exit_code=137)) == ("exit 137, comes back",)
    waits = replace(DIED, state="restarting", restart_count=1, restart_policy="always")
    assert reconciled(history, waits) == ()
    later = replace(waits, finished=time_of(60), started=time_of(55), exit_code=1)
    assert reconciled(history, later) == ("exit 1, comes back",)


def test_new_containers_of_a_later_list_are_starts() -> None:
    history = running()
    other = Snapshot("d" * 64, "shop-db-1", "db", "running", started=time_of(40))
    assert reconciled(history, described(started=time_of(0)), other) == (STARTED,)


def test_what_ended_with_the_engine_and_stays_down_was_not_planned() -> None:
    history = running()
    ended = (at("kill", 40, signal=15), at("die", 41, exit_code=143))
    assert follow(history, *ended) == (PLANNED,)
    row = replace(DIED, finished=time_of(41), exit_code=143)
    happenings = history.reconcile([row], 100.0, engine_ended=time_of(42))
    assert tuple(map(word, happenings)) == ("exit 143",)
    assert isinstance(happenings[0].observation, Exited)
    assert happenings[0].observation.problem.sentence == (
        "app ended while the engine was restarted, and was not started again"
    )
    assert reconciled(history, row, engine_ended=time_of(42)) == ()


def test_what_an_engine_that_crashed_does_not_start_again_was_not_planned() -> None:
    history = running()
    db = Snapshot("d" * 64, "shop-db-1", "db", "running", started=time_of(0))
    history.reconcile([described(started=time_of(0)), db], 1.0)
    follow(history, at("kill", 38, signal=15), at("die", 39, exit_code=143))
    app = replace(DIED, finished=time_of(39), exit_code=143)
    db = replace(db, state="exited", finished=time_of(45), exit_code=143)
    assert reconciled(history, app, db, engine_ended=time_of(42)) == ("exit 143",)
    other = {"container": "d" * 64}
    own = (at("kill", 44.9, signal=15, **other), at("stop", 45, **other), at("die", 45.1, **other))
    assert follow(history, *own) == ()
    assert follow(history, at("destroy", 60, **other)) == (PLANNED,)


def test_an_engine_that_lets_containers_run_on_did_not_end_them() -> None:
    history = running(**ALWAYS)
    db = Snapshot("d" * 64, "shop-db-1", "db", "running", started=time_of(0))
    history.reconcile([described(started=time_of(0), **ALWAYS), db], 1.0)
    app = described(started=time_of(46), finished=time_of(45), **ALWAYS)
    ended = {"engine_ended": time_of(42)}
    assert history.reconcile([app, db], 100.0, **ended) == ()
    assert follow(history, at("start", 46.1)) == ("exit None, comes back", STARTED)
    assert history.due(200.0) == ()


def test_what_was_stopped_before_the_engine_stays_a_planned_stop() -> None:
    history = running()
    other = "d" * 64
    db = Snapshot(other, "shop-db-1", "db", "running", started=time_of(0))
    history.reconcile([described(started=time_of(0)), db], 1.0)
    follow(history, at("kill", 35, signal=15), at("die", 36, exit_code=143))
    follow(history, at("kill", 41, signal=15, container=other))
    follow(history, at("die", 42, exit_code=143, container=other))
    app = replace(DIED, finished=time_of(36), exit_code=143)
    db = replace(db, state="exited", finished=time_of(42), exit_code=143)
    assert reconciled(history, app, db, engine_ended=time_of(43)) == ("exit 143",)
    assert reconciled(running(), described(started=time_of(0)), engine_ended=time_of(43)) == ()


def test_what_was_stopped_long_before_the_engine_stays_a_planned_stop() -> None:
    history = running()
    follow(history, at("kill", 35, signal=15), at("die", 36, exit_code=143))
    row = replace(DIED, finished=time_of(36), exit_code=143)
    assert reconciled(history, row, engine_ended=time_of(4000)) == ()
