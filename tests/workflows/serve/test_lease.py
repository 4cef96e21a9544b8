"""Which port is leased, and what is asked of the kernel for it."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import pytest

from dartsctl.edges.state.leases import LeaseBook
from dartsctl.workflows.serve.lease import lease_first

ORDER = [5001, 5002, 5003, 5004]


class Ports:
    """Sockets of the host, as far as a lease asks for them; counts the questions."""

    def __init__(self, *listening: int) -> None:
        self.listening = frozenset(listening)
        self.read: list[frozenset[int]] = []
        self.tried: list[int] = []

    def listening_ports(self, ports: Iterable[int]) -> frozenset[int]:
        self.read.append(frozenset(ports))
        return self.listening & self.read[-1]

    def has_listener(self, port: int) -> bool:
        self.tried.append(port)
        return port in self.listening


@pytest.fixture
def book(tmp_path: Path) -> LeaseBook:
    return LeaseBook(tmp_path / "state")


def leased(ports: Ports, book: LeaseBook, *, busy: Iterable[int] = ()) -> int | None:
    """Lease a port, and return its number. Ports that are `busy` cannot be bound."""
    refused = set(busy)
    lease = lease_first(ORDER, lambda port: port not in refused, book, ports)
    if lease is None:
        return None
    lease.close()
    return lease.port


def test_a_free_first_port_needs_no_look_into_the_socket_table(book: LeaseBook) -> None:
    ports = Ports(5003)
    assert leased(ports, book) == 5001
    assert (ports.tried, ports.read) == ([5001], [])


def test_all_other_ports_are_looked_up_at_once(book: LeaseBook) -> None:
    ports = Ports(5001, 5002, 5003)
    assert leased(ports, book) == 5004
    assert (ports.tried, ports.read) == ([5001], [frozenset(ORDER[1:])])


def test_a_port_that_is_leased_or_cannot_be_bound_is_passed_over(book: LeaseBook) -> None:
    other = book.acquire([5001], confirm=lambda _: True)
    assert other
    assert leased(Ports(5002), book, busy=[5003]) == 5004
    other.close()


def test_no_port_is_leased_where_none_is_free(book: LeaseBook) -> None:
    assert leased(Ports(*ORDER), book) is None
    assert leased(Ports(), book, busy=ORDER) is None
