"""What running containers miss: who owns all sockets is asked only where it is not plain."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from dartsctl.ports.conflicts import BindingVerdict, PortVerdicts, Verdict
from dartsctl.ports.listeners import Listener
from dartsctl.ports.missing_bindings import MissingKind
from dartsctl.ports.process import Process
from dartsctl.records import replace
from dartsctl.stack.bindings import Endpoint, PortBinding
from dartsctl.stack.containers import Container
from dartsctl.stack.engine_rules import EngineRules
from dartsctl.workflows.up.engine_reading import EngineReading
from dartsctl.workflows.up.missing import MissingCheck
from fakes.deps import FakeClock, fake_deps
from fakes.engine import FakeEngine
from fakes.kernel import container
from fakes.preflights import preflight

ENGINE, STRANGER = 100, 7
PORT, OTHER = Endpoint(5000, "127.0.0.1"), Endpoint(5001, "127.0.0.1")
WEB = replace(container("darts-dev", "web"), targets=((PORT, 80), (OTHER, 81)))


@dataclass
class Sockets:
    """This host: `rows` by who holds them. `asked`: for each question, whether for the owners."""

    rows: dict[Listener, int]
    forwards: bool = True
    """Whether it can be seen what the engine's own processes hold."""
    asked: list[bool] = field(default_factory=list)

    def listening(self, ports: set[int], *, owners: bool = False) -> tuple[Listener, ...]:
        self.asked.append(owners)
        rows = [(row, pid) for row, pid in self.rows.items() if row.port in ports]
        return tuple(replace(row, pids=(pid,)) if owners else row for row, pid in rows)

    def forwarded(self, rows: tuple[Listener, ...], engine: int) -> tuple[Listener, ...]:
        assert engine == ENGINE
        return tuple(row for row in rows if self.forwards and self.rows[row] == ENGINE)

    def describe(self, pid: int) -> Process:
        return Process(pid, "docker-proxy" if pid == ENGINE else "python", 1)

    def is_forwarder(self, process: Process) -> bool:
        return process.name == "docker-proxy"


class EngineWithPid(FakeEngine):
    def pid(self) -> int:
        return ENGINE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path


def row(endpoint: Endpoint) -> Listener:
    return Listener("tcp", endpoint.address, endpoint.port, "listen")


def missing(
    folder: Path, host: Sockets, own: Container = WEB, rules: EngineRules | None = None
) -> list[tuple[MissingKind, Endpoint | None]]:
    verdicts: list[BindingVerdict] = []
    for at in (PORT, OTHER):
        binding = PortBinding("web", 1, 80, "tcp", at.port, at.port, (at.address,))
        verdicts.append(BindingVerdict(binding, Verdict.FREE))
    before = preflight(
        services=("web",),
        verdicts=PortVerdicts(tuple(verdicts)),
        engine=rules or EngineRules("28.5.2"),
    )
    engine: Any = EngineWithPid((own,))
    deps = fake_deps(folder, FakeClock(), host=lambda: host)
    check = MissingCheck(before, engine, deps=deps)
    return [(lost.kind, lost.endpoint) for lost in check.look(EngineReading(engine), [own])]


def test_what_the_engines_own_processes_hold_is_not_looked_for_elsewhere(folder: Path) -> None:
    host = Sockets({row(PORT): ENGINE, row(OTHER): ENGINE})
    assert missing(folder, host) == []
    assert host.asked == [False]


def test_a_port_without_a_listener_is_missing_beside_another_that_has_one(folder: Path) -> None:
    host = Sockets({row(PORT): ENGINE})
    assert missing(folder, host) == [(MissingKind.NO_LISTENER, OTHER)]
    assert host.asked == [False, True]


def test_a_stranger_on_a_port_is_named_whatever_the_engine_holds_beside_it(folder: Path) -> None:
    host = Sockets({row(PORT): ENGINE, row(OTHER): STRANGER})
    assert missing(folder, host) == [(MissingKind.TAKEN, OTHER)]


def test_where_the_engines_processes_are_hidden_the_owners_decide(folder: Path) -> None:
    host = Sockets({row(PORT): ENGINE, row(OTHER): STRANGER}, forwards=False)
    assert missing(folder, host) == [(MissingKind.TAKEN, OTHER)]
    assert host.asked == [False, True]


def test_an_engine_that_listens_on_no_port_here_is_elsewhere(folder: Path) -> None:
    assert missing(folder, Sockets({row(PORT): STRANGER})) == []


def test_without_a_published_port_no_socket_is_read(folder: Path) -> None:
    host = Sockets({})
    missing(folder, host, replace(WEB, targets=()))
    assert host.asked == []


def test_an_engine_without_forwarders_is_not_judged_by_sockets(folder: Path) -> None:
    host = Sockets({})
    assert missing(folder, host, rules=EngineRules("28.5.2", userland_proxy=False)) == []
    assert host.asked == []
