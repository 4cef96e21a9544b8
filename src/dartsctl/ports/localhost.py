"""`localhost` that leads to two servers: one on 127.0.0.1, another one on [::1].

A client tries one of the two addresses first, and which one depends on the client.
"""

from __future__ import annotations

from functools import cache

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
    from collections.abc import Callable, Collection, Iterator, Sequence

    from dartsctl.ports.holders import Holder

    Half = tuple[str, str]
    """A loopback address at which a binding serves, and the other one, at which it does not."""

_IPV4 = frozenset({ANY_IPV4, LOOPBACK_IPV4})
_IPV6 = frozenset({ANY_IPV6, LOOPBACK_IPV6})
_MOST_NUMBERS = 16
"""Longer runs are media or relay ports: nobody types them after `localhost`."""


def ambiguous_localhost(
    verdicts: Sequence[BindingVerdict],
    listeners_on: Callable[[Endpoint], Sequence[Holder]],
    *,
    heard_among: Callable[[Collection[int]], Collection[int]] = lambda ports: ports,
) -> tuple[Notice, ...]:
    """Return a warning for each port on which `localhost` means this stack and somebody else.

    `listeners_on` names who listens on an address that the stack does not bind. `heard_among`
    leaves out ports on which nobody does.
    """
    served = [checked.binding for checked in verdicts if _is_served(checked)]
    on_port: dict[int, list[PortBinding]] = {}
    for binding in served:
        for port in binding.numbers:
            on_port.setdefault(port, []).append(binding)
    heard = heard_among(on_port.keys())
    notices: dict[Notice, None] = {}
    for binding in served:
        half = _half_of(binding.addresses)
        if half is None:
            continue
        for port in binding.numbers:
            if port in heard or len(on_port[port]) > 1:
                notices |= dict.fromkeys(_notices(binding, port, half, on_port[port], listeners_on))
    return tuple(notices)


def _notices(
    binding: PortBinding,
    port: int,
    half: Half,
    near: Sequence[PortBinding],
    listeners_on: Callable[[Endpoint], Sequence[Holder]],
) -> Iterator[Notice]:
    mine, theirs = (Endpoint(port, loopback) for loopback in half)
    rivals = [other for other in near if theirs.address in _loopbacks(other.addresses)]
    if any(_leads_to_same(binding, other) for other in rivals):
        return
    who = [f"service {other.service} of this stack" for other in rivals]
    who = who or [holder.summary for holder in listeners_on(theirs)]
    if who:
        sentence = (
            f"localhost:{port} is ambiguous: {_address(mine)} is this service, and"
            f" {_address(theirs)} is {' and '.join(dict.fromkeys(who))};"
            f" use {_address(mine)}"
        )
        yield Notice("localhost-ambiguous", binding.service, sentence)


def _half_of(addresses: tuple[str, ...]) -> Half | None:
    """Return the loopback address of a binding that serves only one, and the other one."""
    loopbacks = _loopbacks(addresses)
    if len(loopbacks) != 1:
        return None
    mine = loopbacks[0]
    return mine, LOOPBACK_IPV4 if mine == LOOPBACK_IPV6 else LOOPBACK_IPV6


def _is_served(checked: BindingVerdict) -> bool:
    binding = checked.binding
    is_usual = binding.protocol == "tcp" and not binding.is_range and not binding.on_host
    is_bound = checked.verdict in (Verdict.FREE, Verdict.HELD)
    return is_usual and is_bound and len(binding.numbers) <= _MOST_NUMBERS


@cache
def _loopbacks(addresses: tuple[str, ...]) -> tuple[str, ...]:
    """Return the loopback addresses at which a binding to `addresses` serves."""
    families = ((_IPV4, LOOPBACK_IPV4), (_IPV6, LOOPBACK_IPV6))
    return tuple(loopback for family, loopback in families if not family.isdisjoint(addresses))


def _leads_to_same(binding: PortBinding, other: PortBinding) -> bool:
    """Whether both lead to one port of the same service."""
    same_offset = binding.target - binding.first == other.target - other.first
    return binding.service == other.service and same_offset


def _address(endpoint: Endpoint) -> str:
    return str(endpoint).removesuffix("/tcp")
