"""The advice for a proxy that passes requests on to a loopback address."""

from __future__ import annotations

from dartsctl.diagnosis.diagnose import diagnose
from dartsctl.diagnosis.facts import PublishedPort
from dartsctl.diagnosis.findings import Cause
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint
from fakes.route_faults import FAULTS, stack_with
from fakes.stack_facts import container, service


def test_a_proxy_on_the_host_s_network_is_told_the_published_port() -> None:
    stack = stack_with(FAULTS["127.0.0.1"](1))
    places = (PublishedPort(5001, Endpoint(15001, "127.0.0.1")),)
    web = container("web", networks={"host": ""}, network_mode="host", bound=())
    other = container("other", bound=places, wanted=places)
    added = {"web": service("web", web), "other": service("other", other)}
    findings = diagnose(replace(stack, services={**stack.services, **added})).findings
    commands = [row.command for row in findings if row.cause is Cause.LOOPBACK_UPSTREAM]
    assert len(commands) == 1
    assert "write `proxy_pass http://127.0.0.1:15001`" in commands[0]
