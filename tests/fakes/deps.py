"""Dependencies for tests of workflows: a clock that only `sleep` moves, and nothing outside."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dartsctl.edges.screen.output import Screen
from dartsctl.edges.screen.prompts import Prompts
from dartsctl.workflows.deps import Deps


@dataclass
class FakeClock:
    """Seconds since the test began."""

    seconds: float = 0.0

    def now(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


def fake_deps(state: Path, clock: FakeClock, **more: Any) -> Deps:
    """Return dependencies without engine, Compose, host and person; `more` replaces some."""
    usual: dict[str, Any] = {
        "environ": {},
        "state": state,
        "screen": Screen(),
        "prompts": Prompts(allowed=False),
        "compose_on": _unused,
        "engine": _unused,
        "host": _unused,
        "now": clock.now,
        "monotonic": clock.now,
        "sleep": clock.sleep,
    }
    return Deps(**(usual | more))


def _unused(*words: object, **options: object) -> None:
    raise AssertionError(f"not expected in this test: {words} {options}")
