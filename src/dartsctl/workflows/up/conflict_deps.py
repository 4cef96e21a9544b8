"""ConflictDeps: what asking about conflicts, and carrying out the answers, may touch."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from dartsctl.records import field, record

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from dartsctl.edges.engine.protocol import Engine
    from dartsctl.edges.screen.output import Screen
    from dartsctl.edges.screen.prompts import Prompts
    from dartsctl.edges.state.history import History
    from dartsctl.edges.state.leases import LeaseBook
    from dartsctl.ports.cases import Case
    from dartsctl.workflows.host import Host

GRACE = 10.0
"""Seconds between SIGTERM and the question about SIGKILL."""
SETTLE = 2.0
"""Seconds during which a restart of a stopped process is looked for: supervisors restart things
(edge-cases.md#21)."""


@record
class ConflictDeps:
    """`remap` publishes all bindings of the given cases elsewhere. Times are in seconds."""

    prompts: Prompts
    screen: Screen
    engine: Engine
    host: Callable[[], Host]
    history: History
    leases: LeaseBook
    remap: Callable[[Sequence[Case]], None] = field(repr=False)
    yes: bool = False
    wait_timeout: float = 120.0
    grace: float = GRACE
    settle: float = SETTLE
    monotonic: Callable[[], float] = time.monotonic
    sleep: Callable[[float], None] = time.sleep
