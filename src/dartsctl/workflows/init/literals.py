"""Fixed weak secrets in production's Compose files: replaced by an override file, or left to you.

The files themselves belong to somebody and are never changed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.config.settings import PRODUCTION
from dartsctl.discovery.changes import Change
from dartsctl.discovery.proposal import Proposal, ProposedSetting, Task
from dartsctl.discovery.secrets.image_secrets import initial_variables
from dartsctl.discovery.secrets.secret_owners import Place
from dartsctl.discovery.secrets.weak_literals import WeakLiteral, override_text, weak_literals
from dartsctl.edges.project import env_files
from dartsctl.edges.project.compose_places import ComposePlaces
from dartsctl.records import field, record, replace
from dartsctl.stack.model import ComposeVariable
from dartsctl.text.phrases import relative
from dartsctl.workflows.init.env_facts import EnvFacts, identity, read_env_facts
from dartsctl.workflows.init.env_files import env_paths
from dartsctl.workflows.init.existing_data import UNKNOWN, existing_data

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from dartsctl.config.env_value import EnvValue
    from dartsctl.discovery.written_model import WrittenService
    from dartsctl.workflows.init.project import Project

_OVERRIDE = "compose.dartsctl-secrets.yaml"
"""The file that replaces fixed secrets of production's files by variables."""


@record
class Literals:
    """What is found, and the facts of production as they are with the override file."""

    proposal: Proposal = field(default_factory=Proposal)
    facts: Mapping[str, EnvFacts] = field(default_factory=dict)


def find_literals(project: Project) -> Literals:
    """Return the override file for fixed weak secrets, and tasks for those that it cannot have."""
    if project.bundled or PRODUCTION not in project.stacks:
        return Literals()
    facts = read_env_facts(project, PRODUCTION)
    started = project.stacks[PRODUCTION].stack.services
    services = {name: own for name, own in facts.services.items() if name in started}
    places = _places_in_env_files(services, project)
    literals = weak_literals(_with_env_files(services, places), facts.images)
    if not literals:
        return Literals(facts={PRODUCTION: facts})
    data = _data(literals, facts, project)
    replaced = () if _is_by_hand(project, facts) else _replaceable(literals, data)
    left = [literal for literal in literals if literal not in replaced]
    compose = ComposePlaces(facts.files, project.root)
    shown: dict[Place, str] = {}
    for literal in literals:
        shown[literal.place] = _shown(literal.place, places, compose, project)
    proposal = Proposal(tasks=tuple(_tasks(left, data, shown, project)))
    if replaced:
        proposal += _override(replaced, shown, facts, project)
    return Literals(proposal, {PRODUCTION: _with_variables(facts, replaced)})


def _places_in_env_files(
    services: Mapping[str, WrittenService], project: Project
) -> dict[Place, EnvValue]:
    """Return what services have from their own `env_file`.

    Production's own env file is not among them: its values are looked at there.
    """
    own = env_paths(project, PRODUCTION)
    places: dict[Place, EnvValue] = {}
    for service in services.values():
        for file in service.env_files:
            if file.path in own:
                continue
            for name, value in env_files.readable_values(file.path).items():
                if name not in service.environment:
                    places[Place(service.name, name)] = value
    return places


def _with_env_files(
    services: Mapping[str, WrittenService], places: Mapping[Place, EnvValue]
) -> dict[str, WrittenService]:
    merged = dict(services)
    for place, value in places.items():
        service = merged[place.service]
        environment = {**service.environment, place.name: value.value}
        merged[place.service] = replace(service, environment=environment)
    return merged


def _is_by_hand(project: Project, facts: EnvFacts) -> bool:
    """Whether an override file would not be used, or would change what runs."""
    own_files = project.settings.environments[PRODUCTION].files is not None
    if own_files or project.settings.source or (project.root / _OVERRIDE).exists():
        return True
    return any(map(identity(facts, project).includes, project.containers))


