"""Doctor's findings as problems: whose they are, what they show, and since when."""

from __future__ import annotations

from typing import Any

import pytest

from dartsctl.alerts.problem import Subject
from dartsctl.alerts.problems.of_finding import problem_of, problems_of, subject_of
from dartsctl.diagnosis.diagnose import diagnose
from dartsctl.diagnosis.facts import CertificateFacts, EngineFacts, Facts, LoggedLine, ProxyFacts
from dartsctl.diagnosis.findings import Cause, Finding, Link
from dartsctl.diagnosis.nginx.config import Listen
from dartsctl.records import replace
from fakes.stack_facts import FLASK, NOW, conflict, container, facts, service

ENDED: dict[str, Any] = {"state": "exited", "exit_code": 3, "finished": NOW - 60}


def finding(cause: Cause = Cause.APP_EXITED, service: str = "app", **more: Any) -> Finding:
    usual: dict[str, Any] = {
        "container": "",
        "chain": (Link("cause", "bad", "app has ended"),),
        "sentence": "app has ended",
        "command": "dartsctl doctor --fix",
        "confidence": "certain",
        "data": {"followed_by": []},
    }
    return Finding(cause, service, **(usual | more))


def problems(now: Facts) -> dict[str, Any]:
    """Return the problems of a stack by their subjects."""
    return {str(row.subject): row for row in problems_of(diagnose(now).findings, now)}


@pytest.mark.parametrize(
    ("row", "subject"),
    [
        (finding(), "service:app"),
        (finding(Cause.NEVER_STARTED, "", data={}), "site"),
        (finding(Cause.ENGINE_DOWN, "", data={}), "engine"),
        (finding(Cause.PORT_SQUATTER, data={"port": 5000, "protocol": "tcp"}), "port:5000/tcp"),
        (finding(Cause.OTHER_CONTAINER, data={"port": 53, "protocol": "udp"}), "port:53/udp"),
        (finding(Cause.ENTRY_PORT_TAKEN, "web", data={"port": 80}), "port:80/tcp"),
        (finding(Cause.NEVER_STARTED, data={"port": 80}), "service:app"),
        (
            finding(Cause.CERTIFICATE, "web", data={"certificate": "/tls/a.pem"}, is_aside=True),
            "certificate:/tls/a.pem",
        ),
        (finding(Cause.CERTIFICATE, "web", data={"certificate": "/tls/a.pem"}), "service:web"),
    ],
)
def test_the_subject(row: Finding, subject: str) -> None:
    assert str(subject_of(row, facts(service("app", container("app"))))) == subject


def test_a_service_whose_start_was_refused_is_down_and_its_port_follows() -> None:
    row = finding(Cause.PORT_SQUATTER, data={"port": 5000})
    refused = facts(service("app", container("app", state="exited", error="in use")))
    assert subject_of(row, refused) == Subject("service", "app")
    assert subject_of(row, facts(service("app"))) == Subject("port", "5000/tcp")
    stopped = facts(service("app", container("app", state="exited")))
    assert subject_of(row, stopped) == Subject("port", "5000/tcp")


def test_what_follows_is_affected() -> None:
    row = finding(Cause.PORT_SQUATTER, data={"port": 80, "followed_by": ["web", "app", "web"]})
    refused = facts(service("app", container("app", state="created", error="in use")))
    assert problem_of(row, refused).affected == (
        Subject("service", "web"),
        Subject("port", "80/tcp"),
    )
    assert problem_of(row, facts()).affected == (
        Subject("service", "app"),
        Subject("service", "web"),
    )
    row = finding(data={"followed_by": ["app", "web"]})
    assert problem_of(row, facts()).affected == (Subject("service", "web"),)
    row = finding(Cause.CERTIFICATE, "web", data={"certificate": "/tls/a.pem"})
    assert problem_of(row, facts()).affected == (Subject("certificate", "/tls/a.pem"),)


@pytest.mark.parametrize(
    ("confidence", "sentence"),
    [
        ("certain", "app has ended"),
        ("likely", "probably: app has ended"),
        ("possible", "possibly: app has ended"),
    ],
)
def test_what_was_not_measured_is_said_to_be_probable(confidence: str, sentence: str) -> None:
    assert problem_of(finding(confidence=confidence), facts()).sentence == sentence


@pytest.mark.parametrize(
    ("said", "sentence"),
    [
        ("app has ended with exit code 3, 12 s ago", "app has ended with exit code 3"),
        (
            "app keeps restarting: 3 restarts, now running for 2 s",
            "app keeps restarting: 3 restarts",
        ),
        (
            "app runs, but nothing listens on port 80 inside it; it was started 2 s ago",
            "app runs, but nothing listens on port 80 inside it",
        ),
        ("app keeps restarting: 3 restarts, last with exit code 1", None),
        ("the certificate at https://a/ expired on 2026-01-01", None),
    ],
)
def test_the_sentence_has_no_age_that_changes_with_every_look(
    said: str, sentence: str | None
) -> None:
    assert problem_of(finding(sentence=said), facts()).sentence == (sentence or said)


