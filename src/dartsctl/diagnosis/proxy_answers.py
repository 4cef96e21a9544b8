"""What an answer of the reverse proxy says about a stack that has just been started."""

from __future__ import annotations

import ipaddress
from contextlib import suppress
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from dartsctl.diagnosis.facts import HttpFacts, ProxyKind

_GATEWAY = (502, 503, 504)
"""What a proxy answers if the service behind it does not answer, or not in time."""
_NEVER_REACHED = ("does not answer within", "fails: ")
"""How the problem of a request begins that nobody answered."""


class Reach(Enum):
    """Whether a location of the proxy reaches the service behind it."""

    ANSWERS = "answers"
    FAILS = "fails"
    ELSEWHERE = "elsewhere"
    """It fails, and what should answer was not started with this stack."""
    UNKNOWN = "unknown"
    """The proxy answers nothing that tells: no HTTP, another TLS, a closed connection."""


def reach_of(
    answer: HttpFacts, kind: ProxyKind, *, has_config: bool, started: Collection[str]
) -> Reach:
    """Return what the answer to one request through the proxy says.

    `has_config`: whether its configuration is known, and with it who is behind the location.
    `started`: the services that were started with it.
    """
    if answer.status is None and not answer.problem.startswith(_NEVER_REACHED):
        return Reach.UNKNOWN
    if not _is_bad(answer, kind, has_config=has_config):
        return Reach.ANSWERS
    if answer.upstream:
        return Reach.FAILS if answer.upstream in started else Reach.ELSEWHERE
    if answer.target and not _is_loopback(answer.target):
        return Reach.ELSEWHERE
    return Reach.FAILS


def _is_bad(answer: HttpFacts, kind: ProxyKind, *, has_config: bool) -> bool:
    if answer.limited:
        return False
    if answer.status == 503:
        return _passes_on(answer, kind, has_config=has_config)
    return answer.status is None or answer.status in _GATEWAY


def _passes_on(answer: HttpFacts, kind: ProxyKind, *, has_config: bool) -> bool:
    """Return whether a 503 comes from behind the proxy.

    A site may answer 503 by itself: nginx with `return 503`, an app that nobody proxies.
    """
    if has_config:
        return bool(answer.target)
    return kind != "other"


def _is_loopback(target: str) -> bool:
    """Return whether a target is in the proxy's own container: 127.0.0.1:8000, a unix socket."""
    host = target.rpartition(":")[0].strip("[]")
    if target.startswith("unix:") or host == "localhost":
        return True
    with suppress(ValueError):
        return ipaddress.ip_address(host).is_loopback
    return False
