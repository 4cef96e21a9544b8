"""`watch`: watch a stack, and alert."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dartsctl.alerts.rules import Rules
from dartsctl.errors import ExitCode
from dartsctl.system.signal_handlers import STOP_SIGNALS, signal_handlers
from dartsctl.workflows.watch import loop
from dartsctl.workflows.watch.known import Known
from dartsctl.workflows.watch.lines import Lines
from dartsctl.workflows.watch.look import look

if TYPE_CHECKING:
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.examine.probes import ExamineRequest


@dataclass(frozen=True, slots=True)
class WatchRequest:
    """What to watch, and how."""

    examine: ExamineRequest
    interval: float = 15.0
    """Seconds between two looks."""


def watch(request: WatchRequest, *, deps: Deps) -> ExitCode:
    """Watch until a signal ends it. Returns 0."""
    stop = threading.Event()
    known = Known()
    watcher = loop.Watcher([Lines(deps.screen)], rules=Rules(), clock=deps.now, known=known)
    with signal_handlers(STOP_SIGNALS, lambda *_: stop.set()):
        loop.run(
            watcher,
            (),
            lambda: look(request.examine, known, deps=deps),
            clock=deps.now,
            stop=stop,
            interval=request.interval,
        )
    return ExitCode.OK
