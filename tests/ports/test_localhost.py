"""`localhost` that leads to two servers on one port is a warning (edge-cases.md#4)."""

from __future__ import annotations

import pytest

from dartsctl.ports.conflicts import BindingVerdict, Verdict
from dartsctl.ports.holders import Holder, HostProcess
from dartsctl.ports.localhost import ambiguous_localhost
from dartsctl.stack.bindings import Endpoint, PortBinding
from fakes.conflict_cases import SERVER

V4, V6 = Endpoint(5000, "127.0.0.1"), Endpoint(5000, "::1")


def bound(
    *addresses: str,
    service: str = "web",
    target: int = 80,
    port: int = 5000,
    verdict: Verdict = Verdict.FREE,
    protocol: str = "tcp",
) -> BindingVerdict:
    binding = PortBinding(service, 1, target, protocol, port, port, addresses)  # type: ignore[arg-type]
    return BindingVerdict(binding, verdict)


def sentences(*verdicts: BindingVerdict, listening: tuple[Endpoint, ...] = (V4, V6)) -> list[str]:
    def listeners_on(endpoint: Endpoint) -> tuple[Holder, ...]:
        return (HostProcess(SERVER),) if endpoint in listening else ()

    return [notice.sentence for notice in ambiguous_localhost(verdicts, listeners_on)]


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0"])
@pytest.mark.parametrize("verdict", [Verdict.FREE, Verdict.HELD])
def test_a_listener_on_ipv6_beside_a_binding_on_ipv4_is_named(
    address: str, verdict: Verdict
) -> None:
    (sentence,) = sentences(bound(address, verdict=verdict))
    assert sentence == (
        "localhost:5000 is ambiguous: 127.0.0.1:5000 is this service, and"
        " [::1]:5000 is python (pid 4711: python run.py); use 127.0.0.1:5000"
    )


@pytest.mark.parametrize("address", ["::1", "::"])
def test_a_listener_on_ipv4_beside_a_binding_on_ipv6_is_named(address: str) -> None:
    (sentence,) = sentences(bound(address))
    assert "127.0.0.1:5000 is python (pid 4711: python run.py); use [::1]:5000" in sentence


@pytest.mark.parametrize(
    "verdict",
    [
        bound("127.0.0.1", "::1"),
        bound("0.0.0.0", "::"),
        bound("192.0.2.7"),
        bound("127.0.0.1", protocol="udp"),
        bound("127.0.0.1", verdict=Verdict.CONFLICT),
    ],
    ids=["both loopbacks", "both wildcards", "another address", "udp", "a conflict anyway"],
)
def test_where_localhost_is_clear_or_not_served_nothing_is_said(verdict: BindingVerdict) -> None:
    assert sentences(verdict) == []


def test_without_a_listener_on_the_other_address_nothing_is_said() -> None:
    assert sentences(bound("127.0.0.1"), listening=(V4,)) == []


def test_another_service_of_the_stack_on_the_other_address_is_named() -> None:
    web, api = bound("127.0.0.1"), bound("::1", service="api", target=81)
    first, second = sentences(web, api, listening=())
    assert "[::1]:5000 is service api of this stack" in first
    assert "127.0.0.1:5000 is service web of this stack" in second


def test_two_bindings_of_one_container_port_are_one_server() -> None:
    assert sentences(bound("127.0.0.1"), bound("::1"), listening=(V4, V6)) == []


def test_ports_on_which_nobody_is_heard_are_not_asked_about() -> None:
    asked: list[Endpoint] = []

    def listeners_on(endpoint: Endpoint) -> tuple[Holder, ...]:
        asked.append(endpoint)
        return (HostProcess(SERVER),)

    quiet, loud = bound("127.0.0.1", port=5001), bound("127.0.0.1", port=5002)
    (notice,) = ambiguous_localhost([quiet, loud], listeners_on, heard_among=lambda _: {5002})
    assert "localhost:5002 is ambiguous" in notice.sentence
    assert asked == [Endpoint(5002, "::1")]
    rivals = [quiet, bound("::1", port=5001, service="api")]
    assert len(ambiguous_localhost(rivals, listeners_on, heard_among=lambda _: set())) == 2
