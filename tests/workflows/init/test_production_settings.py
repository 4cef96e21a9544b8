"""`[ports.production]` and `wait_timeout` are written only where dartsctl would be wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from dartsctl.discovery.proposal import Proposal
from dartsctl.discovery.slow_images import wait_timeout
from dartsctl.ports.allocation import DEV_RANGE, PRODUCTION_PORTS, by_service
from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.health_check import HealthCheck
from dartsctl.workflows.init.production import (
    find_production_ports,
    find_wait_timeouts,
)
from fakes.engine import FakeEngine
from fakes.init_projects import facts, init_project


def port(number: int) -> dict[str, Any]:
    return {"target": 80, "published": str(number), "protocol": "tcp"}


def published(**services: list[int]) -> dict[str, Any]:
    return {
        name: {"image": "x", "ports": [port(number) for number in numbers]}
        for name, numbers in services.items()
    }


def ports_found(root: Path, services: dict[str, Any], settings: str = "") -> Proposal:
    stack = facts("prod", root / "p.yaml", services=services)
    return find_production_ports(init_project(root, stack, engine=FakeEngine(), settings=settings))


def test_another_projects_ports_replace_the_default_list(tmp_path: Path) -> None:
    proposal = ports_found(tmp_path, published(web=[80, 443], api=[3000]))
    settings = {(line.table, line.key): line.value for line in proposal.settings}
    assert settings == {("ports.production", "web"): [80, 443], ("ports.production", "api"): 3000}
    assert proposal.settings[0].why == "what p.yaml publishes, instead of dartsctl's default list"


def test_the_table_is_left_out_where_dartsctl_reserves_the_same_ports(tmp_path: Path) -> None:
    """It takes what production publishes anyway, and the whole default list is published."""
    numbers = [number for ports in PRODUCTION_PORTS.values() for number in ports]
    assert ports_found(tmp_path, published(all=[*numbers, 9763])) == Proposal()


def test_production_that_publishes_nothing_reserves_nothing(tmp_path: Path) -> None:
    (setting,) = ports_found(tmp_path, {"web": {"image": "x"}}).settings
    assert (setting.table, setting.key, setting.value) == ("ports", "production", {})


def test_a_table_of_the_settings_is_left_alone(tmp_path: Path) -> None:
    settings = "[ports.production]\nweb = 8443\n"
    assert ports_found(tmp_path, published(web=[80]), settings) == Proposal()


def test_ports_in_the_dev_range_are_not_written_because_the_table_must_not_have_them() -> None:
    assert by_service({5050: "pgadmin", 80: "web"}, outside=DEV_RANGE) == {"web": [80]}


def test_files_that_compose_refuses_say_nothing_about_ports(tmp_path: Path) -> None:
    project = init_project(tmp_path, engine=FakeEngine())
    assert find_production_ports(project) == Proposal()


def needs(name: str) -> dict[str, Any]:
    return {name: {"condition": "service_healthy", "required": True}}


CHECK = {"test": ["CMD", "true"], "interval": "5s", "timeout": "5s", "retries": 9}
DARTS = {
    "postgres": {"image": "postgres", "healthcheck": CHECK},
    "wso2is": {"image": "wso2/wso2is:7.0.0", "depends_on": needs("postgres")},
    "app": {"image": "x", "depends_on": needs("wso2is")},
}


def test_a_slow_image_without_a_health_check_gets_its_time_after_what_it_waits_for() -> None:
    stack = read_stack({"name": "darts", "services": DARTS})
    needed = wait_timeout(stack, {})
    assert needed is not None
    assert needed[0] == 690
    assert needed[1] == "without a health check, images like these may need: wso2is 10 min"


def test_the_health_check_of_the_files_or_of_the_image_says_it_already() -> None:
    checked = {**DARTS, "wso2is": {**DARTS["wso2is"], "healthcheck": CHECK}}
    assert wait_timeout(read_stack({"name": "darts", "services": checked}), {}) is None
    stack = read_stack({"name": "darts", "services": DARTS})
    image = HealthCheck(("CMD", "true"), interval=10, timeout=10, retries=3)
    assert wait_timeout(stack, {"wso2/wso2is:7.0.0": image}) is None
    assert wait_timeout(stack, {"wso2/wso2is:7.0.0": HealthCheck()}) is not None


def test_a_usual_stack_needs_no_setting() -> None:
    services = {"web": {"image": "nginx"}, "db": {"image": "postgres"}}
    assert wait_timeout(read_stack({"name": "shop", "services": services}), {}) is None


def test_each_environment_gets_what_its_own_services_need(tmp_path: Path) -> None:
    stacks = (
        facts("prod", tmp_path / "p.yaml", services=DARTS),
        facts("dev", tmp_path / "d.yaml", services={"postgres": DARTS["postgres"]}),
    )
    project = init_project(tmp_path, *stacks, engine=FakeEngine())
    (setting,) = find_wait_timeouts(project).settings
    assert (setting.table, setting.key, setting.value) == ("prod", "wait_timeout", 690)
    known = FakeEngine(images={"wso2/wso2is:7.0.0": HealthCheck(("CMD", "true"))})
    assert find_wait_timeouts(init_project(tmp_path, *stacks, engine=known)) == Proposal()
    settings = "[prod]\nwait_timeout = 60\n"
    own = init_project(tmp_path, *stacks, engine=FakeEngine(), settings=settings)
    assert find_wait_timeouts(own) == Proposal()
