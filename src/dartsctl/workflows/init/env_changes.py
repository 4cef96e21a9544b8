"""Plan one env file: a new one, or the lines that an existing one lacks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.config.secrets import is_placeholder
from dartsctl.discovery.changes import PRIVATE, Change
from dartsctl.discovery.secrets import env_choices, env_text, new_secrets
from dartsctl.discovery.secrets.env_choices import Choice, Wanted
from dartsctl.discovery.secrets.secret_owners import (
    SecretsQuestion,
    SecretVariable,
    secret_variables,
    urls_with,
    with_password,
)
from dartsctl.edges.project import env_files
from dartsctl.errors import DartsctlError
from dartsctl.records import field, record
from dartsctl.text.secret_names import is_secret_name
from dartsctl.workflows.init.env_facts import EnvFacts, given_values, identity
from dartsctl.workflows.init.existing_data import UNKNOWN, existing_data

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from dartsctl.config.env_value import EnvValue
    from dartsctl.workflows.init.project import Project


@record(frozen=False)
class EnvTarget:
    """An env file that is planned. `read_by` are the environments whose Compose reads it.

    `services` have it as their `env_file`, some of production with `serves_production`.
    `takes_variables`: whether variables that are set nowhere
    belong into it. `beside` are the other env files of its environments.
    """

    path: Path
    production: bool = False
    services: list[str] = field(default_factory=list)
    serves_production: bool = False
    takes_variables: bool = False
    read_by: list[EnvFacts] = field(default_factory=list)
    beside: list[Path] = field(default_factory=list)


@record
class PlannedEnv:
    """The change of an env file, and what was decided about its variables."""

    change: Change
    decided: tuple[Choice, ...] = ()
    unfinished: tuple[str, ...] = ()
    """Variables of the file whose values must not stay: placeholders, and weak secrets."""


def env_change(target: EnvTarget, project: Project) -> PlannedEnv | None:
    """Return the plan for an env file; None where there is no need for one."""
    example = env_files.example_of(target.path)
    if target.path.exists():
        return _appended(target, project)
    if example:
        return _from_example(target, example, project)
    return _new(target, project)


def _new(target: EnvTarget, project: Project) -> PlannedEnv | None:
    wanted = _wanted(target, given_values(tuple(target.beside), project.deps.environ))
    decided = _decide(target, wanted, {}, project)
    if not _is_needed(target, decided, project):
        return None
    secrets = _new_secrets(decided)
    text = env_text.new_text(
        target.path.name, decided, secrets, defaults=not project.request.minimal
    )
    change = env_file(target.path, text, tuple(secrets), to_fill_in=_required(decided))
    return PlannedEnv(change, decided)


def is_unwritten(path: Path) -> bool:
    """Return whether an env file does not exist, or is as `init` makes an empty one."""
    if not path.exists():
        return True
    empty = env_text.new_text(path.name, (), {})
    try:
        return path.stat().st_size == len(empty.encode()) and env_files.text_of(path) == empty
    except (OSError, DartsctlError):
        return False


def _is_needed(target: EnvTarget, decided: Sequence[Choice], project: Project) -> bool:
    """Whether a new file is of use: it sets something, or production's variables can be seen."""
    if target.services or env_choices.needed(decided):
        return True
    return target.production and bool(decided) and not project.request.minimal


def _appended(target: EnvTarget, project: Project) -> PlannedEnv:
    """Plan the lines that an existing file lacks. No line that it has is changed.

    Raises UsageError for a file that lacks lines, and is not text.
    """
    own = env_files.readable_values(target.path)
    values = given_values((*target.beside, target.path), project.deps.environ)
    wanted = _wanted(target, values)
    decided = _decide(target, wanted, values, project)
    absent = [choice for choice in decided if choice.name not in own]
    secrets = _new_secrets(absent)
    text = "".join(f"{line}\n" for line in env_text.needed_lines(absent, secrets))
    unfinished = tuple(_unfinished(target, own))
    if not text:
        return PlannedEnv(kept(target.path), decided, unfinished)
    old = env_files.readable_bytes(target.path)  # else its own values are unknown
    change = Change(
        action="append",
        path=target.path,
        about=_about(tuple(secrets)),
        text=text,
        old=old,
        is_env_file=True,
        generated=tuple(secrets),
        to_fill_in=_required(decided),
        missing=_missing_of_example(target.path),
    )
    return PlannedEnv(change, decided, unfinished)


def _unfinished(target: EnvTarget, own: Mapping[str, EnvValue]) -> Iterator[str]:
    """Yield the variables of an existing file whose values production refuses."""
    for name, entry in own.items():
        is_refused = new_secrets.must_change(name, entry.value, production=True)
        if target.production and (is_refused or is_placeholder(entry.value, secret=False)):
            yield name


def kept(path: Path) -> Change:
    """Keep an existing env file, and name the variables that only its example has."""
    missing = _missing_of_example(path)
    about = f"missing: {', '.join(missing)}" if missing else ""
    return Change("keep", path, about, is_env_file=True, missing=missing)


def _missing_of_example(path: Path) -> tuple[str, ...]:
    example = env_files.example_of(path)
    if example is None:
        return ()
    own = env_files.readable_values(path)
    return tuple(sorted(env_files.readable_values(example).keys() - own.keys()))


