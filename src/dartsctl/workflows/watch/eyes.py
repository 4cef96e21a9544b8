"""What looks at one stack: full looks, and light ones that know what the last full one saw."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.glance import ContainerGlance, Glance, others_on
from dartsctl.alerts.look_schedule import LookTimes
from dartsctl.edges.host import sockets
from dartsctl.errors import DartsctlError
from dartsctl.records import record, replace
from dartsctl.workflows.watch.build_view import worst_health, worst_state
from dartsctl.workflows.watch.checks.base import CheckRules
from dartsctl.workflows.watch.look import LookResult, look
from dartsctl.workflows.watch.signals import Seen
from dartsctl.workflows.watch.sources.looks import Looks

if TYPE_CHECKING:
    from dartsctl.workflows.deps import Deps
    from dartsctl.workflows.examine.probes import ExamineRequest
    from dartsctl.workflows.watch.known import Known
    from dartsctl.workflows.watch.request import WatchRequest

_GLANCE_DEADLINE = 5.0
"""Seconds for the engine's list."""


@record(frozen=False)
class StackEyes:
    """Looks at the stack of a request. Neither method raises."""

    request: ExamineRequest
    rules: CheckRules
    known: Known
    deps: Deps
    _last: LookResult | None = None
    """The last full look that saw the stack."""

    def look(self) -> LookResult:
        """Examine everything."""
        result = look(self.request, self.rules, self.known, deps=self.deps)
        if result.examined:
            self._last = result
        return result

    def glance(self) -> Glance:
        """Read the engine's list and the socket table."""
        try:
            return self._glance()
        except DartsctlError as error:
            return Glance(problem=error.message)

    def _glance(self) -> Glance:
        project, ports = self.request.environment.project or "", frozenset[int]()
        examined = self._last.examined if self._last else None
        if examined:
            project = examined.stack.project
            ports = frozenset(row.wanted.port for row in examined.occupations)
        containers = self.deps.engine(deadline=_GLANCE_DEADLINE).containers()
        own = {
            container.id: ContainerGlance.of(container)
            for container in containers
            if container.belongs_to(project)
        }
        return Glance(
            own,
            ports,
            frozenset(sockets.listeners(ports, listening_only=True)),
            others_on(containers, project, ports),
        )

    def seen(self, glance: Glance) -> Seen:
        """Return what a light look says for the screen, beside the last full one."""
        if glance.problem:
            return Seen(engine="")
        if self._last is None or self._last.seen.services is None:
            return Seen()
        views = []
        for view in self._last.seen.services:
            containers = [row for row in glance.containers.values() if row.service == view.name]
            state = worst_state([row.state for row in containers])
            health = worst_health(row.health for row in containers)
            views.append(replace(view, state=state, health=health))
        return Seen(services=tuple(views))


def looks_of(request: WatchRequest, known: Known, *, deps: Deps) -> Looks:
    """Return the looks of one watch, not yet running."""
    settings = request.settings
    rules = CheckRules(
        request.documented,
        certificate_days=settings.certificate_days,
        disk_percent=settings.disk_percent,
    )
    return Looks(
        StackEyes(request.examine, rules, known, deps),
        known,
        deps.now,
        deps.monotonic,
        LookTimes(light=settings.interval),
    )
