"""One reading of the engine: each question is asked when it is needed, and once."""

from __future__ import annotations

from typing import Any

from dartsctl.diagnosis.inspection import Inspection
from dartsctl.stack.containers import Container
from dartsctl.stack.model import Service, Stack
from dartsctl.workflows.up.engine_reading import EngineReading
from fakes.engine import FakeEngine
from fakes.kernel import container

STACK = Stack("demo", {"web": Service("web")}, {})


class CountingEngine(FakeEngine):
    asked: list[str]

    def containers(self) -> tuple[Container, ...]:
        self.asked.append("list")
        return super().containers()

    def inspect(self, identity: str) -> Inspection | None:
        self.asked.append(identity)
        return super().inspect(identity)


def engine(*running: Container, is_remote: bool = False) -> Any:
    made = CountingEngine(running, is_remote=is_remote)
    made.asked = []
    return made


def test_each_answer_is_asked_for_once_and_none_in_vain() -> None:
    web, other = container("demo", "web"), container("other", "web")
    asked = engine(web, other)
    reading = EngineReading(asked)
    assert asked.asked == []
    assert reading.own(STACK) == reading.own(STACK) == [web]
    assert reading.inspect(web.id) is reading.inspect(web.id)
    assert (reading.inspect("gone"), reading.inspect("gone")) == (None, None)
    assert asked.asked == ["list", web.id, "gone"]
    assert list(reading.inspections) == [web.id], "what is gone is not described"


def test_another_reading_asks_again() -> None:
    asked = engine()
    assert EngineReading(asked).containers() == EngineReading(asked).containers() == ()
    assert asked.asked == ["list", "list"]


def test_an_engine_that_can_only_be_listed_describes_nothing() -> None:
    web = container("demo", "web")
    reading = EngineReading(engine(web, is_remote=True))
    assert (reading.containers(), reading.inspect(web.id)) == ((web,), None)
