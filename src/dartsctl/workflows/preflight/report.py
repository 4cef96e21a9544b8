"""A preflight in words, and as the JSON document for programs. It decides and prints nothing."""

from __future__ import annotations

from dartsctl.ports import rivals
from dartsctl.ports.availability import Reason
from dartsctl.ports.collisions import Collision, NameTaken, Paused, ProjectTaken
from dartsctl.ports.conflicts import BindingVerdict, Conflict, Verdict
from dartsctl.ports.fixed_addresses import AddressTaken
from dartsctl.ports.holders.wording import container_document, of_project
from dartsctl.ports.rivals import Wishes
from dartsctl.ports.shared import SharedResource
from dartsctl.ports.socket_table import ranges
from dartsctl.ports.unmet_needs import MissingExternal, NothingToStart
from dartsctl.records import record
from dartsctl.stack.bindings import ANY_IPV4, ANY_IPV6, Endpoint, PortBinding, bracketed
from dartsctl.stack.same_stack import SameStack
from dartsctl.workflows.preflight.rival_words import holder_lines, remedy_lines

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from dartsctl.config.secrets import Objection
    from dartsctl.stack.bindings import TransportProtocol
    from dartsctl.stack.containers import Container
    from dartsctl.stack.publishing import Unbound
    from dartsctl.workflows.preflight.preflight import Preflight

_SHOWN_ENDPOINTS = 4


def document(preflight: Preflight) -> dict[str, Any]:
    """Return the JSON document of a preflight (schema 1).

    It has every binding with its verdict, and every conflict with its holders and their evidence.
    """
    engine = preflight.engine
    blocking = preflight.blocking_objections
    entries = Wishes(preflight.stack, preflight.port_origins)
    return {
        "ok": preflight.is_clear and not blocking,
        "project": preflight.stack.project,
        "environment": preflight.environment.name,
        "files": list(map(str, preflight.files)),
        "engine": {
            "version": engine.version,
            "product": engine.product,
            "endpoint": engine.endpoint,
            "kind": engine.kind,
            "userland_proxy": engine.userland_proxy,
            "local_sockets_checked": engine.is_here,
        },
        "bindings": list(map(_verdict_document, preflight.verdicts.bindings)),
        "not_bound": list(map(_unbound_document, preflight.verdicts.unbound)),
        "conflicts": [
            conflict_document(conflict) | _entries(conflict, entries)
            for conflict in preflight.verdicts.conflicts
        ],
        "collisions": list(map(_collision_document, preflight.collisions)),
        "objections": [
            _objection_document(objection, refused=objection in blocking)
            for objection in preflight.objections
        ],
        "warnings": [notice.document() for notice in preflight.notices],
    }


def conflict_document(conflict: Conflict) -> dict[str, Any]:
    """Return one conflict for a program."""
    return {
        **_binding_document(conflict.binding),
        "reason": conflict.reason.name.lower(),
        "endpoints": _endpoint_documents(conflict.endpoints),
        "holders": [holder.document() for holder in conflict.holders],
    }


def _entries(conflict: Conflict, entries: Wishes) -> dict[str, Any]:
    """Return the stack's own entries that exclude each other, with their files."""
    if not rivals.has_rivals(conflict):
        return {}
    rows: list[dict[str, Any]] = []
    for wish in entries.rivals_in(conflict):
        file = str(wish.file) if wish.file else None
        rows.append({"service": wish.service, "entry": wish.text, "file": file})
    return {"entries": rows} if rows else {}


def _objection_document(objection: Objection, *, refused: bool) -> dict[str, Any]:
    return {
        "kind": objection.kind,
        "name": objection.name,
        "where": objection.where,
        "message": objection.sentence,
        "refused": refused,
    }


def _verdict_document(verdict: BindingVerdict) -> dict[str, Any]:
    binding = _binding_document(verdict.binding)
    return {
        **binding,
        "verdict": verdict.verdict.value,
        "note": verdict.note or verdict.reservation,
    }


def _unbound_document(unbound: Unbound) -> dict[str, Any]:
    return {"service": unbound.service, "entry": str(unbound.entry), "reason": unbound.reason}


