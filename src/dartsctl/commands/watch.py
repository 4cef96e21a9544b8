"""`watch`: watch a stack, and alert."""

from __future__ import annotations

from contextlib import ExitStack, closing, contextmanager
from typing import TYPE_CHECKING

from dartsctl.edges.state.recording_file import RecordingFile
from dartsctl.edges.state.watch_lock import watch_lock
from dartsctl.edges.state.watch_state import WatchState
from dartsctl.records import replace
from dartsctl.workflows.watch import loop
from dartsctl.workflows.watch.build_view import ViewBoard
from dartsctl.workflows.watch.channels import delivery_to, destinations_of, heartbeat_to
from dartsctl.workflows.watch.ending import Ending
from dartsctl.workflows.watch.eyes import looks_of
from dartsctl.workflows.watch.known import Known
from dartsctl.workflows.watch.outputs import beginning, outputs_of
from dartsctl.workflows.watch.recording import Recorder
from dartsctl.workflows.watch.request import rules_of
from dartsctl.workflows.watch.saving import Saver, resumed
from dartsctl.workflows.watch.sources.all_sources import sources_of
from dartsctl.workflows.watch.sources.settings import SettingsSource
from dartsctl.workflows.watch.steady_clock import SteadyClock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dartsctl.errors import ExitCode
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.channels import Destinations
    from dartsctl.workflows.watch.heartbeat import Heartbeat
    from dartsctl.workflows.watch.request import WatchRequest
    from dartsctl.workflows.watch.signals import Output, Signal, Source

    Record = Callable[[Signal, float], None]


def watch(request: WatchRequest, *, deps: Deps) -> ExitCode:
    """Watch until a signal ends it. Returns 0, or 130 after Ctrl-C.

    Raises Refused if another watch of the project runs, UsageError for a wrong URL.
    """
    ending = Ending()
    destinations = _destinations(request, deps)
    name = request.environment.name
    file = WatchState(deps.state, request.project)
    clock = SteadyClock(deps.now, deps.monotonic)
    deps = replace(deps, now=clock)
    with (
        _recording(request) as record,
        ending.by_signals(),
        watch_lock(deps.state, request.project, environment=name, now=deps.now()),
    ):
        while not ending.is_over:
            settings = SettingsSource(
                request, ending, clock, lambda latest: _destinations(latest, deps), destinations
            )
            _watch(settings, ending, file, clock, record=record, deps=deps)
            request, destinations = settings.latest, settings.latest_destinations
            ending.next_round()
    return ending.code


@contextmanager
def _recording(request: WatchRequest) -> Iterator[Record | None]:
    """Yield what writes the recording, if there is one. Raises DartsctlError."""
    if request.record is None:
        yield None
        return
    with closing(RecordingFile(request.record)) as file:
        yield Recorder(file.add).record


def _watch(
    settings: SettingsSource,
    ending: Ending,
    file: WatchState,
    clock: SteadyClock,
    *,
    record: Record | None,
    deps: Deps,
) -> None:
    """Watch until the end, or until the settings have changed."""
    known = Known()
    known.began = clock()
    request, destinations = settings.request, settings.destinations
    outputs = outputs_of(request, deps=deps, ending=ending)
    interval = request.settings.heartbeat_interval
    heartbeat = heartbeat_to(destinations.heartbeat, interval, deps=deps)
    looks = looks_of(request, known, deps=deps)
    saved = file.load()
    watcher = loop.Watcher(
        outputs,
        rules=rules_of(request.settings),
        clock=clock,
        jumped=clock.follow,
        record=record,
        board=ViewBoard(request.environment.name, request.project, known),
        want_look=looks.want,
        known=known,
        state=resumed(saved.state, clock()),
        delivery=delivery_to(destinations.channels, request.environment, saved.outbox, deps=deps),
        heartbeat=heartbeat,
        saver=Saver(file, saved.state, saved.outbox),
    )
    sources: list[Source] = [settings, looks, *sources_of(request, known, deps=deps)]
    try:
        watcher.handle(beginning(request, outputs, deps.now()))
        watcher.begin(saved.note)
        _run(watcher, sources, ending, heartbeat, is_alive=looks.is_alive)
    finally:
        _close(watcher, outputs)


def _close(watcher: loop.Watcher, outputs: Sequence[Output]) -> None:
    """Close all, the screen last: the terminal is restored, whatever fails before."""
    with ExitStack() as stack:
        for output in reversed(outputs):
            stack.callback(output.close)
        stack.callback(watcher.close)


def _run(
    watcher: loop.Watcher,
    sources: Sequence[Source],
    ending: Ending,
    heartbeat: Heartbeat | None,
    *,
    is_alive: Callable[[], bool],
) -> None:
    """Run the loop. The heartbeat's receiver hears if it fails."""
    if heartbeat:
        sources = [*sources, heartbeat]
    try:
        loop.run(watcher, sources, stop=ending.stop, is_alive=is_alive)
    except Exception:
        if heartbeat:
            heartbeat.fail()
        raise


def _destinations(request: WatchRequest, deps: Deps) -> Destinations:
    return destinations_of(request.settings, request.environment, deps=deps)
