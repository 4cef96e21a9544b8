"""Sockets as the kernel's table shows them: states, owners, and the other readers' results."""

from __future__ import annotations

import errno
import itertools
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from dartsctl.edges.host import sockets
from dartsctl.edges.host.socket_readers import read_proc, read_psutil, read_sock_diag
from dartsctl.errors import DartsctlError
from dartsctl.ports.listeners import Listener
from dartsctl.stack.bindings import Endpoint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.edges.host.socket_readers import SocketReader
    from dartsctl.stack.bindings import TransportProtocol

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="sock_diag and /proc are Linux's")
root_only = pytest.mark.skipif(
    os.geteuid() != 0, reason="needs root, to make a network namespace or to become somebody else"
)

SOURCE = Path(sockets.__file__).parents[3]

_numbers = itertools.count(20_000 + os.getpid() % 10_000)


def free_port() -> int:
    """Return a port below the ephemeral range, which no outgoing connection takes."""
    return next(number for number in _numbers if not sockets.listeners([number]))


@pytest.fixture
def port() -> int:
    return free_port()


@pytest.fixture
def open_here() -> Iterator[ExitStack]:
    """Holds sockets and processes that are closed when the test ends."""
    with ExitStack() as stack:
        yield stack


def listening(
    stack: ExitStack, port: int, address: str = "127.0.0.1", *, dual: bool = False
) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    return stack.enter_context(
        socket.create_server((address, port), family=family, dualstack_ipv6=dual)
    )


def udp(stack: ExitStack, port: int, address: str = "127.0.0.1") -> socket.socket:
    made = stack.enter_context(
        socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    )
    made.bind((address, port))
    return made


