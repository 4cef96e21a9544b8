"""The watch over a server's listeners, on recorded socket tables."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable, Sequence
from typing import Any

from dartsctl.ports.listeners import Listener, Probe
from dartsctl.ports.process import Process
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint
from dartsctl.workflows.serve.port_watch import Observation, PortWatch

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.stack.bindings import TransportProtocol

SUPERVISOR, OURS, THEIRS = 100, 101, 999
LEASED, PRODUCTION = 5007, 5000


def row(port: int, *pids: int, uid: int | None = None) -> Listener:
    return Listener(
        "tcp",
        "127.0.0.1",
        port,
        "listen",
        inode=port * 10 + len(pids),
        uid=os.geteuid() if uid is None else uid,
        pids=pids,
    )


class Table:
    """Sockets and processes; counts the readings that resolve owners."""

    def __init__(self, *rows: Listener) -> None:
        self.rows = rows
        self.walks = 0

    def probe(self, endpoint: Endpoint, *, udp_reuse_address: bool = False) -> Probe:
        raise NotImplementedError

    def listen_on(self, endpoint: Endpoint) -> socket.socket | None:
        raise NotImplementedError

    def listeners(
        self,
        ports: Iterable[int],
        *,
        owners: bool = False,
        listening_only: bool = False,
        protocols: Sequence[TransportProtocol] = ("tcp", "udp"),
    ) -> tuple[Listener, ...]:
        wanted = set(ports)
        self.walks += owners
        rows = []
        for listener in self.rows:
            if listener.port not in wanted or listener.protocol not in protocols:
                continue
            if listener.surely_blocks or not listening_only:
                rows.append(listener if owners else replace(listener, pids=()))
        return tuple(rows)

    def listening_ports(self, ports: Iterable[int]) -> frozenset[int]:
        raise NotImplementedError

    def has_listener(self, port: int) -> bool:
        raise NotImplementedError

    def describe(self, pid: int) -> Process | None:
        raise NotImplementedError

    def is_within(self, pid: int, ancestor: int) -> bool:
        return ancestor == SUPERVISOR and pid == OURS

    def birth(self, pid: int) -> int | None:
        raise NotImplementedError

    def start_time(self, pid: int) -> float | None:
        raise NotImplementedError


def watch(table: Table) -> PortWatch:
    return PortWatch(LEASED, [PRODUCTION, 80], SUPERVISOR, sockets=table, processes=table)


def test_our_listener_on_the_leased_port_is_ready_and_stays_so() -> None:
    table = Table(row(LEASED, OURS))
    ports = watch(table)
    assert ports.look() == Observation(None, True)
    table.rows = ()
    assert ports.look() == Observation(None, True)


def test_our_listener_on_a_production_port_is_an_offence() -> None:
    assert watch(Table(row(PRODUCTION, THEIRS, OURS), row(LEASED, OURS))).look() == Observation(
        PRODUCTION, True
    )


def test_a_foreign_listener_is_looked_up_once() -> None:
    table = Table(row(PRODUCTION, THEIRS))
    ports = watch(table)
    assert [ports.look() for _ in range(10)] == [Observation(None, False)] * 10
    assert table.walks == 1


def test_another_users_socket_without_a_visible_owner_is_nobodys_of_ours() -> None:
    table = Table(row(PRODUCTION, uid=os.geteuid() + 1))
    ports = watch(table)
    assert [ports.look() for _ in range(10)] == [Observation(None, False)] * 10
    assert table.walks == 1


def test_an_owner_that_stays_invisible_is_given_up_after_some_looks() -> None:
    table = Table(row(PRODUCTION))
    ports = watch(table)
    assert [ports.look() for _ in range(10)] == [Observation(None, False)] * 10
    assert table.walks == 5


def test_the_other_ports_of_the_tree_are_found_without_the_kernels_own() -> None:
    table = Table(row(3000, OURS), row(40000, OURS), row(4000, THEIRS), row(LEASED, OURS))
    assert watch(table).elsewhere() == (3000,)
    assert watch(table).elsewhere({40000}) == (3000, 40000), "the tree asked for it"


def test_owners_are_looked_up_for_new_sockets_alone() -> None:  # edge-cases.md#65
    table = Table(row(3000, THEIRS))
    ports = watch(table)
    assert [ports.elsewhere() for _ in range(5)] == [()] * 5
    assert table.walks == 1
    table.rows = (row(3000, THEIRS), row(4000, OURS))
    assert ports.elsewhere() == (4000,)
    table.rows = (row(3000, THEIRS),)
    assert ports.elsewhere() == ()


def test_a_port_that_was_tried_is_taken_where_another_one_listens_on_its_address() -> None:
    table = Table(row(3000, THEIRS), row(4000, OURS), row(LEASED, THEIRS))
    tried = dict.fromkeys((3000, 4000, 5555, LEASED), "0.0.0.0")
    assert watch(table).taken(tried) == (3000,)
    assert watch(table).taken({3000: "127.0.0.2"}) == ()
    assert watch(table).taken({3000: "::"}) == ()


class Changing(Table):
    """Its rows are others with each reading."""

    def __init__(self, *readings: tuple[Listener, ...]) -> None:
        super().__init__()
        self.readings = list(readings)

    def listeners(self, *words: Any, **options: Any) -> tuple[Listener, ...]:
        self.rows = self.readings.pop(0)
        return super().listeners(*words, **options)


def test_the_trees_own_listener_that_comes_or_goes_meanwhile_takes_no_port_from_it() -> None:
    own, invisible = row(3000, OURS), row(3000)
    closed = replace(own, pids=())
    tried = {3000: "127.0.0.1"}
    assert watch(Changing((), (own,), (own,))).taken(tried) == ()
    assert watch(Changing((own,), (own,), (own,))).taken(tried) == ()
    assert watch(Changing((own,), (own,), ())).taken(tried) == ()
    assert watch(Changing((own,), (closed,), ())).taken(tried) == ()
    assert watch(Changing((invisible,), (invisible,), (invisible,))).taken(tried) == (3000,)
