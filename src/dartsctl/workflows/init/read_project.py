"""Read the project that `init` looks at: which Compose files it has, and what they resolve to."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.config.conventional_files import ENV_FILES, pick_files
from dartsctl.config.environment import adhoc, default_env_files
from dartsctl.config.settings import BUILT_IN
from dartsctl.edges.project import env_files
from dartsctl.errors import DartsctlError, UsageError
from dartsctl.stack.compose_model import read_stack
from dartsctl.text.phrases import shell_command
from dartsctl.workflows.init.project import PLACEHOLDER, InitRequest, Project, StackFacts

if TYPE_CHECKING:
    from dartsctl.workflows.deps import ComposeOn, Deps


def read_project(request: InitRequest, *, deps: Deps) -> Project:
    """Return the project.

    Raises UsageError where several Compose files could belong to an environment.
    """
    stacks: dict[str, StackFacts] = {}
    for name in BUILT_IN:
        files = _stack_files(request, name, deps.compose_on)
        if not files:
            continue
        stacks[name] = _stack_facts(request, name, files, deps)
    return Project(request, stacks, bundled=not stacks, deps=deps)


def _stack_files(request: InitRequest, name: str, compose_on: ComposeOn) -> tuple[Path, ...]:
    """Return the Compose files of an environment.

    They are named on the command line, in the settings, or by convention.
    """
    settings, named = request.settings, request.named.get(name, ())
    configured = settings.environments[name].files
    if named or configured is not None:
        return _existing(named) or configured or ()

    def is_complete(files: tuple[Path, ...]) -> bool:
        try:
            return compose_on(adhoc(files=files, directory=files[0].parent)).is_complete()
        except DartsctlError:  # no Compose: `check` will say it
            return True

    pick = pick_files(settings, name, is_complete)
    if pick.candidates:
        listed = ", ".join(" + ".join(files) for files in pick.candidates)
        raise UsageError(
            f"several Compose files for {name} in {settings.root}: {listed}",
            details=("repeat the option for each file that is merged over the first",),
            hint=shell_command("dartsctl", "init", f"--{name}-file", pick.candidates[0][0]),
        )
    return tuple(settings.root / file for file in pick.files)


def _existing(files: Sequence[Path]) -> tuple[Path, ...]:
    for file in files:
        if not file.is_file():
            raise UsageError(f"no such Compose file: {file}", hint=shell_command("ls", file.parent))
    return tuple(Path(os.path.normpath(file.absolute())) for file in files)


def _stack_facts(
    request: InitRequest, name: str, files: tuple[Path, ...], deps: Deps
) -> StackFacts:
    """Resolve the files, with placeholders for required variables that nothing sets."""
    paths = _env_files(request, name, files)
    environment = adhoc(files=files, env_files=paths, directory=files[0].parent)
    try:
        compose = deps.compose_on(environment)
        variables = {variable.name: variable for variable in compose.variables()}
        given = _names_in(paths) | deps.environ.keys()
        required = {name for name, variable in variables.items() if variable.is_required}
        unset = frozenset(required - given)
        placeholders = dict.fromkeys(unset, PLACEHOLDER)
        resolved = compose.finish_config(compose.start_config(placeholders=placeholders))
        stack = read_stack(resolved.model, unset_variables=resolved.unset_variables)
    except DartsctlError as error:
        return StackFacts(name, files, paths, error=error)
    return StackFacts(name, files, paths, variables, unset, resolved.model, stack)


def _env_files(request: InitRequest, name: str, files: Sequence[Path]) -> tuple[Path, ...]:
    """Return the existing env files that Compose reads for an environment."""
    configured = request.settings.environments[name].env_files
    if configured is None:
        configured = (request.root / ENV_FILES[name],)
    existing = tuple(path for path in configured if path.is_file())
    return existing or default_env_files(adhoc(files=files, directory=files[0].parent))


def _names_in(paths: Sequence[Path]) -> set[str]:
    """Return the variables that have a value: an empty one is as good as none for `${NAME:?}`."""
    names: set[str] = set()
    for path in paths:
        for name, entry in env_files.readable_values(path).items():
            if entry.value:
                names.add(name)
    return names
