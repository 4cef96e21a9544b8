"""Read why Compose gave up on a service: a service that it depends on is not as it should be.

Compose 2.24 to 2.40 say it with the same words.
"""

from __future__ import annotations

from typing import Literal

from dartsctl.records import record
from dartsctl.text.patterns import regex

DependencyFault = Literal["unhealthy", "exited", "unchecked", "not-completed"]

_CONTAINER = regex(
    r"dependency failed to start: container (?P<name>\S+) "
    r"(?:(?P<unhealthy>is unhealthy)|exited \((?P<code>-?\d+)\)|has no healthcheck configured)"
)
_SERVICE = regex(r'service "(?P<name>[^"]+)" didn\'t complete successfully: exit (?P<code>\d+)')


@record
class FailedDependency:
    """`name` is a container's, or with `not-completed` a service's; `code` its exit code."""

    fault: DependencyFault
    name: str
    code: int | None = None


def parse_failed_dependency(text: str) -> FailedDependency | None:
    """Return the dependency that the output of a failed `up` names last, None if it names none."""
    for line in reversed(text.splitlines()):
        if match := _SERVICE.search(line):
            return FailedDependency("not-completed", match["name"], int(match["code"]))
        if match := _CONTAINER.search(line):
            if match["unhealthy"]:
                return FailedDependency("unhealthy", match["name"])
            if match["code"] is None:
                return FailedDependency("unchecked", match["name"])
            return FailedDependency("exited", match["name"], int(match["code"]))
    return None
