"""A database's new password in the other new env files of its environment.

An app has it in a file of its own, as a URL or by another name: both get it, or none can log in.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from dartsctl.discovery.secrets.image_secrets import initial_variables
from dartsctl.discovery.secrets.secret_owners import is_login, with_password
from dartsctl.edges.project import env_files
from dartsctl.text.secret_names import is_secret_name
from dartsctl.workflows.init.env_changes import EnvTarget, PlannedEnv, env_file

Planned = tuple[EnvTarget, PlannedEnv]


@dataclass(frozen=True, slots=True)
class _NewPassword:
    """A password that a server of the environment gets in place of its example's."""

    environment: str
    hosts: frozenset[str]
    old: str = field(repr=False)
    new: str = field(repr=False)


def with_shared_passwords(planned: Sequence[Planned]) -> list[Planned]:
    """Return the planned env files, each with the new passwords of the others' servers."""
    known: list[tuple[EnvTarget, _NewPassword]] = []
    for target, plan in planned:
        known += [(target, password) for password in _new_passwords(target, plan)]
    result: list[Planned] = []
    for target, plan in planned:
        names = [facts.name for facts in target.read_by]
        others = [
            password
            for owner, password in known
            if owner is not target and password.environment in names
        ]
        result.append((target, _with(plan, target, others)))
    return result


def _new_passwords(target: EnvTarget, plan: PlannedEnv) -> Iterator[_NewPassword]:
    example = env_files.example_of(target.path)
    if plan.change.action != "create" or example is None:
        return
    old = env_files.values_in(env_files.text_of(example))
    new = env_files.values_in(plan.change.text)
    for facts in target.read_by:
        for service in facts.services.values():
            if all(file.path != target.path for file in service.env_files):
                continue
            initial = initial_variables(facts.images.get(service.name, ""))
            for name in initial.intersection(plan.change.generated):
                if old.get(name):
                    yield _NewPassword(facts.name, service.hosts, old[name], new[name])


def _with(plan: PlannedEnv, target: EnvTarget, passwords: Sequence[_NewPassword]) -> PlannedEnv:
    example = env_files.example_of(target.path)
    if not passwords or plan.change.action != "create" or example is None:
        return plan
    shown = env_files.values_in(env_files.text_of(example))

    def renew(name: str, _value: str) -> str | None:
        text = shown.get(name, "")
        for password in passwords:
            if is_login(text, password.hosts, password.old):
                return with_password(text, password.new)
            if text == password.old and is_secret_name(name):
                return password.new
        return None

    text, renewed = env_files.filled_in(plan.change.text, renew)
    generated = tuple(dict.fromkeys([*plan.change.generated, *renewed]))
    change = env_file(
        target.path,
        text,
        generated,
        source=f"from {example.name}",
        to_fill_in=plan.change.to_fill_in,
    )
    return replace(plan, change=change)
