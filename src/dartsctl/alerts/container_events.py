"""From the engine's events about containers to what they mean: a crash, a planned stop, a start.

The sequences were recorded with engine 28.5.2 (tests/alerts/test_container_events.py). The engine
reports `kill` for every signal that somebody sends through its API, before the `die` that follows.
Nothing else that ends a container comes with a `kill`. All times of events are the engine's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from dartsctl.alerts.exit_problem import Exit, exit_problem
from dartsctl.alerts.observations import Exited, Started

_MARGIN = 5.0
"""Seconds beyond the stop timeout that a planned end may take."""
_AT_ONCE = 3.0
"""Seconds in which another signal that ends a container has done so."""
_MEMORY_WITHIN = 10.0
"""Seconds between an `oom` and the `die` that it explains."""
_HOLD = 1.0
"""Seconds in which an event may still explain what a list shows, or an end."""
_START_WITHIN = 3.0
"""Seconds in which a created container is usually started."""
_LOOK_EVERY = 30.0
"""Seconds between two looks because of the memory of one container."""
_ENGINE_STOPS_WITHIN = 20.0
"""Seconds from the last end of a container to the end of an engine that is stopped."""
_TOGETHER = 2.0
"""Seconds in which an engine that is stopped begins to stop all containers."""
_MOST_KILLS = 16
"""Signals that are remembered of one container."""
_STOP_SIGNALS = frozenset((2, 3, 9, 15))
"""SIGINT, SIGQUIT, SIGKILL, SIGTERM. An image or a Compose file may name another one."""
_TEMPORARY = re.compile(r"[0-9a-f]{12}_(?=.)")
"""What Compose puts before the name of a container that replaces another one, for a while."""


@dataclass(frozen=True, slots=True)
class ContainerEvent:
    """An event of the engine about a container of the project."""

    action: str
    """create, start, kill, die, stop, oom, pause, unpause, rename, destroy or health_status."""
    id: str
    name: str
    service: str
    nano: int
    """Nanoseconds of Unix time, by the engine's clock."""
    is_one_off: bool = False
    signal: int = 0
    exit_code: int | None = None
    health: str = ""

    @property
    def time(self) -> float:
        """Unix time, in seconds."""
        return self.nano / 1e9


@dataclass(frozen=True, slots=True)
class Snapshot:
    """A container as the engine describes it at one moment. Times by the engine's clock."""

    id: str
    name: str
    service: str
    state: str
    """As in Container."""
    started: float | None = None
    finished: float | None = None
    exit_code: int = 0
    oom_killed: bool = False
    restart_count: int = 0
    restart_policy: str = ""
    stop_signal: int = 15
    stop_timeout: float = 10.0
    is_needed: bool = False
    """Whether it should run all the time: published ports, a health check, others that need it."""
    pid: int = 0

    @property
    def runs(self) -> bool:
        return self.state in ("running", "paused")


@dataclass(frozen=True, slots=True)
class Happening:
    """What an event, a list or the time that has passed means."""

    observation: Exited | Started | None = None
    look: str = ""
    """Why a full look is wanted; empty: none is."""
    when: float | None = None
    """When it happened, by the engine's clock."""


@dataclass(slots=True)
class _Life:
    """A container from its start to its end, and its settings."""

    last: Snapshot
    """The latest description."""
    runs: bool = False
    start_event: float = 0.0
    kills: list[tuple[int, float]] = field(default_factory=list)
    oom: float | None = None
    stopped: float | None = None
    """When a stop through the API was reported."""
    ended: float | None = None
    planned: bool = False
    """Whether it was ended on purpose."""
    is_assumed: bool = False
    """Whether a list has shown the end, and no event."""
    start_until: float | None = None
    """A created container: until when it should be started, by our clock."""
    looked: float | None = None

    def begin(self, when: float) -> None:
        self.runs, self.start_event = True, when
        self.kills.clear()
        self.oom = self.stopped = self.ended = self.start_until = None
        self.planned = self.is_assumed = False

    def end(self, when: float | None, *, planned: bool) -> None:
        self.runs, self.ended, self.planned = False, when, planned