def _from_example(target: EnvTarget, example: Path, project: Project) -> PlannedEnv:
    """Plan a copy of the example, with new values for the secrets that the stack owns."""
    text = env_files.text_of(example)
    shown = env_files.values_in(text)
    given = given_values(tuple(target.beside), project.deps.environ)
    wanted = _renewable(target, shown)
    names = {variable.name for variable in wanted}
    kept = {name: value for name, value in shown.items() if value and name not in names}
    for variable in _wanted(target, kept | given):
        if variable.name not in names:
            wanted.append(variable)
    urls = _urls(target, wanted, kept, project)
    for url, name in urls.items():
        kept[url] = with_password(kept[url], f"${{{name}}}")
    decided = _decide(target, wanted, kept | given, project)
    secrets = _new_secrets(decided)
    text, renewed = env_files.filled_in(text, lambda name, _value: secrets.get(name))
    if text and not text.endswith("\n"):
        text += "\n"
    others = [choice for choice in decided if choice.name not in shown]
    text += "".join(f"{line}\n" for line in env_text.needed_lines(others, secrets))
    unfinished = [name for name in new_secrets.left_to_fill_in(kept) if name not in renewed]
    left = tuple(dict.fromkeys([*unfinished, *_required(decided)]))
    change = env_file(
        target.path, text, tuple(secrets), source=f"from {example.name}", to_fill_in=left
    )
    return PlannedEnv(change, decided, tuple(unfinished))


def _urls(
    target: EnvTarget, wanted: Sequence[Wanted], kept: Mapping[str, str], project: Project
) -> dict[str, str]:
    """Return the URLs of an example that contain a secret of the same file."""
    urls: dict[str, str] = {}
    for facts in target.read_by:
        question = _question(target, facts, wanted, {})
        names = [variable.name for variable in wanted]
        secrets = secret_variables(names, question, project.settings.name)
        urls |= urls_with(secrets, kept, question)
    return urls


def _renewable(target: EnvTarget, shown: Mapping[str, str]) -> list[Wanted]:
    """Return the secrets of an example that have no value there, or one that may not stay."""
    variables = {variable.name: variable for variable in _wanted(target, {})}
    renewable: list[Wanted] = []
    for name, value in shown.items():
        variable = variables.get(name, Wanted(name))
        if new_secrets.must_change(name, value, production=target.production):
            renewable.append(Wanted(name, value, is_required=True))
        elif not value and is_secret_name(name):
            renewable.append(variable)
    return renewable


def _wanted(target: EnvTarget, given: Mapping[str, str]) -> list[Wanted]:
    """Return the variables of the Compose files that nothing gives a value."""
    if not target.takes_variables:
        return []
    wanted: dict[str, Wanted] = {}
    for facts in target.read_by:
        for variable in facts.variables.values():
            if variable.name in given:
                continue
            other = wanted.get(variable.name)
            is_required = variable.is_required or (other is not None and other.is_required)
            default = variable.default or (other.default if other else "")
            wanted[variable.name] = Wanted(variable.name, default, is_required)
    return list(wanted.values())


def _decide(
    target: EnvTarget, wanted: Sequence[Wanted], given: Mapping[str, str], project: Project
) -> tuple[Choice, ...]:
    secrets: dict[str, SecretVariable] = {}
    for facts in reversed(target.read_by):
        secrets |= secret_variables(
            [variable.name for variable in wanted],
            _question(target, facts, wanted, given),
            project=project.settings.name,
        )

    def has_data(secret: SecretVariable) -> bool:
        data = {data_of(secret, facts, project) for facts in target.read_by}
        return not data <= {"", UNKNOWN}

    return env_choices.choices(wanted, secrets, production=target.production, has_data=has_data)


def _question(
    target: EnvTarget, facts: EnvFacts, wanted: Sequence[Wanted], given: Mapping[str, str]
) -> SecretsQuestion:
    """Return what decides about the secrets, in view of an environment."""
    defaults = facts.defaults
    for variable in wanted:
        if variable.default:
            defaults[variable.name] = variable.default
    extra: dict[str, dict[str, str]] = {}
    for service in facts.services.values():
        own: dict[str, str] = {}
        for file in service.env_files:
            for name, value in env_files.readable_values(file.path).items():
                own[name] = value.value
            if file.path == target.path:
                own |= given
                own |= {variable.name: f"${{{variable.name}}}" for variable in wanted}
        extra[service.name] = own
    return SecretsQuestion(facts.services, facts.images, given, defaults, extra)


def data_of(secret: SecretVariable, facts: EnvFacts, project: Project) -> str:
    """Return what exists of a secret's server in words; empty if nothing does."""
    service = facts.services.get(secret.server)
    if service is None:
        return ""
    return existing_data(service, identity(facts, project), project.deps)


def _new_secrets(decided: Sequence[Choice]) -> dict[str, str]:
    return {name: new_secrets.new_secret(name) for name in env_choices.names_of(decided, "new")}


def _required(decided: Sequence[Choice]) -> tuple[str, ...]:
    return tuple(choice.name for choice in decided if choice.is_open)


def env_file(
    path: Path,
    text: str,
    generated: tuple[str, ...],
    *,
    source: str = "",
    to_fill_in: tuple[str, ...] = (),
) -> Change:
    """Return the change that creates an env file, readable by its owner only."""
    return Change(
        action="create",
        path=path,
        about="; ".join(filter(None, (source, _about(generated), "0600"))),
        text=text,
        mode=PRIVATE,
        is_env_file=True,
        generated=generated,
        to_fill_in=to_fill_in,
    )


def _about(generated: tuple[str, ...]) -> str:
    return f"new secrets: {', '.join(generated)}" if generated else ""
