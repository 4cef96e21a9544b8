"""What one `up` has created, so that its undo removes that and nothing else.

Compose's own progress says which containers and networks it creates. Each gets its identity (the engine's id) at that moment:
neither time nor name decides later. Others may work in the same project meanwhile, with `compose run` or an `up` of their own.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

from dartsctl.edges.engine.protocol import EngineControl
from dartsctl.edges.screen.output import Screen
from dartsctl.errors import DartsctlError, Interrupted
from dartsctl.stack import compose_progress
from dartsctl.stack.compose_progress import Kind
from dartsctl.stack.containers import Container
from dartsctl.workflows.deps import Deps
from dartsctl.workflows.up import compose_run
from dartsctl.workflows.up.preflight import Preflight

PATIENCE = 3.0
"""Seconds that an undo waits for containers which the engine was still creating when Compose left."""
SETTLE = 1.0
"""Seconds within which somebody else who has created a container starts it."""

_OURS = "made by this attempt"
_REPLACES = "com.docker.compose.replace"


@dataclass(frozen=True, slots=True)
class UndoneItem:
    """What became of one container or network of the project, and why. `state` is the engine's word for a container."""

    kind: Kind
    name: str
    state: str
    done: Literal["removed", "left"]
    why: str

    @property
    def line(self) -> str:
        return f"{self.done} {self.kind} {self.name}{f' ({self.state})' if self.state else ''}: {self.why}"


@dataclass(frozen=True, slots=True)
class UndoResult:
    """Everything of the project, removed or left. Volumes are never touched and not listed."""

    items: tuple[UndoneItem, ...] = ()

    @property
    def removed(self) -> str:
        """The containers that were removed: `a, b`, or `nothing`."""
        return (
            ", ".join(
                item.name
                for item in self.items
                if item.done == "removed" and item.kind == "container"
            )
            or "nothing"
        )

    @property
    def lines(self) -> tuple[str, ...]:
        """Each in one line, for the details of an error."""
        return tuple(item.line for item in self.items)

    def show(self, screen: Screen) -> None:
        """As a table."""
        screen.table(
            ("", "NAME", "STATE", "", "WHY"),
            [(item.kind, item.name, item.state or "-", item.done, item.why) for item in self.items],
        )


