"""What a running container lacks: in the engine's list, in the kernel's table, and of networks."""

from __future__ import annotations

import pytest

from dartsctl.ports.listeners import Listener
from dartsctl.ports.missing_bindings import MissingBinding, MissingKind, not_listed, not_listening
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint
from dartsctl.stack.containers import Container

PORT = Endpoint(5000, "127.0.0.1")
WANTED = {"web": [PORT]}
WEB = Container(
    "1",
    "demo-web-1",
    "web",
    "running",
    targets=((PORT, 80),),
    labels={"com.docker.compose.service": "web"},
)
HEARD = Listener("tcp", "127.0.0.1", 5000, "listen", pids=(7,))


def test_a_port_that_the_engine_lists_is_not_missing() -> None:
    assert not_listed(WANTED, [WEB]) == ()


def test_a_running_container_without_its_port_lacks_it() -> None:  # edge-cases.md#33
    assert not_listed(WANTED, [replace(WEB, targets=())]) == (
        MissingBinding("web", "demo-web-1", MissingKind.NOT_LISTED, PORT),
    )
    other = replace(WEB, targets=((Endpoint(5000, "0.0.0.0"), 80),))
    assert [lost.endpoint for lost in not_listed(WANTED, [other])] == [PORT], (
        "another address is not the one that was wanted"
    )


def test_a_service_that_does_not_run_lacks_nothing_here() -> None:
    assert not_listed(WANTED, []) == ()
    assert not_listening(WANTED, [], [], is_engines=bool) == ()


def test_one_replica_with_the_port_is_enough() -> None:
    assert not_listed(WANTED, [replace(WEB, targets=(), name="demo-web-2"), WEB]) == ()


@pytest.mark.parametrize(
    ("rows", "engines", "kind"),
    [
        ([HEARD], {7}, None),
        ([replace(HEARD, pids=())], set(), None),
        ([replace(HEARD, address="0.0.0.0")], {7}, None),
        ([replace(HEARD, pids=(6, 7))], {7}, None),
        ([], set(), MissingKind.NO_LISTENER),
        ([replace(HEARD, state="closing")], {7}, MissingKind.NO_LISTENER),
        ([replace(HEARD, address="127.0.0.2")], {7}, MissingKind.NO_LISTENER),
        ([HEARD], set(), MissingKind.TAKEN),
        ([HEARD, replace(HEARD, pids=(8,), inode=2)], {8}, None),
    ],
    ids=[
        "proxy",
        "nobody visible",
        "wider",
        "inherited",
        "nobody",
        "only a closing connection",
        "elsewhere",
        "a stranger",
        "both",
    ],
)
def test_what_the_engine_lists_must_be_heard_by_the_engine(
    rows: list[Listener], engines: set[int], kind: MissingKind | None
) -> None:  # edge-cases.md#31
    missing = not_listening(WANTED, [WEB], rows, is_engines=engines.__contains__)
    assert [lost.kind for lost in missing] == ([kind] if kind else [])
    assert all(lost.pids == ((7,) if kind is MissingKind.TAKEN else ()) for lost in missing)


def test_a_udp_port_has_no_listener_but_a_socket() -> None:
    place = Endpoint(5353, "0.0.0.0", "udp")
    web = replace(WEB, targets=((place, 53),))
    row = Listener("udp", "0.0.0.0", 5353, "bound", pids=(7,))
    assert not_listening({"web": [place]}, [web], [row], is_engines=bool) == ()
    assert [lost.kind for lost in not_listening({"web": [place]}, [web], [], is_engines=bool)] == [
        MissingKind.NO_LISTENER
    ]


def test_ports_that_nobody_asked_for_are_not_looked_at() -> None:
    web = replace(WEB, targets=((PORT, 80), (Endpoint(32768, "0.0.0.0"), 81)))
    assert not_listening(WANTED, [web], [HEARD], is_engines=bool) == ()


@pytest.mark.parametrize("kind", list(MissingKind))
def test_every_lack_is_said_in_a_sentence(kind: MissingKind) -> None:
    text = MissingBinding("web", "demo-web-1", kind, PORT, (7, 8)).sentence
    assert text.startswith("runs without")
    assert (str(PORT) in text) is (kind is not MissingKind.NO_NETWORK)
    assert ("pid 7, 8" in text) is (kind is MissingKind.TAKEN)
