"""Light looks: what counts as a change."""

from __future__ import annotations

import pytest

from dartsctl.alerts.glance import ContainerGlance, Glance, age_in, health_in, others_on
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint
from fakes.kernel import container, listening

PORT = Endpoint(5000, "127.0.0.1")
APP = ContainerGlance.of(container("shop", "app", PORT, status="Up 3 minutes (healthy)"))
USUAL = Glance({"1": APP})
SOCKETS = frozenset((listening("::1", 5000),))


def test_a_listed_container() -> None:
    assert ContainerGlance("app", "running", "healthy", (PORT,), age=180) == APP


@pytest.mark.parametrize(
    ("now", "change"),
    [
        (USUAL, ""),
        (Glance({"1": replace(APP, age=181)}), ""),
        (Glance({"1": replace(APP, state="exited", age=0)}), "app is exited"),
        (Glance({"1": replace(APP, state="restarting")}), "app is restarting"),
        (Glance({"1": replace(APP, health="unhealthy")}), "app is unhealthy"),
        (Glance({"1": replace(APP, published=())}), "app has other ports"),
        (Glance({"1": replace(APP, age=2)}), "app was started again"),
        (Glance({"2": APP}), "app has a new container"),
        (Glance({}), "a container of app is gone"),
        (
            replace(USUAL, sockets=SOCKETS),
            "other sockets on the ports",
        ),
        (replace(USUAL, foreign=frozenset((("9", PORT),))), "other sockets on the ports"),
        (replace(USUAL, ports=frozenset((5000,)), sockets=SOCKETS), ""),
        (Glance(problem="no engine answers"), "no engine answers"),
    ],
)
def test_what_has_changed(now: Glance, change: str) -> None:
    assert now.change_since(USUAL) == change


def test_an_engine_that_answers_again_is_a_change() -> None:
    assert USUAL.change_since(Glance(problem="gone")) == "the engine answers again"
    assert Glance(problem="gone").change_since(Glance(problem="gone")) == ""


@pytest.mark.parametrize(
    ("status", "health", "age"),
    [
        ("Up Less than a second", "", 1),
        ("Up 1 second (health: starting)", "starting", 1),
        ("Up 59 seconds (unhealthy)", "unhealthy", 59),
        ("Up About a minute", "", 60),
        ("Up About an hour (healthy)", "healthy", 3600),
        ("Up 47 hours (Paused)", "", 169200),
        ("Up 2 days", "", 172800),
        ("Up 2 weeks", "", 1209600),
        ("Exited (137) 3 minutes ago", "", 0),
        ("Restarting (1) 5 seconds ago", "", 0),
        ("Created", "", 0),
        ("", "", 0),
    ],
)
def test_health_and_age_in_the_text_of_the_engine(status: str, health: str, age: int) -> None:
    assert (health_in(status), age_in(status)) == (health, age)


def test_only_what_others_publish_on_the_ports_counts() -> None:
    rows = (
        container("shop", "app", PORT),
        container("elsewhere", "web", PORT, Endpoint(80, "0.0.0.0")),
    )
    assert others_on(rows, "shop", frozenset((5000,))) == {(rows[1].id, PORT)}
