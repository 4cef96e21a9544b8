"""The bind probe and the table rule against the measured truth table; the facts of this host. The table itself: test_sock_diag.py."""

from __future__ import annotations

import errno
import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from dartsctl.edges.host import sockets
from dartsctl.ports.listeners import Probe
from dartsctl.stack.bindings import Endpoint, TransportProtocol

SOURCE = Path(sockets.__file__).parents[3]

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="sock_diag and /proc are Linux's")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")

_numbers = itertools.count(10_000 + os.getpid() % 10_000)


def bound(family: int, kind: int, address: str, port: int, **options: bool) -> socket.socket:
    """A socket with exactly these options (reuse_address, reuse_port, v6only, loopback_only), bound."""
    made = socket.socket(family, kind)
    try:
        if options.get("reuse_address"):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if options.get("reuse_port"):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        if options.get("loopback_only"):
            made.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b"lo\0")
        if family == socket.AF_INET6:
            made.setsockopt(
                socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, int(options.get("v6only", False))
            )
        made.bind((address, port))
    except OSError:
        made.close()
        raise
    return made


def free_port() -> int:
    """A port below the ephemeral range with no tcp or udp socket at all, on any address: a bind without any option is the strictest."""
    for port in _numbers:
        try:
            for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
                bound(socket.AF_INET6, kind, "::", port).close()
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            continue
        return port
    raise AssertionError


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def open_here() -> Iterator[ExitStack]:
    """Sockets and processes of one test: closed at its end."""
    with ExitStack() as stack:
        yield stack


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 5
    while not holds():
        assert time.monotonic() < deadline, f"not within 5 s: {what}"
        time.sleep(0.002)


# The truth table: engine-rules.md#truth-table, as it was measured with a real engine. X = the container does not start.

COLUMNS = (
    '""',
    "0.0.0.0",
    "127.0.0.1",
    "IF4",
    "::",
    "::1",
    "IF6",
    '"" udp',
    "127.0.0.1 udp",
    "::1 udp",
)
TABLE = """
none                                      | - - - - - - - - - -
LISTEN 0.0.0.0                            | X X X X - - - - - -
LISTEN 127.0.0.1                          | X X X - - - - - - -
LISTEN 127.0.0.5                          | X X - - - - - - - -
LISTEN IF4                                | X X - X - - - - - -
LISTEN OTHER4                             | X X - - - - - - - -
LISTEN 0.0.0.0 +RA                        | X X X X - - - - - -
LISTEN 0.0.0.0 +RP                        | X X X X - - - - - -
LISTEN 0.0.0.0 +RA+RP                     | X X X X - - - - - -
LISTEN 127.0.0.1 +RA+RP                   | X X X - - - - - - -
LISTEN 0.0.0.0 lo                         | X X X X - - - - - -
LISTEN :: dual                            | X X X X X X X - - -
LISTEN :: dual +RA+RP                     | X X X X X X X - - -
LISTEN :: v6only                          | X - - - X X X - - -
LISTEN ::1                                | X - - - X X - - - -
LISTEN IF6                                | X - - - X - X - - -
LISTEN ::ffff:127.0.0.1                   | X X X - - - - - - -
BOUND 0.0.0.0                             | X X X X - - - - - -
BOUND 0.0.0.0 +RA                         | - - - - - - - - - -
BOUND 127.0.0.1                           | X X X - - - - - - -
BOUND 127.0.0.1 +RA                       | - - - - - - - - - -
BOUND :: dual                             | X X X X X X X - - -
BOUND :: dual +RA                         | - - - - - - - - - -
BOUND 0.0.0.0 +RP                         | X X X X - - - - - -
CLIENT 127.0.0.1                          | X X X - - - - - - -
CLIENT 127.0.0.1 +RA                      | - - - - - - - - - -
ACCEPTED 127.0.0.1                        | X X X - - - - - - -
ACCEPTED 127.0.0.1 +RA                    | - - - - - - - - - -
TIME_WAIT_CLIENT 127.0.0.1                | X X X - - - - - - -
TIME_WAIT_CLIENT 127.0.0.1 +RA            | - - - - - - - - - -
TIME_WAIT_SERVER 127.0.0.1                | X X X - - - - - - -
TIME_WAIT_SERVER 127.0.0.1 +RA            | - - - - - - - - - -
ACCEPTED 0.0.0.0                          | X X X - - - - - - -
ACCEPTED :: dual                          | X X - - X X - - - -
UDP 0.0.0.0                               | - - - - - - - X X -
UDP 127.0.0.1                             | - - - - - - - X X -
UDP IF4                                   | - - - - - - - X - -
UDP :: dual                               | - - - - - - - X X X
UDP ::1                                   | - - - - - - - X - X
UDP :: v6only                             | - - - - - - - X - X
UDP 0.0.0.0 +RA                           | - - - - - - - X X -
UDP 0.0.0.0 +RA+RP                        | - - - - - - - X X -
KERNEL_CHOSEN_CLIENT 127.0.0.1            | X X X - - - - - - -
KERNEL_CHOSEN_CLIENT 127.0.0.1 +RA        | - - - - - - - - - -
KERNEL_CHOSEN_TIME_WAIT 127.0.0.1         | X X X - - - - - - -
KERNEL_CHOSEN_TIME_WAIT 127.0.0.1 +RA     | - - - - - - - - - -
"""
CELLS = {
    name.strip(): cells.split()
    for name, cells in (line.split("|") for line in TABLE.strip().splitlines())
}


