"""A published port that may speak no HTTP: a request that never succeeded is no alert."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.findings import Cause

if TYPE_CHECKING:
    from collections.abc import Collection

    from dartsctl.diagnosis.facts import Facts
    from dartsctl.diagnosis.findings import Finding


def never_answered(finding: Finding, facts: Facts, answered: Collection[str]) -> bool:
    """Whether a finding says only that a port answers no HTTP, and that it ever did is unknown.

    `answered`: the URLs that have answered. What stands behind a proxy that was recognised, or
    names its locations, is meant to answer.
    """
    proxy = facts.proxy
    if finding.cause is not Cause.UNKNOWN or finding.confidence != "possible":
        return False
    if proxy is None or proxy.kind != "other" or finding.service != proxy.service:
        return False
    if not finding.requests or not answered_urls(facts).isdisjoint(finding.requests):
        return False
    return set(answered).isdisjoint(finding.requests)


def answered_urls(facts: Facts) -> set[str]:
    """Return the URLs that have answered with HTTP, be it an error."""
    return {http.url for http in facts.http if http.status is not None}
