"""Containers of this project that the Compose files do not have, and what to do about them."""

from __future__ import annotations

from contextlib import suppress

from dartsctl.errors import DartsctlError
from dartsctl.ports import collisions
from dartsctl.ports.holders import ForeignContainer

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.edges.engine.compose import Compose
    from dartsctl.stack.containers import Container
    from dartsctl.workflows.preflight.preflight import Preflight


def services_of_files(compose: Compose) -> frozenset[str] | None:
    """Return every service of the Compose files, None where Compose cannot list them.

    A disabled service may need a file that is not there.
    """
    with suppress(DartsctlError):
        return compose.all_services()
    return None


def split(
    containers: Sequence[Container], files: Sequence[str]
) -> tuple[tuple[Container, ...], tuple[Container, ...]]:
    """Return the orphans of this stack, and the containers of another one of the same name."""
    others = collisions.of_other_files(containers, files)
    other_ids = {container.id for container in others}
    own = tuple(container for container in containers if container.id not in other_ids)
    return own, others


def next_command(preflight: Preflight) -> str:
    """Return the `up` that removes the orphans, empty where anything else is in the way.

    It is empty too where `--remove-orphans` would take the containers of another folder.
    """
    environment, conflicts = preflight.environment, preflight.verdicts.conflicts
    if preflight.collisions or not conflicts or environment.is_adhoc:
        return ""
    orphans, others = split(preflight.convergence.orphans, list(map(str, preflight.files)))
    names = {container.name for container in orphans}
    for conflict in conflicts:
        for holder in conflict.holders or (None,):
            if not isinstance(holder, ForeignContainer) or holder.container.name not in names:
                return ""
    return "" if others else environment.command("up", *preflight.services, "--remove-orphans")
