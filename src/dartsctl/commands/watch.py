"""`watch`: watch a stack, and alert."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from dartsctl.errors import ExitCode
from dartsctl.system.signal_handlers import STOP_SIGNALS, signal_handlers
from dartsctl.workflows.watch import loop
from dartsctl.workflows.watch.channels import delivery_of, heartbeat_of
from dartsctl.workflows.watch.known import Known
from dartsctl.workflows.watch.look import look
from dartsctl.workflows.watch.outputs import beginning, outputs_of
from dartsctl.workflows.watch.request import rules_of
from dartsctl.workflows.watch.sources.all_sources import sources_of

if TYPE_CHECKING:
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.request import WatchRequest


def watch(request: WatchRequest, *, deps: Deps) -> ExitCode:
    """Watch until a signal ends it. Returns 0."""
    stop = threading.Event()
    known = Known()
    outputs = outputs_of(request, known, deps=deps, on_end=stop.set)
    heartbeat = heartbeat_of(request.settings, request.environment, deps=deps)
    watcher = loop.Watcher(
        outputs,
        rules=rules_of(request.settings),
        clock=deps.now,
        known=known,
        delivery=delivery_of(request.settings, request.environment, deps=deps),
        heartbeat=heartbeat,
    )
    sources = list(sources_of(request, known, deps=deps))
    if heartbeat:
        sources.append(heartbeat)
    try:
        watcher.handle(beginning(request, deps.now()))
        with signal_handlers(STOP_SIGNALS, lambda *_: stop.set()):
            loop.run(
                watcher,
                sources,
                lambda: look(request.examine, known, deps=deps),
                clock=deps.now,
                stop=stop,
                interval=request.settings.interval,
            )
    except Exception:
        if heartbeat:
            heartbeat.fail()
        raise
    finally:
        for output in outputs:
            output.close()
    return ExitCode.OK