@dataclass(frozen=True, slots=True)
class _Held:
    """An end that an event may still explain."""

    until: float
    exit: Exit
    snapshot: Snapshot | None = None
    """The list that shows it; None: a `die` that a `stop` may follow."""
    planned: bool = False


class ContainerHistory:
    """What is known about the containers of one project. No clock: `now` is any steady one."""

    def __init__(self, *, command: str) -> None:
        """`command`: what a person runs to find the cause of an exit."""
        self._command = command
        self._lives: dict[str, _Life] = {}
        self._held: dict[str, _Held] = {}
        self._has_list = False

    @property
    def running(self) -> frozenset[str]:
        """The ids of the containers that run."""
        return frozenset(id_ for id_, life in self._lives.items() if life.runs)

    @property
    def is_waiting(self) -> bool:
        """Whether `due` may have something to say soon."""
        return bool(self._held) or any(life.start_until for life in self._lives.values())

    def follow(self, event: ContainerEvent, now: float) -> tuple[Happening, ...]:
        """Return what an event means."""
        if event.is_one_off:
            return ()
        life = self._lives.get(event.id)
        if life is None:
            life = _Life(Snapshot(event.id, event.name, event.service, ""))
            life.runs = event.action in ("kill", "die", "oom", "pause")
            self._lives[event.id] = life
        elif event.name != life.last.name:
            life.last = replace(life.last, name=event.name)
        return self._follow(life, event, now)

    def _follow(self, life: _Life, event: ContainerEvent, now: float) -> tuple[Happening, ...]:
        happenings: tuple[Happening, ...] = ()
        match event.action:
            case "create":
                life.start_until = now + _START_WITHIN
            case "start":
                self._held.pop(event.id, None)
                life.begin(event.time)
                started = Started(event.service, _name(event.name))
                happenings = (Happening(started, when=event.time),)
            case "kill":
                life.kills.append((event.signal, event.time))
                del life.kills[:-_MOST_KILLS]
            case "oom":
                life.oom = event.time
                happenings = self._memory_look(life, now)
            case "die":
                happenings = self._died(life, event, now)
            case "stop":
                happenings = self._stopped(life, event)
            case "destroy":
                happenings = self._removed(life, event)
            case "pause" | "unpause":
                happenings = (Happening(look=f"{event.service}: {event.action}"),)
            case "health_status":
                happenings = (Happening(look=f"{event.service} is {event.health}"),)
        return happenings

    def _died(self, life: _Life, event: ContainerEvent, now: float) -> tuple[Happening, ...]:
        self._held.pop(event.id, None)
        if not life.runs and (life.is_assumed or event.time <= (life.ended or 0.0)):
            return ()
        planned = _is_planned(life, event)
        oom = life.oom is not None and event.time - life.oom <= _MEMORY_WITHIN
        exit_ = self._exit(life, event.exit_code, event.time, oom=oom)
        if not planned and _may_be_stopping(life):
            life.end(event.time, planned=False)
            self._held[event.id] = _Held(now + _HOLD, exit_)
            return ()
        return self._end(life, exit_, planned=planned)

    def _stopped(self, life: _Life, event: ContainerEvent) -> tuple[Happening, ...]:
        """Return what a stop through the API means: it comes shortly before or after the `die`.

        A container that waits for its next restart is stopped without a `die`.
        """
        life.stopped = event.time
        held = self._held.get(event.id)
        if held and held.snapshot is None:
            del self._held[event.id]
            return self._end(life, held.exit, planned=True)
        if held or life.runs or life.planned:
            return ()
        return self._end(life, self._exit(life, None, event.time), planned=True)

    def _removed(self, life: _Life, event: ContainerEvent) -> tuple[Happening, ...]:
        """Return what the end of a container means: only the API removes one."""
        held = self._held.pop(event.id, None)
        happenings: tuple[Happening, ...] = ()
        if not life.planned:
            exit_ = self._exit(life, None, event.time)
            if held:
                exit_ = held.exit
            happenings = self._end(life, exit_, planned=True)
        del self._lives[event.id]
        return happenings

    def _end(self, life: _Life, exit_: Exit, *, planned: bool) -> tuple[Happening, ...]:
        """Return what the end of a container means.

        Without an error it may be a one-shot that has done its work: a look decides.
        """
        life.end(exit_.when, planned=planned)
        last = life.last
        if not planned and exit_.code == 0 and not exit_.oom and not last.is_needed:
            look = f"{last.service} ended with exit code 0"
            return (Happening(look=look, when=exit_.when),)
        comes_back = not planned and _comes_back(last.restart_policy, exit_.code)
        observation = Exited(
            last.service,
            _name(last.name),
            exit_problem(replace(exit_, planned=planned), command=self._command),
            planned=planned,
            comes_back=comes_back,
        )
        look = ""
        if not planned:
            look = f"{last.service} ended"
        return (Happening(observation, look, exit_.when),)

    def _exit(
        self, life: _Life, code: int | None, when: float | None, *, oom: bool = False
    ) -> Exit:
        last = life.last
        return Exit(
            service=last.service,
            container=_name(last.name),
            id=last.id,
            code=code,
            oom=oom,
            restart_policy=last.restart_policy,
            when=when,
            ran=_seconds(last.started or life.start_event or None, when),
        )

    def _memory_look(self, life: _Life, now: float) -> tuple[Happening, ...]:
        if life.looked is not None and now - life.looked < _LOOK_EVERY:
            return ()
        life.looked = now
        return (Happening(look=f"the kernel killed a process of {life.last.service} for memory"),)

    # --- lists ---------------------------------------------------------------------------------

    def learn(self, snapshot: Snapshot) -> None:
        """Take a container's settings from its description, after an event about it."""
        life = self._lives.get(snapshot.id)
        if life:
            life.last = snapshot

    def reconcile(
        self, snapshots: Iterable[Snapshot], now: float, *, engine_ended: float | None = None
    ) -> tuple[Happening, ...]:
        """Compare a list of all containers with what the events have said.

        What no event explains within a second is reported by `due`. The first list is only learned.
        `engine_ended`: when the engine ended that was restarted in between, by its clock.
        """
        rows = {row.id: row for row in snapshots}
        happenings: list[Happening] = []
        for id_ in self._lives.keys() - rows.keys():
            life = self._lives[id_]
            exit_ = self._exit(life, None, None)
            self._hold(_Held(now + _HOLD, exit_, replace(life.last, state=""), planned=True))
        with_engine: frozenset[str] = frozenset()
        if engine_ended is not None:
            with_engine = self._ended_with_engine(engine_ended)
        for row in rows.values():
            if row.id not in self._lives:
                happenings += self._appeared(row)
                continue
            life = self._lives[row.id]
            if row.id in with_engine and not row.runs:
                life.last = row
                exit_ = replace(self._snapshot_exit(life, row), with_engine=True)
                happenings += self._end(life, exit_, planned=False)
            else:
                self._compare(life, row, now)
        self._has_list = True
        return tuple(happenings)

    def _appeared(self, row: Snapshot) -> tuple[Happening, ...]:
        life = _Life(row, runs=row.runs, start_event=row.started or 0.0, ended=row.finished)
        self._lives[row.id] = life
        if not self._has_list:
            return ()
        if row.runs:
            return (Happening(Started(row.service, _name(row.name)), when=row.started),)
        return (Happening(look=f"{row.service} has another container"),)

    def _compare(self, life: _Life, row: Snapshot, now: float) -> None:
        """Hold what a list shows beyond the events."""
        has_begun = _is_newer(row.started, life.last.started, life.start_event)
        has_ended = _is_newer(row.finished, life.last.finished, life.ended or 0.0)
        is_known = not has_ended
        if row.runs:
            is_known = not has_begun
        if row.runs == life.runs and is_known:
            life.last = row
            return
        exit_ = self._snapshot_exit(life, row)
        # the count begins anew when somebody starts it: a higher one is the restart policy's
        is_crash = not row.runs or row.restart_count > life.last.restart_count
        self._hold(_Held(now + _HOLD, exit_, row, planned=not is_crash))

    def _hold(self, held: _Held) -> None:
        """Wait for an event, not longer because another list shows the same."""
        if before := self._held.get(held.exit.id):
            held = replace(held, until=before.until)
        self._held[held.exit.id] = held

    def _snapshot_exit(self, life: _Life, row: Snapshot) -> Exit:
        code: int | None = row.exit_code
        if row.runs:
            code = None
        exit_ = self._exit(life, code, row.finished, oom=row.oom_killed and not row.runs)
        return replace(exit_, is_listed=True, restart_policy=row.restart_policy)

    def _ended_with_engine(self, engine_ended: float) -> frozenset[str]:
        """Return the containers that an engine has ended because it was stopped itself.

        It sends the first signal to all of them at once. A container that was stopped on purpose
        got it earlier.
        """
        firsts: dict[str, float] = {}
        for id_, life in self._lives.items():
            is_late = life.ended is not None and engine_ended - life.ended <= _ENGINE_STOPS_WITHIN
            if life.planned and life.kills and is_late:
                firsts[id_] = life.kills[0][1]
        last = max(firsts.values(), default=0.0)
        return frozenset(id_ for id_, first in firsts.items() if first >= last - _TOGETHER)

    def due(self, now: float) -> tuple[Happening, ...]:
        """Return what no event has explained in time."""
        happenings: list[Happening] = []
        for id_, held in list(self._held.items()):
            if now >= held.until:
                del self._held[id_]
                happenings += self._release(id_, held)
        for life in self._lives.values():
            if life.start_until is not None and now >= life.start_until:
                life.start_until = None
                happenings.append(Happening(look=f"{life.last.service} was not started"))
        return tuple(happenings)

    def _release(self, id_: str, held: _Held) -> tuple[Happening, ...]:
        life, row = self._lives[id_], held.snapshot
        if row is None:
            return self._end(life, held.exit, planned=False)
        if not row.state:
            del self._lives[id_]
            return self._end(life, held.exit, planned=True)
        happenings: tuple[Happening, ...] = ()
        was_running = life.runs
        life.last = row
        if not row.runs or (was_running and not held.planned):
            happenings = self._end(life, held.exit, planned=life.stopped is not None)
            life.is_assumed = True
        if row.runs:
            life.begin(row.started or 0.0)
            started = Started(row.service, _name(row.name))
            happenings += (Happening(started, when=row.started),)
        return happenings


