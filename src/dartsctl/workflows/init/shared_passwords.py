"""A server's new password in the new env files of its environment, also in its own.

An app has it as a URL or by another name: both get it, or none can log in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.discovery.secrets.secret_owners import is_for_server, is_login, with_password
from dartsctl.edges.project import env_files
from dartsctl.records import field, record
from dartsctl.text.secret_names import is_secret_name
from dartsctl.workflows.init.env_changes import EnvTarget, PlannedEnv, env_file

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dartsctl.discovery.written_model import WrittenService

Planned = tuple[EnvTarget, PlannedEnv]


@record
class _NewPassword:
    """A password that a server of the environment gets in place of the one that is shown."""

    environment: str
    server: WrittenService
    image: str
    old: str = field(repr=False)
    new: str = field(repr=False)

    def replaced_in(self, name: str, shown: Mapping[str, str]) -> str | None:
        """Return the new value of a variable of an example; None where it is not the server's."""
        text = shown.get(name, "")
        if is_login(text, self.server.hosts, self.old):
            return with_password(text, self.new)
        is_same = text == self.old and is_secret_name(name)
        if is_same and is_for_server(name, shown, self.server, self.image):
            return self.new
        return None


def with_shared_passwords(planned: Sequence[Planned]) -> list[Planned]:
    """Return the planned env files, each with the new passwords of its environments' servers."""
    known: list[_NewPassword] = []
    for target, plan in planned:
        known += _new_passwords(target, plan)
    result: list[Planned] = []
    for target, plan in planned:
        names = [facts.name for facts in target.read_by]
        passwords = [password for password in known if password.environment in names]
        result.append((target, _with(plan, target, passwords)))
    return result


def _new_passwords(target: EnvTarget, plan: PlannedEnv) -> Iterator[_NewPassword]:
    new = env_files.values_in(plan.change.text)
    for choice in plan.decided:
        if choice.name not in plan.change.generated or not choice.secret or not choice.default:
            continue
        for facts in target.read_by:
            server = facts.services.get(choice.secret.server)
            if server:
                image = facts.images.get(server.name, "")
                yield _NewPassword(facts.name, server, image, choice.default, new[choice.name])


def _with(plan: PlannedEnv, target: EnvTarget, passwords: Sequence[_NewPassword]) -> PlannedEnv:
    example = env_files.example_of(target.path)
    if not passwords or plan.change.action != "create" or example is None:
        return plan
    shown = env_files.values_in(env_files.text_of(example))

    def renew(name: str, _value: str) -> str | None:
        if name in plan.change.generated:
            return None
        values = {password.replaced_in(name, shown) for password in passwords} - {None}
        return values.pop() if len(values) == 1 else None

    text, renewed = env_files.filled_in(plan.change.text, renew)
    change = env_file(
        target.path,
        text,
        (*plan.change.generated, *renewed),
        source=f"from {example.name}",
        to_fill_in=tuple(name for name in plan.change.to_fill_in if name not in renewed),
    )
    decided = tuple(choice for choice in plan.decided if choice.name not in renewed)
    unfinished = tuple(name for name in plan.unfinished if name not in renewed)
    return PlannedEnv(change, decided, unfinished)