def _binding_document(binding: PortBinding) -> dict[str, Any]:
    return {
        "service": binding.service,
        "replica": binding.replica,
        "published": binding.published,
        "target": binding.target,
        "count": binding.count,
        "protocol": binding.protocol,
        "addresses": list(binding.addresses),
        "host_network": binding.on_host,
    }


def _endpoint_documents(endpoints: Iterable[Endpoint]) -> list[dict[str, Any]]:
    """Return endpoints with runs of ports joined: `count` ports from `port` on."""
    by_address: dict[tuple[str, TransportProtocol], list[int]] = {}
    for endpoint in endpoints:
        by_address.setdefault((endpoint.address, endpoint.protocol), []).append(endpoint.port)
    documents: list[dict[str, Any]] = []
    for (address, protocol), ports in by_address.items():
        for first, last in ranges(ports):
            count = last - first + 1
            documents.append(
                {"address": address, "port": first, "count": count, "protocol": protocol}
            )
    return documents


def _collision_document(collision: Collision) -> dict[str, Any]:
    match collision:
        case NameTaken(service, container):
            return {"kind": "container-name", "wanted_by": service, **container_document(container)}
        case ProjectTaken(project, containers, files, folder):
            return {
                "kind": "project-name",
                "project": project,
                "files": list(files),
                "working_dir": folder,
                "containers": [container.name for container in containers],
            }
        case SameStack(project, containers, sign, shared):
            return {
                "kind": "same-stack",
                "project": project,
                "running": collision.is_running,
                "sign": sign,
                "shared": list(shared),
                "working_dir": containers[0].working_dir,
                "containers": [container.name for container in containers],
            }
        case Paused(container):
            return {"kind": "paused", **container_document(container)}
        case AddressTaken():
            holder = container_document(collision.container) if collision.container else {}
            return {**collision.document(), **holder}
        case MissingExternal() | NothingToStart() | SharedResource():
            return collision.document()


# --- for people -------------------------------------------------------------------------------

_LOUD = (Verdict.CONFLICT, Verdict.UNCERTAIN)


def rows(preflight: Preflight) -> list[tuple[str, str, str, str]]:
    """Return the table of bindings: service, published, container port, verdict.

    Rows that are equal, such as those of replicas, are listed once.
    """
    bound = map(_verdict_row, preflight.verdicts.bindings)
    unbound = map(_unbound_row, preflight.verdicts.unbound)
    return list(dict.fromkeys((*bound, *unbound)))


def _verdict_row(verdict: BindingVerdict) -> tuple[str, str, str, str]:
    binding, word = verdict.binding, verdict.verdict.value
    shown = word.upper() if verdict.verdict in _LOUD else word
    if verdict.reservation:
        shown += f", {verdict.reservation}"
    target = (
        f"host/{binding.protocol}" if binding.on_host else f"{binding.targets}/{binding.protocol}"
    )
    return binding.service, published(binding), target, shown


def _unbound_row(unbound: Unbound) -> tuple[str, str, str, str]:
    place, _, target = str(unbound.entry).rpartition(":")
    return unbound.service, place if unbound.entry.published else "-", target, unbound.reason


def published(binding: PortBinding) -> str:
    """Return `127.0.0.1:5000`, or `*:5000` for all addresses of both families."""
    if set(binding.addresses) == {ANY_IPV4, ANY_IPV6}:
        return f"*:{binding.published}"
    return ", ".join(f"{bracketed(address)}:{binding.published}" for address in binding.addresses)


@record
class ConflictText:
    """One conflict in words: what cannot be published, and one line for each holder."""

    sentence: str
    holders: tuple[str, ...]


def conflict_texts(preflight: Preflight) -> list[ConflictText]:
    """Return every conflict in words, each with all of its holders.

    Replicas, whose conflicts read the same, are one.
    """
    stack, origins = preflight.stack, preflight.port_origins
    entries = Wishes(stack, origins)
    holders: dict[str, dict[str, None]] = {}
    for conflict in preflight.verdicts.conflicts:
        lines = holders.setdefault(_conflict_sentence(conflict), {})
        lines |= dict.fromkeys(holder_lines(conflict, entries, stack, origins))
    return [ConflictText(sentence, tuple(lines)) for sentence, lines in holders.items()]