class Attempt:
    """Follows Compose's progress, and keeps the ids of what it creates."""

    def __init__(self, before: Preflight, deps: Deps) -> None:
        self._stack = before.stack
        self._files = {str(file) for file in before.environment.files}
        self._deps = deps
        self._engine = deps.engine().control()
        self._known = {container.id for container in before.containers}
        own = [
            network.name
            for network in before.stack.networks.values()
            if self._engine and not network.external
        ]
        self._networks = {name: self._id_of("network", name) for name in own}
        """Every network of the stack, with its id where it was there before."""
        self._begun: set[tuple[Kind, str]] = set()
        self._made: dict[tuple[Kind, str], str] = {}
        self._replaced: set[str] = set()

    def follow(self, line: str) -> None:
        """Follow one line of Compose's output, as it came (a masked name would be another one)."""
        if lost := compose_progress.lost_name(line):
            self._begun.discard(("container", lost))
        if progress := compose_progress.read(line):
            self._follow((progress.kind, progress.name), progress.step)

    def _follow(self, item: tuple[Kind, str], step: compose_progress.Step) -> None:
        match step:
            case "creating":
                self._begun.add(item)
            case "created" if item in self._begun:
                self._keep(item)
            case "recreated" if item in self._made:
                self._keep(item)
            case "recreated":
                self._replaced.add(item[1])

    def _keep(self, item: tuple[Kind, str]) -> None:
        """Note its id. One that the engine does not tell stays merely begun."""
        if identity := self._id_of(*item):
            self._begun.discard(item)
            self._made[item] = identity

    def _id_of(self, kind: Kind, name: str) -> str:
        """The engine's id now; empty where it does not tell, or where it was there before."""
        try:
            identity = self._engine.id_of(kind, name) if self._engine else ""
        except DartsctlError:
            return ""
        return "" if identity in self._known else identity

    def undo(self) -> UndoResult:
        """Remove what this attempt's own Compose has created: containers, and networks that nothing uses. Never a volume.

        A service whose container was replaced keeps the new one: the old one is gone already, and the new one's State.Error tells why.
        Behind a remote engine nothing is undone: `docker compose down` there is one command, and ours to guess it is not.
        """
        engine = self._engine
        if engine is None:
            return UndoResult()
        ids = {identity for (kind, _), identity in self._made.items() if kind == "container"}
        removed = [container for container in engine.containers() if container.id in ids]
        for container in removed:
            engine.remove_container(container.id)
        removed += self._remove_begun(engine)
        gone = {container.id for container in removed}
        left = [
            container
            for container in engine.containers()
            if container.project == self._stack.project and container.id not in gone
        ]
        items = [
            UndoneItem("container", container.name, container.state, "removed", _OURS)
            for container in removed
        ]
        items += [
            UndoneItem(
                "container", container.name, container.state, "left", self._why_left(container)
            )
            for container in left
        ]
        items += self._undo_networks(engine)
        self._made.clear()
        self._begun.clear()
        return UndoResult(tuple(items))

    def _remove_begun(self, engine: EngineControl) -> list[Container]:
        """Containers that Compose had begun to create and never called created: the engine finishes them after its client has gone.

        Somebody else may have been quicker with the same name. So only one that is never started is removed, and the engine
        itself refuses to remove a started one here.
        """
        names = {name for kind, name in self._begun if kind == "container"}
        found = self._wait_for(names, engine)
        candidates = {container.id for container in found if self._fits(container)}
        if not candidates:
            return []
        self._deps.sleep(SETTLE)
        still = [
            container
            for container in engine.containers()
            if container.id in candidates and container.state == "created"
        ]
        return [
            container for container in still if engine.remove_container(container.id, force=False)
        ]

    def _wait_for(self, names: Collection[str], engine: EngineControl) -> list[Container]:
        """The containers with these names, once all of them are there or PATIENCE is over."""
        if not names:
            return []
        until = self._deps.monotonic() + PATIENCE
        while True:
            made = [container for container in engine.containers() if container.name in names]
            if len(made) == len(names) or self._deps.monotonic() > until:
                return made
            self._deps.sleep(0.05)

    def _fits(self, container: Container) -> bool:
        """Whether it is what this attempt asked for: a service of the stack, from its files, not there before, never started."""
        is_asked_for = (
            container.project == self._stack.project
            and container.service in self._stack.services
            and not container.is_one_off
        )
        is_of_files = bool(self._files & set(container.own_config_files))
        return (
            is_asked_for
            and is_of_files
            and container.id not in self._known
            and container.state == "created"
        )

    def _why_left(self, container: Container) -> str:
        if container.id in self._known:
            return "was there before"
        if container.name in self._replaced or _REPLACES in container.labels:
            return "replaces one that is gone: its error tells why"
        if ("container", container.name) in self._begun:
            return "may be somebody else's"
        return "not made by this attempt"

    def _undo_networks(self, engine: EngineControl) -> Iterator[UndoneItem]:
        for name, earlier in self._networks.items():
            identity = self._id_of("network", name)
            if not identity:
                continue
            if identity == earlier:
                yield UndoneItem("network", name, "", "left", "was there before")
            elif (
                identity != self._made.get(("network", name), "")
                and ("network", name) not in self._begun
            ):
                yield UndoneItem("network", name, "", "left", "not made by this attempt")
            elif engine.is_network_used(identity) or not engine.remove_network(identity):
                yield UndoneItem("network", name, "", "left", f"{_OURS}, and still in use")
            else:
                yield UndoneItem("network", name, "", "removed", _OURS)


@contextmanager
def undone_when_interrupted(attempt: Attempt, next_command: str, screen: Screen) -> Iterator[None]:
    """Within it Ctrl-C, SIGTERM and SIGHUP undo the attempt and raise Interrupted; another one during the undo ends that at once."""
    with compose_run.interruptible():
        try:
            yield
        except KeyboardInterrupt:
            undone = attempt.undo()
            undone.show(screen)
            details = undone.lines if screen.as_json else ()
            raise Interrupted(
                f"interrupted; removed what this attempt had made ({undone.removed})",
                hint=next_command,
                details=details,
            ) from None
