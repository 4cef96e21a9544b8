"""Ports of containers on the host's network: what is known of them before and after `up`.

The engine neither binds nor lists them. Who has such a port, only its socket says.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from dartsctl.ports.conflicts import BindingVerdict, Verdict
from dartsctl.ports.holders import Holder, OwnContainer, Unknown
from dartsctl.ports.missing_bindings import MissingBinding, MissingKind

if TYPE_CHECKING:
    from dartsctl.stack.bindings import Endpoint, PortBinding
    from dartsctl.stack.containers import Container
    from dartsctl.stack.convergence import Convergence


def without_own(
    verdicts: Sequence[BindingVerdict], convergence: Convergence
) -> tuple[BindingVerdict, ...]:
    """Return the verdicts without conflicts that are only with the stack's own sockets.

    These are the sockets of containers on the host's network that `up` stops first, or that have
    the port for the very service that wants it.
    """
    released = {container.id for container in convergence.released}
    on_host = [
        container
        for container in (*convergence.kept, *convergence.released)
        if container.network_mode == "host" and container.holds_ports
    ]
    services = {container.service: container.name for container in on_host}
    return tuple(_without_own(checked, released, services) for checked in verdicts)


def _without_own(
    checked: BindingVerdict, released: Collection[str], services: dict[str, str]
) -> BindingVerdict:
    conflict, binding = checked.conflict, checked.binding
    if conflict is None or not conflict.holders:
        return checked
    others: list[Holder] = []
    is_held = False
    for holder in conflict.holders:
        if not isinstance(holder, OwnContainer):
            others.append(holder)
        elif holder.container.id not in released:
            if binding.on_host and holder.container.service == binding.service:
                is_held = True
            else:
                others.append(holder)
    if not others:
        verdict = Verdict.HELD if is_held else Verdict.FREE
        note = "already running" if is_held else ""
        return replace(checked, verdict=verdict, conflict=None, note=note)
    is_hidden = all(isinstance(holder, Unknown) for holder in others)
    if binding.on_host and is_hidden and binding.service in services:
        note = f"in use, perhaps by its own container {services[binding.service]}"
        note += ": the owner of the socket is not visible without root"
        return replace(checked, verdict=Verdict.UNCERTAIN, conflict=None, note=note)
    return replace(checked, conflict=replace(conflict, holders=tuple(others)))


def squatters(
    bindings: Sequence[PortBinding],
    containers: Sequence[Container],
    holders_of: Callable[[Endpoint], Sequence[Holder]],
) -> Iterator[MissingBinding]:
    """Yield the ports of host-network services that somebody else serves after `up`.

    `containers` are those of the stack. `holders_of` returns the owners of the sockets that overlap
    an endpoint. An owner that is not visible is not called another one's.
    """
    own = {container.id for container in containers}
    names = {container.service: container.name for container in containers}
    for binding in bindings:
        for port in binding.numbers:
            for endpoint in binding.endpoints(port):
                for holder in holders_of(endpoint):
                    if not _is_own(holder, own):
                        yield MissingBinding(
                            binding.service,
                            names.get(binding.service, ""),
                            MissingKind.HOST_PORT_TAKEN,
                            endpoint,
                            holder.pids,
                            holder.line,
                        )


def _is_own(holder: Holder, own: Collection[str]) -> bool:
    if isinstance(holder, Unknown):
        return True
    return holder.container is not None and holder.container.id in own
