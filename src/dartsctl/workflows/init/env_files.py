"""The env files that a project needs: from their examples, or from what the files require."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from dartsctl.config import templates
from dartsctl.config.conventional_files import ENV_FILES
from dartsctl.config.settings import PRODUCTION
from dartsctl.config.templates import PRIVATE, Change
from dartsctl.edges.project import env_files
from dartsctl.edges.project.files import template
from dartsctl.errors import UsageError
from dartsctl.workflows.init.findings import EnvLine, Findings

if TYPE_CHECKING:
    from dartsctl.workflows.init.project import Project


def find_env_files(project: Project, lines: Sequence[EnvLine] = ()) -> Findings:
    """Return the env files of every environment: those to write, and those that are kept.

    `lines` are variables that the other parts of `init` need in them.
    """
    changes: list[Change] = []
    for name in project.environments:
        changes += _env_files(project, name)
    return Findings(changes=tuple(_with_lines(change, lines) for change in changes))


def _with_lines(change: Change, lines: Sequence[EnvLine]) -> Change:
    """Return the change with the lines that a new env file lacks."""
    if change.action != "create":
        return change
    text, known = change.text, env_files.values_in(change.text)
    for line in lines:
        if line.file == change.path and line.name not in known:
            comment = f"# {line.why}\n" if line.why else ""
            text += f"{comment}{line.name}={line.value}\n"
    return replace(change, text=text)


def _env_files(project: Project, name: str) -> Iterable[Change]:
    """Plan the env files of an environment.

    Production needs one; another environment gets one where an example shows its content.
    """
    configured = project.settings.environments[name].env_files
    if configured is None:
        configured = (project.root / ENV_FILES[name],)
    for path in configured:
        example = env_files.example_of(path)
        if path.exists():
            yield _kept(path, example)
        elif example or project.bundled:
            yield _from_example(project, name, path, example)
        elif name == PRODUCTION:
            yield _from_compose_files(path, required_by(project, name))


def _kept(path: Path, example: Path | None) -> Change:
    """Keep an existing env file, and name the variables that only its example has."""
    if example is None:
        return Change("keep", path, "")
    try:
        variables = env_files.read((example,), {}).keys() - env_files.read((path,), {}).keys()
    except UsageError as error:
        return Change("keep", path, error.message)
    missing = tuple(sorted(variables))
    about = f"missing: {', '.join(missing)}" if missing else ""
    return Change("keep", path, about, missing=missing)


def _from_example(project: Project, name: str, path: Path, example: Path | None) -> Change:
    if example:
        text, source = env_files.text_of(example), f"from {example.name}"
    else:
        text, source = template(f"{ENV_FILES[name]}.example"), ""
    if project.own_app:
        text = templates.built_from_here(text)
    production = name == PRODUCTION
    text, generated = env_files.filled_in(
        text, lambda variable, value: templates.renewed(variable, value, production=production)
    )
    left = templates.left_to_fill_in(env_files.values_in(text))
    return _env_file(path, text, generated, source=source, to_fill_in=left)


def required_by(project: Project, name: str) -> tuple[str, ...]:
    """Return the variables that the Compose files require; none where Compose is unavailable."""
    variables = project.stacks[name].variables.values()
    return tuple(variable.name for variable in variables if variable.is_required)


def _from_compose_files(path: Path, required: Sequence[str]) -> Change:
    text, generated = templates.required_text(path.name, required)
    left = [name for name in env_files.values_in(text) if name not in generated]
    return _env_file(path, text, generated, source="", to_fill_in=tuple(left))


def _env_file(
    path: Path, text: str, generated: tuple[str, ...], *, source: str, to_fill_in: tuple[str, ...]
) -> Change:
    about = [source] if source else []
    if generated:
        about.append(f"new secrets: {', '.join(generated)}")
    return Change(
        action="create",
        path=path,
        about="; ".join([*about, "0600"]),
        text=text,
        mode=PRIVATE,
        generated=generated,
        to_fill_in=to_fill_in,
    )