def interface_addresses() -> dict[str, str]:
    """IF4, IF6 and OTHER4 (the row `docker0 ip`), as far as this host has them; the bridges of Compose projects come and go, so none of theirs."""
    found: dict[str, list[str]] = {"IF4": [], "IF6": []}
    for name, addresses in psutil.net_if_addrs().items():
        if not name.startswith(("lo", "br-", "veth")):
            for one in addresses:
                if one.family == socket.AF_INET:
                    found["IF4"].append(one.address)
                elif one.family == socket.AF_INET6 and not one.address.startswith("fe80"):
                    found["IF6"].append(one.address)
    several = {key: values[0] for key, values in found.items() if values}
    return several | ({"OTHER4": found["IF4"][1]} if len(found["IF4"]) > 1 else {})


INTERFACES = interface_addresses()


def endpoints(column: str, port: int) -> list[Endpoint]:
    """What the engine binds for a column of the table."""
    host, _, protocol = column.partition(" ")
    chosen: TransportProtocol = "udp" if protocol else "tcp"
    addresses = ("0.0.0.0", "::") if host == '""' else (INTERFACES.get(host, host),)
    return [Endpoint(port, address, chosen) for address in addresses]


def measured(port: int, *, udp_reuse_address: bool = False) -> list[str]:
    """A row as the probe sees it, `?` where this host has no such address."""
    cells = []
    for column in COLUMNS:
        answers = {
            sockets.probe(one, udp_reuse_address=udp_reuse_address)
            for one in endpoints(column, port)
        } - {Probe.FREE}
        if column in ("IF4", "IF6") and column not in INTERFACES:
            cells.append("?")
        else:
            cells.append({(): "-", (Probe.IN_USE,): "X"}[tuple(answers)])
    return cells


