"""The source that follows the engine: its events about the project's containers.

After every (re)connect a list says what no event has told. While the engine does not answer, that
is a problem of its own. An engine that is only listed (tcp://, ssh://) is listed on an interval.
"""

from __future__ import annotations

from contextlib import closing
from typing import TYPE_CHECKING

from dartsctl.alerts.container_events import ContainerHistory
from dartsctl.alerts.observations import Exited, Started
from dartsctl.diagnosis.nginx.log import parse_moment
from dartsctl.edges.engine.events import BrokenStream, RecentEvents
from dartsctl.edges.engine.snapshots import Snapshots
from dartsctl.edges.host.running import RunningContainer
from dartsctl.errors import DockerUnavailable
from dartsctl.records import record, replace
from dartsctl.workflows.watch.engine_state import EngineState
from dartsctl.workflows.watch.signals import LookWanted, Note, Noticed, Observed

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable

    from dartsctl.alerts.container_events import Happening
    from dartsctl.alerts.container_life import ContainerEvent, Snapshot
    from dartsctl.edges.engine.events import EventStream
    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.edges.host.running import RunningContainers
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.known import Known
    from dartsctl.workflows.watch.request import WatchRequest
    from dartsctl.workflows.watch.signals import Emit, Source

ENGINE_DEADLINE = 3.0
"""Seconds for each answer of the engine."""
_STOP_WITHIN = 0.8
_SOON = 0.2
"""Seconds until it is asked again what no event has explained."""
_LIST_EVERY = 60.0
"""Seconds between two lists beside the events."""
_FIRST_PAUSE = 0.25
_STEADY = 10.0
"""Seconds that a stream lasts which is not broken."""
_MOST_INSPECTED = 16
"""Containers whose settings are read at once, so that events do not wait for it."""


@record
class Pace:
    """Times in seconds."""

    ping_after: float = 10.0
    """Without an event, until the engine is asked whether it is there."""
    longest_pause: float = 2.0
    """Until the next attempt to connect."""


_PACE = Pace()


