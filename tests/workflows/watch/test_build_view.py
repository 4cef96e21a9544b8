"""What the screen shows of services and ports."""

from __future__ import annotations

import pytest

from dartsctl.alerts.observations import Silence
from dartsctl.alerts.problem import Problem, Subject
from dartsctl.alerts.state import Episode, State
from dartsctl.diagnosis.facts import EngineFacts
from dartsctl.ports.holders import HostProcess
from dartsctl.ports.process import Process
from dartsctl.ports.strangers import Effect, Occupation, Stranger, WantedPort
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint
from dartsctl.workflows.watch.build_view import ViewBoard, port_views, service_views
from dartsctl.workflows.watch.known import Known
from dartsctl.workflows.watch.signals import Seen
from dartsctl.workflows.watch.view import PortView, ServiceView
from fakes.stack_facts import NOW, container, facts, service


@pytest.mark.parametrize(
    ("states", "healths", "state", "health"),
    [
        ((), (), "", ""),
        (("running",), ("",), "running", ""),
        (("running", "exited"), ("healthy", ""), "exited", "healthy"),
        (("running", "running"), ("healthy", "starting"), "running", "starting"),
        (("running", "running"), ("healthy", "unhealthy"), "running", "unhealthy"),
    ],
)
def test_a_service_is_shown_with_the_worst_of_its_containers(
    states: tuple[str, ...], healths: tuple[str, ...], state: str, health: str
) -> None:
    rows = [
        container("db", state=each, health=check)
        for each, check in zip(states, healths, strict=True)
    ]
    views = {view.name: view for view in service_views(facts(service("db", *rows)))}
    assert (views["db"].state, views["db"].health) == (state, health)


def test_times_are_by_our_clock_and_restarts_add_up() -> None:
    rows = (container("db", started=NOW - 100, restart_count=2), container("db", restart_count=3))
    now = replace(facts(service("db", *rows)), engine=EngineFacts("unix:///x", skew=10.0))
    view = next(view for view in service_views(now) if view.name == "db")
    assert (view.restarts, view.since) == (5, NOW - 110)


def test_a_port_shows_everybody_on_it() -> None:
    python = HostProcess(Process(7, "python", 1, ("python", "run.py")))
    taken = Stranger(python, (Endpoint(5000, "::1"),), Effect.LOCALHOST)
    rows = (
        Occupation(WantedPort(80, "tcp", "web"), "web"),
        Occupation(WantedPort(5000, "tcp", "app"), "app", (taken,)),
        Occupation(WantedPort(53, "udp", "dns")),
    )
    assert port_views(rows) == (
        PortView(80, "web", "web"),
        PortView(5000, "app", "app, python (pid 7: python run.py)", is_stranger=True),
        PortView(53, "dns", protocol="udp"),
    )


def test_of_very_many_ports_the_strangers_are_shown() -> None:
    rows = [Occupation(WantedPort(port, "tcp", "media")) for port in range(20000, 20100)]
    python = HostProcess(Process(7, "python", 1))
    rows[90] = replace(rows[90], strangers=(Stranger(python, (), Effect.CONFLICT),))
    views = port_views(rows)
    assert len(views) == 33
    assert views[-1].port == 20090


def test_parts_come_from_several_sources_and_stay_until_they_change() -> None:
    known = Known()
    board = ViewBoard("prod", "shop", known)
    board.take(Seen(engine="29.0", services=(ServiceView("app", "running"),)))
    board.take(Seen(ports=(PortView(80, "web"),)))
    known.checked("app", 0.25)
    problem = Problem(Subject("engine"), "engine-down", "no engine")
    known.state = State(episodes={problem.subject: Episode("1", problem, 5.0)})
    view = board.view(7.0)
    assert (view.environment, view.project, view.now, view.engine) == ("prod", "shop", 7.0, "29.0")
    assert view.services == (ServiceView("app", "running", latencies=(0.25,)),)
    assert view.ports == (PortView(80, "web"),)
    assert view.episodes[0].problem is problem
    board.take(Seen(engine=""))
    assert board.view(8.0).engine == ""
    assert board.view(8.0).ports == view.ports


@pytest.mark.usefixtures("utc")
def test_silences_that_hold_and_channels_that_take_nothing_are_notes() -> None:
    noon = 1795694400.0
    silences = (
        Silence(Subject("service", "wso2is"), noon + 1800, "load test"),
        Silence(Subject("port", "5000/tcp"), noon + 86400),
        Silence(None, noon + 60),
        Silence(Subject("disk"), noon),
    )
    known = Known()
    known.state = State(silences=silences)
    board = ViewBoard("prod", "darts", known)
    board.take(Seen(waiting={"notify mailto": 1, "notify ntfy": 3}, notes=("another note",)))
    assert board.view(noon).notes == (
        "silenced: wso2is until 12:30 (load test)",
        "silenced: port 5000/tcp until 2026-11-27 12:00",
        "silenced: everything until 12:01",
        "channel notify mailto: 1 message not taken yet",
        "channel notify ntfy: 3 messages not taken yet",
        "another note",
    )
