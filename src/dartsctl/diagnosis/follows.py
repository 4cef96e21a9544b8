"""What follows from what: failed requests from troubles, and troubles from other troubles."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.trouble import Scope, Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from dartsctl.diagnosis.facts import Facts, HttpFacts

_OF_PUBLISHING = (Cause.NO_PORTS, Cause.UNKNOWN)
"""Causes of a service that may serve the other services all the same."""

Key = tuple[str, tuple[str, ...]]
"""A service, and the upstreams that its trouble is about."""


def explains(trouble: Trouble, http: HttpFacts, facts: Facts) -> bool:
    """Whether a failed request follows from a trouble."""
    if trouble.rank.scope is Scope.ENGINE:
        return True
    if trouble.is_aside:
        return False
    if trouble.targets:
        return not facts.targets_of(http).isdisjoint(trouble.targets)
    if trouble.http is not None:  # another port of a service may answer
        return (http.target, http.upstream) == (trouble.http.target, trouble.http.upstream)
    return _concerns(trouble.service, http, facts)


def _concerns(service: str, http: HttpFacts, facts: Facts) -> bool:
    """Whether a request fails if a whole service does."""
    if http.through == "direct":
        return http.service == service
    if facts.proxy is not None and facts.proxy.service == service:
        return True
    return service in facts.services_behind(http) or not (http.upstream or http.target)


def roots(troubles: Mapping[Key, Trouble], facts: Facts) -> dict[Key, tuple[Key, ...]]:
    """Return for each trouble the root causes that explain it; none for a root itself."""
    causes_of = {key: _direct_causes(trouble, troubles, facts) for key, trouble in troubles.items()}
    reach = {key: _reachable(key, causes_of) for key in troubles}
    outside = {
        # Services that wait for each other do not hide each other.
        key: [cause for cause in causes if key not in reach[cause]]
        for key, causes in causes_of.items()
    }
    result: dict[Key, tuple[Key, ...]] = {}
    for key in troubles:
        ends = [end for end in _reachable(key, outside) if not outside[end]]
        result[key] = tuple(ends)
    return result


def _direct_causes(
    trouble: Trouble, troubles: Mapping[Key, Trouble], facts: Facts
) -> tuple[Key, ...]:
    return tuple(
        key
        for key, other in troubles.items()
        if other.service in trouble.because_of and takes_down(other, facts)
    )


def takes_down(trouble: Trouble, facts: Facts) -> bool:
    """Whether a service with this trouble is missed by those that need it."""
    if trouble.rank.scope > Scope.CONTAINER:
        return False
    if trouble.rank.scope is Scope.PORT or trouble.cause in _OF_PUBLISHING:
        return not facts.running(trouble.service)
    return True


def _reachable(key: Key, causes_of: Mapping[Key, Sequence[Key]]) -> tuple[Key, ...]:
    """Return everything that a trouble follows from, directly or not."""
    reached: dict[Key, None] = {}
    waiting = list(causes_of[key])
    while waiting:
        cause = waiting.pop()
        if cause not in reached:
            reached[cause] = None
            waiting += causes_of[cause]
    return tuple(reached)
