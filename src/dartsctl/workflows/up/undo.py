"""Undo one `up`: remove what it has created, and nothing else.

Compose's progress lines say which containers and networks it creates. Each is identified by the
engine's id from that moment on, not by its name or its age: others may work in the same project
meanwhile, with `compose run` or an `up` of their own.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from dartsctl.errors import DartsctlError, Interrupted
from dartsctl.records import record
from dartsctl.stack.compose_progress import CreatedKind, ProgressStep, name_in_use, parse_progress
from dartsctl.stack.containers import Container, of_project
from dartsctl.workflows.up import compose_run

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from dartsctl.edges.engine.protocol import EngineControl
    from dartsctl.edges.screen.output import Screen
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.preflight.preflight import Preflight

CREATION_PATIENCE = 3.0
"""Seconds to wait for containers that the engine was still creating when Compose ended."""
SETTLE = 1.0
"""Seconds within which somebody else who created a container starts it."""
_BETWEEN_LOOKS = 0.05

_OURS = "created by this `up`"
_NOT_OURS = "not created by this `up`"
_OLDER = "existed before"
_REPLACES = "com.docker.compose.replace"


@record
class UndoneItem:
    """What became of one container or network of the project, and why.

    `state` is the engine's word for a container's state, empty for a network.
    """

    kind: CreatedKind
    name: str
    state: str
    done: Literal["removed", "left"]
    why: str

    @property
    def line(self) -> str:
        state = f" ({self.state})" if self.state else ""
        return f"{self.done} {self.kind} {self.name}{state}: {self.why}"


@record
class UndoResult:
    """The project's containers and networks, removed or left. Volumes are never touched."""

    items: tuple[UndoneItem, ...] = ()

    @property
    def removed(self) -> str:
        """The containers that were removed, else the networks: `a, b`, or `nothing`."""
        removed = [item for item in self.items if item.done == "removed"]
        names = [item.name for item in removed if item.kind == "container"]
        return ", ".join(names or [f"network {item.name}" for item in removed]) or "nothing"

    @property
    def lines(self) -> tuple[str, ...]:
        """One line for each, for the details of an error."""
        return tuple(item.line for item in self.items)

    def show(self, screen: Screen) -> None:
        """Show all of it as a table."""
        screen.table(
            ("", "NAME", "STATE", "", "WHY"),
            [(item.kind, item.name, item.state or "-", item.done, item.why) for item in self.items],
        )


