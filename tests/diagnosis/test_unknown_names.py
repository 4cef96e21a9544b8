"""Names that nginx cannot look up, and the service that may be meant."""

from __future__ import annotations

import pytest

from dartsctl.diagnosis.unknown_names import similar_service
from fakes.stack_facts import container, facts, service


@pytest.mark.parametrize(
    ("host", "similar"),
    [
        ("bakend", "backend"),
        ("shop-backend", "backend"),
        ("gateway_api", "backend"),
        ("payments", ""),
        ("web1", ""),
    ],
    ids=["service", "container", "alias", "another name", "the proxy"],
)
def test_a_misspelled_name_is_compared_with_all_names_of_a_service(host: str, similar: str) -> None:
    names = {"shop_default": frozenset({"backend", "gateway-api", "0123456789ab"})}
    assert similar_service(host, facts(service("backend", container("backend", names=names)))) == (
        similar
    )
