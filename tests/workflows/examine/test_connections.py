"""The proxy's connections, from the socket tables of both ends (edge-cases.md#70)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest

from dartsctl.diagnosis.facts import ContainerFacts
from dartsctl.ports.listeners import Listener
from dartsctl.stack.bindings import Endpoint
from dartsctl.workflows.examine.connections import ConnectionLooks, ConnectionTable, ProxyConnection
from dartsctl.workflows.examine.containers import ContainerProbes
from fakes.stack_facts import container, service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.ports.listeners import State


class Tables:
    """The connections inside each container, and how often they were read."""

    def __init__(self, tables: Mapping[str, tuple[Listener, ...]]) -> None:
        self._tables = tables
        self.reads = 0

    def connections(self, row: ContainerFacts) -> tuple[Listener, ...]:
        self.reads += 1
        return self._tables.get(row.service, ())


def row(local: str, port: int, peer: str, peer_port: int, state: State = "connected") -> Listener:
    return Listener("tcp", local, port, state, peer=Endpoint(peer_port, peer))


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(4) as made:
        yield made


def looks(pool: ThreadPoolExecutor, tables: Tables, **front: Any) -> ConnectionLooks:
    web = container("web", "10.0.0.3", **front)
    services = {"app": service("app", container("app")), "web": service("web", web)}
    probes = cast("ContainerProbes", tables)
    return ConnectionLooks(web, services, {5000}, containers=probes, pool=pool)


def seen(pool: ThreadPoolExecutor, **front: Any) -> ConnectionTable | None:
    tables = Tables(
        {
            "web": (row("10.0.0.3", 40000, "10.0.0.2", 5000),),
            "app": (
                row("10.0.0.2", 5000, "10.0.0.3", 40000),
                row("10.0.0.2", 5000, "10.0.0.3", 40001, "closing"),
                row("10.0.0.2", 5000, "10.0.0.1", 40002),
            ),
        }
    )
    return looks(pool, tables, **front).now()


def test_a_connection_that_the_service_closed_is_seen_at_its_end(
    pool: ThreadPoolExecutor,
) -> None:
    """And each only once; those of others than the proxy are not its own."""
    assert seen(pool) == {
        ProxyConnection("10.0.0.2", 5000, 40000): True,
        ProxyConnection("10.0.0.2", 5000, 40001): False,
    }


@pytest.mark.parametrize(
    "front",
    [
        {"network_mode": "host"},
        {"network_mode": "container:0f"},
        {"listening": None},
        {"state": "exited"},
    ],
)
def test_sockets_that_are_not_the_proxy_s_own_are_unknown(
    pool: ThreadPoolExecutor, front: dict[str, Any]
) -> None:
    assert seen(pool, **front) is None


def test_the_kernel_is_asked_as_often_as_needed_a_container_only_a_few_times(
    pool: ThreadPoolExecutor,
) -> None:
    free = looks(pool, Tables({}))
    assert all(free.now() == {} for _ in range(9))
    tables = Tables({})
    few = looks(pool, tables, listening_source="socket table in shop-web-1")
    assert [few.now() for _ in range(9)] == [{}] * 5 + [None] * 4
    assert tables.reads == 10
