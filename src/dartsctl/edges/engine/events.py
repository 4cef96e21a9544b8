"""The engine's events about the containers of one Compose project, as they come.

Asked on the unix socket; one JSON document a line. The engine keeps its latest 256 events, so what
happened during a short break comes after it (`since`); what happened in a long one does not.
"""

from __future__ import annotations

import json
import time
from collections import deque
from typing import TYPE_CHECKING
from urllib.parse import quote

from dartsctl.alerts.container_life import ContainerEvent
from dartsctl.errors import DockerUnavailable
from dartsctl.stack.containers import PROJECT_LABEL
from dartsctl.text.numbers import LARGEST_INTEGER, parse_digits
from dartsctl.text.strict_json import Source, read_json

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from dartsctl.edges.engine.protocol import Stream
    from dartsctl.edges.engine.unix_api import UnixApi

LINE_LIMIT = 1 << 20
"""Bytes of one event. A container's labels are part of it."""
FLOOD = 30_000
"""Events in ten seconds that no real project causes: more than a slow machine can read."""
_WINDOW = 10.0
_ACTIONS = (
    "create",
    "start",
    "kill",
    "die",
    "stop",
    "oom",
    "pause",
    "unpause",
    "rename",
    "destroy",
    "health_status",
)
"""Without the three events for every run of a health check."""
_OF_PODMAN = {"died": "die", "remove": "destroy"}
_REMEMBERED = 512


class BrokenStream(DockerUnavailable):
    """What comes is no stream of events, or too much of it."""


class EventStream:
    """The events of a project from a moment on. `read` until it returns None, then `close`."""

    def __init__(self, stream: Stream, *, project: str, known: Iterable[ContainerEvent]) -> None:
        """`known`: events that were read from an earlier stream already."""
        self._stream = stream
        self._project = project
        self._rest = b""
        self._known = frozenset(known)
        self._window, self._count = 0.0, 0

    def fileno(self) -> int:
        """Return the descriptor to wait on."""
        return self._stream.fileno()

    def read(self, timeout: float) -> tuple[ContainerEvent, ...] | None:
        """Return what has come; nothing if nothing comes within `timeout` seconds.

        None at the end: half a line is left out then. Raises BrokenStream for what is no event, for
        a line that is too long, and for a flood.
        """
        chunk = self._stream.read(timeout)
        if chunk is None:
            return None
        *lines, self._rest = (self._rest + chunk).split(b"\n")
        self._refuse_flood(len(lines))
        if max(map(len, (*lines, self._rest))) > LINE_LIMIT:
            raise BrokenStream(f"an event of the engine is longer than {LINE_LIMIT >> 20} MiB")
        events: list[ContainerEvent] = []
        for line in filter(bytes.strip, lines):
            event = read_event(line, self._project)
            if event and event not in self._known:
                events.append(event)
        return tuple(events)

    def close(self) -> None:
        """End it."""
        self._stream.close()

    def _refuse_flood(self, events: int) -> None:
        now = time.monotonic()
        if now - self._window > _WINDOW:
            self._window, self._count = now, 0
        self._count += events
        if self._count > FLOOD:
            raise BrokenStream(f"the engine sends more than {FLOOD} events in {_WINDOW:.0f} s")


class RecentEvents:
    """The latest events of a project: from where to go on after a break, and what came already."""

    def __init__(self) -> None:
        self._events: deque[ContainerEvent] = deque(maxlen=_REMEMBERED)

    def add(self, events: Iterable[ContainerEvent]) -> None:
        """Remember events in the order in which they came."""
        self._events.extend(events)

    def __iter__(self) -> Iterator[ContainerEvent]:
        return iter(self._events)

    @property
    def since(self) -> str:
        """The engine's time of the last event; empty if there was none."""
        if not self._events:
            return ""
        seconds, nano = divmod(self._events[-1].nano, 10**9)
        return f"{seconds}.{nano:09}"


def open_events(api: UnixApi, project: str, recent: RecentEvents) -> EventStream:
    """Return the events of a project, from the last known one on. Raises DockerUnavailable."""
    filters = {
        "type": ["container"],
        "label": [f"{PROJECT_LABEL}={project}"],
        "event": list(_ACTIONS),
    }
    path = f"/events?filters={quote(json.dumps(filters))}"
    if recent.since:
        path += f"&since={recent.since}"
    return EventStream(api.stream(path), project=project, known=recent)


def read_event(line: bytes, project: str) -> ContainerEvent | None:
    """Return an event, None for one that is of no interest. Raises BrokenStream for anything else.

    `{"Action": "die", "Actor": {"ID": "...", "Attributes": {"exitCode": "137"}}, "timeNano": 7}`
    """
    document = read_json(line, Source("an event of the engine", error=BrokenStream))
    action, _, health = document.at("Action").text("").partition(":")
    action = _OF_PODMAN.get(action, action)
    actor = document.at("Actor")
    attributes = actor.at("Attributes").text_entries()
    if action not in _ACTIONS or attributes.get(PROJECT_LABEL) != project:
        return None
    exit_code = None
    if action == "die":
        exit_code = parse_digits(attributes.get("exitCode", ""), LARGEST_INTEGER)
    return ContainerEvent(
        action=action,
        id=actor.at("ID").text(),
        name=attributes.get("name", ""),
        service=attributes.get("com.docker.compose.service", ""),
        nano=document.at("timeNano").integer(),
        is_one_off=attributes.get("com.docker.compose.oneoff", "") == "True",
        signal=parse_digits(attributes.get("signal", ""), LARGEST_INTEGER) or 0,
        exit_code=exit_code,
        health=health.strip(),
    )
