"""Ask a person about one conflict: who holds what, and what can be done about it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from dartsctl.edges.host import processes
from dartsctl.errors import Advice
from dartsctl.ports.collisions import NameTaken
from dartsctl.ports.holders.kinds import ResolutionAction
from dartsctl.ports.holders.wording import container_details
from dartsctl.workflows.preflight import report

if TYPE_CHECKING:
    from dartsctl.edges.screen.output import Screen
    from dartsctl.edges.screen.prompts import Prompts
    from dartsctl.ports.cases import Case
    from dartsctl.ports.choices import Choice
    from dartsctl.ports.resolution import Choose

_STOPS = frozenset(
    {
        ResolutionAction.STOP_PROCESS,
        ResolutionAction.STOP_SERVER,
        ResolutionAction.STOP_CONTAINER,
        ResolutionAction.STOP_UNIT,
    }
)


def ask(prompts: Prompts, screen: Screen) -> Choose:
    """Return the question to a person.

    Details are shown on demand. The name of a production container has to be typed.
    """

    def choose(case: Case, offered: Sequence[Choice]) -> ResolutionAction:
        lines = [choice.line for choice in offered]
        details = len(lines) - 1
        lines.insert(details, "show details")
        while True:
            number = prompts.select(f"{subject(case)}. What now?", lines, flags=flags_for(offered))
            if number == details:
                for text in details_of(case):
                    screen.note(text)
                continue
            choice = offered[number if number < details else number - 1]
            if not choice.type_first or prompts.typed(
                f"Type {choice.type_first} to do it:", choice.type_first, flags=""
            ):
                return choice.action
            screen.note("the name does not match; nothing was changed")

    return choose


def subject(case: Case) -> str:
    """`darts-app wants 127.0.0.1:5000: held by python (pid 12, ...): run.py [listens on ...]`."""
    if isinstance(case.holder, NameTaken):
        container = case.holder.container.name
        return f"container {container} has the name that {case.holder.service} wants"
    wishes = [f"{binding.service} wants {report.published(binding)}" for binding in case.bindings]
    return f"{'; '.join(wishes)}: {case.holder.line}"


def details_of(case: Case) -> list[str]:
    """Return everything known about a holder, for somebody who is about to stop it."""
    if isinstance(case.holder, NameTaken):
        return container_details(case.holder.container)
    details = case.holder.details(processes)
    if case.unit:
        details.append(f"  kept running by {', '.join(case.unit.names)}")
    return details or [f"  {subject(case)}"]


def flags_for(offered: Sequence[Choice]) -> str:
    """Return the flags that would do one of these without a prompt."""
    flags = []
    actions = {choice.action for choice in offered if not choice.type_first}
    if ResolutionAction.REMAP in actions:
        flags.append("--on-conflict remap")
    if ResolutionAction.WAIT in actions:
        flags.append("--on-conflict wait --wait-timeout 60")
    if actions & _STOPS:
        flags.append("--on-conflict stop --yes")
    flags += [
        f"--remove-container {choice.type_first} --yes"
        for choice in offered
        if choice.action is ResolutionAction.REMOVE_CONTAINER
    ]
    return Advice(" or ".join(flags) or "free the port, then try again")
