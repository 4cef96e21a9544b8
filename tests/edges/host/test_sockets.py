"""The bind probe and the rule for socket tables, against the measured truth table.

The socket table itself is tested in test_sock_diag.py.
"""

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
from dartsctl.ports.listeners import Listener, Probe
from dartsctl.stack.bindings import Endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.stack.bindings import TransportProtocol

SOURCE = Path(sockets.__file__).parents[3]

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="sock_diag and /proc are Linux's")
root_only = pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to become somebody else")

_numbers = itertools.count(10_000 + os.getpid() % 10_000)


def bound(family: int, kind: int, address: str, port: int, **options: bool) -> socket.socket:
    """Return a bound socket with exactly these options.

    Options: reuse_address, reuse_port, v6only, loopback_only.
    """
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
    """Return a port below the ephemeral range with no tcp or udp socket on any address.

    A bind without any option is the strictest test.
    """
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
    """Holds sockets and processes that are closed when the test ends."""
    with ExitStack() as stack:
        yield stack


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, f"not within 60 s: {what}"
        time.sleep(0.002)


# The truth table of engine-rules.md#truth-table, measured with a real engine.
# X: the container does not start.

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
    """Return IF4, IF6 and OTHER4 (another IPv4 address), as far as this host has them.

    Without the bridges of Compose projects, which come and go.
    """
    ipv4: list[str] = []
    ipv6: list[str] = []
    for name, addresses in psutil.net_if_addrs().items():
        if name.startswith(("lo", "br-", "veth")):
            continue
        for entry in addresses:
            if entry.family == socket.AF_INET:
                ipv4.append(entry.address)
            elif entry.family == socket.AF_INET6 and not entry.address.startswith("fe80"):
                ipv6.append(entry.address)
    named = {"IF4": ipv4[:1], "IF6": ipv6[:1], "OTHER4": ipv4[1:2]}
    return {name: values[0] for name, values in named.items() if values}


INTERFACES = interface_addresses()


def endpoints(column: str, port: int) -> list[Endpoint]:
    """Return what the engine binds for a column of the table."""
    host, _, protocol = column.partition(" ")
    chosen: TransportProtocol = "udp" if protocol else "tcp"
    addresses = ("0.0.0.0", "::") if host == '""' else (INTERFACES.get(host, host),)
    return [Endpoint(port, address, chosen) for address in addresses]


def measured(port: int, *, udp_reuse_address: bool = False) -> list[str]:
    """Return a row as the probe sees it, with `?` where this host has no such address."""
    cells = []
    for column in COLUMNS:
        answers = {
            sockets.probe(endpoint, udp_reuse_address=udp_reuse_address)
            for endpoint in endpoints(column, port)
        } - {Probe.FREE}
        if column in ("IF4", "IF6") and column not in INTERFACES:
            cells.append("?")
        else:
            cells.append({(): "-", (Probe.IN_USE,): "X"}[tuple(answers)])
    return cells


class Row:
    """Makes the sockets that a row's name describes, on `port`."""

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
        """Return both ends of a connection on `port` whose listener is closed, ours first."""
        listener = self.socket_on(self.port)
        listener.listen()
        client = self.stack.enter_context(socket.create_connection((self.loopback, self.port)))
        ours = self.stack.enter_context(listener.accept()[0])
        listener.close()
        return ours, client

    def client(self) -> tuple[socket.socket, socket.socket]:
        """Return both ends of a connection from `port` to another one, ours first.

        With the kernel's choice, `port` becomes the chosen one.
        """
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
            lambda: "closing" in {row.state for row in sockets.listeners([self.port])},
            "TIME_WAIT",
        )


def make_row(name: str, port: int, stack: ExitStack) -> int:
    """Make the sockets of a row, and return the port that they are on."""
    if name == "none":
        return port
    for name_of_address in ("IF4", "IF6", "OTHER4"):
        if name_of_address in name and name_of_address not in INTERFACES:
            pytest.skip(f"this host has no address for {name_of_address}")
    row = Row(name, port, stack)
    row.make()
    return row.port


