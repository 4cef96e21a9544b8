"""The deadline until a stack must be healthy follows its chain of dependencies."""

from __future__ import annotations

from typing import Any

import pytest

from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.health_check import HealthCheck
from dartsctl.stack.health_deadline import by_health_checks, given
from dartsctl.stack.model import Stack
from dartsctl.stack.waits import SHORTEST_DEADLINE

HEALTHY = {"condition": "service_healthy", "required": True}
STARTED = {"condition": "service_started", "required": True}
COMPLETED = {"condition": "service_completed_successfully", "required": True}


def checked(seconds: int, **more: Any) -> dict[str, Any]:
    """Return a service whose health check may take `seconds`."""
    check = {"test": ["CMD", "true"], "interval": "5s", "timeout": "5s", "retries": 1}
    return service(healthcheck={**check, "start_period": f"{seconds - 10}s"}, **more)


def service(**more: Any) -> dict[str, Any]:
    return {"image": "busybox:1", **more}


def stack(**services: dict[str, Any]) -> Stack:
    return read_stack({"name": "demo", "services": services})


def test_without_any_health_check_it_is_the_shortest() -> None:
    deadline = by_health_checks(stack(web=service(depends_on={"db": STARTED}), db=service()))
    assert deadline.seconds == SHORTEST_DEADLINE
    assert not deadline.path
    assert deadline.sentence == "health deadline: 2 min, the shortest default"


def test_a_chain_that_takes_minutes_gets_them() -> None:
    """A chain like that of an identity server, a gateway that needs it, and a proxy."""
    identity = {
        "test": ["CMD-SHELL", "curl -fk https://localhost:9443/"],
        "interval": "30s",
        "timeout": "10s",
        "retries": 10,
        "start_period": "3m0s",
    }
    deadline = by_health_checks(
        stack(
            nginx=service(depends_on={"app": HEALTHY, "gateway": STARTED}),
            app=checked(40, depends_on={"wso2is": HEALTHY, "rabbitmq": HEALTHY}),
            gateway=service(depends_on=["rabbitmq"]),
            wso2is=service(healthcheck=identity, depends_on={"postgres": HEALTHY}),
            rabbitmq=checked(60),
            postgres=checked(30),
        )
    )
    assert list(deadline.path) == [("postgres", 30), ("wso2is", 580), ("app", 40)]
    assert deadline.seconds == 650
    assert deadline.sentence == (
        "health deadline: 10 min 50 s, as the health checks allow "
        "(postgres 30 s, then wso2is 9 min 40 s, then app 40 s)"
    )


@pytest.mark.parametrize("needs", [{"db": HEALTHY}, {"db": STARTED}, ["db"]])
def test_any_condition_makes_a_path(needs: Any) -> None:
    deadline = by_health_checks(stack(web=checked(100, depends_on=needs), db=checked(200)))
    assert deadline.seconds == 300


def test_services_beside_each_other_are_not_added() -> None:
    assert by_health_checks(stack(a=checked(200), b=checked(300), c=checked(100))).seconds == 300


def test_the_longest_path_wins_over_the_path_with_more_services() -> None:
    deadline = by_health_checks(
        stack(
            web=service(depends_on={"a1": STARTED, "slow": STARTED}),
            a1=checked(50, depends_on=["a2"]),
            a2=checked(50, depends_on=["a3"]),
            a3=checked(50),
            slow=checked(900),
        )
    )
    assert list(deadline.path) == [("slow", 900)]


def test_a_dependency_that_is_not_started_counts_nothing() -> None:
    optional = {"condition": "service_healthy", "required": False}
    services = {"web": checked(200, depends_on={"elsewhere": optional, "none": STARTED})}
    services["none"] = checked(900, scale=0)
    assert by_health_checks(stack(**services)).seconds == 200


def test_the_run_time_of_a_one_shot_is_unknown_and_said_to_be() -> None:
    deadline = by_health_checks(
        stack(
            web=checked(100, depends_on={"migrate": COMPLETED}),
            migrate=checked(900, depends_on={"db": HEALTHY}),
            db=checked(100),
        )
    )
    assert (deadline.seconds, deadline.one_shots) == (200, ("migrate",))
    assert deadline.sentence.endswith("; it starts again when migrate has ended")


def test_big_values_are_added_as_they_are() -> None:
    deadline = by_health_checks(stack(web=checked(86_400 * 365), db=checked(10**9)))
    assert deadline.seconds == 10**9


def test_a_chain_of_any_length_is_followed() -> None:
    names = [f"s{number}" for number in range(3000)]
    services = {name: checked(11) for name in names}
    for name, before in zip(names[1:], names, strict=False):
        services[name]["depends_on"] = [before]
    assert by_health_checks(stack(**services)).seconds == 33_000


def test_a_circle_that_compose_would_refuse_does_not_hang() -> None:
    services = {"a": checked(100, depends_on=["b"]), "b": checked(100, depends_on=["a"])}
    assert by_health_checks(stack(**services)).seconds == 200


def test_the_health_check_of_the_image_counts_if_the_engine_tells_it() -> None:
    services = {
        "web": service(),
        "built": {"build": {"context": "."}},
        "off": service(healthcheck={"disable": True}),
        "faster": service(healthcheck={"start_period": "10s", "interval": "1s"}),
    }
    images = {
        "busybox:1": HealthCheck(("CMD", "true"), start_period=300),
        "demo-built": HealthCheck(("CMD", "true"), start_period=400),
    }
    assert by_health_checks(stack(**services), images).seconds == 580
    needed = [
        by_health_checks(stack(**{name: body}), images).seconds for name, body in services.items()
    ]
    assert needed == [480, 580, SHORTEST_DEADLINE, SHORTEST_DEADLINE]


def test_an_image_that_cannot_be_read_is_said_to_be_unknown() -> None:
    services = {"web": service(), "off": service(healthcheck={"disable": True}), "db": checked(200)}
    deadline = by_health_checks(stack(**services), {"busybox:1": None})
    assert (deadline.seconds, deadline.unknown) == (200, ("web",))
    assert deadline.sentence.endswith("; not counted: a health check in the image of web")


def test_what_a_person_chose_is_said_to_be_chosen() -> None:
    assert given(3).seconds == 3
    assert given(3).sentence == "health deadline: 3 s, as --wait-timeout or wait_timeout says"


def test_nothing_to_start_has_the_shortest() -> None:
    assert by_health_checks(stack()).seconds == SHORTEST_DEADLINE
