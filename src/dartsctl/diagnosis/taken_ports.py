"""Published ports that a service does not have, and the conflict that explains it."""

from __future__ import annotations

from typing import TYPE_CHECKING, assert_never

from dartsctl.diagnosis.findings import Cause, Confidence, Link
from dartsctl.diagnosis.trouble import Fix, Rank, Scope, Trouble, container_link
from dartsctl.ports.holders import (
    Connection,
    DevLease,
    ForeignContainer,
    Holder,
    HostProcess,
    OwnContainer,
    Reserved,
    RivalBinding,
    Unknown,
)
from dartsctl.stack import compose_errors

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import ContainerFacts, Facts, PublishedPort, ServiceFacts
    from dartsctl.ports.conflicts import Conflict


def missing_ports(container: ContainerFacts) -> tuple[PublishedPort, ...]:
    """Return the ports of a running container's settings that the engine has not bound."""
    if not container.runs:
        return ()
    return tuple(place for place in container.wanted if not _is_bound(place, container))


def _is_bound(place: PublishedPort, container: ContainerFacts) -> bool:
    """Whether the engine has bound a port; an ephemeral one on any number."""
    for bound in container.bound:
        is_same = (bound.target, bound.endpoint.protocol) == (place.target, place.endpoint.protocol)
        if is_same and place.endpoint.port in (0, bound.endpoint.port):
            return True
    return False


def port_troubles(cause: Cause, facts: Facts) -> Iterator[Trouble]:
    """Yield the services that lack a binding, where the holder of the port stands for `cause`."""
    for service in facts.services.values():
        conflict = _conflict_of(service)
        if not service.replicas or conflict is None:
            continue
        is_entry = facts.proxy is not None and facts.proxy.service == service.name
        if _cause_of(_holder_of(conflict), is_entry=is_entry) is cause:
            yield _port_trouble(cause, service, conflict, facts)


def _cause_of(holder: Holder | None, *, is_entry: bool) -> Cause:
    match holder:
        case None | RivalBinding() | OwnContainer():
            return Cause.UNKNOWN
        case ForeignContainer():
            cause = Cause.OTHER_CONTAINER
        case HostProcess() | DevLease() | Reserved() | Connection() | Unknown():
            cause = Cause.PORT_SQUATTER
        case _:
            assert_never(holder)
    return Cause.ENTRY_PORT_TAKEN if is_entry else cause


def _conflict_of(service: ServiceFacts) -> Conflict | None:
    known = [conflict for conflict in service.conflicts if _has_known_holder(conflict)]
    for conflict in known:
        if conflict.binding.on_host:  # the engine neither binds nor misses it
            return conflict
    if service.running and not any(map(missing_ports, service.running)):
        return None
    if any(map(_restarts, service.containers)):
        # It may have run itself a moment ago; its forwarder, an unknown holder, is gone by now.
        return next(iter(known), None)
    return next(iter(known or service.conflicts), None)


def _has_known_holder(conflict: Conflict) -> bool:
    return any(not isinstance(holder, Unknown) for holder in conflict.holders)


def _restarts(container: ContainerFacts) -> bool:
    return container.state == "restarting" or (container.runs and container.restart_count > 0)


def _holder_of(conflict: Conflict) -> Holder | None:
    """Return the holder that a conflict is reported with; None where no one is known."""
    return conflict.holders[0] if conflict.holders else None


def _port_trouble(cause: Cause, service: ServiceFacts, conflict: Conflict, facts: Facts) -> Trouble:
    """Return the trouble of a service whose binding is in conflict, with links to the holder."""
    holder, container = _holder_of(conflict), service.first
    options = ""
    holder_data: dict[str, object] = {"holder": None}
    if holder:
        holder_data = holder.finding_data()
    if isinstance(holder, Connection):
        options = "--on-conflict wait"
    where = ", ".join(map(str, conflict.endpoints))
    return Trouble(
        cause=cause,
        service=service.name,
        container=container.name if container else "",
        sentence=_sentence(service, where, conflict),
        command=Fix(options),
        rank=Rank(Scope.PORT),
        confidence=_confidence(container, holder),
        links=tuple(
            _links(
                service=service, container=container, where=where, conflict=conflict, facts=facts
            )
        ),
        data={
            "port": conflict.endpoints[0].port,
            "protocol": conflict.endpoints[0].protocol,
            "addresses": [endpoint.address for endpoint in conflict.endpoints],
            **holder_data,
        },
    )


def _sentence(service: ServiceFacts, where: str, conflict: Conflict) -> str:
    state = "is down"
    if service.running:
        state = "runs without its port"
    holder = _holder_of(conflict)
    if holder is None:
        return f"{service.name} {state}: {where}: {conflict.reason.value}"
    return f"{service.name} {state} because {where} is held by {holder.summary}"


def _confidence(container: ContainerFacts | None, holder: Holder | None) -> Confidence:
    """Certain unless the holder is invisible and the engine has not refused the port itself."""
    if container is None or not isinstance(holder, Unknown):
        return "certain"
    was_refused = container.error and compose_errors.classify(container.error).kind == "port"
    return "certain" if was_refused else "likely"


def _links(
    service: ServiceFacts,
    container: ContainerFacts | None,
    where: str,
    conflict: Conflict,
    facts: Facts,
) -> Iterator[Link]:
    if container:
        yield container_link(container, facts)
    verb = "listen on the host's" if conflict.binding.on_host else "publish"
    text = f"{service.name} cannot {verb} {where}: {conflict.reason.value}"
    yield Link("port", "bad", text, source="engine: list of containers; kernel: bind")
    if holder := _holder_of(conflict):
        evidence = (holder.evidence,) if holder.evidence else ()
        source = "kernel: socket table; engine: list of containers"
        yield Link("holder", "bad", f"held by {holder.summary}", evidence=evidence, source=source)
