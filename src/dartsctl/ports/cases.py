"""Cases: the conflicts of a preflight, grouped by holder. One answer settles one case."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.ports.collisions import NameTaken, Taken
from dartsctl.ports.holders import Holder, HostProcess, Unknown
from dartsctl.ports.holders.kinds import Classification, ClassifyContext, HolderKind, SystemdUnit
from dartsctl.ports.shared import SharedResource
from dartsctl.records import record, replace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.ports.conflicts import Conflict
    from dartsctl.ports.holders.kinds import ProcessInspector
    from dartsctl.ports.process import Process
    from dartsctl.stack.bindings import PortBinding
    from dartsctl.stack.containers import Container
    from dartsctl.stack.model import Stack


@record
class Case:
    """One holder, and every conflict of the stack with it.

    `unit` keeps the process running, where that is systemd. `reloader` is the pid of a reloader
    that would start it again, 0 without one.
    """

    holder: Holder | Taken
    kind: HolderKind
    conflicts: tuple[Conflict, ...] = ()
    unit: SystemdUnit | None = None
    reloader: int = 0

    @property
    def services(self) -> tuple[str, ...]:
        """The services that cannot start because of the holder."""
        names = [binding.service for binding in self.bindings]
        if isinstance(self.holder, NameTaken):
            names.insert(0, self.holder.service)
        if isinstance(self.holder, SharedResource):
            names = [*self.holder.services]
        return tuple(dict.fromkeys(names))

    @property
    def bindings(self) -> list[PortBinding]:
        """The bindings that the holder keeps from being created."""
        return [conflict.binding for conflict in self.conflicts]

    @property
    def ports(self) -> frozenset[int]:
        """The busy numbers."""
        return _ports(self.conflicts)

    @property
    def classification(self) -> Classification:
        return Classification(self.kind, self.unit, self.reloader)


def group_by_holder(
    conflicts: Sequence[Conflict],
    taken: Sequence[Taken],
    stack: Stack,
    inspector: ProcessInspector,
) -> tuple[Case, ...]:
    """Group the conflicts by holder.

    Names come first: a container that is removed for its name holds no port either. A process is
    one holder, whichever of its sockets are shared. A conflict without a holder (no such address,
    say) is a case too: nobody can be asked about it, and nothing may be stopped for a stack that
    cannot start.
    """
    groups: dict[object, dict[Conflict, None]] = {}
    holders: dict[object, Holder] = {}
    for conflict in conflicts:
        for holder in conflict.holders or (Unknown(evidence=conflict.reason.value),):
            key = _identity(holder) if conflict.holders else conflict.reason
            groups.setdefault(key, {})[conflict] = None
            holders[key] = _merged(holders.get(key, holder), holder)
    cases: list[Case] = []
    for collision in taken:
        kind = HolderKind.SHARED if isinstance(collision, SharedResource) else HolderKind.NAME
        cases.append(Case(collision, kind))
    for key, group in groups.items():
        cases.append(_case(holders[key], tuple(group), stack, inspector))
    return tuple(cases)


def _identity(holder: Holder) -> object:
    if isinstance(holder, HostProcess):
        return (holder.process.pid, holder.process.birth)
    return holder


def _merged(known: Holder, other: Holder) -> Holder:
    if isinstance(known, HostProcess) and isinstance(other, HostProcess):
        return replace(known, others=tuple(sorted({*known.others, *other.others})))
    return known


def _case(
    holder: Holder, conflicts: tuple[Conflict, ...], stack: Stack, inspector: ProcessInspector
) -> Case:
    if not any(conflict.holders for conflict in conflicts):
        return Case(holder, HolderKind.NOBODY, conflicts)
    context = ClassifyContext(stack.project, _ports(conflicts), inspector)
    classified = holder.classify(context)
    return Case(holder, classified.kind, conflicts, classified.unit, classified.reloader)


def _ports(conflicts: Sequence[Conflict]) -> frozenset[int]:
    return frozenset(endpoint.port for conflict in conflicts for endpoint in conflict.endpoints)


def container_in(case: Case) -> Container | None:
    """Return the container in the way, None where the holder is no container."""
    return case.holder.container


def container_of(case: Case) -> Container:
    """Return the container in the way. Raises ValueError where the holder is no container."""
    if container := container_in(case):
        return container
    raise ValueError(f"{case.kind.description} is no container")


def project_of(case: Case) -> str:
    """Return the Compose project of the container in the way, empty without one."""
    container = container_in(case)
    return container.project if container else ""


def process_of(case: Case) -> Process:
    """Return the process in the way. Raises ValueError where the holder is no process."""
    if isinstance(case.holder, HostProcess):
        return case.holder.process
    raise ValueError(f"{case.kind.description} is no process")
