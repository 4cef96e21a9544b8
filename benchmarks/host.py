"""The socket table, leases, and `ports` on a busy host."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Iterator
from contextlib import AbstractContextManager

import peers
from measure import Ratio, Timed
from peers import program
from product import DEV_PORTS, Product
from targets import Bench, Scenario, Surroundings, Target, just, pair


def _scan(product: Product) -> AbstractContextManager[Timed]:
    return product.inside("scan")


def _lease(taken: int) -> Scenario:
    def scenario(product: Product) -> AbstractContextManager[Timed]:
        return product.inside("lease", *_lease_words(product), str(taken))

    return scenario


def _lease_words(product: Product) -> tuple[str, str, str]:
    return str(product.place("leases")), str(product.first_port), str(product.last_dev_port)


def _duplicates(bench: Bench) -> Ratio:
    with bench.product.inside("duplicates", *_lease_words(bench.product)) as race:
        return Ratio.of_count(int(race()), DEV_PORTS)


@contextlib.contextmanager
def _ports_with_holder(product: Product) -> Iterator[Timed]:
    """List the ports while a process, which is described, has production's port."""
    with socket.create_server(("127.0.0.1", product.production_port)):
        yield product.timed("ports", "--json", cwd=product.quiet_project())


def _lsof(product: Product) -> Timed:
    return program(product, "lsof", "-nP", "-iTCP", "-sTCP:LISTEN")


def _ss(product: Product) -> Timed:
    return program(product, "ss", "-ltnp")


TARGETS = (
    pair(
        "scan for the ports of interest",
        "psutil.net_connections",
        0.015,
        scenario=_scan,
        against=peers.psutil,
    ),
    pair(
        "a lease, none taken",
        "portpicker.pick_unused_port",
        1.5,
        scenario=_lease(0),
        against=peers.portpicker,
    ),
    pair(
        f"a lease, {DEV_PORTS - 1} of {DEV_PORTS} taken",
        "portpicker.pick_unused_port",
        4.0,
        scenario=_lease(DEV_PORTS - 1),
        against=peers.portpicker,
    ),
    Target(
        f"duplicates among {DEV_PORTS} simultaneous leases of {DEV_PORTS} ports",
        "",
        0.0,
        measure=_duplicates,
    ),
    pair(
        f"scan for the ports of interest, {Surroundings.SOCKETS.value}",
        "psutil.net_connections",
        0.04,
        scenario=_scan,
        against=peers.psutil,
        surroundings=Surroundings.SOCKETS,
    ),
    pair(
        f"dartsctl ports --json, {Surroundings.CROWD.value}",
        "lsof -nP -iTCP -sTCP:LISTEN",
        0.6,
        scenario=_ports_with_holder,
        against=just(_lsof),
        longer=1.5,
        surroundings=Surroundings.CROWD,
    ),
    pair(
        f"dartsctl ports --json, {Surroundings.CROWD.value}",
        "ss -ltnp",
        None,
        scenario=_ports_with_holder,
        against=just(_ss),
        surroundings=Surroundings.CROWD,
    ),
)