def measured_row(name: str, port: int, stack: ExitStack) -> list[str]:
    """Make the sockets of a row, and return the row as the probe sees it.

    A port that the kernel chooses may be that of another program's connection too, from another
    address: such a port says nothing about this row, and the next one is measured.
    """
    for _ in range(20):
        chosen = make_row(name, port, stack)
        was_alone = is_of_one_socket(chosen)
        cells = measured(chosen)
        if chosen == port or (was_alone and is_of_one_socket(chosen)):
            return cells
    pytest.fail("another program's connections have every port that the kernel chooses")


def is_of_one_socket(port: int) -> bool:
    return len(sockets.listeners([port])) == 1


def agrees(actual: Collection[str], expected: Collection[str]) -> bool:
    return all(cell in ("?", wanted) for cell, wanted in zip(actual, expected, strict=True))


@linux_only
@pytest.mark.parametrize("name", CELLS)
def test_the_probe_equals_the_truth_table(name: str, port: int, open_here: ExitStack) -> None:
    """edge-cases.md#2, edge-cases.md#3, edge-cases.md#5, edge-cases.md#6, edge-cases.md#7,
    edge-cases.md#8, edge-cases.md#9, edge-cases.md#13.
    """
    assert agrees(measured_row(name, port, open_here), CELLS[name])


@linux_only
def test_a_row_is_measured_on_a_port_that_no_other_connection_has(open_here: ExitStack) -> None:
    port = make_row("KERNEL_CHOSEN_CLIENT 127.0.0.1 +RA", free_port(), open_here)
    assert is_of_one_socket(port)
    server = open_here.enter_context(socket.create_server(("127.0.0.1", 0)))
    other = open_here.enter_context(
        bound(socket.AF_INET, socket.SOCK_STREAM, "127.0.0.2", port, reuse_address=True)
    )
    other.connect(server.getsockname())
    assert not is_of_one_socket(port)


@linux_only
@pytest.mark.parametrize(
    "name", [name for name in CELLS if name.startswith(("UDP", "LISTEN 0.0.0.0"))]
)
def test_on_engine_28_a_udp_socket_blocks_unless_it_reuses_its_address(
    name: str, port: int, open_here: ExitStack
) -> None:
    expected = ["-"] * len(COLUMNS) if name.startswith("UDP") and "+RA" in name else CELLS[name]
    port = make_row(name, port, open_here)
    assert agrees(measured(port, udp_reuse_address=True), expected)


def table_cell(rows: Collection[Listener], column: str, port: int) -> str:
    """Return a cell as the rule for socket tables sees it."""
    for endpoint in endpoints(column, port):
        if any(row.overlaps(endpoint) for row in rows):
            return "X"
    return "?" if column in ("IF4", "IF6") and column not in INTERFACES else "-"


@linux_only
@pytest.mark.parametrize(
    "name", [name for name in CELLS if name.startswith(("none", "LISTEN", "UDP"))]
)
def test_the_rule_for_socket_tables_equals_the_truth_table_for_sockets_that_surely_block(
    name: str, port: int, open_here: ExitStack
) -> None:
    port = make_row(name, port, open_here)
    rows = [row for row in sockets.listeners([port]) if row.surely_blocks]
    cells = [table_cell(rows, column, port) for column in COLUMNS]
    assert agrees(cells, CELLS[name])


@linux_only
@pytest.mark.parametrize("name", CELLS)
def test_a_listener_is_noticed_at_any_address_and_no_other_socket_counts_as_one(
    name: str, port: int, open_here: ExitStack
) -> None:  # edge-cases.md#4
    port = make_row(name, port, open_here)
    assert sockets.has_listener(port) == name.startswith("LISTEN")


# More about the probe


@pytest.mark.parametrize(
    ("address", "answer"),
    [
        ("198.51.100.7", Probe.NO_SUCH_ADDRESS),
        ("2001:db8::7", Probe.NO_SUCH_ADDRESS),
        ("fe80::1", Probe.INVALID),
        ("127.0.0.77", Probe.FREE),
    ],
)
def test_the_probe_tells_a_taken_port_from_an_address_that_is_not_here(
    address: str, answer: Probe, port: int
) -> None:  # edge-cases.md#35
    assert sockets.probe(Endpoint(port, address)) is answer


