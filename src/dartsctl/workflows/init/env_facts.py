"""What is known about the variables of an environment: who uses them, and what they are."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from dartsctl.config.environment import adhoc
from dartsctl.discovery.dockerfile import read_dockerfile
from dartsctl.discovery.written_model import WrittenService, read_written, secret_variables_of
from dartsctl.edges.project import env_files
from dartsctl.errors import DartsctlError
from dartsctl.records import field, record, replace
from dartsctl.stack.config_errors.interpolation import expand
from dartsctl.stack.model import ComposeVariable
from dartsctl.system import bounded_file
from dartsctl.workflows.init.existing_data import StackIdentity

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from dartsctl.workflows.init.project import Project


@record
class EnvFacts:
    """The services as they are written, and the variables of the files.

    Empty where Compose cannot read the files.
    """

    name: str
    files: tuple[Path, ...] = ()
    services: Mapping[str, WrittenService] = field(default_factory=dict)
    images: Mapping[str, str] = field(default_factory=dict)
    """The image of each service; of a built one, the image that it is built on."""
    variables: Mapping[str, ComposeVariable] = field(default_factory=dict)
    project: str = ""
    """The project's name as Compose would choose it."""

    @property
    def defaults(self) -> dict[str, str]:
        return {name: variable.default for name, variable in self.variables.items()}


def read_env_facts(project: Project, name: str) -> EnvFacts:
    """Return what is known about the variables of an environment's Compose files."""
    stack = project.stacks[name]
    # a planned override is not written yet, and has no variables
    files = tuple(file for file in stack.files if file.is_file())
    if not files:
        return EnvFacts(name)
    environment = adhoc(
        files=files,
        env_files=stack.env_files,
        profiles=stack.profiles,
        directory=stack.files[0].parent,
    )
    try:
        compose = project.deps.compose_on(environment)
        model = compose.written_model()
        variables = stack.variables
        if stack.error:
            variables = {variable.name: variable for variable in compose.variables()}
    except DartsctlError:  # `check` will say it
        return EnvFacts(name, files)
    services = read_written(model)
    for started in read_written(stack.model).values():
        if started.name in services:  # resolved, as its places may contain variables
            services[started.name] = replace(services[started.name], data=started.data)
    for own in sorted(secret_variables_of(model) - variables.keys()):
        variables = {**variables, own: ComposeVariable(own, is_required=True)}
    defaults = {variable.name: variable.default for variable in variables.values()}
    images: dict[str, str] = {}
    for service in services.values():
        images[service.name] = _image(service, defaults)
    return EnvFacts(
        name=name,
        files=files,
        services=services,
        images=images,
        variables=variables,
        project=str(model.get("name", "")),
    )


def identity(facts: EnvFacts, project: Project) -> StackIdentity:
    """Return under which names and from where an environment's stack may have run."""
    names = (facts.project, project.settings.environments[facts.name].project)
    folders = (project.root, *(file.parent for file in facts.files))
    return StackIdentity(frozenset(names), frozenset(map(os.path.realpath, folders)))


def _image(service: WrittenService, defaults: Mapping[str, str]) -> str:
    if not service.is_built:
        return expand(service.image, defaults)
    if service.context is None:
        return ""
    text = bounded_file.readable_text(service.context / service.dockerfile)
    return read_dockerfile(text).base


def given_values(paths: tuple[Path, ...], environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that have a value in existing env files, or in the environment."""
    values: dict[str, str] = {}
    for path in paths:
        for name, entry in env_files.readable_values(path).items():
            if entry.value:
                values[name] = entry.value
    return values | dict(environ)
