"""Which services take minutes to answer without a health check that says so."""

from __future__ import annotations

import pytest

from dartsctl.discovery.slow_images import check_that_takes, slow_seconds, slow_services
from dartsctl.stack.health_check import HealthCheck
from dartsctl.stack.model import Service, Stack


@pytest.mark.parametrize(
    ("image", "minutes"),
    [
        ("wso2/wso2is:7.0.0", 10),
        ("docker.wso2.com/wso2am:4.3.0", 10),
        ("gitlab/gitlab-ce:17", 10),
        ("container-registry.oracle.com/database/free:latest", 10),
        ("sonarqube:lts", 5),
        ("quay.io/keycloak/keycloak:26", 5),
        ("elasticsearch:8", 3),
        ("postgres:16", 0),
        ("gitlab/gitlab-runner", 0),
    ],
)
def test_a_slow_image_is_known_by_its_name(image: str, minutes: int) -> None:
    assert slow_seconds(Service("any", image=image)) == minutes * 60


def test_a_service_that_says_how_to_check_it_is_not_counted() -> None:
    checked = Service("a", image="keycloak", health_check=HealthCheck(("CMD", "true")))
    off = Service("b", image="keycloak", health_check=HealthCheck(("NONE",)))
    none = Service("c", image="keycloak", replicas=0)
    slow = Service("d", image="keycloak")
    services = {service.name: service for service in (checked, off, none, slow)}
    assert slow_services(Stack("shop", services, {})) == {"d": 300}


def test_the_check_takes_exactly_the_time() -> None:
    assert check_that_takes(600).longest == 600
