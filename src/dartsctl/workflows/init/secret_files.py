"""Files of `secrets:` that do not exist: who needs them, and what is in them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.discovery.proposal import Proposal, Task
from dartsctl.discovery.secrets.image_secrets import initial_variables
from dartsctl.text.phrases import relative, shell_command
from dartsctl.workflows.init.env_facts import EnvFacts, identity
from dartsctl.workflows.init.existing_data import UNKNOWN, existing_data

if TYPE_CHECKING:
    from pathlib import Path

    from dartsctl.workflows.init.project import Project


def find_secret_files(project: Project, facts: EnvFacts) -> Proposal:
    """Return a task for each missing file, with a command where any value will do.

    They are not made here: who may read such a file depends on the user in each container.
    """
    users: dict[Path, list[str]] = {}
    free: dict[Path, bool] = {}
    for service in facts.services.values():
        initial = initial_variables(facts.images.get(service.name, ""))
        for variable, file in service.secret_files.items():
            if file.exists():
                continue
            users.setdefault(file, []).append(service.name)
            if variable in initial:
                data = existing_data(service, identity(facts, project), project.deps)
                free[file] = data in ("", UNKNOWN)
    tasks: list[Task] = []
    for file, services in users.items():
        text = f"{relative(project.root, file)} does not exist; secret of {', '.join(services)}"
        paste: tuple[str, ...] = ()
        if free.get(file):
            folder = shell_command("mkdir", "-p", file.parent)
            paste = (f"{folder} && openssl rand -hex 24 > {shell_command(file)}",)
        tasks.append(Task(text, paste))
    return Proposal(tasks=tuple(tasks))
