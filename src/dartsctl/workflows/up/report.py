"""A preflight in words, and as the JSON document that programs read. Decides nothing, prints nothing."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from dartsctl.ports.availability import Reason
from dartsctl.ports.collisions import Collision, NameTaken, Paused, ProjectTaken
from dartsctl.ports.conflicts import BindingVerdict, Conflict, Verdict
from dartsctl.ports.holders.wording import container_document, of_project
from dartsctl.ports.socket_table import ranges
from dartsctl.stack.bindings import (
    ANY_IPV4,
    ANY_IPV6,
    Endpoint,
    PortBinding,
    TransportProtocol,
    bracketed,
)
from dartsctl.stack.same_stack import SameStack
from dartsctl.workflows.up.preflight import Preflight

if TYPE_CHECKING:
    from dartsctl.config.secrets import Objection


def document(preflight: Preflight) -> dict[str, Any]:
    """The JSON document of a preflight (schema 1): every binding with its verdict, every conflict with its holders and their evidence."""
    engine = preflight.engine
    return {
        "ok": preflight.is_clear and not preflight.blocking_objections,
        "project": preflight.stack.project,
        "environment": preflight.environment.name,
        "files": [str(file) for file in preflight.files],
        "engine": {
            "version": engine.version,
            "endpoint": engine.endpoint,
            "kind": engine.kind,
            "userland_proxy": engine.userland_proxy,
            "local_sockets_checked": engine.is_here,
        },
        "bindings": [_finding(one) for one in preflight.verdicts.bindings],
        "not_bound": [
            {"service": one.service, "entry": str(one.entry), "reason": one.reason}
            for one in preflight.verdicts.unbound
        ],
        "conflicts": [conflict_document(one) for one in preflight.verdicts.conflicts],
        "collisions": [_collision(one) for one in preflight.collisions],
        "objections": [_objection(one, preflight) for one in preflight.objections],
        "warnings": [
            {"code": one.code, "service": one.service, "message": one.sentence}
            for one in preflight.notices
        ],
    }


def _objection(one: Objection, preflight: Preflight) -> dict[str, Any]:
    return {
        "kind": one.kind,
        "name": one.name,
        "where": one.where,
        "message": one.sentence,
        "refused": one in preflight.blocking_objections,
    }


def _finding(one: BindingVerdict) -> dict[str, Any]:
    return {**_binding(one.binding), "verdict": one.verdict.value, "note": one.note}


def _binding(one: PortBinding) -> dict[str, Any]:
    return {
        "service": one.service,
        "replica": one.replica,
        "published": one.published,
        "target": one.target,
        "count": one.count,
        "protocol": one.protocol,
        "addresses": list(one.addresses),
    }


def _endpoints(found: Sequence[Endpoint]) -> list[dict[str, Any]]:
    """`count` numbers in a row from `port` on, each bound by itself."""
    by_place: dict[tuple[str, TransportProtocol], list[int]] = {}
    for one in found:
        by_place.setdefault((one.address, one.protocol), []).append(one.port)
    return [
        {"address": address, "port": first, "count": last - first + 1, "protocol": protocol}
        for (address, protocol), ports in by_place.items()
        for first, last in ranges(ports)
    ]


def conflict_document(one: Conflict) -> dict[str, Any]:
    """One conflict for a program."""
    return {
        **_binding(one.binding),
        "reason": one.reason.name.lower(),
        "endpoints": _endpoints(one.endpoints),
        "holders": [holder.document() for holder in one.holders],
    }


def _collision(one: Collision) -> dict[str, Any]:
    match one:
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
        case SameStack():
            return {
                "kind": "same-stack",
                "project": one.project,
                "running": one.is_running,
                "sign": one.sign,
                "shared": list(one.shared),
                "working_dir": one.containers[0].working_dir,
                "containers": [container.name for container in one.containers],
            }
        case Paused(container):
            return {"kind": "paused", **container_document(container)}


# --- for people ---------------------------------------------------------------------------------------------------------------


def rows(preflight: Preflight) -> list[tuple[str, str, str, str]]:
    """The table of bindings: service, published, container port, verdict."""
    shown: dict[tuple[str, str, str, str], None] = {}
    for one in preflight.verdicts.bindings:
        verdict = (
            one.verdict.value.upper()
            if one.verdict in (Verdict.CONFLICT, Verdict.UNCERTAIN)
            else one.verdict.value
        )
        shown[
            (
                one.binding.service,
                published(one.binding),
                f"{one.binding.targets}/{one.binding.protocol}",
                verdict,
            )
        ] = None
    for unbound in preflight.verdicts.unbound:
        place, _, target = str(unbound.entry).rpartition(":")
        shown[
            (unbound.service, place if unbound.entry.published else "-", target, unbound.reason)
        ] = None
    return list(shown)


def published(binding: PortBinding) -> str:
    """`127.0.0.1:5000`, or `*:5000` for every address of both families."""
    if set(binding.addresses) == {ANY_IPV4, ANY_IPV6}:
        return f"*:{binding.published}"
    return ", ".join(f"{bracketed(address)}:{binding.published}" for address in binding.addresses)


def conflict_lines(conflicts: Sequence[Conflict]) -> list[str]:
    """Every conflict with everybody who is in its way; replicas that meet the same wall stand once."""
    lines: dict[str, None] = {}
    for conflict in conflicts:
        where = ", ".join(str(endpoint) for endpoint in conflict.endpoints[:4]) + (
            ", ..." if len(conflict.endpoints) > 4 else ""
        )
        head = f"{conflict.binding.service} cannot have {published(conflict.binding)}/{conflict.binding.protocol}: {_reason(conflict)}"
        lines[f"{head} ({where})" if conflict.reason is Reason.RANGE_EXHAUSTED else head] = None
        for holder in conflict.holders:
            lines[f"  {holder.line}"] = None
    return list(lines)


def _reason(conflict: Conflict) -> str:
    if conflict.reason is Reason.SAME_STACK:
        return "the stack itself wants it more than once"
    return str(conflict.reason.value)


def collision_lines(found: Sequence[Collision]) -> list[str]:
    """Every collision in one line."""
    return [_collision_line(one) for one in found]


def _collision_line(one: Collision) -> str:
    match one:
        case NameTaken(service, container):
            return f"{service} cannot have the name {container.name}: container {container.id[:12]}{of_project(container)} ({container.state}) has it"
        case ProjectTaken(project, containers, files, folder):
            where = ", ".join(files) or folder
            names = ", ".join(container.name for container in containers)
            return f"project name {project} belongs to another stack, from {where}: `up` would replace {names}"
        case SameStack():
            return _same_stack_line(one)
        case Paused(container):
            return f"{container.name} is paused, and `up` cannot start it: docker unpause {container.name}"


_SIGNS = {
    "files": "from the same Compose files",
    "names": "with the same container names",
    "services": "with the same services and images",
}


def _same_stack_line(one: SameStack) -> str:
    state = "runs already" if one.is_running else "exists already, stopped,"
    folder = (
        f", files in {one.containers[0].working_dir}"
        if one.containers[0].working_dir and one.sign != "files"
        else ""
    )
    return f"this stack {state} as project {one.project}, {_SIGNS[one.sign]} ({', '.join(one.shared)}){folder}"
