"""The environment of a stack whose files cannot be read: its containers' labels name the project.

A missing env file, a variable that nothing sets, or a Compose file that is gone keep no verb from
working on what runs. It is said once what is missing.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.errors import DartsctlError, DockerUnavailable
from dartsctl.ports import collisions
from dartsctl.records import replace
from dartsctl.stack import compose_files
from dartsctl.stack.containers import Container, of_project

if TYPE_CHECKING:
    from collections.abc import Sequence

    from dartsctl.config.environment import Environment
    from dartsctl.workflows.deps import Deps


def readable(environment: Environment, *, deps: Deps) -> Environment:
    """Return the environment if Compose can read its files, else the same project by its labels.

    Raises the error about the files if the project has no containers.
    """
    error = environment.files_error
    if error is None:
        try:
            deps.compose_on(environment).config()
        except DockerUnavailable:
            raise
        except DartsctlError as problem:
            error = problem
    return environment if error is None else by_labels(environment, error, deps=deps)


def by_labels(environment: Environment, error: DartsctlError, *, deps: Deps) -> Environment:
    """Return the environment without its files: Compose then goes by the project's name alone.

    Raises `error` if the project has no containers. Else says once why it goes by their labels.
    """
    containers = deps.engine().containers()
    project = environment.project or _project_of(environment, containers)
    own = of_project(containers, project)
    if not project or not any(_is_from_here(container, environment) for container in own):
        raise error
    deps.screen.note(f"working from the containers' labels: {reason(error)}")
    return replace(
        environment,
        files=(),
        # Compose would read the .env of the working folder, which may be what is broken
        env_files=(Path(os.devnull),),
        project=project,
        profiles=(),
        files_error=error,
    )


def of_another_stack(
    containers: Sequence[Container], environment: Environment
) -> tuple[Container, ...]:
    """Return the project's containers that are another stack's: from other files than ours.

    Where our files are not known, those of this folder are ours. Compose goes by the project's name
    alone, and would stop the others too. None if the project was named on the command line: then
    all of it is meant.
    """
    if environment.project_named:
        return ()
    if environment.files:
        files = list(map(str, environment.files))
        return collisions.of_other_files(containers, files, environment.files_of_others)
    return tuple(container for container in containers if not _is_from_here(container, environment))


def reason(error: DartsctlError) -> str:
    """Return why files cannot be used, in one sentence."""
    cause = error.__cause__
    return cause.message if isinstance(cause, DartsctlError) else error.message


def _project_of(environment: Environment, containers: Sequence[Container]) -> str:
    """Return the project that runs from the environment's files, empty if there is not just one."""
    files = compose_files.identities(list(map(str, environment.files)))
    projects = set()
    for container in containers:
        if files & compose_files.identities(container.own_config_files):
            projects.add(container.project)
    return projects.pop() if len(projects) == 1 else ""


def _is_from_here(container: Container, environment: Environment) -> bool:
    """Return whether a container may be of this environment, whose files may be unknown.

    Then the project's name is not enough: another folder may use the same. It must come from a file
    of this folder.
    """
    if environment.files or environment.project_named or not container.own_config_files:
        return True
    folder = environment.directory
    return any(Path(file).is_relative_to(folder) for file in container.own_config_files)