class Row:
    """A row's name taken apart, and the sockets that it describes, made on `port`."""

    def __init__(self, name: str, port: int, stack: ExitStack) -> None:
        self.what, address, *flags = name.replace("+", " +").split()
        self.address = INTERFACES.get(address, address)
        self.family = socket.AF_INET6 if ":" in self.address else socket.AF_INET
        self.loopback = "::1" if self.family == socket.AF_INET6 else "127.0.0.1"
        self.options = {
            "reuse_address": "+RA" in flags,
            "reuse_port": "+RP" in flags,
            "v6only": "v6only" in flags,
            "loopback_only": "lo" in flags,
        }
        self.port = port
        self.stack = stack

    def make(self) -> None:
        if self.what == "UDP":
            self.stack.enter_context(
                bound(self.family, socket.SOCK_DGRAM, self.address, self.port, **self.options)
            )
        elif self.what == "BOUND":
            self.socket_on(self.port)
        elif self.what == "LISTEN":
            self.socket_on(self.port).listen()
        elif self.what == "ACCEPTED":
            self.accepted()
        elif self.what in ("CLIENT", "KERNEL_CHOSEN_CLIENT"):
            self.client()
        elif self.what == "TIME_WAIT_SERVER":
            self.closed_first(*self.accepted())
        else:
            self.closed_first(*self.client())

    def socket_on(self, port: int) -> socket.socket:
        return self.stack.enter_context(
            bound(self.family, socket.SOCK_STREAM, self.address, port, **self.options)
        )

    def accepted(self) -> tuple[socket.socket, socket.socket]:
        """A connection on `port` whose listener is closed: our end first."""
        listener = self.socket_on(self.port)
        listener.listen()
        client = self.stack.enter_context(socket.create_connection((self.loopback, self.port)))
        ours = self.stack.enter_context(listener.accept()[0])
        listener.close()
        return ours, client

    def client(self) -> tuple[socket.socket, socket.socket]:
        """A connection from `port` to some other one: our end first; with the kernel's choice, `port` becomes that."""
        server = self.stack.enter_context(socket.create_server((self.loopback, 0)))
        if self.what.startswith("KERNEL_CHOSEN"):
            client = self.stack.enter_context(socket.socket())
            client.setsockopt(
                socket.SOL_SOCKET, socket.SO_REUSEADDR, int(self.options["reuse_address"])
            )
        else:
            client = self.socket_on(self.port)
        client.connect(server.getsockname())
        self.port = client.getsockname()[1]
        return client, self.stack.enter_context(server.accept()[0])

    def closed_first(self, ours: socket.socket, theirs: socket.socket) -> None:
        ours.close()
        theirs.close()
        until(
            lambda: {row.state for row in sockets.listeners([self.port])} == {"closing"},
            "TIME_WAIT",
        )


def row_made(name: str, port: int, stack: ExitStack) -> int:
    """Makes the sockets of a row; the port that they are on."""
    if name == "none":
        return port
    for wanted in ("IF4", "IF6", "OTHER4"):
        if wanted in name and wanted not in INTERFACES:
            pytest.skip(f"this host has no address for {wanted}")
    row = Row(name, port, stack)
    row.make()
    return row.port


def agrees(found: Collection[str], expected: Collection[str]) -> bool:
    return all(cell in ("?", wanted) for cell, wanted in zip(found, expected, strict=True))


@linux_only
@pytest.mark.parametrize("name", CELLS)
def test_the_probe_gives_the_row_of_the_truth_table(
    name: str, port: int, open_here: ExitStack
) -> None:  # edge-cases.md#2, edge-cases.md#3, edge-cases.md#5, edge-cases.md#6, edge-cases.md#7, edge-cases.md#8, edge-cases.md#9, edge-cases.md#13
    port = row_made(name, port, open_here)
    assert agrees(measured(port), CELLS[name])


@linux_only
@pytest.mark.parametrize(
    "name", [name for name in CELLS if name.startswith(("UDP", "LISTEN 0.0.0.0"))]
)
def test_on_engine_28_a_udp_socket_blocks_unless_it_reuses_its_address(
    name: str, port: int, open_here: ExitStack
) -> None:
    expected = ["-"] * len(COLUMNS) if name.startswith("UDP") and "+RA" in name else CELLS[name]
    port = row_made(name, port, open_here)
    assert agrees(measured(port, udp_reuse_address=True), expected)


@linux_only
@pytest.mark.parametrize(
    "name", [name for name in CELLS if name.startswith(("none", "LISTEN", "UDP"))]
)
def test_the_table_rule_agrees_where_the_socket_surely_blocks(
    name: str, port: int, open_here: ExitStack
) -> None:
    port = row_made(name, port, open_here)
    seen = [one for one in sockets.listeners([port]) if one.surely_blocks]
    found = [
        "X"
        if any(one.overlaps(wanted) for one in seen for wanted in endpoints(column, port))
        else "-"
        if column not in ("IF4", "IF6") or column in INTERFACES
        else "?"
        for column in COLUMNS
    ]
    assert agrees(found, CELLS[name])


# What else the probe says


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        ("198.51.100.7", Probe.NO_SUCH_ADDRESS),
        ("2001:db8::7", Probe.NO_SUCH_ADDRESS),
        ("fe80::1", Probe.INVALID),
        ("127.0.0.77", Probe.FREE),
    ],
)
def test_the_probe_tells_a_busy_port_from_an_address_that_is_not_here(
    address: str, answer: Probe, port: int
) -> None:  # edge-cases.md#35
    assert sockets.probe(Endpoint(port, address)) is answer