def test_what_does_no_harm_is_a_warning() -> None:
    assert problem_of(finding(), facts()).severity == "critical"
    assert problem_of(finding(harmless=True), facts()).severity == "warning"
    assert problem_of(finding(is_aside=True), facts()).severity == "warning"


def test_several_findings_about_one_service_are_one_problem() -> None:
    rows = (
        finding(data={"followed_by": ["web"]}, chain=(Link("symptom", "bad", "/ answers 502"),)),
        finding(Cause.WRONG_PORT, sentence="app listens on 8000", data={"followed_by": ["db"]}),
    )
    (problem,) = problems_of(rows, facts())
    assert problem.cause == "app-exited"
    assert problem.evidence == ("/ answers 502", "also: app listens on 8000")
    assert [subject.name for subject in problem.affected] == ["web", "db"]


def test_an_exit_shows_code_state_and_the_end_of_the_log() -> None:
    log = tuple(LoggedLine(f"line {number}") for number in range(30))
    dead = container("app", **ENDED, log=log, oom_killed=True, error="no such file")
    problem = problems(facts(service("app", dead)))["service:app"]
    assert "shop-app-1: exit code 3" in problem.evidence[-13]
    assert problem.evidence[-12:-10] == ("OOMKilled: true", "State.Error: no such file")
    assert problem.evidence[-10:] == tuple(f"log: line {number}" for number in range(20, 30))
    assert problem.since == NOW - 60
    assert problem.data["exit_code"] == 3
    assert problem.data["oom_killed"] is True


def test_the_engines_times_are_said_by_our_clock() -> None:
    dead = container("app", **ENDED)
    ahead = EngineFacts("unix:///x", "29.0", skew=40.0)
    problem = problems(replace(facts(service("app", dead)), engine=ahead))["service:app"]
    assert problem.since == NOW - 100


def test_a_failed_health_check_shows_its_output_and_began_with_the_first_failure() -> None:
    sick = container(
        "app", health="unhealthy", health_output="refused\nby db", unhealthy_since=NOW - 30
    )
    problem = problems(facts(service("app", sick)))["service:app"]
    assert problem.cause == "unhealthy"
    assert "health check: refused by db" in problem.evidence
    assert problem.since == NOW - 30


def test_a_log_that_cannot_be_read_is_said_to_be_so() -> None:
    dead = container("app", **ENDED, log=None)
    problem = problems(facts(service("app", dead)))["service:app"]
    assert problem.evidence[-1] == "its log cannot be read: the logging driver keeps none"


def test_a_service_whose_port_is_held_names_the_holder_and_the_port_follows() -> None:
    waiting = container("app", state="created", error="address already in use")
    now = facts(service("app", waiting, conflicts=(conflict(FLASK),)))
    problem = problems(now)["service:app"]
    assert "python (pid 1234" in problem.sentence
    assert Subject("port", "5000/tcp") in problem.affected
    assert problem.data["pid"] == 1234


def test_a_certificate_that_has_ended_is_a_problem_of_its_own() -> None:
    old = CertificateFacts(
        "/tls/a.pem", "/tls/a.pem expired on 2026-01-01", refusing=True, source="file"
    )
    proxy = ProxyFacts("web", "nginx", listens=(Listen(443, tls=True),))
    problem = problems(facts(proxy=proxy, certificates=(old,)))["certificate:/tls/a.pem"]
    assert (problem.cause, problem.severity) == ("certificate", "critical")
    assert Subject("service", "web") in problem.affected


def test_an_end_in_the_future_tells_no_time() -> None:
    dead = container("app", **(ENDED | {"finished": NOW + 60}))
    assert problems(facts(service("app", dead)))["service:app"].since is None


def test_of_the_symptoms_the_bad_ones_are_evidence() -> None:
    chain = (
        Link("symptom", "ok", "/ answers 200"),
        Link("symptom", "bad", "/api answers 502"),
    )
    assert problem_of(finding(chain=chain), facts()).evidence == ("/api answers 502",)


def test_what_inspect_says_of_a_container_is_shown_once() -> None:
    source = "engine: inspect shop-app-1"
    chain = (Link("container", "bad", "app exited", source=source),)
    dead = container("app", **ENDED)
    row = finding(container="shop-app-1", chain=chain)
    (state,) = problem_of(row, facts(service("app", dead))).evidence
    assert state.startswith("shop-app-1: exit code 3, at ")
