"""A production port is held by a stranger, while the stack is up or before the next deploy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.problem import Problem, Severity, Subject
from dartsctl.ports.holders import HostProcess
from dartsctl.ports.holders.wording import process_line
from dartsctl.ports.strangers import Effect, Occupation, Stranger, WantedPort
from dartsctl.text.phrases import listed

if TYPE_CHECKING:
    from dartsctl.diagnosis.facts import Commands

CAUSE = "port-stranger"


def stranger_problem(occupation: Occupation, commands: Commands) -> Problem:
    """Return the problem of a port with strangers."""
    wanted = occupation.wanted
    worst = min(occupation.strangers, key=lambda stranger: list(Effect).index(stranger.effect))
    severity: Severity = "warning"
    if worst.effect is Effect.CONFLICT:
        severity = "critical"
    whose = f"port {wanted.name} of production's {wanted.service}"
    if wanted.origin:
        whose += f" ({wanted.origin})"
    return Problem(
        Subject("port", wanted.name),
        CAUSE,
        f"{whose} is held by a stranger, {_effect(worst, wanted, commands.up)}: "
        f"{worst.holder.summary}",
        f"{commands.stack} check",
        severity=severity,
        evidence=tuple(map(_line, occupation.strangers)),
        data={
            "port": wanted.port,
            "protocol": wanted.protocol,
            "service": wanted.service,
            "effect": worst.effect.name.lower(),
            "addresses": [endpoint.address for endpoint in worst.endpoints],
            **worst.holder.finding_data(),
        },
    )


def _line(stranger: Stranger) -> str:
    """Return who it is: name, pid, user, since when, command, and where it listens."""
    holder = stranger.holder
    where = listed([str(endpoint) for endpoint in stranger.endpoints])
    if isinstance(holder, HostProcess):
        return f"{where}: {process_line(holder.process)}"
    return f"{where}: {holder.description}"


def _effect(stranger: Stranger, wanted: WantedPort, up: str) -> str:
    """Return what the stranger does, as half a sentence."""
    where = listed([str(endpoint) for endpoint in stranger.endpoints])
    match stranger.effect:
        case Effect.CONFLICT:
            return f"and the next `{up}` cannot bind it"
        case Effect.DOUBTFUL:
            return f"and the next `{up}` may not be able to bind it"
        case Effect.LOCALHOST:
            ours = listed([str(endpoint) for endpoint in wanted.endpoints])
            return f"who may answer on localhost instead: on {where}, the stack is on {ours}"
        case Effect.BESIDE:
            return f"on {where}, which is not in the way of `{up}`"
        case Effect.DOCUMENTED:
            return "and the Compose files do not publish it"