class EventsSource:
    """The events of one project, on an engine that has them."""

    name = "events"

    def __init__(
        self,
        project: str,
        control: EngineControl,
        running: RunningContainers,
        *,
        command: str,
        deps: Deps,
        pace: Pace = _PACE,
    ) -> None:
        """`command`: what a person runs to find the cause of an exit."""
        self._project = project
        self._control = control
        self._running = running
        self._clock = deps.now
        self._monotonic = deps.monotonic
        self._pace = pace
        self._snapshots = Snapshots(control, project)
        self._history = ContainerHistory(command=command)
        self._recent = RecentEvents()
        self._engine = EngineState(control.address)
        self._unknown: dict[str, str] = {}
        """The services of started containers whose settings are not read yet."""
        self._has_listed = False
        self._skew = 0.0
        self._is_live = False
        """Whether what comes has just happened: what the engine has kept comes first."""
        self._pid: int | None = None
        self._ended: float | None = None
        """When the last stream ended, by the engine's clock."""
        self._broken = ""
        """Why the events could not be read, as it was said."""

    def run(self, emit: Emit, stop: threading.Event) -> None:
        """Follow the engine until `stop` is set."""
        pause = _FIRST_PAUSE
        while not stop.is_set():
            began = self._monotonic()
            try:
                self._follow(emit, stop)
            except BrokenStream as error:
                began, pause = self._monotonic(), self._pace.longest_pause
                self._list_only(error, emit)
            except DockerUnavailable as error:
                self._list_only(error, emit)
            if self._monotonic() - began >= _STEADY:
                pause, self._broken = _FIRST_PAUSE, ""
            stop.wait(pause)
            pause = min(2 * pause, self._pace.longest_pause)

    def _follow(self, emit: Emit, stop: threading.Event) -> None:
        """Follow one stream to its end. Raises DockerUnavailable."""
        with closing(self._control.events(self._project, self._recent)) as stream:
            self._is_live = False
            try:
                self._reconcile(emit)
                self._take_all(stream, emit, stop)
            finally:
                self._ended = self._clock() + self._skew

    def _take_all(self, stream: EventStream, emit: Emit, stop: threading.Event) -> None:
        """Take the events of one stream, and look after it. Raises DockerUnavailable."""
        asked = listed = self._monotonic()
        while not stop.is_set() and self._take(stream, emit):
            now = self._monotonic()
            if now - listed >= _LIST_EVERY:
                asked = listed = now
                self._reconcile(emit)
            elif now - asked >= self._pace.ping_after:
                asked = now
                self._control.ping()

    def _take(self, stream: EventStream, emit: Emit) -> bool:
        """Take what comes within the next moment. Returns False at the end of the stream."""
        timeout = _STOP_WITHIN
        if self._unknown:
            timeout = 0.0
        elif self._history.is_waiting:
            timeout = _SOON
        events = stream.read(timeout)
        for event in events or ():
            self._event(event, emit)
        if not events:
            self._is_live = True
            self._inspect()
        self._emit_all(self._history.due(self._monotonic()), emit)
        return events is not None

    def _event(self, event: ContainerEvent, emit: Emit) -> None:
        now = self._clock()
        if event.action == "die" and not event.is_one_off:
            emit(Noticed("events", event.service, _died(event), now))
        self._recent.add((event,))
        happenings = self._history.follow(event, self._monotonic())
        self._emit_all(happenings, emit, is_now=self._is_live)
        if event.action == "start" and not event.is_one_off:
            self._unknown[event.id] = event.service
        elif event.action in ("die", "destroy"):
            self._unknown.pop(event.id, None)
            self._running.ended(event.id)

    def _inspect(self) -> None:
        """Read the settings of containers that were started."""
        for container, service in list(self._unknown.items())[:_MOST_INSPECTED]:
            del self._unknown[container]
            if snapshot := self._snapshots.of(container, service):
                self._history.learn(snapshot)
                self._follow_process(snapshot.id, snapshot.service, snapshot.pid)

    def _follow_process(self, container: str, service: str, pid: int) -> None:
        if pid and container in self._history.running:
            self._running.started(RunningContainer(container, service, pid))

    def _reconcile(self, emit: Emit) -> None:
        """List the containers, and compare. Raises DockerUnavailable."""
        self._skew = self._measure_skew()
        pid = self._control.pid()
        snapshots = self._snapshots.all()
        ended = None
        if self._pid and pid and pid != self._pid:
            ended = self._ended
        self._pid = pid
        happenings = self._history.reconcile(snapshots, self._monotonic(), engine_ended=ended)
        self._engine.answers(self._clock(), emit)
        if not self._has_listed:
            self._has_listed = True
            self._say_what_runs(snapshots, emit)
        self._emit_all(happenings, emit)
        running = self._history.running
        for container in self._running.now().keys() - running:
            self._running.ended(container)
        for snapshot in snapshots:
            self._follow_process(snapshot.id, snapshot.service, snapshot.pid)

    def _say_what_runs(self, snapshots: Iterable[Snapshot], emit: Emit) -> None:
        """Say that it was started: a saved state may have it as stopped on purpose."""
        for snapshot in snapshots:
            if snapshot.runs:
                emit(Observed(Started(snapshot.service, snapshot.name), self._clock()))

    def _measure_skew(self) -> float:
        """Return the seconds that the engine's clock is ahead of ours."""
        moment = parse_moment(self._control.clock())
        if moment is None:
            return 0.0
        return moment - self._clock()

    def _list_only(self, error: DockerUnavailable, emit: Emit) -> None:
        """Look whether the engine is there, although its events are not to be read."""
        try:
            self._reconcile(emit)
        except DockerUnavailable as gone:
            self._engine.gone(gone, self._clock(), emit)
            return
        self._emit_all(self._history.due(self._monotonic()), emit)
        if error.message != self._broken:
            self._broken = error.message
            text = f"the engine's events cannot be read, so it is listed instead: {error.message}"
            emit(Note(text, self._clock()))

    def _emit_all(
        self, happenings: Iterable[Happening], emit: Emit, *, is_now: bool = False
    ) -> None:
        """Emit what has just happened (`is_now`), or at its time by the engine's clock."""
        now = self._clock()
        for happening in happenings:
            observation = happening.observation
            if isinstance(observation, Exited):
                since = now
                if happening.when is not None and not is_now:
                    since = min(now, happening.when - self._skew)
                problem = replace(observation.problem, since=since)
                observation = replace(observation, problem=problem)
            if observation is not None:
                emit(Observed(observation, now))
            if happening.look:
                emit(LookWanted(happening.look))


def _died(event: ContainerEvent) -> str:
    if event.exit_code is None:
        return "died"
    return f"died with exit code {event.exit_code}"


def make(request: WatchRequest, known: Known, deps: Deps) -> Source:
    """Return the source for this engine."""
    from dartsctl.workflows.watch.sources.listed import ListedSource

    engine = deps.engine(deadline=ENGINE_DEADLINE)
    control = engine.control()
    if control is None:
        return ListedSource(request.project, engine, deps=deps)
    return EventsSource(
        request.project,
        control,
        known.running,
        command=request.examine.commands.doctor,
        deps=deps,
    )
