"""A port that a service publishes and does not have: who is in its way."""

from __future__ import annotations

from typing import assert_never

from dartsctl.diagnosis.facts import ContainerFacts, Facts, ServiceFacts, Wanted
from dartsctl.diagnosis.findings import Cause, Link
from dartsctl.diagnosis.trouble import Trouble, container_link
from dartsctl.ports.conflicts import Conflict
from dartsctl.ports.holders import (
    Connection,
    DevLease,
    ForeignContainer,
    Holder,
    HostProcess,
    OwnContainer,
    SameStack,
    Unknown,
)
from dartsctl.stack import compose_errors


def lacking(service: ServiceFacts) -> Conflict | None:
    """The conflict that keeps a binding from the service which it does not have now."""
    if service.running and not any(missing_ports(one) for one in service.running):
        return None
    known = [
        one
        for one in service.conflicts
        if any(not isinstance(holder, Unknown) for holder in one.holders)
    ]
    if any(_restarts(one) for one in service.containers):
        return next(
            iter(known), None
        )  # between two looks it may have been up itself, and its forwarder is gone by now
    return next(iter(known or service.conflicts), None)


def _restarts(one: ContainerFacts) -> bool:
    return one.state == "restarting" or (one.runs and one.restart_count > 0)


def missing_ports(container: ContainerFacts) -> tuple[Wanted, ...]:
    """What the container's own settings publish and the engine has not bound; nothing for one that does not run."""
    have = {(one.target, one.endpoint.port, one.endpoint.protocol) for one in container.bound}
    targets = {(target, protocol) for target, _, protocol in have}
    if not container.runs:
        return ()
    return tuple(
        one
        for one in container.wanted
        if (one.target, one.endpoint.port, one.endpoint.protocol) not in have
        and (one.endpoint.port or (one.target, one.endpoint.protocol) not in targets)
    )


def port_taken(service: ServiceFacts, conflict: Conflict, facts: Facts) -> Trouble:
    is_entry = facts.proxy is not None and facts.proxy.service == service.name
    holder = conflict.holders[0] if conflict.holders else None
    container = service.containers[0] if service.containers else None
    where = ", ".join(str(one) for one in conflict.endpoints)
    refused = (
        container is not None and compose_errors.classify(container.error).kind == "port"
        if container and container.error
        else False
    )
    cause = _cause_of(holder, is_entry=is_entry)
    who = holder.summary if holder else conflict.reason.value
    state = "runs without its port" if service.running else "is down"
    links = [container_link(container, facts)] if container else []
    wish = f"{service.name} publishes {where}, and cannot have it: {conflict.reason.value}"
    links.append(Link("port", "bad", wish, (), "engine: list of containers; kernel: bind"))
    if holder:
        evidence = (holder.evidence,) if holder.evidence else ()
        links.append(
            Link(
                "holder",
                "bad",
                f"held by {who}",
                evidence,
                "kernel: socket table; engine: list of containers",
            )
        )
    return Trouble(
        cause,
        service.name,
        container.name if container else "",
        f"{service.name} {state} because {where} is held by {who}"
        if holder
        else f"{service.name} {state}: {where}: {who}",
        f"{facts.commands.doctor} --fix"
        + (" --on-conflict wait" if isinstance(holder, Connection) else ""),
        "certain" if refused or container is None or not isinstance(holder, Unknown) else "likely",
        tuple(links),
        {
            "port": conflict.endpoints[0].port,
            "addresses": [one.address for one in conflict.endpoints],
            **(holder.finding_data() if holder else {"holder": None}),
        },
    )


def _cause_of(holder: Holder | None, *, is_entry: bool) -> Cause:
    match holder:
        case None | SameStack() | OwnContainer():
            return Cause.UNKNOWN
        case ForeignContainer():
            return Cause.ENTRY_PORT_TAKEN if is_entry else Cause.OTHER_CONTAINER
        case HostProcess() | DevLease() | Connection() | Unknown():
            return Cause.ENTRY_PORT_TAKEN if is_entry else Cause.PORT_SQUATTER
        case _:
            assert_never(holder)
