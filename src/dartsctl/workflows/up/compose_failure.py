"""What is said when Compose's `up` has failed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.errors import Advice, DartsctlError, ExitCode
from dartsctl.ports.fixed_addresses import KEEP_FREE
from dartsctl.text.phrases import shell_command

if TYPE_CHECKING:
    from dartsctl.stack.compose_errors import ComposeFailure

_CODES = {
    "engine": ExitCode.NO_DOCKER,
    "name": ExitCode.CONFLICT,
    "container-address": ExitCode.CONFLICT,
}
_HINTS = {
    "image": Advice("add --build or --pull always"),
    "engine": "docker info",
    "container-address": Advice(KEEP_FREE),
    "network": Advice("create the network: docker network create NAME"),
}


def compose_error(
    failure: ComposeFailure, project: str | None, undone: tuple[str, ...], *, next_command: str
) -> DartsctlError:
    """Return the error for a failed `up`, with the engine's own words where they say more.

    `undone`: what was undone for it, a line each.
    """
    if failure.kind in ("port", "address"):
        where = f" {failure.endpoint}" if failure.endpoint else ""
        return DartsctlError(
            f"the engine could not bind{where}: {failure.sentence}",
            details=(failure.raw, *undone),
            hint=next_command,
            code=ExitCode.CONFLICT,
        )
    raw = () if failure.raw == failure.sentence else (failure.raw,)
    hint = failure.advice or _HINTS.get(failure.kind, next_command)
    where = f"{failure.container}: " if failure.container else ""
    if failure.kind == "paused":
        hint = shell_command("docker", "compose", "-p", project, "unpause")
    return DartsctlError(
        f"`up` failed: {where}{failure.sentence}",
        details=(*raw, *undone),
        hint=hint,
        code=_CODES.get(failure.kind, ExitCode.FAILED),
    )