def needed_services(dependencies: Iterable[Mapping[str, str]]) -> frozenset[str]:
    """Return the services that others need while they run, from each one's `depends_on`.

    Who waits for the end of another service does not need it to run (edge-cases.md#74).
    """
    names: set[str] = set()
    for conditions in dependencies:
        for name, condition in conditions.items():
            if condition != "service_completed_successfully":
                names.add(name)
    return frozenset(names)


def _is_planned(life: _Life, event: ContainerEvent) -> bool:
    """Whether somebody has asked the engine for the end.

    A signal that ends a container counts for as long as a stop may take. Any other one (SIGHUP:
    read the configuration again) counts only if the container has ended of it, at once.
    """
    if life.stopped is not None and event.time - life.stopped <= _MARGIN:
        return True
    for number, when in life.kills:
        passed = event.time - when
        if _is_stop(life, number) and passed <= life.last.stop_timeout + _MARGIN:
            return True
        if event.exit_code == 128 + number and passed <= _AT_ONCE:
            return True
    return False


def _may_be_stopping(life: _Life) -> bool:
    """Whether a stop with a longer timeout than the container's may go on."""
    return any(_is_stop(life, number) for number, _ in life.kills)


def _is_stop(life: _Life, number: int) -> bool:
    return number in _STOP_SIGNALS or number == life.last.stop_signal


def _comes_back(policy: str, code: int | None) -> bool:
    return policy in ("always", "unless-stopped") or (policy == "on-failure" and code != 0)


def _is_newer(moment: float | None, described: float | None, reported: float) -> bool:
    """Whether a moment of a description is another one than the last known.

    The event about it comes a little later than the moment that the engine notes.
    """
    if moment is None or moment == described:
        return False
    return moment > reported


def _seconds(begin: float | None, end: float | None) -> float | None:
    if begin is None or end is None:
        return None
    return max(0.0, end - begin)


def _name(name: str) -> str:
    """Return a container's name without what Compose puts before it for a while."""
    return _TEMPORARY.sub("", name, count=1) if _TEMPORARY.match(name) else name