def test_a_probed_port_is_free_again(port: int) -> None:
    protocols: tuple[TransportProtocol, ...] = ("tcp", "udp")
    wanted = [
        Endpoint(port, address, protocol) for address in ("0.0.0.0", "::") for protocol in protocols
    ]
    assert [sockets.probe(one) for one in wanted * 3] == [Probe.FREE] * 12
    bound(socket.AF_INET6, socket.SOCK_STREAM, "::", port).close()


def test_sctp_is_unsupported_where_the_kernel_lacks_it(port: int) -> None:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132).close()
        expected = Probe.FREE
    except OSError:
        expected = Probe.UNSUPPORTED
    assert sockets.probe(Endpoint(port, "127.0.0.1", "sctp")) is expected


def python(program: str, *arguments: str) -> subprocess.Popen[str]:
    """A real process running `program` with our source importable, its streams ours."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env={"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def said_by(process: subprocess.Popen[str]) -> str:
    with process:
        out, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    return out.strip()


NO_DESCRIPTORS = """
import resource, sys
from dartsctl.stack.bindings import Endpoint
from dartsctl.edges.host import sockets
from dartsctl.errors import DartsctlError
resource.setrlimit(resource.RLIMIT_NOFILE, (3, 3))
try:
    print(sockets.probe(Endpoint(int(sys.argv[1]), "127.0.0.1")))
except DartsctlError as error:
    print(error.message, error.hint)
"""


def test_a_probe_that_cannot_be_made_never_reads_as_free(port: int) -> None:
    said = said_by(python(NO_DESCRIPTORS, str(port)))
    assert said.startswith(f"whether 127.0.0.1:{port}/tcp is free cannot be told")
    assert "ulimit -n" in said


AS_NOBODY = """
import os, sys
from dartsctl.stack.bindings import Endpoint
from dartsctl.edges.host import sockets
os.setuid(65534)  # only now: nobody may not read this interpreter and this checkout
print(sockets.probe(Endpoint(int(sys.argv[1]), "127.0.0.1")).name)
"""


@linux_only
@root_only
def test_a_privileged_port_is_not_ours_to_probe_which_is_not_busy() -> None:  # edge-cases.md#17
    if sockets.unprivileged_port_start() < 2:
        pytest.skip("no port is privileged here")
    assert said_by(python(AS_NOBODY, "1")) == "FORBIDDEN"


# Facts of the host


def test_every_local_address_can_be_bound_and_loopback_is_among_them(port: int) -> None:
    addresses = sockets.local_addresses()
    assert "127.0.0.1" in addresses
    assert ("::1" in addresses) == sockets.has_ipv6()
    # looked at again, because a container network of somebody else may go in between
    until(
        lambda: (
            {sockets.probe(Endpoint(port, address)) for address in sockets.local_addresses()}
            == {Probe.FREE}
        ),
        "all can be bound",
    )


@linux_only
@pytest.mark.parametrize("name", [name for name in CELLS if not name.startswith("none")])
def test_whoever_blocks_is_among_the_occupied_numbers(
    name: str, port: int, open_here: ExitStack
) -> None:
    protocol: TransportProtocol = "udp" if name.startswith("UDP") else "tcp"
    port = row_made(name, port, open_here)
    found = sockets.occupied(protocol, range(port, port + 1))
    if found is None:
        pytest.skip("this kernel lists no tcp socket that is only bound")
    assert list(found) == [port]


@linux_only
def test_free_numbers_are_not_occupied_and_sctp_has_no_table(port: int) -> None:
    assert sockets.occupied("udp", range(port, port + 1)) == {}
    assert sockets.occupied("sctp", range(port, port + 1)) is None


@linux_only
def test_the_kernel_chooses_ports_within_its_ephemeral_range() -> None:
    told = sockets.ephemeral_range()
    assert told is not None
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert told[0] <= server.getsockname()[1] <= told[1]


@linux_only
def test_the_first_unprivileged_port_is_the_sysctl() -> None:
    assert 0 <= sockets.unprivileged_port_start() <= 1024
