"""A stranger on a production port in words."""

from __future__ import annotations

import pytest

from dartsctl.alerts.problem import Problem, Subject
from dartsctl.alerts.problems.of_stranger import joined, stranger_problem
from dartsctl.diagnosis.facts import Commands
from dartsctl.ports.holders import ForeignContainer, HostProcess, Unknown
from dartsctl.ports.process import Process
from dartsctl.ports.strangers import Effect, Occupation, Stranger, WantedPort
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint
from fakes.kernel import container

COMMANDS = Commands()
PYTHON = HostProcess(
    Process(70, "python", 1, ("python", "run.py", "--token=canary-11aa22bb"), user="dev", cwd="/w")
)
PLACE = Endpoint(5000, "127.0.0.1")


def wanted(*endpoints: Endpoint, origin: str = "") -> WantedPort:
    return WantedPort(5000, "tcp", "app", endpoints or (PLACE,), origin=origin)


def stranger(effect: Effect = Effect.CONFLICT, *, address: str = "127.0.0.1") -> Stranger:
    return Stranger(PYTHON, (Endpoint(5000, address),), effect)


@pytest.mark.parametrize(
    ("row", "severity", "what"),
    [
        (stranger(), "critical", "and the next `dartsctl prod up` cannot bind it"),
        (
            stranger(Effect.DOUBTFUL),
            "warning",
            "and the next `dartsctl prod up` may not be able to bind it",
        ),
        (
            stranger(Effect.LOCALHOST, address="::1"),
            "warning",
            "who may answer on localhost instead: on [::1]:5000/tcp, the stack is on OURS",
        ),
        (
            stranger(Effect.BESIDE, address="192.0.2.2"),
            "warning",
            "on 192.0.2.2:5000/tcp, which is not in the way of `dartsctl prod up`",
        ),
        (stranger(Effect.DOCUMENTED), "warning", "and the Compose files do not publish it"),
    ],
)
def test_the_sentence_says_what_the_stranger_does(row: Stranger, severity: str, what: str) -> None:
    problem = stranger_problem(Occupation(wanted(), "", (row,)), COMMANDS)
    assert problem.sentence == (
        "port 5000/tcp of production's app is held by a stranger, "
        f"{what.replace('OURS', str(PLACE))}: "
        "python (pid 70: python run.py --token=***)"
    )
    assert problem.severity == severity
    assert str(problem.subject) == "port:5000/tcp"
    assert problem.command == "dartsctl prod check"


def test_the_evidence_has_user_command_and_folder_without_secrets() -> None:
    problem = stranger_problem(Occupation(wanted(), "", (stranger(),)), COMMANDS)
    assert problem.evidence == (
        "127.0.0.1:5000/tcp: python (pid 70, user dev): python run.py --token=***, in /w",
    )
    assert problem.data["pid"] == 70
    assert "canary" not in repr(problem)


def test_the_worst_of_several_strangers_is_named_and_all_are_evidence() -> None:
    other = ForeignContainer(container("elsewhere", "web"), "docker lists 0.0.0.0:5000/tcp")
    worse = Stranger(other, (Endpoint(5000, "0.0.0.0"),), Effect.CONFLICT)
    occupation = Occupation(
        wanted(origin="dartsctl.toml:4"),
        "",
        (stranger(Effect.LOCALHOST, address="::1"), worse),
    )
    problem = stranger_problem(occupation, COMMANDS)
    assert "app (dartsctl.toml:4) is held" in problem.sentence
    assert problem.sentence.endswith("container elsewhere-web-1 of project elsewhere")
    assert len(problem.evidence) == 2
    assert problem.data["effect"] == "conflict"
    beside = replace(worse, effect=Effect.BESIDE)
    problem = stranger_problem(Occupation(wanted(), "", (beside, stranger())), COMMANDS)
    assert problem.data["pid"] == 70
    assert problem.severity == "critical"


def test_an_invisible_owner_comes_with_the_command_that_shows_it() -> None:
    unseen = Unknown(0, "sudo ss -Htnap 'sport = :5000'", "listens on 127.0.0.1:5000/tcp")
    row = Stranger(unseen, (PLACE,), Effect.CONFLICT)
    problem = stranger_problem(Occupation(wanted(), "", (row,)), COMMANDS)
    assert "a process that is not visible" in problem.sentence
    assert "sudo ss" in problem.evidence[0]


REFUSED = Problem(
    Subject("service", "app"),
    "never-started",
    "app could not be started: the port is in use",
    "dartsctl doctor --fix",
    evidence=("State.Error: address already in use",),
    since=5.0,
    affected=(Subject("service", "web"),),
    data={"port": 5000, "protocol": "tcp"},
)
OTHER = Problem(Subject("service", "db"), "app-exited", "db has ended")


@pytest.mark.parametrize("effect", [Effect.CONFLICT, Effect.DOUBTFUL])
def test_a_start_that_failed_for_the_port_is_part_of_its_problem(effect: Effect) -> None:
    port = stranger_problem(Occupation(wanted(), "", (stranger(effect),)), COMMANDS)
    problem, other = joined((REFUSED, OTHER, port))
    assert other is OTHER
    assert (str(problem.subject), problem.cause) == ("port:5000/tcp", "port-squatter")
    assert problem.sentence == (
        "probably: app is down because port 5000/tcp is held by "
        "python (pid 70: python run.py --token=***)"
    )
    assert (problem.severity, problem.since) == ("critical", 5.0)
    assert problem.affected == (Subject("service", "app"), Subject("service", "web"))
    assert problem.evidence[-2:] == (REFUSED.sentence, "State.Error: address already in use")


@pytest.mark.parametrize("effect", [Effect.LOCALHOST, Effect.BESIDE, Effect.DOCUMENTED])
def test_a_stranger_that_is_not_in_the_way_is_not_why_a_start_failed(effect: Effect) -> None:
    port = stranger_problem(Occupation(wanted(), "", (stranger(effect),)), COMMANDS)
    assert [row.cause for row in joined((REFUSED, port))] == [REFUSED.cause, port.cause]


@pytest.mark.parametrize(
    "data", [{}, {"port": 5001, "protocol": "tcp"}, {"port": 5000, "protocol": "udp"}]
)
def test_a_start_that_failed_for_something_else_is_a_problem_of_its_own(
    data: dict[str, object],
) -> None:
    port = stranger_problem(Occupation(wanted(), "", (stranger(),)), COMMANDS)
    start = replace(REFUSED, data=data)
    assert [row.cause for row in joined((start, port))] == ["port-stranger", "never-started"]
