"""The kernel killed a container because it needed more memory than it may have."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.diagnosis.container_state import BRIEF, containers
from dartsctl.diagnosis.findings import Cause, Finding
from dartsctl.diagnosis.repairs import Repair, start_again
from dartsctl.diagnosis.trouble import Trouble, container_trouble
from dartsctl.errors import Advice
from dartsctl.records import replace

if TYPE_CHECKING:
    from collections.abc import Iterator

    from dartsctl.diagnosis.facts import Facts

CAUSE = Cause.OUT_OF_MEMORY


def detect(facts: Facts) -> Iterator[Trouble]:
    for service, container in containers(facts):
        has_recovered = container.runs and facts.now - (container.started or 0) > BRIEF
        if not container.oom_killed or has_recovered:
            continue
        name, limit = container.service, "the host's memory"
        if container.memory_limit:
            limit = f"its limit of {container.memory_limit // 2**20} MiB"
        yield container_trouble(
            CAUSE,
            service,
            container,
            facts,
            sentence=f"{name} was killed by the kernel because it needed more than {limit}",
            command=Advice(
                f"raise mem_limit of {name} in the Compose file, then run `{facts.commands.up}`"
            ),
            data={"exit_code": container.exit_code, "memory_limit": container.memory_limit},
        )


def repair(finding: Finding, facts: Facts) -> Repair:
    """Start it again; a person has to raise the limit."""
    return replace(start_again(finding, facts), is_partial=True)
