"""`localhost` that leads to two servers: one on 127.0.0.1, another one on [::1].

A client tries one of the two addresses first, and which one depends on the client.
"""

from __future__ import annotations

from dartsctl.ports.conflicts import BindingVerdict, Verdict
from dartsctl.ports.notices import Notice
from dartsctl.stack.bindings import (
    ANY_IPV4,
    ANY_IPV6,
    LOOPBACK_IPV4,
    LOOPBACK_IPV6,
    Endpoint,
    PortBinding,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from dartsctl.ports.holders import Holder

_IPV4 = frozenset({ANY_IPV4, LOOPBACK_IPV4})
_IPV6 = frozenset({ANY_IPV6, LOOPBACK_IPV6})
_MOST_NUMBERS = 16
"""Longer runs are media or relay ports: nobody types them after `localhost`."""


def ambiguous_localhost(
    verdicts: Sequence[BindingVerdict], listeners_on: Callable[[Endpoint], Sequence[Holder]]
) -> tuple[Notice, ...]:
    """Return a warning for each port on which `localhost` means this stack and somebody else.

    `listeners_on` names who listens on an address that the stack does not bind.
    """
    served = [checked.binding for checked in verdicts if _is_served(checked)]
    on_port: dict[int, list[PortBinding]] = {}
    for binding in served:
        for port in binding.numbers:
            on_port.setdefault(port, []).append(binding)
    notices: dict[Notice, None] = {}
    for binding in served:
        for mine, theirs in _missing_half(binding):
            near = on_port[theirs.port]
            rivals = [other for other in near if theirs in _loopbacks(other, theirs.port)]
            if any(_leads_to_same(binding, other) for other in rivals):
                continue
            who = [f"service {other.service} of this stack" for other in rivals]
            who = who or [holder.summary for holder in listeners_on(theirs)]
            if who:
                sentence = (
                    f"localhost:{mine.port} is ambiguous: {_address(mine)} is this service, and"
                    f" {_address(theirs)} is {' and '.join(dict.fromkeys(who))};"
                    f" use {_address(mine)}"
                )
                notices[Notice("localhost-ambiguous", binding.service, sentence)] = None
    return tuple(notices)


def _is_served(checked: BindingVerdict) -> bool:
    binding = checked.binding
    is_usual = binding.protocol == "tcp" and not binding.is_range and not binding.on_host
    is_bound = checked.verdict in (Verdict.FREE, Verdict.HELD)
    return is_usual and is_bound and len(binding.numbers) <= _MOST_NUMBERS


def _loopbacks(binding: PortBinding, port: int) -> list[Endpoint]:
    """Return the loopback addresses at which a binding serves `port`."""
    if port not in binding.numbers:
        return []
    loopbacks: list[Endpoint] = []
    for family, loopback in ((_IPV4, LOOPBACK_IPV4), (_IPV6, LOOPBACK_IPV6)):
        if not family.isdisjoint(binding.addresses):
            loopbacks.append(Endpoint(port, loopback))
    return loopbacks


def _missing_half(binding: PortBinding) -> Iterator[tuple[Endpoint, Endpoint]]:
    """Yield the loopback address of each number and the other one, if the binding has only one."""
    for port in binding.numbers:
        loopbacks = _loopbacks(binding, port)
        if len(loopbacks) == 1:
            other = LOOPBACK_IPV4 if loopbacks[0].is_ipv6 else LOOPBACK_IPV6
            yield loopbacks[0], Endpoint(port, other)


def _leads_to_same(binding: PortBinding, other: PortBinding) -> bool:
    """Whether both lead to one port of the same service."""
    same_offset = binding.target - binding.first == other.target - other.first
    return binding.service == other.service and same_offset


def _address(endpoint: Endpoint) -> str:
    return str(endpoint).removesuffix("/tcp")
