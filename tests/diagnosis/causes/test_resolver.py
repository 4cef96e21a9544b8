"""What is said about several name servers: no more than was measured."""

from __future__ import annotations

import pytest

from dartsctl.diagnosis.diagnose import diagnose
from dartsctl.records import replace
from fakes.route_faults import FAULTS, stack_with


@pytest.mark.parametrize(
    ("servers", "words"),
    [
        (("127.0.1.1",), "and the name server 127.0.1.1 does not answer"),
        (("127.0.1.1", "::1"), "asks 127.0.1.1, ::1; only 127.0.0.11 knows"),
        (("127.0.1.1", "127.0.0.11"), "one of the name servers 127.0.1.1, 127.0.0.11 does not"),
    ],
)
def test_a_silent_name_server_says_nothing_about_the_others(
    servers: tuple[str, ...], words: str
) -> None:
    fault = FAULTS["dead resolver"](1)
    (upstream,) = fault.upstreams
    routes = tuple(replace(route, resolvers=servers) for route in upstream.routes)
    changed = replace(fault, upstreams=(replace(upstream, routes=routes),))
    (finding,) = diagnose(stack_with(changed)).findings
    assert words in finding.sentence