def obstacle_lines(preflight: Preflight) -> list[str]:
    """Return all conflicts and collisions for the details of an error, holders indented."""
    return [*_conflict_lines(preflight), *collision_lines(preflight.collisions)]


def _conflict_lines(preflight: Preflight) -> Iterator[str]:
    for text in conflict_texts(preflight):
        yield text.sentence
        for holder in text.holders:
            yield f"  {holder}"
    yield from remedy_lines(preflight)


def _conflict_sentence(conflict: Conflict) -> str:
    binding = conflict.binding
    verb = "listen on the host's port" if binding.on_host else "publish"
    what = f"{binding.service} cannot {verb} {published(binding)}/{binding.protocol}"
    match conflict.reason:
        case Reason.SAME_STACK:
            return f"{what}: the stack wants it more than once"
        case Reason.RANGE_EXHAUSTED:
            places = list(map(str, conflict.endpoints[:_SHOWN_ENDPOINTS]))
            if len(conflict.endpoints) > _SHOWN_ENDPOINTS:
                places.append("...")
            return f"{what}: {conflict.reason.value} ({', '.join(places)})"
        case _:
            return f"{what}: {conflict.reason.value}"


def collision_lines(collisions: Iterable[Collision]) -> list[str]:
    """Return one line for each collision."""
    return list(map(collision_line, collisions))


def collision_line(collision: Collision) -> str:
    """Return a collision in one line."""
    match collision:
        case NameTaken(service, container):
            return (
                f"service {service} wants the container name {container.name}, which "
                f"container {container.short_id}{_origin(container)} has ({_state(container)})"
            )
        case ProjectTaken(project, containers, files, folder):
            where = ", ".join(files) or folder
            names = ", ".join(container.name for container in containers)
            taken = f"project name {project} belongs to another stack, from {where}"
            return f"{taken}: `up` would replace {names}"
        case SameStack():
            return _same_stack_line(collision)
        case Paused(container):
            name = container.name
            return f"{name} is paused and `up` cannot start it: `docker unpause {name}`"
        case MissingExternal() | NothingToStart() | AddressTaken() | SharedResource():
            return collision.line


def _origin(container: Container) -> str:
    """` of project shop (service web)`; empty for a container that Compose did not create."""
    service = f" (service {container.service})" if container.service else ""
    return f"{of_project(container)}{service}"


def _state(container: Container) -> str:
    """`running, up 2 hours`, as the engine lists it."""
    status = container.status.lower()
    if not status or container.state in status:
        return status or container.state
    return f"{container.state}, {status}"


_SIGNS = {
    "files": "from the same Compose files",
    "names": "with the same container names",
    "services": "with the same services and images",
}


def _same_stack_line(same: SameStack) -> str:
    state = "already runs" if same.is_running else "already exists (stopped)"
    working_dir = same.containers[0].working_dir
    shown = working_dir and same.sign != "files"
    folder = f", files in {working_dir}" if shown else ""
    shared = f"{_SIGNS[same.sign]} ({', '.join(same.shared)})"
    return f"this stack {state} as project {same.project}, {shared}{folder}"


def clear_line(preflight: Preflight) -> str:
    """Return what a preflight without conflicts has checked."""
    count = sum(checked.binding.count for checked in preflight.verdicts.bindings)
    bindings = "1 binding" if count == 1 else f"{count} bindings"
    checked = f"{preflight.stack.project}: no conflicts; {bindings} checked"
    engine = preflight.engine
    if not engine.is_here:
        return (
            f"{checked}; host sockets were not: the engine at {engine.endpoint} is not on this host"
        )
    if not engine.version:
        return f"{checked} without asking an engine"
    if engine.product == "podman":
        return f"{checked} against the host's sockets and the list of Podman {engine.version}"
    return f"{checked} against engine {engine.version}"
