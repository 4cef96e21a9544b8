"""Names that nginx cannot look up, and the service that may be meant."""

from __future__ import annotations

import pytest

from dartsctl.diagnosis.diagnose import diagnose
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.unknown_names import similar_service
from dartsctl.records import replace
from fakes.route_faults import FAULTS, stack_with
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


@pytest.mark.parametrize(
    ("name", "cause"),
    [("misspelled", Cause.MISSPELLED_UPSTREAM), ("external", Cause.EXTERNAL_UPSTREAM)],
)
def test_a_name_that_another_name_server_does_not_know_has_its_cause(
    name: str, cause: Cause
) -> None:
    fault = FAULTS[name](1)
    (upstream,) = fault.upstreams
    routes = tuple(replace(route, resolvers=("9.9.9.9",)) for route in upstream.routes)
    changed = replace(fault, upstreams=(replace(upstream, routes=routes),))
    (finding,) = diagnose(stack_with(changed)).findings
    assert finding.cause is cause
    if cause is Cause.EXTERNAL_UPSTREAM:
        assert "9.9.9.9 does not know it" in finding.sentence
        assert "correct the name or its `resolver`" in finding.command
