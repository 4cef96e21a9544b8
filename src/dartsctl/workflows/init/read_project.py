"""Read the project that `init` looks at: which Compose files it has, and what they resolve to."""

from __future__ import annotations

import json
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from dartsctl.config.conventional_files import ENV_FILES, pick_files, plain_file
from dartsctl.config.conventional_names import specific_files
from dartsctl.config.env_file_names import env_files_of
from dartsctl.config.environment import adhoc, default_env_files, with_own_profile
from dartsctl.config.existing_file import absolute, existing
from dartsctl.config.listing import names_in
from dartsctl.config.settings import BUILT_IN, PRODUCTION, Settings, environment_key
from dartsctl.discovery.stack_facts import PLACEHOLDER, StackFacts
from dartsctl.edges.engine.compose_refusals import MissingVariable
from dartsctl.edges.project import env_files
from dartsctl.errors import DartsctlError, DockerUnavailable, TimedOut, UsageError
from dartsctl.records import replace
from dartsctl.stack.compose_model import read_stack
from dartsctl.stack.model import ComposeVariable
from dartsctl.text.phrases import listed, relative, shell_command
from dartsctl.workflows.deps import FilesReader
from dartsctl.workflows.init.project import InitRequest, Project

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from dartsctl.config.environment import Environment
    from dartsctl.edges.engine.compose import Compose, Resolved
    from dartsctl.workflows.deps import Deps


def read_project(request: InitRequest, *, deps: Deps) -> Project:
    """Return the project.

    Raises UsageError where several Compose files could belong to an environment, and with `stack`
    for a project that has its own; DartsctlError for files that Compose rejects.
    """
    stacks: dict[str, StackFacts] = {}
    for name in BUILT_IN:
        files = _stack_files(request, name, deps)
        if not files:
            continue
        stacks[name] = stack_facts(request, name, files, deps)
    if request.stack:
        _refuse_own_stack(request, stacks)
    return Project(request, stacks, bundled=request.stack and not stacks, deps=deps)


def _refuse_own_stack(request: InitRequest, stacks: Mapping[str, StackFacts]) -> None:
    for name, stack in stacks.items():
        if stack.files != (request.root / "compose" / f"{name}.yml",):
            names = [relative(request.root, file) for file in stack.files]
            raise UsageError(
                f"--stack: {request.root} has its own Compose files: {listed(names)}",
                hint="dartsctl init",
            )


def _stack_files(request: InitRequest, name: str, deps: Deps) -> tuple[Path, ...]:
    """Return the Compose files of an environment.

    They are named on the command line, in the settings, or by convention.
    """
    settings, named = request.settings, request.named.get(name, ())
    configured = settings.environments[name].files
    if named:
        return _existing(named, f"--{name}-file")
    if configured is not None:
        return _existing(configured, settings.origin(*environment_key(name, "files")))

    def is_complete(files: tuple[Path, ...]) -> bool:
        try:
            return deps.compose_on(adhoc(files=files, directory=files[0].parent)).is_complete()
        except DartsctlError:  # no Compose: `check` will say it
            return True

    pick = pick_files(settings, name, is_complete)
    if pick.candidates:
        candidates = [" + ".join(files) for files in pick.candidates]
        raise UsageError(
            f"several Compose files for {name} in {settings.root}: {listed(candidates)}",
            details=("repeat the option for each file that is merged over the first",),
            hint=shell_command("dartsctl", "init", f"--{name}-file", pick.candidates[0][0]),
        )
    files = _existing([settings.root / file for file in pick.files], pick.origin)
    if files or name != PRODUCTION:
        return files
    plain = plain_file(settings)
    return plain if plain and _own_profiles(request, name, plain, deps) else ()


def _own_profiles(
    request: InitRequest, name: str, files: tuple[Path, ...], deps: Deps
) -> tuple[str, ...]:
    """Return the profiles of the settings, else the one that a plain file names after `name`."""
    settings = request.settings
    configured = settings.environments[name]
    is_named = configured.files is not None or bool(request.named.get(name))
    if is_named or specific_files(name, names_in(settings.root)):
        return configured.profiles
    environment = adhoc(files=files, profiles=configured.profiles, directory=files[0].parent)
    reader = FilesReader(deps.compose_on)
    with suppress(DartsctlError):  # no Compose: `check` will say it
        own = with_own_profile(replace(environment, name=name), settings, reader)
        if own is not None:
            return own.profiles
    return configured.profiles


def _existing(files: Sequence[Path], origin: str) -> tuple[Path, ...]:
    """Return the files as absolute paths. Raises UsageError for one that cannot be used."""
    return tuple(existing(absolute(file), origin) for file in files)


