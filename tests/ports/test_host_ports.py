"""Ports of containers on the host's network, before and after `up`.

Source: edge-cases.md#53.
"""

from __future__ import annotations

import pytest

from dartsctl.ports.attribution import Attribution
from dartsctl.ports.availability import Availability
from dartsctl.ports.conflicts import BindingVerdict, Verdict
from dartsctl.ports.holders import Holder, HostProcess, OwnContainer, Unknown
from dartsctl.ports.host_ports import (
    busy_in_log,
    is_busy_somewhere,
    said_ports,
    squatters,
    without_own,
)
from dartsctl.ports.listeners import Listener
from dartsctl.ports.process import Process
from dartsctl.ports.verdicts import judge
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint, PortBinding
from dartsctl.stack.containers import Container
from dartsctl.stack.convergence import converge
from dartsctl.stack.engine_rules import EngineRules
from dartsctl.stack.model import Service, Stack
from fakes.kernel import FakeKernel, busy, container, listening

PORT = 8080
ANY = Endpoint(PORT, "0.0.0.0")
STACK = Stack("demo", {name: Service(name, network_mode="host") for name in ("web", "api")}, {})
BINDING = PortBinding("web", 1, PORT, "tcp", PORT, PORT, ("0.0.0.0",), on_host=True)
SQUATTER = Process(40, "python", 1)


def on_host(service: str, *, config_hash: str = "same") -> Container:
    return replace(container("demo", service, config_hash=config_hash), network_mode="host")


def judged(
    *containers: Container, row: Listener, in_containers: dict[int, str] | None = None
) -> BindingVerdict:
    """The verdict on port 8080 of `web`, where one socket is."""
    engine = EngineRules("28.5.2")
    kernel = FakeKernel(busy(ANY), [row], [SQUATTER], in_containers=in_containers)
    convergence = converge(STACK, containers, {"web": "same", "api": "same"})
    verdicts = judge(
        [BINDING],
        engine=engine,
        availability=Availability(engine, convergence, kernel),
        attribute=Attribution(STACK, containers, kernel).holders,
        doubtful={},
    )
    (verdict,) = without_own(verdicts, convergence)
    return verdict


OWNED, HIDDEN = listening("127.0.0.1", PORT, pids=(40,)), listening("0.0.0.0", PORT, uid=0)


def test_a_squatter_is_a_conflict_with_its_holder() -> None:
    for containers in ((), (on_host("web"),)):
        verdict = judged(*containers, row=OWNED)
        assert verdict.verdict is Verdict.CONFLICT
        assert verdict.conflict
        assert verdict.conflict.holders == (HostProcess(SQUATTER),)


@pytest.mark.parametrize(
    ("service", "config_hash", "verdict"),
    [
        ("web", "same", Verdict.HELD),
        ("web", "other", Verdict.FREE),
        ("api", "other", Verdict.FREE),
        ("api", "same", Verdict.CONFLICT),
    ],
    ids=["its own", "its own, replaced", "another one, replaced", "another one, which stays"],
)
def test_sockets_of_the_stacks_own_containers_block_only_where_they_stay_with_another_service(
    service: str, config_hash: str, verdict: Verdict
) -> None:
    own = on_host(service, config_hash=config_hash)
    assert judged(own, row=OWNED, in_containers={40: own.id}).verdict is verdict


def test_an_unseen_owner_is_a_conflict_unless_it_may_be_the_services_own_container() -> None:
    assert judged(row=HIDDEN).verdict is Verdict.CONFLICT
    assert judged(on_host("api"), row=HIDDEN).verdict is Verdict.CONFLICT
    verdict = judged(on_host("web"), row=HIDDEN)
    assert verdict.verdict is Verdict.UNCERTAIN
    assert "perhaps by its own container demo-web-1" in verdict.note


def test_after_the_start_only_what_is_surely_another_one_is_a_squatter() -> None:
    own, other = on_host("web"), on_host("api")
    stranger = HostProcess(SQUATTER, evidence="listens")

    def found(*holders: Holder) -> list[tuple[str, tuple[int, ...]]]:
        missing = squatters({"web": [ANY]}, [own, other], lambda _: holders)
        return [(each.container, each.pids) for each in missing]

    assert found() == found(OwnContainer(own)) == found(Unknown(0)) == []
    assert found(stranger) == [("demo-web-1", (40,))]
    (missing,) = squatters({"web": [ANY]}, [own], lambda _: [stranger])
    assert missing.sentence.startswith("runs without its port 0.0.0.0:8080/tcp of the host: held")
    assert "python (pid 40" in missing.sentence


@pytest.mark.parametrize(
    ("line", "endpoint"),
    [
        ("[emerg] 1#1: bind() to 0.0.0.0:80 failed (98: Address already in use)", "0.0.0.0:80"),
        ("[emerg] 1#1: bind() to [::]:80 failed (98: Address already in use)", "[::]:80"),
        ("Error: listen EADDRINUSE: address already in use :::3000", "[::]:3000"),
        ("Error: listen EADDRINUSE: address already in use 127.0.0.1:3000", "127.0.0.1:3000"),
        ("panic: listen tcp :8080: bind: address already in use", "0.0.0.0:8080"),
        ("listen tcp4 127.0.0.1:81: bind: address already in use", "127.0.0.1:81"),
        ("[ERROR] Connection in use: ('0.0.0.0', 5000)", "0.0.0.0:5000"),
        ("bind() to 0.0.0.0:80 failed (13: Permission denied)", None),
        ("OSError: [Errno 98] Address already in use", None),
        ("listening on 0.0.0.0:80", None),
    ],
)
def test_a_log_says_which_port_was_busy(line: str, endpoint: str | None) -> None:
    assert [f"{busy}" for busy in busy_in_log([line])] == ([f"{endpoint}/tcp"] if endpoint else [])


@pytest.mark.parametrize(
    ("command", "variables", "ports"),
    [
        (["python", "-m", "http.server", "8080"], {}, [8080]),
        (["gunicorn", "-b", "0.0.0.0:5000", "--timeout", "3000", "app:app"], {}, [5000]),
        (["java", "-jar", "x.jar", "--server.port=9080", "--wait=4000"], {}, [9080]),
        (["sh", "-c", "exec redis-server --port 6380"], {}, [6380]),
        (["npm", "start"], {"PORT": "3000", "DB_PORT": "5432", "YEAR": "2026"}, [3000]),
        (["wait-for", "db:5432", "--db-port", "5432"], {}, []),
        (["python", "manage.py", "runserver", "0.0.0.0:8000"], {}, [8000]),
        (["app", "--workers", "16", "port"], {"PORT": "many"}, []),
    ],
)
def test_a_log_without_the_number_leaves_those_of_the_command_and_of_variables(
    command: list[str], variables: dict[str, str], ports: list[int]
) -> None:
    assert is_busy_somewhere(["OSError: [Errno 98] Address already in use"])
    assert not is_busy_somewhere(["listening on 8080"])
    assert [endpoint.port for endpoint in said_ports(command, variables)] == ports


@pytest.mark.parametrize(
    "line",
    [
        "Port 8080 is in use by another program.",
        "Web server failed to start. Port 8080 was already in use.",
        "[Errno 98] while attempting to bind on address ('0.0.0.0', 8080): address already in use",
    ],
)
def test_flask_spring_and_uvicorn_name_the_busy_port(line: str) -> None:
    assert busy_in_log([line]) == (ANY,)
