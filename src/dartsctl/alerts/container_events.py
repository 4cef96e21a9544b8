"""From the engine's events about containers to what they mean: a crash, a planned stop, a start.

The sequences were recorded with engine 28.5.2 (tests/alerts/test_container_events.py). All times of
events are the engine's.
"""

from __future__ import annotations

from dartsctl.alerts.container_life import (
    ContainerEvent,
    Life,
    Snapshot,
    comes_back,
    is_newer,
    is_planned,
    may_be_stopping,
)
from dartsctl.alerts.exit_problem import Exit, exit_problem
from dartsctl.alerts.observations import Exited, Started
from dartsctl.records import record, replace
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

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
_TEMPORARY = regex(r"[0-9a-f]{12}_(?=.)")
"""What Compose puts before the name of a container that replaces another one, for a while."""


@record
class Happening:
    """What an event, a list or the time that has passed means."""

    observation: Exited | Started | None = None
    look: str = ""
    """Why a full look is wanted; empty: none is."""
    when: float | None = None
    """When it happened, by the engine's clock."""


@record
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
        self._lives: dict[str, Life] = {}
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
            life = Life(Snapshot(event.id, event.name, event.service, ""))
            life.runs = event.action in ("kill", "die", "oom", "pause")
            self._lives[event.id] = life
        elif event.name != life.last.name:
            life.last = replace(life.last, name=event.name)
        return self._follow(life, event, now)

    def _follow(self, life: Life, event: ContainerEvent, now: float) -> tuple[Happening, ...]:
        happenings: tuple[Happening, ...] = ()
        match event.action:
            case "create":
                life.start_until = now + _START_WITHIN
            case "start":
                happenings = self._started(life, event)
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

    def _started(self, life: Life, event: ContainerEvent) -> tuple[Happening, ...]:
        """Return what a start means. The end before it may have had no event."""
        happenings: tuple[Happening, ...] = ()
        held = self._held.pop(event.id, None)
        if held and life.runs and not held.planned:
            happenings = self._end(life, held.exit, planned=life.stopped is not None)
        life.begin(event.time)
        started = Started(event.service, _name(event.name))
        return (*happenings, Happening(started, when=event.time))

    def _died(self, life: Life, event: ContainerEvent, now: float) -> tuple[Happening, ...]:
        self._held.pop(event.id, None)
        if not life.runs and (life.is_assumed or event.time <= (life.ended or 0.0)):
            return ()
        planned = is_planned(life, event)
        oom = life.oom is not None and event.time - life.oom <= _MEMORY_WITHIN
        exit_ = self._exit(life, event.exit_code, event.time, oom=oom)
        if not planned and may_be_stopping(life):
            life.end(event.time, planned=False)
            self._held[event.id] = _Held(now + _HOLD, exit_)
            return ()
        return self._end(life, exit_, planned=planned)

    def _stopped(self, life: Life, event: ContainerEvent) -> tuple[Happening, ...]:
        """Return what a stop through the API means: it comes shortly before or after the `die`.

        A container that waits for its next restart is stopped without a `die`.
        """
        life.stopped = event.time
        held = self._held.get(event.id)
        if held and held.snapshot is None:
            del self._held[event.id]
            return self._end(life, held.exit, planned=True)
        if held or life.runs or life.planned or life.is_engines:
            return ()
        return self._end(life, self._exit(life, None, event.time), planned=True)

    def _removed(self, life: Life, event: ContainerEvent) -> tuple[Happening, ...]:
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

    def _end(self, life: Life, exit_: Exit, *, planned: bool) -> tuple[Happening, ...]:
        """Return what the end of a container means.

        Without an error it may be a one-shot that has done its work: a look decides.
        """
        life.end(exit_.when, planned=planned)
        last = life.last
        if not planned and exit_.code == 0 and not exit_.oom and not last.is_needed:
            look = f"{last.service} ended with exit code 0"
            return (Happening(look=look, when=exit_.when),)
        is_restarted = not planned and comes_back(last.restart_policy, exit_.code)
        observation = Exited(
            last.service,
            _name(last.name),
            exit_problem(replace(exit_, planned=planned), command=self._command),
            planned=planned,
            comes_back=is_restarted,
        )
        look = ""
        if not planned:
            look = f"{last.service} ended"
        return (Happening(observation, look, exit_.when),)

    def _exit(self, life: Life, code: int | None, when: float | None, *, oom: bool = False) -> Exit:
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

    def _memory_look(self, life: Life, now: float) -> tuple[Happening, ...]:
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
        keeps = False
        if engine_ended is not None:
            with_engine = self._ended_with_engine(engine_ended)
            keeps = any(self._is_same(row) for row in rows.values())
        for row in rows.values():
            if row.id not in self._lives:
                happenings += self._appeared(row)
                continue
            life = self._lives[row.id]
            ran = life.runs and engine_ended is not None
            if not row.runs and (ran or row.id in with_engine):
                happenings += self._ended_for_good(life, row)
            else:
                self._compare(life, row, now, keeps=keeps)
        self._has_list = True
        return tuple(happenings)

    def _appeared(self, row: Snapshot) -> tuple[Happening, ...]:
        life = Life(row, runs=row.runs, start_event=row.started or 0.0, ended=row.finished)
        self._lives[row.id] = life
        if not self._has_list:
            return ()
        if row.runs:
            return (Happening(Started(row.service, _name(row.name)), when=row.started),)
        return (Happening(look=f"{row.service} has another container"),)

    def _ended_for_good(self, life: Life, row: Snapshot) -> tuple[Happening, ...]:
        """Return what it means that a container has not survived the engine's restart."""
        life.last = row
        exit_ = replace(self._snapshot_exit(life, row), with_engine=True)
        happenings = self._end(life, exit_, planned=False)
        life.is_assumed = life.is_engines = True
        return happenings

    def _is_same(self, row: Snapshot) -> bool:
        """Whether a container runs since before: it has not ended in between."""
        life = self._lives.get(row.id)
        if life is None or not life.runs or not row.runs:
            return False
        return not is_newer(row.started, life.last.started, life.start_event)

    def _compare(self, life: Life, row: Snapshot, now: float, *, keeps: bool) -> None:
        """Hold what a list shows beyond the events.

        `keeps`: an engine was restarted that lets containers run on (live-restore).
        """
        has_ended = is_newer(row.finished, life.last.finished, life.ended or 0.0)
        if self._is_same(row) or not (row.runs or life.runs or has_ended):
            life.last = row
            return
        exit_ = self._snapshot_exit(life, row)
        # the count begins anew when somebody starts it: a higher one is the restart policy's
        is_crash = keeps or not row.runs or row.restart_count > life.last.restart_count
        self._hold(_Held(now + _HOLD, exit_, row, planned=not is_crash))

    def _hold(self, held: _Held) -> None:
        """Wait for an event, not longer because another list shows the same."""
        if before := self._held.get(held.exit.id):
            held = replace(held, until=before.until)
        self._held[held.exit.id] = held

    def _snapshot_exit(self, life: Life, row: Snapshot) -> Exit:
        code: int | None = row.exit_code
        if row.runs:
            code = None
        exit_ = self._exit(life, code, row.finished, oom=row.oom_killed and not row.runs)
        return replace(exit_, is_listed=True, restart_policy=row.restart_policy)

    def _ended_with_engine(self, engine_ended: float) -> frozenset[str]:
        """Return the containers that an engine has ended because it was stopped itself.

        It ends all that run, and sends the first signal to all of them at once. A container that
        was stopped on purpose got it earlier.
        """
        if self.running:
            return frozenset()
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


def _seconds(begin: float | None, end: float | None) -> float | None:
    if begin is None or end is None:
        return None
    return max(0.0, end - begin)


def _name(name: str) -> str:
    """Return a container's name without what Compose puts before it for a while."""
    match = _TEMPORARY.match(name)
    if match:
        return name[match.end() :]
    return name
