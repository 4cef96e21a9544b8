"""The page of the dashboard says what is known, and not more."""

from __future__ import annotations

import pytest

from dartsctl.alerts.problem import Subject
from dartsctl.alerts.state import Episode
from dartsctl.edges.screen.page import ASCII, Glyphs, Row
from dartsctl.records import replace
from dartsctl.workflows.watch.overview import latency, page_of, sparkline
from dartsctl.workflows.watch.view import PortView, ServiceView, View
from fakes.watch_views import CERTIFICATE, NOW, SQUATTER, calm, episode, incident

GLYPHS = Glyphs()


def top(view: View) -> str:
    return "".join(cell.text for cell in page_of(view, (), GLYPHS).left)


def rows(view: View, name: str) -> tuple[Row, ...]:
    sections = {section.name: section.rows for section in page_of(view, (), GLYPHS).sections}
    return sections[name]


def texts(row: Row) -> list[str]:
    return [cell.text for cell in row.cells]


@pytest.mark.parametrize(
    ("episodes", "text"),
    [
        ((), " no alerts "),
        ((episode(),), " 1 alert "),
        ((episode(), episode()), " 2 alerts "),
        ((episode(CERTIFICATE),), " 1 warning "),
        ((episode(), episode(CERTIFICATE)), " 1 alert, 1 warning "),
        ((episode(phase="pending"),), " not confirmed yet "),
        ((episode(phase="closing"),), " 1 alert "),
    ],
)
def test_the_first_line_counts_alerts(episodes: tuple[Episode, ...], text: str) -> None:
    assert text in top(replace(calm(), episodes=episodes))


def test_before_the_first_look_nothing_is_claimed() -> None:
    view = View("prod", "darts", NOW)
    assert top(view) == "prod (darts) · nothing is known yet"
    assert not any(section.rows for section in page_of(view, (), GLYPHS).sections)


@pytest.mark.parametrize(
    ("service", "mark", "state"),
    [
        (ServiceView("web", "running"), GLYPHS.ok, "running"),
        (ServiceView("web", "running", "healthy"), GLYPHS.ok, "healthy"),
        (ServiceView("web", "running", "unhealthy"), GLYPHS.bad, "unhealthy"),
        (ServiceView("web", "running", "starting"), GLYPHS.warn, "starting"),
        (ServiceView("web", "exited"), GLYPHS.bad, "exited"),
        (ServiceView("web", "restarting", "unhealthy"), GLYPHS.bad, "restarting"),
        (ServiceView("web", "paused", "healthy"), GLYPHS.bad, "paused"),
        (ServiceView("web", "created"), GLYPHS.none, "created"),
        (ServiceView("web"), GLYPHS.none, "no container"),
    ],
)
def test_a_mark_and_a_word_say_how_a_service_is(
    service: ServiceView, mark: str, state: str
) -> None:
    """Without colours too."""
    (row,) = rows(replace(calm(), services=(service,)), "services")
    assert texts(row)[:3] == [mark, "web", state]


def test_an_episode_has_its_age_cause_and_command() -> None:
    (row, _) = rows(incident(), "alerts")
    assert texts(row) == [GLYPHS.bad, "darts-app", "2 min", "port-squatter"]
    assert [cell.text for cell in row.details][1:] == [
        "affects nginx",
        "next: dartsctl doctor --fix",
    ]


@pytest.mark.parametrize(
    ("more", "state"),
    [
        ({"phase": "pending"}, "not confirmed yet"),
        ({"phase": "closing"}, "recovering"),
        ({"count": 5}, "2 min, 5 times"),
        ({"acknowledged": True}, "2 min, acknowledged"),
    ],
)
def test_the_state_of_an_episode_is_said(more: dict[str, object], state: str) -> None:
    view = replace(calm(), episodes=(episode(**more),))  # type: ignore[arg-type]
    assert texts(rows(view, "alerts")[0])[2] == state


def test_who_holds_a_port_is_said_and_a_stranger_is_marked() -> None:
    ports = (
        PortView(80, "nginx", "nginx"),
        PortView(5000, "darts-app", "python (pid 7)", is_stranger=True),
        PortView(53, "dns", protocol="udp"),
    )
    assert [texts(row) for row in rows(replace(calm(), ports=ports), "ports")] == [
        [GLYPHS.ok, "80", "nginx", "nginx"],
        [GLYPHS.bad, "5000", "darts-app", "python (pid 7)"],
        [GLYPHS.none, "53/udp", "dns", "nobody"],
    ]


def test_notes_have_work_errors_and_what_others_say() -> None:
    view = replace(incident(), work="up")
    assert [row.details[0].text for row in rows(view, "notes")] == [
        "dartsctl works on the stack: up",
        "darts-app: 41 upstream errors since the watch began",
        *incident().notes,
    ]


def test_a_sparkline_has_one_scale_for_all_services() -> None:
    seconds = (0.0, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0, 60.0, None)
    assert sparkline(seconds, GLYPHS) == "▁▁▂▃▄▅▆▇██x"
    assert sparkline(seconds, ASCII) == "__.-=+*%##x"
    assert sparkline((0.5,) * 70, GLYPHS) == "▅" * 20


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "failed"), (0.0001, "1 ms"), (0.0124, "12 ms"), (0.9999, "1.0 s"), (12.34, "12.3 s")],
)
def test_a_latency_is_short(seconds: float | None, text: str) -> None:
    assert latency(seconds) == text


def test_a_subject_without_a_name_is_its_kind() -> None:
    problem = replace(SQUATTER, subject=Subject("engine"), sentence="the engine does not answer")
    view = replace(calm(), engine="", episodes=(episode(problem),))
    assert texts(rows(view, "alerts")[0])[1] == "engine"
    assert top(view) == "prod (darts) ·  1 alert "
