"""A full look never raises, and never says more than it has seen."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dartsctl.alerts.problem import Problem, Subject
from dartsctl.diagnosis.facts import Commands, ContainerFacts
from dartsctl.edges.screen.output import Screen
from dartsctl.errors import Advice, DartsctlError, DockerUnavailable, Refused
from dartsctl.text.masker import Masker
from dartsctl.workflows.examine.probes import ExamineRequest
from dartsctl.workflows.watch.checks.base import CheckRules
from dartsctl.workflows.watch.known import Known
from dartsctl.workflows.watch.look import LookResult, is_down_on_purpose, look, masked, one_each
from fakes.deps import FakeClock, fake_deps
from fakes.preflights import ENVIRONMENT
from fakes.stack_facts import container, facts, service

SECRET = "canary-7711ddee"


class BrokenEngine:
    """An engine whose every use raises an error."""

    address = "unix:///x"

    def __init__(self, error: Exception) -> None:
        self._error = error

    def control(self) -> None:
        raise self._error


def look_at(error: Exception, tmp_path: Path) -> LookResult:
    masker = Masker()
    masker.learn({"DB_PASSWORD": SECRET})
    deps = fake_deps(
        tmp_path,
        FakeClock(1000.0),
        screen=Screen(masker=masker),
        engine=lambda **_: BrokenEngine(error),
    )
    request = ExamineRequest(ENVIRONMENT, Commands())
    return look(request, CheckRules(), Known(), deps=deps)


def test_an_engine_that_does_not_answer_is_the_problem_and_nothing_else_is_known(
    tmp_path: Path,
) -> None:
    result = look_at(DockerUnavailable("no engine answers", hint="docker info"), tmp_path)
    (problem,) = result.problems
    assert (str(problem.subject), problem.cause) == ("engine", "engine-down")
    assert (problem.sentence, problem.command) == ("no engine answers", "docker info")
    assert result.covers == {"engine"}
    assert result.seen.engine == ""


def test_files_that_cannot_be_read_are_a_problem_of_the_site(tmp_path: Path) -> None:
    error = DartsctlError(
        f"compose.yml: wrong value {SECRET}",
        details=(f"line 3: {SECRET}",),
        hint=Advice(f"remove {SECRET}"),
    )
    result = look_at(error, tmp_path)
    (problem,) = result.problems
    assert (str(problem.subject), problem.cause) == ("site", "files-unreadable")
    assert problem.severity == "warning"
    assert problem.sentence == "compose.yml: wrong value ***"
    assert problem.evidence == ("line 3: ***",)
    assert problem.command == "remove ***"
    assert isinstance(problem.command, Advice)
    assert "service" not in result.covers


def test_containers_of_another_stack_with_the_same_name_are_said_to_be_so(tmp_path: Path) -> None:
    result = look_at(Refused("project shop belongs to /srv/other", hint="ls"), tmp_path)
    (problem,) = result.problems
    assert (problem.cause, problem.severity) == ("another-stack", "warning")
    assert result.covers == {"site", "engine"}


def test_a_bug_in_a_look_is_said_and_nothing_recovers_by_it(tmp_path: Path) -> None:
    result = look_at(ValueError(SECRET), tmp_path)
    (problem,) = result.problems
    assert problem.sentence == "the stack could not be examined: ValueError"
    assert result.covers == frozenset()


STOPPED: dict[str, Any] = {"state": "exited", "exit_code": 137}


def down(*rows: ContainerFacts, subjects: frozenset[Subject] = frozenset()) -> bool:
    """Return whether a stack of services with these containers is down on purpose."""
    services = {row.service: service(row.service, row) for row in rows}
    empty = {"app": service("app"), "web": service("web")}
    return is_down_on_purpose(facts(services=empty | services), subjects)


def test_a_stack_without_containers_is_down_on_purpose() -> None:
    assert down()
    assert down(subjects=frozenset((Subject("service", "app"),)))


@pytest.mark.parametrize(
    ("more", "is_down"),
    [
        (STOPPED, True),
        ({"state": "exited", "exit_code": 0}, True),
        ({"state": "exited", "exit_code": 143}, True),
        ({"state": "exited", "exit_code": 1}, False),
        ({"state": "created"}, False),
        ({"state": "running"}, False),
        ({"state": "restarting", "exit_code": 0}, False),
        ({**STOPPED, "oom_killed": True}, False),
        ({**STOPPED, "error": "cannot be started"}, False),
    ],
)
def test_only_containers_that_ended_as_by_a_stop_are_down_on_purpose(
    more: dict[str, Any], is_down: bool
) -> None:
    assert down(container("app", **STOPPED), container("web", **more)) is is_down


def test_what_has_an_episode_has_failed_and_was_not_stopped() -> None:
    app = container("app", **STOPPED)
    assert not down(app, subjects=frozenset((Subject("service", "app"),)))
    assert down(app, subjects=frozenset((Subject("port", "5000/tcp"),)))


def test_no_secret_is_in_the_data_of_a_problem() -> None:
    masker = Masker()
    masker.learn({"DB_PASSWORD": SECRET})
    problem = Problem(
        Subject("service", "app"), "app-exited", "", data={"error": SECRET, "lines": [SECRET]}
    )
    (shown,) = masked(LookResult((problem,)), masker).problems
    assert shown.data == {"error": "***", "lines": ["***"]}


def test_what_this_look_has_seen_of_a_subject_comes_before_what_is_carried_over() -> None:
    seen = Problem(Subject("service", "app"), "unhealthy", "app is unhealthy")
    before = Problem(Subject("service", "app"), "app-exited", "app has ended")
    assert one_each((seen, before)) == (seen,)
