"""How ready containers are, from the engine's list and a look into each: an engine that changes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from dartsctl.diagnosis.facts import ContainerFacts
from dartsctl.diagnosis.inspection import Inspection
from dartsctl.errors import DockerUnavailable
from dartsctl.records import replace
from dartsctl.stack.containers import Container
from dartsctl.stack.health import Condition, StackHealth
from dartsctl.stack.model import PortEntry, Service, Stack
from dartsctl.workflows.up.engine_reading import EngineReading
from dartsctl.workflows.up.readiness import Forgiving, Readiness
from fakes.deps import FakeClock, fake_deps
from fakes.kernel import container

HEADER = (
    "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout"
)
STACK = Stack("demo", {"web": Service("web", ports=(PortEntry(80, "tcp", "8080"),))}, {})


def table(*addresses: str) -> str:
    """Return a socket table with a listener on each address, as the kernel writes it."""
    rows = [
        f"   {number}: {address} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 "
        f"    0        0 {1000 + number} 1 0000000000000000 100 0 0 10 0"
        for number, address in enumerate(addresses)
    ]
    return "\n".join((HEADER, *rows)) + "\n"


@dataclass
class OneContainer:
    """An engine with one container, which only a process inside can look into."""

    row: Container
    facts: ContainerFacts
    sockets: str | None = ""
    """What `cat /proc/net/tcp` prints; None: the image has no such program."""
    can_inspect: bool = True
    executed: list[float] = field(default_factory=list)
    clock: FakeClock = field(default_factory=FakeClock)
    address: str = "tcp://example.org:2376"

    def containers(self) -> tuple[Container, ...]:
        return (self.row,)

    def control(self) -> OneContainer | None:
        return self if self.can_inspect else None

    def inspect(self, identity: str) -> Inspection:
        assert identity == self.row.id
        return Inspection(self.facts)

    def execute(self, identity: str, argv: list[str]) -> tuple[int, str, str] | None:
        assert (identity, argv[0]) == (self.row.id, "cat")
        self.executed.append(self.clock.seconds)
        return None if self.sockets is None else (0, self.sockets, "")


def engine(status: str = "Up 10 seconds", **more: Any) -> OneContainer:
    state = "exited" if status.startswith("Exited") else "running"
    row = container("demo", "web", state=state, status=status)
    facts = ContainerFacts("", row.name, row.id, state=state, started=1.0, finished=2.0)
    return OneContainer(row, replace(facts, **more))


def readiness(made: OneContainer, tmp_path: Path, stack: Stack = STACK) -> Readiness:
    before = SimpleNamespace(
        stack=stack,
        engine=SimpleNamespace(is_here=False, kind="desktop"),
        verdicts=SimpleNamespace(unbound=()),
    )
    deps = fake_deps(tmp_path, made.clock, engine=lambda: made)
    return Readiness(cast(Any, before), settling_time=5.0, deps=deps)


def condition(ready: Readiness, made: OneContainer) -> tuple[Condition, str]:
    (health,) = ready.judge(EngineReading(cast(Any, made))).containers
    return health.condition, health.reason


def test_a_published_port_must_have_a_listener_that_others_reach(
    tmp_path: Path,
) -> None:  # edge-cases.md#73
    made = engine()
    made.sockets = table()
    assert condition(readiness(made, tmp_path), made) == (
        Condition.STARTING,
        "nothing listens on port 80 inside",
    )
    made.sockets = table("0100007F:0050")
    assert condition(readiness(made, tmp_path), made) == (
        Condition.STARTING,
        "listens only on 127.0.0.1:80/tcp inside",
    )
    made.sockets = table("00000000:0050")
    assert condition(readiness(made, tmp_path), made) == (Condition.READY, "")


def test_a_port_that_the_proxy_passes_requests_to_is_expected_as_soon_as_it_is_known(
    tmp_path: Path,
) -> None:
    made = engine()
    made.sockets = table("00000000:0050")
    ready = readiness(made, tmp_path)
    assert condition(ready, made)[0] is Condition.READY
    ready.expect({"web": {5000: "nginx"}})
    assert condition(ready, made) == (
        Condition.STARTING,
        "nothing listens on port 5000 inside, and nginx passes requests there",
    )


def test_a_process_is_started_in_a_container_at_most_once_a_second(tmp_path: Path) -> None:
    made = engine()
    made.sockets = table()
    ready = readiness(made, tmp_path)
    for _ in range(9):
        condition(ready, made)
        made.clock.sleep(0.25)
    assert made.executed == [0.0, 1.0, 2.0]


def test_where_the_sockets_cannot_be_read_time_alone_counts_and_that_is_told(
    tmp_path: Path,
) -> None:
    made = engine("Up 4 seconds")
    made.sockets = None
    ready = readiness(made, tmp_path)
    assert condition(ready, made) == (Condition.STARTING, "ready when it has run for 5 s")
    made.row = replace(made.row, status="Up 5 seconds")
    assert condition(ready, made)[0] is Condition.READY
    assert ready.unseen(EngineReading(cast(Any, made))) == (
        "skipped the check that demo-web-1 listens on its ports: its socket table is unreadable",
    )


def test_an_engine_that_gives_only_its_list_is_told_where_ports_are_expected(
    tmp_path: Path,
) -> None:
    made = engine()
    made.can_inspect = False
    ready = readiness(made, tmp_path)
    assert condition(ready, made)[0] is Condition.READY
    (sentence,) = ready.unseen(EngineReading(cast(Any, made)))
    assert sentence.endswith("listen on their ports: tcp://example.org:2376 gives only its list")
    plain = Stack("demo", {"web": Service("web")}, {})
    assert readiness(made, tmp_path, plain).unseen(EngineReading(cast(Any, made))) == ()


@pytest.mark.parametrize(
    ("policy", "code", "first"),
    [
        ("unless-stopped", 1, Condition.STARTING),
        ("always", 0, Condition.STARTING),
        ("on-failure", 1, Condition.STARTING),
        ("on-failure", 0, Condition.DONE),
        ("no", 1, Condition.FAILED),
        ("", 0, Condition.DONE),
    ],
)
def test_an_end_is_final_only_if_the_engine_does_not_start_it_again(
    tmp_path: Path, policy: str, code: int, first: Condition
) -> None:  # edge-cases.md#75
    made = engine(f"Exited ({code}) 1 second ago", restart_policy=policy, exit_code=code)
    ready = readiness(made, tmp_path, Stack("demo", {"web": Service("web")}, {}))
    assert condition(ready, made)[0] is first
    made.clock.sleep(3.0)
    final = Condition.FAILED if code else Condition.DONE
    assert condition(ready, made)[0] is final, "somebody has stopped it"


def test_each_end_of_a_crash_loop_has_its_own_pause(tmp_path: Path) -> None:
    made = engine("Exited (1) 1 second ago", restart_policy="always", exit_code=1)
    ready = readiness(made, tmp_path)
    for restarts in range(4):
        made.facts = replace(made.facts, finished=10.0 + restarts, restart_count=restarts)
        assert condition(ready, made)[0] is Condition.STARTING
        made.clock.sleep(1.5)


@pytest.mark.parametrize("listed", ["Up 9 seconds", "Exited (0) 1 second ago"])
def test_a_row_that_is_out_of_date_is_neither_ready_nor_done(tmp_path: Path, listed: str) -> None:
    made = engine(listed, restart_policy="always")
    made.facts = replace(made.facts, state="restarting")
    assert condition(readiness(made, tmp_path), made)[0] is Condition.STARTING


def test_two_late_answers_of_the_engine_in_a_row_are_forgiven_and_the_third_is_not() -> None:
    late, health = DockerUnavailable("late"), StackHealth(())
    answers: list[StackHealth | DockerUnavailable] = [health, late, late, health, late, late, late]

    def read() -> StackHealth:
        answer = answers.pop(0)
        if isinstance(answer, DockerUnavailable):
            raise answer
        return answer

    forgiving = Forgiving(read)
    assert [forgiving() for _ in range(6)] == [health] * 6
    with pytest.raises(DockerUnavailable):
        forgiving()


def test_an_engine_that_never_answered_is_not_forgiven() -> None:
    def read() -> StackHealth:
        raise DockerUnavailable("down")

    with pytest.raises(DockerUnavailable):
        Forgiving(read)()