def _replaceable(
    literals: Sequence[WeakLiteral], data: Mapping[str, str]
) -> tuple[WeakLiteral, ...]:
    """Return the literals whose variable is clear, and that no existing data depends on."""
    unclear = {literal.secret for literal in literals if not literal.variable}
    kept = {literal.variable for literal in literals if literal.secret in unclear}
    return tuple(
        literal
        for literal in literals
        if literal.variable and literal.variable not in kept and literal.variable not in data
    )


def _data(literals: Sequence[WeakLiteral], facts: EnvFacts, project: Project) -> dict[str, str]:
    """Return variable -> the data that its fixed secret was made with."""
    data: dict[str, str] = {}
    for literal in literals:
        place = literal.place
        service = facts.services[place.service]
        if place.name not in initial_variables(facts.images.get(place.service, "")):
            continue
        there = existing_data(service, identity(facts, project), project.deps)
        if there not in ("", UNKNOWN):
            data[literal.variable] = there
    return data


def _override(
    replaced: Sequence[WeakLiteral], shown: Mapping[Place, str], facts: EnvFacts, project: Project
) -> Proposal:
    path = project.root / _OVERRIDE
    listed = ", ".join(dict.fromkeys(shown[literal.place] for literal in replaced))
    files = [relative(project.root, file) for file in (*facts.files, path)]
    why = f"{_OVERRIDE} replaces fixed passwords"
    return Proposal(
        notes=(f"fixed secrets that production refuses: {listed}; {_OVERRIDE} replaces them",),
        settings=(ProposedSetting(PRODUCTION, "files", files, why),),
        changes=(Change("create", path, "variables for fixed secrets", override_text(replaced)),),
    )


def _tasks(
    literals: Iterable[WeakLiteral],
    data: Mapping[str, str],
    shown: Mapping[Place, str],
    project: Project,
) -> Iterable[Task]:
    file = relative(project.root, env_paths(project, PRODUCTION)[-1])
    groups: dict[str, list[WeakLiteral]] = {}
    for literal in literals:
        groups.setdefault(literal.variable or shown[literal.place], []).append(literal)
    for variable, own in groups.items():
        listed = ", ".join(dict.fromkeys(shown[literal.place] for literal in own))
        if not own[0].variable:
            yield Task(
                f"write a variable for the fixed secret in {listed}: production refuses it, and "
                "which server it is for is not clear"
            )
            continue
        # an env_file takes such a line too
        lines = dict.fromkeys(f"{literal.place.name}: {literal.replacement}" for literal in own)
        text = f"production refuses the fixed secret in {listed}: write there, and set {variable}"
        text += f" in {file}"
        if variable in data:
            text += f"; {data[variable]} was made with the old one, so change it there as well"
        yield Task(text, tuple(lines))


def _shown(
    place: Place, files: Mapping[Place, EnvValue], compose: ComposePlaces, project: Project
) -> str:
    """Return a place for people: `postgres.POSTGRES_PASSWORD (docker-compose.yml:9)`."""
    if value := files.get(place):
        return f"{place.name} ({relative(project.root, value.file)}:{value.line})"
    if line := compose.in_service(place.service, place.name):
        return f"{place} ({line})"
    return str(place)


def _with_variables(facts: EnvFacts, replaced: Sequence[WeakLiteral]) -> EnvFacts:
    """Return the facts as they are with the override file."""
    services = dict(facts.services)
    variables = dict(facts.variables)
    for literal in replaced:
        service = services[literal.place.service]
        variables[literal.variable] = ComposeVariable(literal.variable, is_required=True)
        initial = initial_variables(facts.images.get(service.name, ""))
        if initial and literal.place.name not in initial:
            continue  # of the app's env file: a database does not read it
        texts = {**service.environment, literal.place.name: literal.replacement}
        services[service.name] = replace(service, environment=texts)
    return replace(facts, services=services, variables=variables)