def stack_facts(request: InitRequest, name: str, files: tuple[Path, ...], deps: Deps) -> StackFacts:
    """Resolve the files, with placeholders for required variables that nothing sets.

    Raises DartsctlError for files that Compose rejects.
    """
    paths = _env_files(request, name, files)
    own = _own_profiles(request, name, files, deps)
    environment = adhoc(files=files, env_files=paths, profiles=own, directory=files[0].parent)
    try:
        compose = deps.compose_on(environment)
        variables = {variable.name: variable for variable in compose.variables()}
        given = _names_in(paths) | deps.environ.keys()
        shown = _example_values(request, name, files, given)
        required = {name for name, variable in variables.items() if variable.is_required}
        values: dict[str, str] = {}
        if not paths:
            values = shown
        unset = frozenset(required - given - values.keys())
        values = values | dict.fromkeys(unset, PLACEHOLDER)
        try:
            resolved = _resolve_with(environment, compose, values, shown, deps)
        except MissingVariable as error:
            if error.name in values:
                raise
            # Compose lists no variable of `name:`; the placeholder must not become the project
            variables[error.name] = ComposeVariable(error.name, is_required=True)
            unset |= {error.name}
            environment = replace(environment, project=request.settings.environments[name].project)
            values = values | {error.name: PLACEHOLDER}
            compose = deps.compose_on(environment)
            resolved = _resolve_with(environment, compose, values, shown, deps)
        stack = read_stack(resolved.model, unset_variables=resolved.unset_variables)
    except (DockerUnavailable, TimedOut) as error:
        return StackFacts(name, files, own, paths, error=error)
    return StackFacts(name, files, own, paths, variables, unset, resolved.model, stack)


def _resolve_with(
    environment: Environment,
    compose: Compose,
    placeholders: Mapping[str, str],
    shown: Mapping[str, str],
    deps: Deps,
) -> Resolved:
    """Return the model; with the values of the example where Compose gives none without them."""
    try:
        return _resolve(environment, compose, placeholders, deps)
    except (DockerUnavailable, TimedOut, MissingVariable):
        raise
    except DartsctlError:
        if shown.keys() <= placeholders.keys():
            raise
    return _resolve(environment, compose, {**shown, **placeholders}, deps)


def _resolve(
    environment: Environment, compose: Compose, placeholders: Mapping[str, str], deps: Deps
) -> Resolved:
    """Return the model; where files of `env_file` do not exist, without them."""
    try:
        return compose.finish_config(compose.start_config(placeholders=placeholders))
    except DartsctlError:
        required = compose.required_env_files()
        existing = {name: tuple(filter(Path.is_file, paths)) for name, paths in required.items()}
        if existing == required:
            raise
    with _override(existing) as override:
        files = (*environment.files, override)
        compose = deps.compose_on(replace(environment, files=files))
        return compose.finish_config(compose.start_config(placeholders=placeholders))


@contextmanager
def _override(env_files: Mapping[str, Sequence[Path]]) -> Iterator[Path]:
    """Yield a Compose file that gives services only these env files."""
    lines = ["services:"]
    for service, paths in env_files.items():
        listed = json.dumps([str(path) for path in paths])
        lines.append(f"  {json.dumps(service)}: {{env_file: !override {listed}}}")
    with TemporaryDirectory(prefix="dartsctl-") as folder:
        file = Path(folder) / "compose.yaml"
        file.write_text("\n".join(lines) + "\n", encoding="utf-8")
        yield file


def _env_files(request: InitRequest, name: str, files: Sequence[Path]) -> tuple[Path, ...]:
    """Return the existing env files that Compose reads for an environment."""
    configured = request.settings.environments[name].env_files
    if configured is None:
        configured = env_files_of(request.settings, name, files)
    existing = tuple(path for path in configured if path.is_file())
    return existing or default_env_files(adhoc(files=files, directory=files[0].parent))


def new_env_file(settings: Settings, name: str, files: Sequence[Path]) -> Path:
    """Return the env file that an environment without one gets: where its example is."""
    configured = settings.environments[name].env_files
    if configured:
        return configured[-1]
    beside = [folder / ENV_FILES[name] for folder in (settings.root, files[0].parent)]
    with_example = [path for path in beside if env_files.example_of(path)]
    return (*with_example, *beside)[0]


def _example_values(
    request: InitRequest, name: str, files: Sequence[Path], given: Collection[str]
) -> dict[str, str]:
    """Return the values of the example from which `init` makes the env file that is missing.

    Without one of its own, production is read with the values of the common example.
    """
    settings = request.settings
    example: Path | None = None
    for environment in (name, "dev"):
        path = new_env_file(settings, environment, files)
        example = example or env_files.example_of(path)
    values: dict[str, str] = {}
    if example:
        for variable, entry in env_files.readable_values(example).items():
            if entry.value and variable not in given:
                values[variable] = entry.value
    return values


def _names_in(paths: Sequence[Path]) -> set[str]:
    """Return the variables that have a value: an empty one is as good as none for `${NAME:?}`."""
    names: set[str] = set()
    for path in paths:
        for name, entry in env_files.readable_values(path).items():
            if entry.value:
                names.add(name)
    return names
