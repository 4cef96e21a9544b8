"""What there was before an `up`, so that its undo takes away only what the attempt itself made."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from dartsctl.commands import streaming
from dartsctl.commands.preflight import EngineClient, Preflight
from dartsctl.containers import Container
from dartsctl.edges.engine import EngineApi
from dartsctl.edges.output import Screen
from dartsctl.errors import Interrupted

PATIENCE = 3.0
"""Seconds that an undo waits for containers which the engine was still creating when Compose left."""

_STEP = re.compile(r"\s*Container (\S+)\s+(Creating|Created|Error response from daemon)")


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one container or network of the project, and why. `state` is the engine's word for a container."""

    kind: Literal["container", "network"]
    name: str
    state: str
    done: Literal["removed", "left"]
    why: str

    @property
    def line(self) -> str:
        return f"{self.done} {self.kind} {self.name}{f' ({self.state})' if self.state else ''}: {self.why}"


@dataclass(frozen=True, slots=True)
class Undone:
    """An undo's result: everything of the project, removed or left. Volumes are never touched and not listed."""

    fates: tuple[Fate, ...] = ()

    @property
    def removed(self) -> str:
        """The containers that were removed: `a, b`, or `nothing`."""
        return ", ".join(one.name for one in self.fates if one.done == "removed" and one.kind == "container") or "nothing"

    @property
    def lines(self) -> tuple[str, ...]:
        """Each in one line, for the details of an error."""
        return tuple(one.line for one in self.fates)

    def show(self, screen: Screen) -> None:
        """As a table."""
        screen.table(("", "NAME", "STATE", "", "WHY"), [(one.kind, one.name, one.state or "-", one.done, one.why) for one in self.fates])


class Attempt:
    """Remembers the containers and networks of the project at its making."""

    def __init__(self, before: Preflight, engine: EngineClient) -> None:
        self._stack = before.stack
        self._engine = engine if isinstance(engine, EngineApi) else None
        self._creating: set[str] = set()
        self._known = {one.id for one in before.containers}
        self._had_services = {one.service for one in before.containers if one.project == before.stack.project}
        own = [network.name for network in before.stack.networks.values() if self._engine and not network.external]
        self._networks = {name: self._engine is not None and self._engine.network(name) is None for name in own}

    def saw(self, line: str) -> None:
        """Follow a line of Compose's progress, to know which containers are on their way."""
        if match := _STEP.match(line):
            name, step = match.groups()
            if step == "Creating":
                self._creating.add(name)
            else:
                self._creating.discard(name)

    def undo(self) -> Undone:
        """Remove the containers of services that had none before, and the networks that are new. Never a volume.

        The engine finishes what it has begun to create after its client has gone: those containers are waited for, so that none appears later.
        A service whose container was replaced keeps the new one: the old one is gone already, and the new one's State.Error tells why.
        Behind a remote engine nothing is undone: `docker compose down` there is one command, and ours to guess it is not.
        """
        if self._engine is None:
            return Undone()
        made: dict[str, Container] = {}
        until = time.monotonic() + PATIENCE
        while True:
            own = [one for one in self._engine.containers() if one.project == self._stack.project]
            for one in own:
                if one.id not in self._known and one.service not in self._had_services:
                    made[one.id] = one
                    self._engine.remove_container(one.id)
            self._creating -= {one.name for one in own}
            if not self._creating or time.monotonic() > until:
                break
            time.sleep(0.05)
        left = [one for one in own if one.id not in made]
        return Undone((*self._of_containers(tuple(made.values()), left), *self._of_networks()))

    def _of_containers(self, made: Sequence[Container], left: Sequence[Container]) -> list[Fate]:
        why = {True: "was there before", False: "replaces one that is gone: its error tells why"}
        removed = [Fate("container", one.name, one.state, "removed", "made by this attempt") for one in made]
        return [*removed, *(Fate("container", one.name, one.state, "left", why[one.id in self._known]) for one in left)]

    def _of_networks(self) -> list[Fate]:
        found: list[Fate] = []
        for name, is_new in self._networks.items():
            if is_new and self._engine and self._engine.network(name) is not None:
                gone = self._engine.remove_network(name)
                why = "made by this attempt" if gone else "made by this attempt, and still in use"
                found.append(Fate("network", name, "", "removed" if gone else "left", why))
            elif not is_new:
                found.append(Fate("network", name, "", "left", "was there before"))
        return found


@contextmanager
def undone_when_interrupted(attempt: Attempt, next_command: str, screen: Screen) -> Iterator[None]:
    """Within it Ctrl-C, SIGTERM and SIGHUP undo the attempt and raise Interrupted; another one during the undo ends that at once."""
    with streaming.interruptible():
        try:
            yield
        except KeyboardInterrupt:
            undone = attempt.undo()
            undone.show(screen)
            details = undone.lines if screen.as_json else ()
            raise Interrupted(f"interrupted; removed what this attempt had made ({undone.removed})", hint=next_command, details=details) from None
