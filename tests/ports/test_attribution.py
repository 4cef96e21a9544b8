"""Who is in the way, with which evidence: listed containers, owners of sockets, or Unknown."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from dartsctl.ports.attribution import Attribution
from dartsctl.ports.availability import Obstacle, Reason
from dartsctl.ports.holders import (
    Connection,
    DevLease,
    ForeignContainer,
    Holder,
    HostProcess,
    OwnContainer,
    Unknown,
)
from dartsctl.ports.listeners import Listener
from dartsctl.ports.process import Process
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import Container
from dartsctl.stack.model import Service, Stack
from fakes.kernel import FakeKernel, container, listening

TYPE_CHECKING = False
if TYPE_CHECKING:
    from dartsctl.ports.listeners import State

P = 21000
ANY4, LOOPBACK4 = Endpoint(P, "0.0.0.0"), Endpoint(P, "127.0.0.1")
FLASK = Process(4711, "python", 1, ("python", "run.py"), user="dev", cwd="/home/dev/darts")
RELOADER = Process(4712, "python", 2, ("python", "run.py"), user="dev")
PROXY = Process(900, "docker-proxy", 3, ("/usr/sbin/docker-proxy", "-proto", "tcp"))
STACK = Stack("demo", {"web": Service("web")}, {})
SOURCE_PORT = "uses this number as its source port"


def holders(
    wanted: Endpoint, kernel: FakeKernel, *listed: Container, known: Sequence[Container] = ()
) -> tuple[Holder, ...]:
    return Attribution(STACK, [*listed, *known], kernel).holders(
        wanted, Obstacle(Reason.IN_USE, listed)
    )


def evidence(holder: Holder) -> str:
    return holder.evidence


# Containers that the engine lists


@pytest.mark.parametrize(
    ("listed", "kind"),
    [
        (container("demo", "web", LOOPBACK4), OwnContainer),
        (container("other", "web", LOOPBACK4), ForeignContainer),
        (container("demo", "gone", LOOPBACK4), ForeignContainer),
        (container("demo", "web", LOOPBACK4, one_off=True), ForeignContainer),
        (
            Container("1", "bare", "busybox", "running", targets=((LOOPBACK4, 80),)),
            ForeignContainer,
        ),
    ],
    ids=["own", "another project", "an orphan", "a one-off", "without labels"],
)
def test_a_container_is_own_when_up_would_leave_it_running_for_the_stack(
    listed: Container, kind: type[Holder]
) -> None:  # edge-cases.md#37, edge-cases.md#38, edge-cases.md#39
    (holder,) = holders(ANY4, FakeKernel(), listed)
    assert type(holder) is kind
    assert evidence(holder) == "docker lists 127.0.0.1:21000/tcp"


def test_without_a_stack_every_container_is_foreign() -> None:
    listed = container("demo", "web", LOOPBACK4)
    assert Attribution(None, [listed], FakeKernel()).holders(
        ANY4, Obstacle(Reason.IN_USE, (listed,))
    ) == (ForeignContainer(listed),)


def test_the_forwarders_socket_is_the_second_evidence_for_a_container() -> None:
    kernel = FakeKernel({}, [listening("127.0.0.1", P, pids=(900,))], [PROXY], forwarders=[900])
    (holder,) = holders(ANY4, kernel, container("other", "web", LOOPBACK4))
    assert (
        evidence(holder)
        == "docker lists 127.0.0.1:21000/tcp; socket held by docker-proxy (pid 900)"
    )


def test_a_forwarder_on_an_address_that_is_not_wanted_is_no_evidence() -> None:
    kernel = FakeKernel({}, [listening("::1", P, pids=(900,))], [PROXY], forwarders=[900])
    (holder,) = holders(LOOPBACK4, kernel, container("other", "web", LOOPBACK4))
    assert evidence(holder) == "docker lists 127.0.0.1:21000/tcp"


@pytest.mark.parametrize(
    "reason",
    [Reason.NO_SUCH_ADDRESS, Reason.INVALID_ADDRESS, Reason.UNSUPPORTED],
    ids=lambda value: value.name,
)
def test_nobody_holds_an_address_that_cannot_be_bound(reason: Reason) -> None:
    kernel = FakeKernel({}, [listening("0.0.0.0", P, pids=(4711,))], [FLASK])
    assert Attribution(STACK, [], kernel).holders(ANY4, Obstacle(reason)) == ()


# Owners of sockets


def test_a_process_is_named_with_what_it_does() -> None:
    (holder,) = holders(ANY4, FakeKernel({}, [listening("127.0.0.1", P, pids=(4711,))], [FLASK]))
    assert holder == HostProcess(FLASK)
    assert evidence(holder) == "listens on 127.0.0.1:21000/tcp"


def test_processes_that_share_a_socket_are_one_holder() -> (
    None
):  # edge-cases.md#22, edge-cases.md#26
    (holder,) = holders(
        ANY4, FakeKernel({}, [listening("127.0.0.1", P, pids=(4711, 4712))], [FLASK, RELOADER])
    )
    assert holder == HostProcess(FLASK, (4712,))


def test_one_process_on_several_addresses_is_one_holder_and_two_processes_are_two() -> (
    None
):  # edge-cases.md#1
    both = [listening("127.0.0.1", P, pids=(4711,)), listening("192.0.2.2", P, pids=(4711,))]
    assert holders(ANY4, FakeKernel({}, both, [FLASK])) == (HostProcess(FLASK),)
    two = [listening("127.0.0.1", P, pids=(4711,)), listening("192.0.2.2", P, pids=(4712,))]
    assert holders(ANY4, FakeKernel({}, two, [FLASK, RELOADER])) == (
        HostProcess(FLASK),
        HostProcess(RELOADER),
    )


def test_sockets_on_other_addresses_are_not_to_blame() -> None:
    rows = [listening("::1", P, pids=(4712,)), listening("127.0.0.1", P, pids=(4711,))]
    assert holders(LOOPBACK4, FakeKernel({}, rows, [FLASK, RELOADER])) == (HostProcess(FLASK),)


def test_a_listener_is_named_before_the_connections_beside_it() -> None:
    rows = [
        Listener("tcp", "127.0.0.1", P, "connected", pids=(4712,)),
        listening("127.0.0.1", P, pids=(4711,)),
    ]
    assert holders(ANY4, FakeKernel({}, rows, [FLASK, RELOADER])) == (HostProcess(FLASK),)


def test_without_a_listener_whoever_is_bound_is_named() -> None:  # edge-cases.md#13
    (holder,) = holders(
        ANY4, FakeKernel({}, [Listener("tcp", "127.0.0.1", P, "bound", pids=(4711,))], [FLASK])
    )
    assert holder == HostProcess(FLASK)
    assert evidence(holder) == "bound without listening on 127.0.0.1:21000/tcp"


PEER = Endpoint(443, "192.0.2.7")


@pytest.mark.parametrize(
    ("state", "words"), [("connected", "open connection"), ("closing", "closing connection")]
)
def test_the_owner_of_a_connection_is_no_holder_that_could_be_stopped(
    state: State, words: str
) -> None:  # edge-cases.md#13
    (holder,) = holders(
        ANY4,
        FakeKernel({}, [Listener("tcp", "127.0.0.1", P, state, pids=(4711,), peer=PEER)], [FLASK]),
    )
    assert holder == Connection(FLASK, state == "closing")
    assert evidence(holder) == f"{words} on 127.0.0.1:21000/tcp"
    assert isinstance(holder, Connection)
    assert (
        holder.sentence
        == "outgoing connection of python (pid 4711) to 192.0.2.7:443 " + SOURCE_PORT
    )


def test_a_connected_udp_socket_is_a_connection_too() -> None:
    row = Listener(
        "udp", "127.0.0.1", P, "connected", pids=(4711,), peer=Endpoint(53, "192.0.2.7", "udp")
    )
    (holder,) = holders(Endpoint(P, "127.0.0.1", "udp"), FakeKernel({}, [row], [FLASK]))
    assert holder == Connection(FLASK, False)
    assert evidence(holder) == "connected udp socket on 127.0.0.1:21000/udp"


def test_connections_that_nobody_has_open_any_more_are_one_holder() -> None:  # edge-cases.md#9
    rows = [
        Listener("tcp", "127.0.0.1", P, "closing", peer=Endpoint(port, "192.0.2.7"))
        for port in (443, 444)
    ]
    (holder,) = holders(ANY4, FakeKernel({}, rows))
    assert holder == Connection(None, True)
    assert isinstance(holder, Connection)
    assert (
        holder.sentence
        == f"closed connection to 192.0.2.7:443 {SOURCE_PORT}, for about a minute more"
    )


def test_a_connection_whose_owner_is_not_visible_is_told_with_the_user_and_the_command() -> (
    None
):  # edge-cases.md#18
    (holder,) = holders(
        ANY4,
        FakeKernel(
            {}, [Listener("tcp", "127.0.0.1", P, "connected", inode=9, uid=1001, peer=PEER)]
        ),
    )
    assert holder == Connection(None, False)
    assert isinstance(holder, Connection)
    assert (
        holder.sentence
        == f"outgoing connection of a process that is not visible to 192.0.2.7:443 {SOURCE_PORT}"
    )
    assert (
        evidence(holder)
        == "open connection on 127.0.0.1:21000/tcp, owner not visible (user id 1001)"
    )
    assert holder.look == "sudo ss -Htnap 'sport = :21000'"


def test_who_is_bound_is_named_and_not_its_own_connections_beside_it() -> None:
    bound = Listener("tcp", "127.0.0.1", P, "bound", pids=(4711,))
    connections = [
        Listener("tcp", "127.0.0.1", P, "connected", pids=(pid,), peer=PEER) for pid in (4711, 4712)
    ]
    assert holders(ANY4, FakeKernel({}, [bound, *connections], [FLASK, RELOADER])) == (
        HostProcess(FLASK),
        Connection(RELOADER, False),
    )


def test_an_owner_who_is_not_visible_is_unknown_with_the_command_that_shows_him() -> (
    None
):  # edge-cases.md#18
    (holder,) = holders(ANY4, FakeKernel({}, [listening("127.0.0.1", P, uid=1001)]))
    assert holder == Unknown(1001, "sudo ss -Htnap 'sport = :21000'")
    assert evidence(holder) == "listens on 127.0.0.1:21000/tcp, owner not visible (user id 1001)"


def test_a_process_that_ended_meanwhile_is_unknown() -> None:  # edge-cases.md#24
    (holder,) = holders(
        Endpoint(P, "0.0.0.0", "udp"),
        FakeKernel({}, [Listener("udp", "127.0.0.1", P, "bound", pids=(4711,))]),
    )
    assert holder == Unknown(None, "sudo ss -Hunap 'sport = :21000'")
    assert evidence(holder) == "udp socket on 127.0.0.1:21000/udp, owner not visible"


def test_a_busy_port_without_any_row_is_said_to_be_invisible() -> None:
    (holder,) = holders(ANY4, FakeKernel())
    assert holder == Unknown(None, "sudo ss -Htnap 'sport = :21000'")
    assert evidence(holder).startswith("busy, but no socket is visible")


def test_a_forwarder_of_no_listed_container_is_neither_a_process_nor_a_container() -> (
    None
):  # edge-cases.md#31, edge-cases.md#42
    (holder,) = holders(
        ANY4, FakeKernel({}, [listening("0.0.0.0", P, pids=(900,))], [PROXY], forwarders=[900])
    )
    assert isinstance(holder, Unknown)
    assert "docker-proxy (pid 900)" in evidence(holder)
    assert "another engine's, or a stale one" in evidence(holder)


def test_a_process_of_a_container_on_the_hosts_network_is_that_container() -> (
    None
):  # edge-cases.md#53
    httpd = container("other", "httpd")
    kernel = FakeKernel(
        {}, [listening("0.0.0.0", P, pids=(4711,))], [FLASK], in_containers={4711: httpd.id}
    )
    (holder,) = holders(ANY4, kernel, known=[httpd])
    assert holder == ForeignContainer(httpd)
    assert (
        evidence(holder) == "listens on 0.0.0.0:21000/tcp by its process 4711 on the host's network"
    )
    assert holders(ANY4, kernel) == (
        HostProcess(FLASK),
    )  # of another engine: its container is not known here


def test_a_server_that_dartsctl_leased_the_port_to_is_a_lease() -> None:
    lease = DevLease(FLASK, "/home/dev/darts", "http://127.0.0.1:21000")
    rows = [listening("127.0.0.1", P, pids=(4711,))]
    assert holders(ANY4, FakeKernel({}, rows, [FLASK], leases={(4711, P): lease})) == (lease,)
    assert holders(ANY4, FakeKernel({}, rows, [FLASK], leases={(4711, P + 1): lease})) == (
        HostProcess(FLASK),
    )


# `ports`: everybody on one number


def test_everybody_on_a_port_is_named_once() -> None:
    web = container("darts", "nginx", Endpoint(P, "0.0.0.0"), Endpoint(P, "::"))
    rows = [
        listening("0.0.0.0", P, pids=(900,)),
        listening("::", P, v6only=True, pids=(900,)),
        listening("127.0.0.2", P + 1, pids=(4711,)),
    ]
    attribution = Attribution(None, [web], FakeKernel({}, rows, [FLASK, PROXY], forwarders=[900]))
    assert attribution.holders_on(P) == (ForeignContainer(web),)
    assert attribution.holders_on(P + 1) == (HostProcess(FLASK),)
    assert attribution.holders_on(P + 2) == ()


def test_a_process_beside_a_container_on_one_number_is_named_too() -> None:
    web = container("darts", "nginx", Endpoint(P, "127.0.0.1"))
    rows = [listening("127.0.0.1", P, pids=(900,)), listening("::1", P, pids=(4711,))]
    attribution = Attribution(None, [web], FakeKernel({}, rows, [FLASK, PROXY], forwarders=[900]))
    assert attribution.holders_on(P) == (ForeignContainer(web), HostProcess(FLASK))


def test_neither_udp_nor_connections_own_a_tcp_number() -> None:  # edge-cases.md#6
    dns = container("darts", "dns", Endpoint(P, "0.0.0.0", "udp"))
    rows = [
        Listener("udp", "0.0.0.0", P, "bound", pids=(4711,)),
        Listener("tcp", "127.0.0.1", P, "connected", pids=(4711,)),
    ]
    assert Attribution(None, [dns], FakeKernel({}, rows, [FLASK])).holders_on(P) == ()
