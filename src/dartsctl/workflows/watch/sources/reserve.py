"""`--reserve`: while the stack is down, its ports are held so that nobody else takes them.

A process of its own holds them (edges/reserve/). This source tells it what to hold, from the
engine's list, and starts it again where it has ended.

With the rights for it, the engine alone gets through to these ports as long as the watch runs (the
gate, edges/reserve/bind_gate.py). Besides, while no container could want a port, a socket holds
it: containers of other stacks are kept out too, and everybody sees who has it.
"""

from __future__ import annotations

import os
import select
from contextlib import suppress
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.edges.engine.events import RecentEvents
from dartsctl.edges.reserve.messages import LARGEST_RESERVE, Orders, State
from dartsctl.edges.reserve.process import ReserveProcess
from dartsctl.edges.state.watch_folder import open_watch
from dartsctl.errors import DartsctlError
from dartsctl.ports.reservation import in_short, to_hold
from dartsctl.records import field, record, replace
from dartsctl.stack.containers import of_project
from dartsctl.stack.publishing import stack_bindings
from dartsctl.workflows.preflight.inputs import Intent, read_inputs
from dartsctl.workflows.up.remap import with_kept_moves
from dartsctl.workflows.watch.signals import Note

if TYPE_CHECKING:
    import threading
    from collections.abc import Iterable, Mapping, Sequence

    from dartsctl.alerts.container_life import ContainerEvent
    from dartsctl.edges.engine.events import EventStream
    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.stack.bindings import Endpoint, PortBinding
    from dartsctl.stack.containers import Container
    from dartsctl.stack.engine_rules import EngineRules
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.watch.known import Known
    from dartsctl.workflows.watch.request import WatchRequest
    from dartsctl.workflows.watch.signals import Emit

_PAUSE = 2.0
"""Seconds between two looks at the engine's list, if no event says that something has changed."""
_AGAIN = 5.0
"""Seconds until the process is started again, or the files are read again."""
_ENGINE = "dockerd"


def make(request: WatchRequest, _known: Known, deps: Deps) -> Reserve | None:
    """Return the source, if this watch is to reserve ports."""
    if not request.settings.reserve:
        return None
    return Reserve(request, deps)


@record(frozen=False)
class _Wanted:
    """What the stack publishes, and what keeps us from a gate."""

    project: str
    by_service: Mapping[str, tuple[Endpoint, ...]]
    control: EngineControl | None
    no_gate: str = ""

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        """All of them, each once."""
        return tuple(dict.fromkeys(chain.from_iterable(self.by_service.values())))


@record(frozen=False)
class _Said:
    """What was said already: once is enough."""

    texts: set[str] = field(default_factory=set)
    held: frozenset[Endpoint] = frozenset()
    guarded: frozenset[Endpoint] = frozenset()