class Attempt:
    """One run of Compose's `up`: follows its progress and keeps the ids of what it creates."""

    def __init__(self, before: Preflight, deps: Deps) -> None:
        self.stack = before.stack
        self._files = set(map(str, before.environment.files))
        self._deps = deps
        self._engine = deps.engine().control()
        self._known = {container.id for container in before.containers}
        self._networks: dict[str, str] = {}
        """Every network of the stack, with its id if it existed before."""
        if self._engine:
            for network in before.stack.networks.values():
                if not network.external:
                    self._networks[network.name] = self._id_of("network", network.name)
        self._begun: set[tuple[CreatedKind, str]] = set()
        self._created: dict[tuple[CreatedKind, str], str] = {}
        self._replaced: set[str] = set()

    def follow(self, line: str) -> None:
        """Follow one line of Compose's output. It must not be masked: names would differ."""
        if lost := name_in_use(line):
            self._begun.discard(("container", lost))
        if progress := parse_progress(line):
            self._follow((progress.kind, progress.name), progress.step)

    def _follow(self, item: tuple[CreatedKind, str], step: ProgressStep) -> None:
        match step:
            case "creating":
                self._begun.add(item)
            case "created" if item in self._begun:
                self._keep(item)
            case "recreated" if item in self._created:
                self._keep(item)
            case "recreated":
                self._replaced.add(item[1])

    def _keep(self, item: tuple[CreatedKind, str]) -> None:
        """Keep the id of something that was created. If the engine gives none, it stays begun."""
        if identity := self._id_of(*item):
            self._begun.discard(item)
            self._created[item] = identity

    def _id_of(self, kind: CreatedKind, name: str) -> str:
        """Return the engine's id, empty if it gives none or the container existed before."""
        try:
            identity = self._engine.id_of(kind, name) if self._engine else ""
        except DartsctlError:
            return ""
        return "" if identity in self._known else identity

    def undo(self) -> UndoResult:
        """Remove the containers that were created, and those networks if nothing uses them.

        A replaced container keeps its new one: the old one is gone, and the new one's State.Error
        says why. Nothing is undone behind a remote engine: `docker compose down` there is one
        command.
        """
        engine = self._engine
        if engine is None:
            return UndoResult()
        removed = [*self._remove_created(engine), *self._remove_begun(engine)]
        gone = {container.id for container in removed}
        items = [_item(container, "removed", _OURS) for container in removed]
        for container in of_project(engine.containers(), self.stack.project):
            if container.id not in gone:
                items += [_item(container, "left", self._why_left(container))]
        for name, earlier in self._networks.items():
            if identity := self._id_of("network", name):
                items.append(self._undo_network(name, identity, earlier, engine))
        self._created.clear()
        self._begun.clear()
        return UndoResult(tuple(items))

    def _remove_created(self, engine: EngineControl) -> list[Container]:
        ids = {identity for (kind, _), identity in self._created.items() if kind == "container"}
        removed = []
        for container in engine.containers():
            if container.id in ids:
                engine.remove_container(container.id)
                removed.append(container)
        return removed

    def _remove_begun(self, engine: EngineControl) -> list[Container]:
        """Remove containers whose creation Compose began and never reported as done.

        The engine finishes them after its client has left. Somebody else may have been faster with
        the same name. So only a container that is never started is removed, and the engine itself
        refuses to remove a started one here.
        """
        names = {name for kind, name in self._begun if kind == "container"}
        candidates = {
            container.id for container in filter(self._fits, self._wait_for(names, engine))
        }
        if not candidates:
            return []
        self._deps.sleep(SETTLE)
        unstarted = [
            container
            for container in engine.containers()
            if container.id in candidates and container.state == "created"
        ]
        return [
            container
            for container in unstarted
            if engine.remove_container(container.id, force=False)
        ]

    def _wait_for(self, names: Collection[str], engine: EngineControl) -> list[Container]:
        """Return the containers with these names, when all exist or CREATION_PATIENCE is over."""
        if not names:
            return []
        until = self._deps.monotonic() + CREATION_PATIENCE
        while True:
            named = [container for container in engine.containers() if container.name in names]
            if len(named) == len(names) or self._deps.monotonic() > until:
                return named
            self._deps.sleep(_BETWEEN_LOOKS)

    def _fits(self, container: Container) -> bool:
        """Return whether this `up` asked for it: a new, never started container of the stack."""
        is_asked_for = self.stack.includes(container)
        is_of_files = bool(self._files & set(container.own_config_files))
        is_new = container.id not in self._known and container.state == "created"
        return is_asked_for and is_of_files and is_new

    def _why_left(self, container: Container) -> str:
        if container.id in self._known:
            return _OLDER
        if container.name in self._replaced or _REPLACES in container.labels:
            return "replaced a container that is gone; its error says why"
        if ("container", container.name) in self._begun:
            return "may belong to somebody else"
        return _NOT_OURS

    def _undo_network(
        self, name: str, identity: str, earlier: str, engine: EngineControl
    ) -> UndoneItem:
        """Remove a network that this `up` created. `earlier` is its id before, empty if none."""
        if identity == earlier:
            return UndoneItem("network", name, "", "left", _OLDER)
        item: tuple[CreatedKind, str] = ("network", name)
        if identity != self._created.get(item, "") and item not in self._begun:
            return UndoneItem("network", name, "", "left", _NOT_OURS)
        if engine.is_network_used(identity) or not engine.remove_network(identity):
            return UndoneItem("network", name, "", "left", f"{_OURS}, still in use")
        return UndoneItem("network", name, "", "removed", _OURS)


def _item(container: Container, done: Literal["removed", "left"], why: str) -> UndoneItem:
    return UndoneItem("container", container.name, container.state, done, why)


@contextmanager
def undone_when_interrupted(attempt: Attempt, next_command: str, screen: Screen) -> Iterator[None]:
    """Undo the attempt after Ctrl-C, SIGTERM or SIGHUP, and raise Interrupted.

    Another signal during the undo ends that at once.
    """
    with compose_run.interruptible():
        try:
            yield
        except KeyboardInterrupt:
            undone = attempt.undo()
            undone.show(screen)
            raise Interrupted(
                f"interrupted; removed what this `up` had created ({undone.removed})",
                hint=next_command,
                details=undone.lines if screen.as_json else (),
            ) from None
