"""Ask a person about one conflict: who holds what, and what can be done about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.edges.host import processes
from dartsctl.errors import Advice
from dartsctl.ports.collisions import NameTaken
from dartsctl.ports.holders.kinds import ResolutionAction
from dartsctl.ports.holders.wording import container_details
from dartsctl.ports.shared import SharedResource
from dartsctl.workflows.preflight import report

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.edges.screen.output import Screen
    from dartsctl.edges.screen.prompts import Prompts
    from dartsctl.ports.cases import Case
    from dartsctl.ports.choices import Choice, Policy
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


def ask_for_all(moves: Sequence[str], project: str, prompts: Prompts, screen: Screen) -> Policy:
    """Ask whether everything that is taken moves, with what that is. Return the policy chosen."""
    screen.note(f"{project} can start beside it, on this machine only, until --reset-ports:")
    for line in moves:
        screen.note(f"  {line}")
    policies: tuple[Policy, ...] = ("remap", "ask", "fail")
    lines = (
        f"start {project} with these ports and names",
        "decide one by one",
        "abort; nothing is changed",
    )
    question = f"{project} cannot start with the ports and names of its files. What now?"
    return policies[prompts.select(question, lines, flags=Advice("--on-conflict remap"))]


def subject(case: Case) -> str:
    """`darts-app wants 127.0.0.1:5000: held by python (pid 12, ...): run.py [listens on ...]`."""
    if isinstance(case.holder, NameTaken):
        container = case.holder.container.name
        return f"container {container} has the name that {case.holder.service} wants"
    if isinstance(case.holder, SharedResource):
        return case.holder.line
    wishes = [f"{binding.service} wants {report.published(binding)}" for binding in case.bindings]
    return f"{'; '.join(wishes)}: {case.holder.line}"


def details_of(case: Case) -> list[str]:
    """Return everything known about a holder, for somebody who is about to stop it."""
    if isinstance(case.holder, NameTaken):
        return container_details(case.holder.container)
    if isinstance(case.holder, SharedResource):
        seen = case.holder.container
        return container_details(seen) if seen else [f"  {case.holder.line}"]
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