def test_a_probed_port_is_free_again(port: int) -> None:
    protocols: tuple[TransportProtocol, ...] = ("tcp", "udp")
    wanted = [
        Endpoint(port, address, protocol) for address in ("0.0.0.0", "::") for protocol in protocols
    ]
    assert [sockets.probe(endpoint) for endpoint in wanted * 3] == [Probe.FREE] * 12
    bound(socket.AF_INET6, socket.SOCK_STREAM, "::", port).close()


def test_sctp_is_unsupported_if_the_kernel_lacks_it(port: int) -> None:
    try:
        socket.socket(socket.AF_INET, socket.SOCK_STREAM, 132).close()
        expected = Probe.FREE
    except OSError:
        expected = Probe.UNSUPPORTED
    assert sockets.probe(Endpoint(port, "127.0.0.1", "sctp")) is expected


def python(program: str, *arguments: str) -> subprocess.Popen[str]:
    """Start a Python process that can import our source."""
    return subprocess.Popen(
        [sys.executable, "-c", program, *arguments],
        env={"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"]},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def output_of(process: subprocess.Popen[str]) -> str:
    with process:
        out, _ = process.communicate(timeout=60)
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


def test_a_probe_that_fails_never_counts_as_free(port: int) -> None:
    output = output_of(python(NO_DESCRIPTORS, str(port)))
    assert output.startswith(f"cannot test whether 127.0.0.1:{port}/tcp is free: ")
    assert "ulimit -n" in output


AS_NOBODY = """
import os, sys
from dartsctl.stack.bindings import Endpoint
from dartsctl.edges.host import sockets
os.setuid(65534)  # only now: nobody may not read this interpreter and this checkout
print(sockets.probe(Endpoint(int(sys.argv[1]), "127.0.0.1")).name)
"""


@linux_only
@root_only
def test_a_privileged_port_is_forbidden_and_not_in_use() -> None:  # edge-cases.md#17
    first = Path("/proc/sys/net/ipv4/ip_unprivileged_port_start").read_text(encoding="ascii")
    if int(first) < 2:
        pytest.skip("no port is privileged here")
    assert output_of(python(AS_NOBODY, "1")) == "FORBIDDEN"


# This host


def test_every_local_address_can_be_bound_and_loopback_is_one_of_them(port: int) -> None:
    addresses = sockets.local_addresses()
    assert "127.0.0.1" in addresses
    assert ("::1" in addresses) == sockets.has_ipv6()
    # read again: a container network of another test may disappear meanwhile
    until(
        lambda: (
            {sockets.probe(Endpoint(port, address)) for address in sockets.local_addresses()}
            == {Probe.FREE}
        ),
        "all can be bound",
    )


@linux_only
@pytest.mark.parametrize("name", [name for name in CELLS if not name.startswith("none")])
def test_a_blocking_socket_is_listed_as_occupied(
    name: str, port: int, open_here: ExitStack
) -> None:
    protocol: TransportProtocol = "udp" if name.startswith("UDP") else "tcp"
    port = make_row(name, port, open_here)
    occupied = sockets.occupied(protocol, range(port, port + 1))
    if occupied is None:
        pytest.skip("this kernel lists no tcp socket that is only bound")
    assert list(occupied) == [port]


@linux_only
def test_free_ports_are_not_occupied_and_sctp_has_no_table(port: int) -> None:
    assert sockets.occupied("udp", range(port, port + 1)) == {}
    assert sockets.occupied("sctp", range(port, port + 1)) is None


@linux_only
def test_the_kernel_chooses_ports_within_its_ephemeral_range() -> None:
    limits = sockets.ephemeral_range()
    assert limits is not None
    with socket.create_server(("127.0.0.1", 0)) as server:
        assert limits[0] <= server.getsockname()[1] <= limits[1]
