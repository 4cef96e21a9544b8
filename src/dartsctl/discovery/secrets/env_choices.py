"""Decide what an env file says about each variable of the Compose files."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from dartsctl.config.secrets import is_placeholder, is_weak
from dartsctl.discovery.secrets.secret_owners import SecretVariable, is_issued_name
from dartsctl.records import record

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

ChoiceKind = Literal["new", "current", "literal", "ask", "may-ask", "default"]
"""`new`: a new secret. `current`: the secret of data that exists already. `literal`: a secret that
stands in the Compose files as a fixed text too. `ask`: only a person can know it, and nothing
starts without it. `may-ask`: the same, but the stack starts without it. `default`: the Compose
files have a value that may stay.
"""


@record
class Wanted:
    """A variable that an env file does not set. `default` is what counts without it."""

    name: str
    default: str = ""
    is_required: bool = False


@record
class Choice:
    """What is to be said about a variable. `secret` is what is known about it if it is one."""

    name: str
    kind: ChoiceKind
    default: str = ""
    is_required: bool = False
    secret: SecretVariable | None = None

    @property
    def is_open(self) -> bool:
        """Whether only a person can go on, and the stack does not start before."""
        return self.kind in ("current", "literal", "ask")


def choices(
    wanted: Iterable[Wanted],
    secrets: Mapping[str, SecretVariable],
    *,
    production: bool,
    has_data: Callable[[SecretVariable], bool],
) -> tuple[Choice, ...]:
    """Return the decision about each variable.

    `has_data` returns whether the server of a secret is known to have data already.
    """
    decided: list[Choice] = []
    for variable in wanted:
        secret = secrets.get(variable.name)
        if secret is None:
            kind = _plain_kind(variable)
        else:
            kind = _secret_kind(variable, secret, production=production, has_data=has_data)
        choice = Choice(variable.name, kind, variable.default, variable.is_required, secret)
        decided.append(choice)
    return tuple(decided)


def _plain_kind(variable: Wanted) -> ChoiceKind:
    if variable.is_required:
        return "ask"
    if is_placeholder(variable.default, secret=False):
        return "may-ask"
    if is_issued_name(variable.name) and not variable.default:
        return "may-ask"
    return "default"


def _secret_kind(
    variable: Wanted,
    secret: SecretVariable,
    *,
    production: bool,
    has_data: Callable[[SecretVariable], bool],
) -> ChoiceKind:
    is_refused = production and is_weak(variable.default)
    if secret.owner == "person":
        if variable.is_required or is_refused:
            return "ask"
        return "default" if variable.default else "may-ask"
    is_public = production and (bool(variable.default) or bool(secret.users))
    if not variable.is_required and not is_public:
        return "default"
    if secret.literals:
        return "literal"
    if secret.keeps_data and has_data(secret):
        return "current"
    return "new"


def names_of(decided: Sequence[Choice], *kinds: ChoiceKind) -> tuple[str, ...]:
    """Return the variables with a decision of these kinds."""
    return tuple(choice.name for choice in decided if choice.kind in kinds)


def needed(decided: Sequence[Choice]) -> bool:
    """Return whether a variable needs a line in the env file."""
    return any(choice.kind == "new" or choice.is_open for choice in decided)
