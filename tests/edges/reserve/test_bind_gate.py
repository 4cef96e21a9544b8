"""The gate in the real kernel: who gets through, and what is left of it."""

from __future__ import annotations

import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest

from dartsctl.edges.reserve.bind_gate import BindGate
from dartsctl.stack.bindings import Endpoint
from live.reserved_stack import has_gate
from own_ports import free_ports

pytestmark = pytest.mark.skipif(not has_gate(), reason="needs root and BPF")


def binds(endpoint: Endpoint) -> bool:
    """Whether this process gets the endpoint; the gate must refuse with EADDRINUSE."""
    family = socket.AF_INET6 if endpoint.is_ipv6 else socket.AF_INET
    kind = socket.SOCK_STREAM if endpoint.protocol == "tcp" else socket.SOCK_DGRAM
    with socket.socket(family, kind) as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((endpoint.address, endpoint.port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            return False
    return True


@pytest.mark.parametrize(
    ("guarded", "refused", "free"),
    [
        (
            ["0.0.0.0"],
            ["0.0.0.0", "127.0.0.1", "127.0.0.9", "::", "::ffff:127.0.0.1"],
            ["::1"],
        ),
        (
            ["127.0.0.1"],
            ["0.0.0.0", "127.0.0.1", "::", "::ffff:127.0.0.1"],
            ["127.0.0.2", "::1", "::ffff:127.0.0.2"],
        ),
        (["::"], ["::", "::1"], ["0.0.0.0", "127.0.0.1", "::ffff:127.0.0.1"]),
        (["::1"], ["::", "::1"], ["127.0.0.1"]),
        (["127.0.0.1", "::1"], ["0.0.0.0", "127.0.0.1", "::", "::1"], ["127.0.0.2"]),
    ],
)
def test_it_refuses_what_would_meet_an_endpoint_and_nothing_else(
    guarded: list[str], refused: list[str], free: list[str]
) -> None:
    first, second = free_ports(2)
    with closing(BindGate([Endpoint(first, address) for address in guarded])):
        for address in refused:
            assert not binds(Endpoint(first, address)), address
        for address in free:
            assert binds(Endpoint(first, address)), address
        for address in (*refused, *free):
            assert binds(Endpoint(second, address)), address
            assert binds(Endpoint(first, address, "udp")), address
    assert all(binds(Endpoint(first, address)) for address in refused)


def test_udp_and_several_ports() -> None:
    ports = free_ports(5)
    with closing(BindGate([Endpoint(port, "0.0.0.0", "udp") for port in ports[:4]])):
        assert [binds(Endpoint(port, "127.0.0.1", "udp")) for port in ports] == [
            *[False] * 4,
            True,
        ]
        assert binds(Endpoint(ports[0], "127.0.0.1"))


def test_without_endpoints_everybody_gets_through() -> None:
    with closing(BindGate([])):
        assert binds(Endpoint(free_ports(1)[0], "0.0.0.0"))


@contextmanager
def named(name: str) -> Iterator[None]:
    """Call this thread so, as the kernel knows it."""
    library, before = ctypes.CDLL(None), ctypes.create_string_buffer(16)
    library.prctl(16, before)
    library.prctl(15, name.encode())
    try:
        yield
    finally:
        library.prctl(15, before)


@pytest.mark.parametrize(
    ("name", "passes"),
    [
        ("dockerd", True),
        ("docker-proxy", True),
        ("dartsctl-watch", True),
        ("docker-prox", False),
        ("dockerd2", False),
        ("python3", False),
    ],
)
def test_the_engine_gets_through_by_its_name(name: str, passes: bool) -> None:
    endpoint = Endpoint(free_ports(1)[0], "0.0.0.0")
    with closing(BindGate([endpoint])), named(name):
        assert binds(endpoint) is passes


TRIES = """
import ctypes, os, socket, sys
os.setuid(int(sys.argv[2]))
ctypes.CDLL(None).prctl(15, b"docker-proxy")
socket.socket().bind(("0.0.0.0", int(sys.argv[1])))
"""


def test_the_name_alone_is_not_enough_it_must_be_roots() -> None:
    (port,) = free_ports(1)
    with closing(BindGate([Endpoint(port, "0.0.0.0")])):
        for uid, code in ((65534, 1), (0, 0)):
            done = subprocess.run(
                [sys.executable, "-c", TRIES, str(port), str(uid)], capture_output=True, check=False
            )
            assert done.returncode == code, done.stderr


def test_a_containers_own_network_is_not_affected() -> None:
    (port,) = free_ports(1)
    words = ["unshare", "--net", sys.executable, "-c", TRIES.replace("docker-proxy", "python")]
    with closing(BindGate([Endpoint(port, "0.0.0.0")])):
        assert subprocess.run([*words, str(port), "65534"], check=False).returncode == 0
        here = subprocess.run([*words[2:], str(port), "0"], check=False, capture_output=True)
        assert here.returncode == 1


def test_two_gates_do_not_disturb_each_other() -> None:
    first, second = (Endpoint(port, "0.0.0.0") for port in free_ports(2))
    with closing(BindGate([first])):
        with closing(BindGate([first, second])):
            assert not binds(first)
            assert not binds(second)
        assert not binds(first)
        assert binds(second)


HOLDS = """
import sys, time
from dartsctl.edges.reserve.bind_gate import BindGate
from dartsctl.stack.bindings import Endpoint
gate = BindGate([Endpoint(int(sys.argv[1]), "0.0.0.0")])
print("holds", flush=True)
time.sleep(600)
"""


def test_nothing_is_left_of_it_after_a_kill() -> None:
    endpoint = Endpoint(free_ports(1)[0], "0.0.0.0")
    words = [sys.executable, "-c", HOLDS, str(endpoint.port)]
    with subprocess.Popen(words, stdout=subprocess.PIPE) as holding:
        assert holding.stdout is not None
        assert holding.stdout.readline() == b"holds\n"
        assert not binds(endpoint)
        os.kill(holding.pid, signal.SIGKILL)
        holding.wait()
    assert binds(endpoint)
