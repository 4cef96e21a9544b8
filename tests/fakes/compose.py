"""Composes for tests: one that says its lines at given times, one that knows a written model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from fakes.deps import FakeClock

_TICK = 0.5


@dataclass
class WrittenCompose:
    """A Compose whose files have this model before variables are replaced."""

    model: Mapping[str, Any]

    def written_model(self) -> Mapping[str, Any]:
        return self.model


@dataclass
class ScriptedCompose:
    """`script`: for each line the seconds of silence before it. `code` is its exit code.

    After the last line it ends. When it is expired, it ends at once with 130.
    """

    clock: FakeClock
    script: Sequence[tuple[float, str]]
    code: int = 0
    calls: list[tuple[str, ...]] = field(default_factory=list)

    def stream(self, *words: str, on_tick: Callable[[], None]) -> Any:
        self.calls.append(words)
        return ScriptedStream(self, on_tick)

    def lines(self, stream: ScriptedStream) -> Iterator[str]:
        for silence, line in self.script:
            until = self.clock.now() + silence
            while self.clock.now() < until:
                self.clock.sleep(_TICK)
                stream.on_tick()
                if stream.is_late:
                    return
            yield line


@dataclass
class ScriptedStream:
    """One call of it."""

    compose: ScriptedCompose
    on_tick: Callable[[], None]
    is_late: bool = False

    @contextmanager
    def taking_signals(self) -> Iterator[list[int]]:
        yield []

    def expire(self) -> None:
        self.is_late = True

    def wait(self) -> int:
        return 130 if self.is_late else self.compose.code
