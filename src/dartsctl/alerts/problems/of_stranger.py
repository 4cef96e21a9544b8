"""A production port is held by a stranger, while the stack is up or before the next deploy."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.alerts.problem import Problem, Severity, Subject
from dartsctl.diagnosis.findings import Cause
from dartsctl.ports.holders import HostProcess
from dartsctl.ports.holders.wording import process_line
from dartsctl.ports.strangers import Effect, Occupation, Stranger, WantedPort
from dartsctl.records import replace
from dartsctl.text.phrases import listed

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.diagnosis.facts import Commands

CAUSE = "port-stranger"
_IN_THE_WAY = (Effect.CONFLICT.name.lower(), Effect.DOUBTFUL.name.lower())


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
            "who": worst.holder.summary,
            "addresses": [endpoint.address for endpoint in worst.endpoints],
            **worst.holder.finding_data(),
        },
    )


def joined(problems: Sequence[Problem]) -> tuple[Problem, ...]:
    """Return the problems; a start that failed for a stranger's port is part of the port's problem.

    Doctor calls nobody the holder of a port that may not block, such as one that is only bound.
    Where the engine was refused that very port, the stranger is the probable cause.
    """
    ports = {_port_of(row): row for row in problems if _is_in_the_way(row)}
    rest: list[Problem] = []
    for row in problems:
        key = _port_of(row)
        if row.cause == Cause.NEVER_STARTED.value and key in ports:
            ports[key] = _because_of(ports[key], row)
        elif not _is_in_the_way(row):
            rest.append(row)
    return (*ports.values(), *rest)


def _is_in_the_way(problem: Problem) -> bool:
    """Whether it is a stranger on a port that `up` binds."""
    return problem.cause == CAUSE and problem.data.get("effect") in _IN_THE_WAY


def _port_of(problem: Problem) -> tuple[object, object]:
    return problem.data.get("port"), problem.data.get("protocol")


def _because_of(port: Problem, start: Problem) -> Problem:
    """Return the problem of a port for which a service could not be started."""
    service, who = start.subject.name, port.data["who"]
    return replace(
        port,
        cause=Cause.PORT_SQUATTER.value,
        sentence=f"probably: {service} is down because port {port.subject.name} is held by {who}",
        command=start.command,
        severity="critical",
        evidence=(*port.evidence, start.sentence, *start.evidence),
        since=start.since,
        affected=tuple(dict.fromkeys((*port.affected, start.subject, *start.affected))),
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
