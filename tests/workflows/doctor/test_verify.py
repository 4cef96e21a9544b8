"""When a verification ends: healthy, hopeless, out of time, or nothing was done."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from dartsctl.config.environment import Environment
from dartsctl.diagnosis.diagnose import diagnose
from dartsctl.diagnosis.facts import CertificateFacts, Commands, Facts
from dartsctl.diagnosis.incident import Afterwards
from dartsctl.diagnosis.nginx.config import Listen
from dartsctl.diagnosis.nginx.limits import Limit
from dartsctl.diagnosis.repair_plan import RepairPlan, make_plan
from dartsctl.errors import ExitCode
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.health_deadline import HealthDeadline, given
from dartsctl.workflows.doctor.repair_run import RepairOutcome
from dartsctl.workflows.doctor.verify import verify
from dartsctl.workflows.examine.probes import ExamineRequest
from dartsctl.workflows.examine.stack import Examination
from fakes.deps import FakeClock, fake_deps
from fakes.stack_facts import answer, container, down, facts, failures, service

REQUEST = ExamineRequest(Environment("prod", (), (), None, (), Path("/")), Commands())
HEALTHY = facts()
EXITED = facts(service("app", down()), http=(answer(502),))
UNHEALTHY = facts(service("app", container("app", health="unhealthy")), http=(answer(502),))
LOOPING = facts(service("app", down(state="restarting", restart_count=9)), http=(answer(502),))


MINUTE = HealthDeadline(60.0)


class Examinations:
    """Returns the diagnosis of each stack in turn, of the last one for ever."""

    def __init__(self, *stacks: Facts) -> None:
        self._left: Sequence[Facts] = stacks
        self.count = 0

    def __call__(self) -> Examination:
        self.count += 1
        stack = self._left[0]
        self._left = self._left[1:] or self._left
        return Examination(REQUEST, stack, diagnose(stack))


def plan_for(stack: Facts) -> RepairPlan:
    return make_plan(diagnose(stack).findings, stack)


def after(
    examinations: Examinations,
    stack: Facts,
    tmp_path: Path,
    *,
    has_worked: bool = True,
    limit: HealthDeadline = MINUTE,
) -> tuple[Afterwards, float]:
    """Return the result of a verification and the seconds that it took."""
    clock = FakeClock()
    result = verify(
        examinations,
        plan_for(stack),
        limit=limit,
        has_worked=has_worked,
        deps=fake_deps(tmp_path, clock),
    )
    return result, clock.seconds


def test_it_ends_with_the_first_healthy_examination(tmp_path: Path) -> None:
    examinations = Examinations(UNHEALTHY, UNHEALTHY, HEALTHY)
    result, _ = after(examinations, EXITED, tmp_path)
    assert result.is_healthy
    assert examinations.count == 3


def test_it_ends_at_the_deadline_while_something_may_still_change(tmp_path: Path) -> None:
    result, seconds = after(Examinations(UNHEALTHY), EXITED, tmp_path)
    assert not result.is_healthy
    assert 60 <= seconds < 61


def test_a_service_that_has_ended_again_is_not_waited_for(tmp_path: Path) -> None:
    examinations = Examinations(EXITED)
    result, seconds = after(examinations, EXITED, tmp_path)
    assert "app has ended" in result.left[0]
    assert (examinations.count, seconds < 5) == (3, True)


def test_an_end_counts_only_three_times_in_a_row(tmp_path: Path) -> None:
    examinations = Examinations(EXITED, EXITED, UNHEALTHY, EXITED, EXITED, HEALTHY)
    result, _ = after(examinations, EXITED, tmp_path)
    assert result.is_healthy


def test_without_a_step_that_worked_it_examines_once(tmp_path: Path) -> None:
    examinations = Examinations(UNHEALTHY)
    result, seconds = after(examinations, EXITED, tmp_path, has_worked=False)
    assert (examinations.count, seconds, result.is_healthy) == (1, 0, False)


def test_what_is_left_to_a_person_is_not_waited_for(tmp_path: Path) -> None:
    examinations = Examinations(LOOPING)
    result, seconds = after(examinations, LOOPING, tmp_path)
    assert (examinations.count, seconds, result.is_healthy) == (1, 0, False)


def test_the_reason_to_wait_is_shown_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    after(Examinations(UNHEALTHY, UNHEALTHY, UNHEALTHY, HEALTHY), EXITED, tmp_path)
    assert capsys.readouterr().err.count("waiting: app runs, but its health check fails") == 1


def test_it_waits_as_long_as_the_health_checks_allow_and_says_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    limit = HealthDeadline(540.0, path=(("db", 60.0), ("app", 480.0)))
    starting = facts(service("app", container("app", health="starting")), http=(answer(502),))
    looks = [*[starting] * 600, HEALTHY]
    result, seconds = after(Examinations(*looks), EXITED, tmp_path, limit=limit)
    assert result.is_healthy
    assert 300 <= seconds < 540
    said = capsys.readouterr().err
    assert "health deadline: 9 min, as the health checks allow (db 1 min, then app 8 min)" in said
    assert "waiting: app is still starting" in said


def test_a_deadline_that_a_person_chose_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, seconds = after(Examinations(UNHEALTHY), EXITED, tmp_path, limit=given(5.0))
    assert 5 <= seconds < 6
    assert "as --wait-timeout or wait_timeout says" in capsys.readouterr().err


def test_a_healthy_stack_is_not_waited_for_and_no_deadline_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, seconds = after(Examinations(HEALTHY), EXITED, tmp_path)
    assert (seconds, capsys.readouterr().err) == (0.0, "")


SITE = Limit("site", 0.2)
LIMITED = facts(
    http=(answer(503, limits=(SITE,), limited="asked too often, says nginx's zone site"),)
)
ANSWERED = facts(http=(answer(200, limits=(SITE,)),))


def test_the_site_s_own_limit_sets_the_pace_and_its_refusals_are_no_answers(
    tmp_path: Path,
) -> None:
    examinations = Examinations(LIMITED, LIMITED, ANSWERED)
    result, seconds = after(examinations, EXITED, tmp_path)
    assert result.is_healthy
    assert (examinations.count, seconds) == (3, 2 * SITE.pause)


def test_what_was_never_answered_is_not_verified(tmp_path: Path) -> None:
    result, _ = after(Examinations(LIMITED), EXITED, tmp_path)
    (left,) = result.left
    assert left.startswith("not verified: http://127.0.0.1:80/ answers 503: asked too often")


EXPIRED = CertificateFacts("/srv/tls.crt", "/srv/tls.crt expired", refusing=True, source="file")
TLS = replace(failures(), listens=(Listen(443, "", tls=True),))


def test_an_expired_certificate_keeps_no_repaired_incident_open(tmp_path: Path) -> None:
    broken = facts(service("app", down()), http=(answer(502),), proxy=TLS, certificates=(EXPIRED,))
    web = service("web", container("web", "10.0.0.3", listening=(Endpoint(443, "0.0.0.0"),)))
    repaired = facts(web, proxy=TLS, certificates=(EXPIRED,))
    result, seconds = after(Examinations(repaired), broken, tmp_path)
    assert (result.is_healthy, seconds) == (True, 0)
    assert result.beside == ("web: /srv/tls.crt expired",)


def test_an_expired_certificate_alone_is_what_is_left() -> None:
    web = service("web", container("web", "10.0.0.3", listening=(Endpoint(443, "0.0.0.0"),)))
    stack = facts(web, proxy=TLS, certificates=(EXPIRED,))
    outcome = RepairOutcome.nothing_done(plan_for(stack), Examinations(stack)())
    assert (outcome.code, outcome.after.left) == (
        ExitCode.FAILED,
        ("web: /srv/tls.crt expired",),
    )


def test_what_does_no_harm_and_was_not_planned_for_keeps_no_incident_open(tmp_path: Path) -> None:
    without_port = service("other", container("other", bound=()), published=(7000,))
    result, _ = after(Examinations(facts(without_port)), EXITED, tmp_path)
    assert not result.left
    assert "other runs without its port" in result.beside[0]


def test_what_the_plan_was_for_counts_although_requests_succeed(tmp_path: Path) -> None:
    failing = facts(service("app", container("app", health="unhealthy")))
    result, _ = after(Examinations(failing), EXITED, tmp_path)
    assert "its health check fails" in result.left[0]


def test_a_new_failure_counts_whatever_the_plan_was_for(tmp_path: Path) -> None:
    worse = facts(service("db", down("db", 1), published=()), http=(answer(502, "db"),))
    result, _ = after(Examinations(worse), EXITED, tmp_path)
    assert result.left