class Reserve:
    """Tells the process that reserves ports what to hold."""

    name = "reserve"

    def __init__(self, request: WatchRequest, deps: Deps) -> None:
        self._request = request
        self._deps = deps
        self._said = _Said()
        self._published: dict[str, tuple[Endpoint, ...]] = {}

    def run(self, emit: Emit, stop: threading.Event) -> None:
        if self._request.environment.name == "dev":
            self._say("no ports are reserved: those of dev move when they are taken", emit)
            return
        while not stop.is_set():
            try:
                wanted = self._read_wanted()
                if wanted.endpoints:
                    self._reserve(wanted, emit, stop)
                else:
                    self._say("the stack publishes no fixed port: nothing to reserve", emit)
            except (DartsctlError, OSError) as error:
                reason = error.message if isinstance(error, DartsctlError) else error.strerror
                self._say(f"no ports are reserved: {reason}", emit)
            stop.wait(_AGAIN)

    def _read_wanted(self) -> _Wanted:
        """Return what the stack publishes. Raises DartsctlError."""
        environment = self._request.environment
        if environment.files_error:
            raise environment.files_error
        environment = with_kept_moves(environment, deps=self._deps, dry_run=True, quiet=True)
        inputs = read_inputs(environment, Intent(), self._deps.compose_on(environment), self._deps)
        if not inputs.engine.is_here:
            raise DartsctlError("the engine publishes ports on another host")
        published = _fixed_endpoints(stack_bindings(inputs.stack, inputs.engine).bindings)
        return _Wanted(inputs.stack.project, published, inputs.control, _no_gate(inputs.engine))

    def _reserve(self, wanted: _Wanted, emit: Emit, stop: threading.Event) -> None:
        """Give orders until the process has ended."""
        with (
            open_watch(self._deps.state, self._request.project, make=True) as folder,
            ReserveProcess(folder, wanted.project) as process,
            _Starts(wanted) as starts,
        ):
            read_in_turn = 0
            while process.read() and not stop.is_set():
                state = process.state
                if state.turn != read_in_turn and not state.released:
                    with suppress(DartsctlError):  # a verb has ended: the files may be other ones
                        wanted = self._read_wanted()
                    read_in_turn = state.turn
                orders = self._orders(wanted, state.turn)
                process.send(orders)
                if starts.wait(process.descriptor):
                    process.send(replace(orders, held=()))
                self._tell(process.state, wanted, emit)

    def _orders(self, wanted: _Wanted, turn: int) -> Orders:
        endpoints = wanted.endpoints[:LARGEST_RESERVE]
        guarded = () if wanted.no_gate else endpoints
        try:
            containers = self._deps.engine().containers()
        except DartsctlError:  # it may come back, and start the stack
            return Orders((), guarded, turn)
        own = [row for row in of_project(containers, wanted.project) if not row.is_one_off]

        def published_by(container: Container) -> tuple[Endpoint, ...]:
            return self._published_by(container, wanted)

        return Orders(to_hold(endpoints, own, published_by), guarded, turn)

    def _published_by(self, container: Container, wanted: _Wanted) -> tuple[Endpoint, ...]:
        """Return what a stopped container would publish; everything where it cannot be known."""
        if wanted.control is None:
            return wanted.endpoints
        if container.id not in self._published:
            inspected = wanted.control.inspect(container.id)
            if inspected is None:  # it is gone
                return ()
            own = [place.endpoint for place in inspected.facts.wanted]
            self._published[container.id] = tuple(own)
        # as it was created, and as the files have it: of a range its settings tell little
        return (*self._published[container.id], *wanted.by_service.get(container.service, ()))

    def _tell(self, state: State, wanted: _Wanted, emit: Emit) -> None:
        """Say what is reserved, and what is not, once each."""
        if not state.watch:  # it has not begun
            return
        if left := wanted.endpoints[LARGEST_RESERVE:]:
            self._say(f"more than {LARGEST_RESERVE}: not reserved: {in_short(left)}", emit)
        reason = wanted.no_gate or state.gate_error
        guarded, held = frozenset(state.guarded), frozenset(state.held)
        if guarded and guarded != self._said.guarded:
            ports = in_short(guarded)
            self._say(f"only the engine can bind {ports} while this watch runs", emit)
            self._said.guarded = guarded
        elif reason:
            self._say(
                f"no gate ({reason}): when the stack starts, another process may be faster", emit
            )
        if held != self._said.held and not state.refused:
            self._said.held = held
            self._note(_words(held, state), emit)
        for endpoint, number in state.refused:
            self._say(f"not reserved: {endpoint}: {os.strerror(number)}", emit)

    def _say(self, text: str, emit: Emit) -> None:
        if text not in self._said.texts:
            self._said.texts.add(text)
            self._note(text, emit)

    def _note(self, text: str, emit: Emit) -> None:
        emit(Note(text, self._deps.now()))


class _Starts:
    """Waits for the engine to begin with a container of the stack: a context manager.

    Compose creates a container some 0.1 s before it starts it. The list would show it too late.
    """

    def __init__(self, wanted: _Wanted) -> None:
        self._project = wanted.project
        self._control = wanted.control
        self._stream: EventStream | None = None

    def __enter__(self) -> _Starts:
        return self

    def __exit__(self, *_error: object) -> None:
        if self._stream:
            self._stream.close()

    def wait(self, descriptor: int) -> bool:
        """Wait until something happens, there or at the engine. Return whether a container starts.

        An engine that cannot be followed is looked at every two seconds.
        """
        self._open()
        descriptors: list[int] = [descriptor]
        if self._stream:
            descriptors.append(self._stream.fileno())
        ready = select.select(descriptors, [], [], _PAUSE)[0]
        if self._stream is None or self._stream.fileno() not in ready:
            return False
        events = self._read(self._stream)
        return any(event.action in ("create", "start") for event in events)

    def _open(self) -> None:
        if self._stream is None and self._control is not None:
            with suppress(DartsctlError):
                self._stream = self._control.events(self._project, RecentEvents())

    def _read(self, stream: EventStream) -> Sequence[ContainerEvent]:
        with suppress(DartsctlError):
            events = stream.read(0)
            if events is not None:
                return events
        stream.close()
        self._stream = None
        return ()


def _words(held: frozenset[Endpoint], state: State) -> str:
    if held:
        return f"reserved {in_short(held)}"
    if state.released:
        return f"released the reserved ports of {state.project}"
    return f"no ports of {state.project} are held: it runs, or a container may start"


def _no_gate(engine: EngineRules) -> str:
    """Return why there cannot be a gate; empty if there can be one, as far as is known here."""
    if engine.kind != "local" or engine.product != "docker":
        return "which process binds for this engine is not known"
    for entry in Path("/proc").iterdir():
        with suppress(OSError):
            if entry.name.isdecimal() and (entry / "comm").read_text().strip() == _ENGINE:
                return ""
    return f"no process here is called {_ENGINE}"


def _fixed_endpoints(bindings: Iterable[PortBinding]) -> Mapping[str, tuple[Endpoint, ...]]:
    """Return what each service publishes, without what the engine chooses."""
    published: dict[str, tuple[Endpoint, ...]] = {}
    for binding in bindings:
        for port in filter(None, binding.numbers):
            ours = published.get(binding.service, ())
            published[binding.service] = (*ours, *binding.endpoints(port))
    return published
