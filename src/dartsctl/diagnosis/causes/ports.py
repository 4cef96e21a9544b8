"""A port that a service publishes and does not have: who is in its way."""

from __future__ import annotations

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
from dartsctl.text.safe_text import cut

_COMMAND_LIMIT = 160  # characters


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
    if holder is None or isinstance(holder, SameStack | OwnContainer):
        cause = Cause.UNKNOWN
    elif is_entry:
        cause = Cause.ENTRY_PORT_TAKEN
    else:
        cause = (
            Cause.OTHER_CONTAINER if isinstance(holder, ForeignContainer) else Cause.PORT_SQUATTER
        )
    who = holder_words(holder) if holder else conflict.reason.value
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
            **_holder_data(holder),
        },
    )


def holder_words(holder: Holder) -> str:
    """Who it is, with what a person needs to find them: pid and command line, or container and project."""
    match holder:
        case HostProcess(process, _, _):
            return (
                f"{process.name} (pid {process.pid}: {cut(process.shown_command, _COMMAND_LIMIT)})"
            )
        case ForeignContainer(container, _) | OwnContainer(container, _):
            return f"container {container.name}" + (
                f" of project {container.project}" if container.project else ""
            )
        case SameStack(service, published, _):
            return f"service {service} of the same stack ({published})"
        case DevLease(process, checkout, url, _):
            return f"the dev server of {checkout} at {url}" + (
                f" (pid {process.pid})" if process else ""
            )
        case Connection():
            return f"a connection: {holder.sentence}"
        case Unknown(_, look, _):
            return (
                f"somebody who is not visible; to see the owner: {look}"
                if look
                else "somebody who is not visible"
            )


def _holder_data(holder: Holder | None) -> dict[str, object]:
    data: dict[str, object]
    match holder:
        case HostProcess(process, others, _):
            data = {
                "holder": "process",
                "pid": process.pid,
                "command": list(process.shown_words),
                "shared_with": list(others),
            }
        case ForeignContainer(container, _) | OwnContainer(container, _):
            data = {
                "holder": "container",
                "holder_container": container.name,
                "holder_project": container.project,
            }
        case DevLease(process, checkout, _, _):
            data = {
                "holder": "dev-lease",
                "pid": process.pid if process else None,
                "checkout": checkout,
            }
        case Connection(process, _, peer, _, _):
            data = {"holder": "connection", "pid": process.pid if process else None, "peer": peer}
        case SameStack(service, _, _):
            data = {"holder": "same-stack", "holder_service": service}
        case Unknown(uid, look, _):
            data = {"holder": "unknown", "uid": uid, "look": look}
        case None:
            data = {"holder": None}
    return data
