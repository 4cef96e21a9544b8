"""The outside world for verbs and workflows: one value, which `cli/deps.py` builds."""

from __future__ import annotations

import time

from dartsctl.records import field, record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path
    from typing import Protocol

    from dartsctl.config.environment import Environment
    from dartsctl.edges.engine.compose import Compose
    from dartsctl.edges.engine.protocol import Engine
    from dartsctl.edges.screen.output import Screen
    from dartsctl.edges.screen.prompts import Prompts
    from dartsctl.workflows.host import Host

    class ComposeOn(Protocol):
        """Return a Compose client for an environment."""

        def __call__(self, environment: Environment, *, deadline: float | None = None) -> Compose:
            """`deadline`: seconds for resolving the files, if the default is too long."""

    class EngineClient(Protocol):
        """Make a client for the engine that the environment variables name."""

        def __call__(self, *, deadline: float | None = None) -> Engine:
            """`deadline`: seconds for each answer; by default the client's own."""


@record
class FilesReader:
    """What Compose says about files that may be an environment's; see `environment.resolve`."""

    compose_on: ComposeOn
    deadline: float | None = None

    def is_complete(self, environment: Environment) -> bool:
        """Return whether Compose can read these files without another one beside them."""
        return self.compose_on(environment, deadline=self.deadline).is_complete()

    def has_profile(self, environment: Environment) -> bool:
        """Return whether a service of these files has the environment's first profile."""
        return self.compose_on(environment, deadline=self.deadline).has_own_profile()


@record
class Deps:
    """What a verb may touch. Tests pass fakes.

    `engine()` returns a client for the engine that the environment variables name. `host()` returns
    a new view of this host; each view reads the socket table once. `now` is the wall clock;
    `monotonic` and `sleep` are for deadlines. All times are in seconds. `forget_answers` drops what
    Compose has answered so far: after a wait the files may be others.
    """

    environ: Mapping[str, str] = field(repr=False)
    state: Path
    screen: Screen
    prompts: Prompts
    compose_on: ComposeOn
    engine: EngineClient
    host: Callable[[], Host]
    forget_answers: Callable[[], None] = lambda: None
    now: Callable[[], float] = time.time
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
