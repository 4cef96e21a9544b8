"""What there was before an `up`, so that its undo takes away only what the attempt itself made."""

from __future__ import annotations

import re
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from dartsctl.commands.preflight import EngineClient, Preflight
from dartsctl.containers import Container
from dartsctl.edges.engine import EngineApi
from dartsctl.errors import Interrupted

PATIENCE = 3.0
"""Seconds that an undo waits for containers which the engine was still creating when Compose left."""

_STEP = re.compile(r"\s*Container (\S+)\s+(Creating|Created|Error response from daemon)")


class Attempt:
    """Remembers the containers and networks of the project at its making."""

    def __init__(self, before: Preflight, engine: EngineClient) -> None:
        self._stack = before.stack
        self._engine = engine if isinstance(engine, EngineApi) else None
        self._creating: set[str] = set()
        self._known = {one.id for one in before.containers}
        self._had_services = {one.service for one in before.containers if one.project == before.stack.project}
        self._networks = [
            network.name
            for network in before.stack.networks.values()
            if self._engine and not network.external and self._engine.network(network.name) is None
        ]

    def saw(self, line: str) -> None:
        """Follow a line of Compose's progress, to know which containers are on their way."""
        if match := _STEP.match(line):
            name, step = match.groups()
            if step == "Creating":
                self._creating.add(name)
            else:
                self._creating.discard(name)

    def undo(self) -> tuple[Container, ...]:
        """Remove the containers of services that had none before, and the networks that are new; returns those containers. Never a volume.

        The engine finishes what it has begun to create after its client has gone: those containers are waited for, so that none appears later.
        A service whose container was replaced keeps the new one: the old one is gone already, and the new one's State.Error tells why.
        Behind a remote engine nothing is undone: `docker compose down` there is one command, and ours to guess it is not.
        """
        if self._engine is None:
            return ()
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
        for name in self._networks:
            self._engine.remove_network(name)
        return tuple(made.values())


@contextmanager
def undone_when_interrupted(attempt: Attempt, next_command: str) -> Iterator[None]:
    """Within it Ctrl-C, SIGTERM and SIGHUP undo the attempt and raise Interrupted; another one during the undo ends that at once."""

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    numbers = [number for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if signal.getsignal(number) is not signal.SIG_IGN]
    handlers = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    except KeyboardInterrupt:
        removed = attempt.undo()
        raise Interrupted(f"interrupted; removed what this attempt had made ({names(removed)})", hint=next_command) from None
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)


def names(containers: Sequence[Container]) -> str:
    """`a, b`, or `nothing`."""
    return ", ".join(one.name for one in containers) or "nothing"
