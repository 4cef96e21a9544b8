"""Ask Compose which file each `ports` entry comes from, where somebody has to know it."""

from __future__ import annotations

from dartsctl.errors import DartsctlError
from dartsctl.ports import rivals
from dartsctl.records import replace
from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.port_origins import PortOrigins, trace
from dartsctl.system import bounded_file
from dartsctl.text.patterns import regex

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from dartsctl.config.environment import Environment
    from dartsctl.ports.conflicts import PortVerdicts
    from dartsctl.stack.model import Stack
    from dartsctl.workflows.deps import Deps

_MOST_FILES = 12
"""With more files, Compose is not asked for all the parts: that would take seconds."""

_COMPOSITE = regex(r"""(?m)(?:^|[\s{,\["'])(?:include|extends)["']?\s*:""")


def port_origins(
    environment: Environment,
    files: Sequence[Path],
    stack: Stack,
    verdicts: PortVerdicts,
    deps: Deps,
) -> PortOrigins:
    """Return the origins of the stack's ports; nothing is known of them if nobody needs them."""
    is_needed = any(map(rivals.has_rivals, verdicts.conflicts))
    if not is_needed and len(files) > 1:
        is_needed = rivals.may_have_surplus(stack)
    if not is_needed or not files or len(files) > _MOST_FILES:
        return PortOrigins()
    composite = frozenset(file for file in files if _is_composite(file))
    return trace(stack, files, _parts(environment, files, deps), composite)


def _parts(environment: Environment, files: Sequence[Path], deps: Deps) -> list[Stack | None]:
    """Return the stack of the first file, of the first two files and so on, but not of all."""
    asked = []
    for count in range(1, len(files)):
        part = replace(environment, files=tuple(files[:count]), profiles=("*",))
        compose = deps.compose_on(part)
        asked.append((compose, compose.start_config(whole=False)))
    parts: list[Stack | None] = []
    for compose, running in asked:
        try:
            parts.append(read_stack(compose.finish_config(running).model))
        except DartsctlError:  # these files need the later ones
            parts.append(None)
    return parts


def _is_composite(file: Path) -> bool:
    """Return whether a file may include or extend others. Their entries are then not its own."""
    try:
        text = bounded_file.read_text(file, limit=bounded_file.COMPOSE_LIMIT)
    except (OSError, DartsctlError):
        return True
    return _COMPOSITE.search(text) is not None
