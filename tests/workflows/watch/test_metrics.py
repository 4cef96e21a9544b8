"""The metrics of a view: names that stay, and series that come and go with what they are about."""

from __future__ import annotations

import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from dartsctl import __version__
from dartsctl.errors import DartsctlError, ExitCode
from dartsctl.ports.allocation import Allocation
from dartsctl.records import replace
from dartsctl.workflows.watch.metrics import MetricsOutput, families_of, refuse_production_port
from dartsctl.workflows.watch.view import PortView, ServiceView, View
from fakes.watch_views import NOW, calm, episode, incident
from own_ports import free_ports
from repository import REPOSITORY

Series = dict[tuple[str, ...], float]


def series_of(view: View) -> dict[str, Series]:
    return {
        family.name.removeprefix("dartsctl_"): dict(family.series) for family in families_of(view)
    }


def test_the_incident_in_numbers() -> None:
    series = series_of(incident())
    assert series["service_up"] == {
        ("nginx",): 1,
        ("darts-app",): 0,
        ("api-gateway",): 1,
        ("rabbitmq",): 1,
        ("wso2is",): 1,
        ("postgres",): 1,
    }
    assert series["service_restarts"][("wso2is",)] == 1
    assert series["service_check_success"][("nginx",)] == 0
    assert ("nginx",) not in series["service_check_latency_seconds"]
    assert series["service_check_latency_seconds"][("wso2is",)] == 0.31
    assert ("postgres",) not in series["service_check_success"], "it was never checked"
    assert series["upstream_errors"] == {("darts-app",): 41}
    assert series["port_held_by_stranger"][("5000", "tcp", "darts-app")] == 1
    assert series["port_held"][("5432", "tcp", "postgres")] == 0
    holder = ("5000", "tcp", "darts-app", "python run.py (pid 19881)")
    assert series["port_holder_info"][holder] == 1
    assert series["open_episodes"] == {
        ("port-squatter", "critical"): 1,
        ("certificate-ends", "warning"): 1,
    }
    assert series["waiting_messages"] == {("mailto",): 2}
    assert series["build_info"] == {(__version__,): 1}
    assert series["watch_info"] == {("prod", "darts", "28.5.2"): 1}
    assert series["engine_up"] == {(): 1}
    assert series["view_timestamp_seconds"] == {(): NOW}


def test_what_is_over_has_no_series() -> None:
    series = series_of(calm())
    for name in ("open_episodes", "waiting_messages", "upstream_errors"):
        assert series[name] == {}
    assert series_of(replace(calm(), engine=""))["engine_up"] == {(): 0}


def test_an_episode_that_is_not_confirmed_is_not_open() -> None:
    view = replace(calm(), episodes=(episode(phase="pending"), episode(phase="closing")))
    assert series_of(view)["open_episodes"] == {("port-squatter", "critical"): 1}


@pytest.mark.parametrize(
    ("state", "health", "up"),
    [
        ("running", "", 1),
        ("running", "healthy", 1),
        ("running", "unhealthy", 0),
        ("running", "starting", 0),
        ("restarting", "", 0),
        ("paused", "", 0),
        ("exited", "", 0),
        ("", "", 0),
    ],
)
def test_up_is_what_runs_and_is_healthy_if_that_is_known(state: str, health: str, up: int) -> None:
    view = replace(calm(), services=(ServiceView("web", state, health),))
    assert series_of(view)["service_up"] == {("web",): up}


def test_a_port_of_two_protocols_has_two_series() -> None:
    ports = (PortView(53, "dns", "dns"), PortView(53, "dns", protocol="udp"))
    series = series_of(replace(calm(), ports=ports))
    assert series["port_held"] == {("53", "tcp", "dns"): 1, ("53", "udp", "dns"): 0}


def test_prometheus_reads_the_latest_view() -> None:
    port = free_ports(1)[0]
    output = MetricsOutput(port, View("prod", "darts", NOW), shown=str)
    output.start()
    try:
        output.view(incident())
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=30) as answer:
            families = list(text_string_to_metric_families(answer.read().decode()))
    finally:
        output.close()
    assert {family.name for family in families} == {
        family.name for family in families_of(incident())
    }
    up = next(family for family in families if family.name == "dartsctl_service_up")
    assert {sample.labels["service"]: sample.value for sample in up.samples}["darts-app"] == 0


def test_a_production_port_is_refused() -> None:
    production = Allocation.of({"grafana": [9464]}, {"grafana": "dartsctl.toml:9"})
    refuse_production_port(9465, production)
    with pytest.raises(
        DartsctlError, match="port 9464 for metrics belongs to production's grafana"
    ):
        refuse_production_port(9464, production)
    with pytest.raises(DartsctlError, match="reserved for production") as raised:
        refuse_production_port(5000, Allocation.default())
    assert raised.value.code == ExitCode.CONFLICT


def test_the_reference_has_every_metric_with_its_labels() -> None:
    text = (REPOSITORY / "docs/reference.md").read_text()
    for family in families_of(incident()):
        name = family.name
        if family.kind == "counter":
            name += "_total"
        row = next((line for line in text.splitlines() if f"| `{name}` |" in line), "")
        assert row, name
        assert all(f"`{label}`" in row for label in family.labels), name
