"""A container has ended and should run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.container_state import (
    containers,
    dependencies,
    has_ended,
    is_failing,
    is_needed,
)
from dartsctl.diagnosis.findings import Cause
from dartsctl.diagnosis.repairs import start_again
from dartsctl.diagnosis.trouble import Fix, Trouble, container_trouble, exit_words
from dartsctl.text.phrases import duration

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts, ServiceFacts

CAUSE = Cause.APP_EXITED
_STOPPED = (0, 130, 137, 143)
"""Exit codes of a container that somebody stopped: no other service made it fail."""


def detect(facts: Facts) -> Iterator[Trouble]:
    for service, container in containers(facts):
        if not has_ended(container) or container.error:
            continue
        if container.exit_code == 0 and not _is_missed(service, facts):
            continue
        sentence = f"{container.service} has ended with {exit_words(container.exit_code)}"
        if container.finished:
            sentence += f", {duration(facts.now - container.finished)} ago"
        because_of: tuple[str, ...] = ()
        if container.exit_code not in _STOPPED:
            because_of = dependencies(service, facts)
        yield container_trouble(
            CAUSE,
            service,
            container,
            facts,
            sentence=sentence,
            command=Fix(),
            data={"exit_code": container.exit_code},
            because_of=because_of,
        )


def _is_missed(service: ServiceFacts, facts: Facts) -> bool:
    """Whether a service that has ended well should run: others need it while it does."""
    if is_needed(service, facts):
        return True
    return any(
        is_failing(other, facts)
        for other in facts.services.values()
        if service.name in other.depends_on and service.name not in other.waits_for_end_of
    )


repair = start_again
