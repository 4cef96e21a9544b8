"""The state stays small whatever sources report."""

from __future__ import annotations

import json

from dartsctl.alerts.bounds import bounded
from dartsctl.alerts.documents import problem_document, read_problem
from dartsctl.alerts.draft import MOST_EPISODES, MOST_RECENT
from dartsctl.alerts.observations import Silence
from dartsctl.alerts.problem import Problem, Subject
from dartsctl.alerts.rules import Rules
from dartsctl.alerts.state_document import state_document
from dartsctl.errors import Advice
from dartsctl.records import replace
from dartsctl.text.strict_json import Source, read_json
from fakes.alerting import START, Alerting, a_problem, saved_and_loaded, service


def test_more_subjects_than_a_stack_can_have_are_not_all_kept() -> None:
    watch = Alerting(Rules(open_after=0, close_after=0))
    for number in range(2):
        names = [f"s{number}-{other}" for other in range(1200)]
        root = a_problem("root", affected=tuple(names[:300]))
        watch.look(root, *map(a_problem, names))
        for name in names:
            watch.exit(name)
            watch.exit(f"stopped-{name}", planned=True)
        watch.look()
        watch.look()
    assert len(watch.state.episodes) <= MOST_EPISODES
    assert len(watch.state.recent) <= MOST_RECENT
    assert len(json.dumps(state_document(watch.state))) < 8 << 20
    assert saved_and_loaded(watch.state).episodes == watch.state.episodes


def test_texts_of_any_length_and_kind_can_be_saved() -> None:
    huge = Problem(
        Subject("service", "app"),
        "unhealthy",
        "x" * 10**6,
        "y" * 10**6,
        evidence=tuple("z" * 10**5 for _ in range(1000)),
        affected=tuple(service(str(number)) for number in range(10**4)),
        data={
            "big": 1 << 80,
            "nan": float("nan"),
            "infinite": float("inf"),
            "nested": {"a": {"b": 1}, "c": [1]},
            "names": ["\udcff"] * 1000,
            "bytes": b"x",
        },
    )
    watch = Alerting(Rules(open_after=0))
    watch.look(huge)
    assert saved_and_loaded(watch.state).episodes == watch.state.episodes
    assert len(json.dumps(state_document(watch.state))) < 200_000


def test_the_latest_lines_of_evidence_are_kept() -> None:
    problem = Problem(service("app"), "x", "x", evidence=tuple(map(str, range(100))))
    assert bounded(problem, START).evidence[-1] == "99"


def test_silences_without_end_in_number_are_limited() -> None:
    watch = Alerting()
    watch.silence(*(Silence(service(str(number)), watch.now + 60) for number in range(5000)))
    assert len(watch.state.silences) == 1000


def test_advice_stays_advice_and_a_command_a_command() -> None:
    for command in ("docker info", Advice("renew the certificate")):
        problem = replace(a_problem("app"), command=command)
        text = json.dumps(problem_document(bounded(problem, START)))
        saved = read_problem(read_json(text, Source("state.json")))
        assert (saved.command, type(saved.command)) == (command, type(command))


def test_a_state_without_that_field_is_still_read() -> None:
    document = dict(problem_document(a_problem("app")))
    del document["is_advice"]
    assert read_problem(read_json(json.dumps(document), Source("s"))) == a_problem("app")