def until(holds: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, f"not within 60 s: {what}"
        time.sleep(0.002)


def shape(rows: Collection[Listener]) -> list[tuple[str, str, int, str]]:
    return [(row.protocol, row.address, row.port, row.state) for row in rows]


def test_no_ports_show_no_sockets() -> None:
    assert sockets.listeners([]) == ()


def test_only_sockets_on_the_requested_ports_are_shown(open_here: ExitStack) -> None:
    chosen = []
    for _ in range(8):
        chosen.append(free_port())
        listening(open_here, chosen[-1])
    gaps = chosen[::2]
    assert [row.port for row in sockets.listeners([*gaps, *gaps])] == gaps


def test_a_row_names_the_socket_and_its_user(port: int, open_here: ExitStack) -> None:
    server = listening(open_here, port)
    inode = os.fstat(server.fileno()).st_ino
    assert sockets.listeners([port]) == (
        Listener("tcp", "127.0.0.1", port, "listen", None, inode, os.getuid()),
    )


def test_dual_stack_and_ipv6_only_wildcards_are_told_apart(
    port: int, open_here: ExitStack
) -> None:  # edge-cases.md#2
    listening(open_here, port, "::", dual=True)
    alone = free_port()
    listening(open_here, alone, "::")
    assert {row.port: row.v6only for row in sockets.listeners([port, alone])} == {
        port: False,
        alone: True,
    }


def test_one_port_on_two_addresses_and_two_protocols_is_four_sockets(
    port: int, open_here: ExitStack
) -> None:  # edge-cases.md#5, edge-cases.md#6
    for address in ("127.0.0.1", "127.0.0.2"):
        listening(open_here, port, address)
        udp(open_here, port, address)
    assert shape(sockets.listeners([port])) == [
        ("tcp", "127.0.0.1", port, "listen"),
        ("tcp", "127.0.0.2", port, "listen"),
        ("udp", "127.0.0.1", port, "bound"),
        ("udp", "127.0.0.2", port, "bound"),
    ]


def leave_time_wait(port: int, address: str = "127.0.0.1") -> None:
    """Make a connection to `port`, and close the listener and our end first."""
    with ExitStack() as stack:
        server = listening(stack, port, address)
        with socket.create_connection((address, port)):
            server.accept()[0].close()


def test_each_state_of_a_port_is_shown(
    port: int, open_here: ExitStack
) -> None:  # edge-cases.md#9, edge-cases.md#13
    server = listening(open_here, port)
    with socket.create_connection(("127.0.0.1", port)), server.accept()[0] as ours:
        assert {row.state for row in sockets.listeners([port])} == {"listen", "connected"}
        ours.close()
        until(
            lambda: {row.state for row in sockets.listeners([port])} == {"listen", "closing"},
            "the connection closes",
        )
    assert shape(sockets.listeners([port], listening_only=True)) == [
        ("tcp", "127.0.0.1", port, "listen")
    ]


def test_a_port_in_time_wait_belongs_to_nobody(port: int) -> None:  # edge-cases.md#9
    leave_time_wait(port)
    until(
        lambda: sockets.listeners([port]) == (Listener("tcp", "127.0.0.1", port, "closing"),),
        "TIME_WAIT",
    )
    assert sockets.listeners([port], owners=True) == sockets.listeners([port])


def test_many_connections_in_time_wait_are_one_row(port: int) -> None:
    for _ in range(3):
        leave_time_wait(port)
    until(
        lambda: sockets.listeners([port]) == (Listener("tcp", "127.0.0.1", port, "closing"),),
        "TIME_WAIT",
    )


def test_a_connected_udp_socket_is_shown_by_its_local_address(
    port: int, open_here: ExitStack
) -> None:
    udp(open_here, port, "0.0.0.0").connect(("127.0.0.1", 9))
    assert shape(sockets.listeners([port], listening_only=True)) == [
        ("udp", "127.0.0.1", port, "connected")
    ]


@pytest.mark.parametrize("read", sockets.READERS)
def test_each_reader_names_the_other_end_of_a_connection_and_none_of_a_listener(
    port: int, open_here: ExitStack, read: SocketReader
) -> None:
    server = listening(open_here, port)
    peer = open_here.enter_context(socket.create_connection(("127.0.0.1", port)))
    open_here.enter_context(server.accept()[0])
    rows = read("tcp", frozenset({port}), listening_only=False)
    peers = {row.state: row.peer for row in rows}
    assert peers == {"listen": None, "connected": Endpoint(peer.getsockname()[1], "127.0.0.1")}


def kernel_version() -> tuple[int, ...]:
    return tuple(int(part) for part in os.uname().release.split("-")[0].split(".")[:2])


@pytest.mark.skipif(kernel_version() < (6, 8), reason="older kernels do not show them")
def test_a_socket_that_is_bound_and_does_not_listen_is_shown(
    port: int, open_here: ExitStack
) -> None:
    open_here.enter_context(socket.socket(socket.AF_INET6)).bind(("::", port))
    assert shape(sockets.listeners([port])) == [("tcp", "::", port, "bound")]
    assert sockets.listeners([port], listening_only=True) == ()


def test_a_port_is_listened_on_at_any_address_of_both_families(
    port: int, open_here: ExitStack
) -> None:
    chosen = [port, free_port(), free_port()]
    for number, address in zip(chosen, ("127.0.0.1", "127.0.0.2", "::1"), strict=True):
        listening(open_here, number, address)
    connected = free_port()
    leave_time_wait(connected)
    udp(open_here, connected)
    assert sockets.listening_ports([*chosen, connected]) == set(chosen)
    assert sockets.listening_ports([]) == set()


def test_a_host_without_sock_diag_still_knows_where_something_listens(
    port: int, open_here: ExitStack
) -> None:
    def refuse(ports: frozenset[int]) -> set[int]:
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    listening(open_here, port)
    assert sockets.listening_ports([port, port + 1], read=refuse) == {port}


def test_threads_read_it_concurrently(open_here: ExitStack) -> None:
    chosen = []
    for _ in range(5):
        chosen.append(free_port())
        listening(open_here, chosen[-1])
    with ThreadPoolExecutor(5) as pool:
        answers = list(
            pool.map(
                lambda number: [row.port for row in sockets.listeners([number], owners=True)],
                chosen * 10,
            )
        )
    assert answers == [[number] for number in chosen * 10]


# Owners


def python(program: str, *arguments: str, before: tuple[str, ...] = ()) -> subprocess.Popen[str]:
    """Start a Python process that can import our source."""
    environment = {"PYTHONPATH": str(SOURCE), "PATH": os.environ["PATH"]}
    argv = [*before, sys.executable, "-c", program, *arguments]
    return subprocess.Popen(
        argv, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )


def first_line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline()


def test_every_process_that_shares_a_socket_owns_it(
    port: int, open_here: ExitStack
) -> None:  # edge-cases.md#22, edge-cases.md#26
    server = listening(open_here, port)
    child = open_here.enter_context(
        subprocess.Popen(["cat"], stdin=subprocess.PIPE, pass_fds=[server.fileno()])
    )
    (row,) = sockets.listeners([port], owners=True)
    assert row.pids == tuple(sorted((os.getpid(), child.pid)))
    server.close()
    (left,) = sockets.listeners([port], owners=True)
    assert left.pids == (child.pid,)
    child.communicate(timeout=60)


def test_a_socket_shared_by_a_fork_has_two_owners(
    port: int, open_here: ExitStack
) -> None:  # edge-cases.md#22
    program = """
import os, socket, sys
with socket.create_server(("127.0.0.1", int(sys.argv[1]))):
    child = os.fork()
    if child:
        print(os.getpid(), child, flush=True)
    sys.stdin.read()
"""
    pair = open_here.enter_context(python(program, str(port)))
    expected = tuple(sorted(int(pid) for pid in first_line(pair).split()))
    (row,) = sockets.listeners([port], owners=True)
    assert row.pids == expected
    pair.communicate(timeout=60)


def test_owners_are_not_resolved_unless_requested(port: int, open_here: ExitStack) -> None:
    listening(open_here, port)
    assert [row.pids for row in sockets.listeners([port])] == [()]


@root_only
def test_another_users_socket_is_shown_with_its_user_and_without_owners(
    port: int, open_here: ExitStack
) -> None:  # edge-cases.md#18
    program = """
import os, sys
from dartsctl.edges.host import sockets
os.setuid(65534)  # only now: nobody may not read this interpreter and this checkout
print([(row.uid, row.pids) for row in sockets.listeners([int(sys.argv[1])], owners=True)])
"""
    listening(open_here, port)
    nobody = open_here.enter_context(python(program, str(port)))
    assert nobody.communicate(timeout=60)[0].strip() == "[(0, ())]"


@root_only
def test_a_socket_in_another_network_namespace_is_not_shown(
    port: int, open_here: ExitStack
) -> None:  # edge-cases.md#27, edge-cases.md#28
    program = """
import socket, sys
with socket.create_server(("0.0.0.0", int(sys.argv[1]))):
    print("listening", flush=True)
    sys.stdin.read()
"""
    other = open_here.enter_context(python(program, str(port), before=("unshare", "-n")))
    if not first_line(other):
        pytest.skip("no network namespace can be made here")
    assert sockets.listeners([port], owners=True) == ()
    other.communicate(timeout=60)


# The other readers


def refusing(
    protocol: TransportProtocol, ports: frozenset[int], *, listening_only: bool
) -> Collection[Listener]:
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def without_udp_diag(
    protocol: TransportProtocol, ports: frozenset[int], *, listening_only: bool
) -> Collection[Listener]:
    """Read as on a kernel without udp in its sock_diag."""
    if protocol == "udp":
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
    return read_sock_diag(protocol, ports, listening_only=listening_only)


def one_of_each(stack: ExitStack) -> list[int]:
    """Make listeners on every form of address, a connection, a TIME_WAIT and udp sockets.

    Returns their ports.
    """
    ports = []
    for address, dual in (
        ("0.0.0.0", False),
        ("127.0.0.1", False),
        ("::", True),
        ("::", False),
        ("::1", False),
    ):
        ports.append(free_port())
        listening(stack, ports[-1], address, dual=dual)
    ports.append(free_port())
    mapped = listening(stack, ports[-1], "::ffff:127.0.0.1", dual=True)
    # A source port of our own: the kernel gives the same ephemeral one to other connections too.
    source = free_port()
    client = socket.create_connection(("127.0.0.1", ports[-1]), source_address=("", source))
    stack.enter_context(client)
    stack.enter_context(mapped.accept()[0])
    ports.append(source)
    for address in ("0.0.0.0", "::1"):
        ports.append(free_port())
        udp(stack, ports[-1], address)
    finished = free_port()
    leave_time_wait(finished, "::1")
    until(lambda: [row.inode for row in sockets.listeners([finished])] == [0], "TIME_WAIT")
    return [*ports, finished]


def values(rows: Collection[Listener], *unknown: str) -> list[tuple[object, ...]]:
    """Return the rows without the fields that one of two readers cannot know."""
    known = [
        name
        for name in ("protocol", "address", "port", "state", "v6only", "inode", "uid", "pids")
        if name not in unknown
    ]
    return sorted((tuple(getattr(row, name) for name in known) for row in rows), key=repr)


def test_the_text_table_gives_the_same_rows_without_v6only(open_here: ExitStack) -> None:
    ports = one_of_each(open_here)
    best = sockets.listeners(ports, owners=True)
    text = sockets.listeners(ports, owners=True, readers=(refusing, read_proc))
    assert values(text, "v6only") == values(best, "v6only")
    assert {row.v6only for row in text} == {None}
    assert len(best) == len(ports) + 1  # the accepted end shares its listener's port


def test_psutil_gives_the_same_rows_without_v6only_inode_and_user(open_here: ExitStack) -> None:
    ports = one_of_each(open_here)
    best = sockets.listeners(ports, owners=True)
    portable = sockets.listeners(ports, readers=(refusing, read_psutil))
    assert values(portable, "v6only", "inode", "uid") == values(best, "v6only", "inode", "uid")


def test_if_psutil_refuses_the_table_our_own_sockets_are_still_shown(
    port: int, open_here: ExitStack, monkeypatch: pytest.MonkeyPatch
) -> None:  # edge-cases.md#18
    def refuse(kind: str) -> list[object]:
        """Fail as psutil.net_connections does on macOS without root."""
        raise psutil.AccessDenied(1)

    monkeypatch.setattr(psutil, "net_connections", refuse)
    listening(open_here, port)
    rows = sockets.listeners([port], readers=(refusing, read_psutil))
    assert rows == (Listener("tcp", "127.0.0.1", port, "listen", pids=(os.getpid(),)),)


def test_a_protocol_that_sock_diag_lacks_is_read_from_proc(port: int, open_here: ExitStack) -> None:
    listening(open_here, port, "::")
    udp(open_here, port)
    rows = sockets.listeners([port], readers=(without_udp_diag, read_proc))
    assert [(row.protocol, row.v6only) for row in rows] == [("tcp", True), ("udp", None)]


def test_a_host_without_a_readable_table_never_counts_as_free(
    port: int,
) -> None:  # edge-cases.md#19, edge-cases.md#29
    with pytest.raises(DartsctlError, match="cannot list the tcp sockets") as caught:
        sockets.listeners([port], readers=(refusing, refusing))
    assert caught.value.details == ("refusing: Operation not permitted",) * 2


def test_a_kernel_without_ipv6_has_no_table_for_it(
    tmp_path: Path, port: int, open_here: ExitStack
) -> None:  # edge-cases.md#45
    listening(open_here, port)
    (tmp_path / "tcp").write_bytes(Path("/proc/net/tcp").read_bytes())
    assert shape(read_proc("tcp", frozenset({port}), folder=tmp_path)) == [
        ("tcp", "127.0.0.1", port, "listen")
    ]


def test_a_missing_text_table_is_an_error(tmp_path: Path, port: int) -> None:  # edge-cases.md#29
    with pytest.raises(FileNotFoundError):
        read_proc("tcp", frozenset({port}), folder=tmp_path)
