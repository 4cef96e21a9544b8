"""When a call of Compose has taken too long, and what a silent one says meanwhile.

The lines are Compose's own, the time is the test's.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from dartsctl.edges.screen.output import Screen
from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.containers import Container
from dartsctl.stack.health_check import HealthCheck
from dartsctl.stack.model import Stack
from dartsctl.workflows.up.compose_run import ComposeResult, run
from dartsctl.workflows.up.deadline import CallClock, Countdown, StartClock, decide
from dartsctl.workflows.up.signs_of_life import SignsOfLife
from fakes.compose import ScriptedCompose
from fakes.deps import FakeClock, fake_deps
from fakes.engine import FakeEngine
from fakes.kernel import container

CHECK = {"test": ["CMD", "true"], "interval": "10s", "timeout": "10s", "retries": 5}
"""May take 100 s and its start period."""
BUILD = [(0.0, " Service app  Building"), (0.0, "Step 2/3 : RUN make everything")]
CREATED = [
    (0.0, " Network demo_default  Creating"),
    (0.0, " Network demo_default  Created"),
    (0.0, " Container demo-db-1  Creating"),
    (0.0, " Container demo-db-1  Created"),
]
STARTED = [(0.0, " Container demo-db-1  Starting"), (0.0, " Container demo-db-1  Started")]
WAITING = [(0.0, " Container demo-db-1  Waiting")]


def stack(**services: Any) -> Stack:
    return read_stack({"name": "demo", "services": services})


SLOW = stack(
    app={"build": {}, "depends_on": {"db": {"condition": "service_healthy"}}},
    db={"image": "db:1", "healthcheck": {**CHECK, "start_period": "5m"}},
)
"""Its deadline is 400 s."""
QUICK = stack(app={"image": "app:1"})
BUILT = stack(app={"build": {}})
MIGRATED = stack(
    app={"image": "a:1", "depends_on": {"db": {"condition": "service_completed_successfully"}}},
    db={"image": "db:1"},
)


class Case:
    """One call of Compose with its clock."""

    def __init__(self, folder: Path, screen: Screen | None = None) -> None:
        self.clock = FakeClock()
        self.stopping: tuple[Container, ...] = ()
        self.engine = FakeEngine(images={"db:1": HealthCheck(), "app:1": HealthCheck()})
        self.deps = fake_deps(
            folder, self.clock, engine=lambda: self.engine, screen=screen or Screen()
        )

    def run(self, clock: CallClock, *script: tuple[float, str]) -> ComposeResult:
        compose: Any = ScriptedCompose(self.clock, script)
        return run(compose, "up", clock=clock, deps=self.deps, built=("app",), on_line=self._follow)

    def _follow(self, line: str) -> None:
        if line.endswith("Exited"):
            self.engine.running = ()

    def start(
        self, stack: Stack, *script: tuple[float, str], given: float | None = None
    ) -> ComposeResult:
        clock = StartClock(stack, given, deps=self.deps, stopping=self.stopping)
        return self.run(clock, *script)


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


# --- images have no deadline -------------------------------------------------------------------


@pytest.mark.parametrize("given", [None, 3])
@pytest.mark.parametrize("images", [BUILD, [(0.0, " app Pulling")], []])
def test_pulls_and_builds_take_as_long_as_they_need(
    case: Case, images: list[tuple[float, str]], given: float | None
) -> None:
    stack = QUICK if images else BUILT
    result = case.start(stack, *images, (7200, " app  Built"), *CREATED, *STARTED, given=given)
    assert (result.code, result.is_late) == (0, False)
    assert case.clock.now() >= 7200


@pytest.mark.parametrize(("given", "seconds"), [(None, 120), (3, 30), (60, 60), (600, 120)])
@pytest.mark.parametrize("says", ["", "y"])
def test_a_compose_that_says_nothing_known_has_two_minutes_at_most(
    case: Case, given: float | None, seconds: float, says: str
) -> None:
    assert not case.start(QUICK, (seconds - 1, says), *CREATED, *STARTED, given=given).is_late
    assert case.start(QUICK, (seconds + 1, says), *CREATED, *STARTED, given=given).is_late


def test_a_repair_does_not_count_them_either(case: Case) -> None:
    clock = Countdown(100, deps=case.deps, skip_images=True)
    assert not case.run(clock, *BUILD, (7200, CREATED[0][1]), (99, "")).is_late
    clock = Countdown(100, deps=case.deps, skip_images=True)
    assert case.run(clock, *BUILD, (7200, CREATED[0][1]), (101, "")).is_late
    assert case.run(Countdown(100, deps=case.deps), (101, "")).is_late


# --- the time until the stack must be healthy --------------------------------------------------


@pytest.mark.parametrize(
    ("waits", "given", "is_late"),
    [
        (119, 120, False),
        (121, 120, True),
        (399, None, False),
        (401, None, True),
        (4, 3, True),
        (399, 1000, False),
    ],
)
def test_waiting_for_a_dependency_has_the_time_that_its_health_check_needs(
    case: Case, waits: float, given: float | None, is_late: bool
) -> None:
    result = case.start(
        SLOW, *CREATED, *STARTED, *WAITING, (waits, " Container demo-db-1  Healthy"), given=given
    )
    assert result.is_late is is_late


def test_without_health_checks_it_is_two_minutes(case: Case) -> None:
    assert not case.start(QUICK, *CREATED, *STARTED, (119, "")).is_late
    assert case.start(QUICK, *CREATED, *STARTED, (121, "")).is_late


def test_it_begins_with_the_first_start_and_not_with_each(case: Case) -> None:
    script = [*CREATED, (100.0, STARTED[0][1]), (100.0, " Container demo-app-1  Starting")]
    assert not case.start(QUICK, *script, (19, "")).is_late
    assert case.start(QUICK, *script, (21, "")).is_late


def test_containers_that_are_replaced_have_their_own_time_to_stop(case: Case) -> None:
    recreate = " Container demo-db-1  Recreate"
    assert case.start(SLOW, (0, recreate), (121, ""), given=3).is_late
    case.stopping = (container("demo", "db"),)
    case.engine.stop_seconds = 600
    assert not case.start(SLOW, (0, recreate), (719, ""), given=3).is_late
    assert case.start(SLOW, (0, recreate), (721, ""), given=3).is_late
    case.engine.is_remote = True
    assert case.start(SLOW, (0, recreate), (131, ""), given=3).is_late
    case.engine.is_remote, case.engine.is_gone = False, True
    assert case.start(SLOW, (0, recreate), (121, ""), given=3).is_late


def test_waiting_for_what_runs_already_begins_it_too(case: Case) -> None:
    running = (0.0, " Container demo-db-1  Running")
    assert not case.start(SLOW, running, *WAITING, (4, ""), given=5).is_late
    assert case.start(SLOW, running, *WAITING, (6, ""), given=5).is_late


def test_in_a_restart_every_start_begins_it_again(case: Case) -> None:
    clock = StartClock(QUICK, None, deps=case.deps, is_restart=True)
    first, second = (f" Container demo-{name}-1  Restarting" for name in ("db", "app"))
    restarted = [(0.0, first), (0.0, STARTED[1][1]), (100.0, second), (0.0, STARTED[1][1])]
    assert not case.run(clock, *restarted, (119, "")).is_late


def test_after_the_call_the_rest_of_the_time_is_left(case: Case) -> None:
    clock = StartClock(QUICK, None, deps=case.deps)
    case.run(clock, *CREATED, *STARTED, (100, " Container demo-app-1  Started"))
    assert clock.until == 120
    unchanged = StartClock(QUICK, 7, deps=case.deps)
    case.run(unchanged, (0, " Container demo-app-1  Running"))
    assert unchanged.until == case.clock.now() + 7
    assert unchanged.until == case.clock.now() + 7


# --- one-shots ---------------------------------------------------------------------------------


def test_the_time_of_a_one_shot_that_others_wait_for_is_not_counted(case: Case) -> None:
    case.engine.running = (container("demo", "db"),)
    script = [*CREATED, *STARTED, *WAITING, (5000.0, " Container demo-db-1  Exited")]
    assert not case.start(MIGRATED, *script, (119, "")).is_late
    case.engine.running = (container("demo", "db"),)
    assert case.start(MIGRATED, *script, (121, "")).is_late


def test_a_person_s_deadline_counts_it(case: Case) -> None:
    case.engine.running = (container("demo", "db"),)
    assert case.start(MIGRATED, *CREATED, *STARTED, *WAITING, (31, ""), given=30).is_late


@pytest.mark.parametrize("how", ["ended", "crashes", "another project", "no answer"])
def test_a_one_shot_that_does_not_run_by_itself_stops_no_clock(case: Case, how: str) -> None:
    own = container("demo", "db", state="exited" if how == "ended" else "running")
    case.engine.running = (container("other", "db") if how == "another project" else own,)
    case.engine.restarts = {own.id: 3} if how == "crashes" else {}
    case.engine.is_gone = how == "no answer"
    assert case.start(MIGRATED, *CREATED, *STARTED, *WAITING, (121, "")).is_late


# --- which deadline ----------------------------------------------------------------------------


def test_the_images_own_health_checks_count_when_they_are_there(case: Case) -> None:
    image = HealthCheck(("CMD", "true"), start_period=1000)
    case.engine.images = {"app:1": image}
    assert decide(QUICK, None, deps=case.deps).seconds == 1180
    assert decide(QUICK, 5, deps=case.deps).seconds == 5


@pytest.mark.parametrize("fault", ["is_remote", "is_gone"])
def test_images_that_cannot_be_asked_for_are_unknown(case: Case, fault: str) -> None:
    setattr(case.engine, fault, True)
    limit = decide(QUICK, None, deps=case.deps)
    assert (limit.seconds, limit.unknown) == (120, ("app",))


def test_it_is_decided_when_the_images_are_there_and_said_with_v(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    case = Case(tmp_path, Screen(verbose=True))
    case.start(SLOW, *BUILD, (500, " app  Built"), *CREATED, *STARTED)
    err = capsys.readouterr().err
    assert err.count("health deadline: 6 min 40 s, as the health checks allow (db 6 min 40 s)") == 1
    assert err.index("app  Built") < err.index("health deadline")


# --- what is said meanwhile --------------------------------------------------------------------


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return [line for line in capsys.readouterr().err.splitlines() if "(" in line]


def test_a_silent_build_says_that_it_lives(case: Case, capsys: pytest.CaptureFixture[str]) -> None:
    case.start(QUICK, *BUILD, (85, " ---> 9f6ad7c7a7c2"), (50, " app  Built"))
    assert said(capsys) == [
        "building app (10 s)",
        "building app (40 s)",
        "building app (1 min 10 s)",
        "building app (1 min 35 s)",
        "building app (2 min 5 s)",
    ]


def test_a_silent_wait_for_a_dependency_says_for_which(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    case.start(SLOW, *CREATED, *STARTED, *WAITING, (45, " Container demo-db-1  Healthy"))
    assert said(capsys) == ["waiting for demo-db-1 (10 s)", "waiting for demo-db-1 (40 s)"]


def test_the_bars_of_layers_are_not_printed_line_by_line(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    bars = [(1.0, f" abdf031500d4 Downloading [==>   ]  {done}MB/300MB") for done in range(1, 25)]
    case.start(QUICK, (0, " app Pulling"), *bars, (0, " app Pulled"))
    assert capsys.readouterr().err.splitlines() == [
        " app Pulling",
        "pulling app (10 s)",
        " app Pulled",
    ]


def test_quiet_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Case(tmp_path, Screen(quiet=True)).start(QUICK, *BUILD, (85, " app  Built"))
    assert capsys.readouterr().err == ""


def test_the_time_is_that_of_the_present_work(
    case: Case, capsys: pytest.CaptureFixture[str]
) -> None:
    signs = SignsOfLife(case.deps)
    for words in ("waiting for db (starting)", "waiting for app (starting)"):
        signs.said(words)
        for _ in range(80):
            signs.tick(words)
            case.clock.sleep(0.5)
    assert capsys.readouterr().err.splitlines() == [
        "waiting for db (starting)",
        "waiting for db (starting) (10 s)",
        "waiting for app (starting)",
        "waiting for app (starting) (10 s)",
    ]
