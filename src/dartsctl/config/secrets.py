"""What production would run with, judged before anything starts: placeholders, well-known defaults, values of the example file (DESIGN 5).

Values come in and never go out: an Objection holds names and places alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from dartsctl.stack.model import Stack
from dartsctl.text.secret_names import is_open, is_secret, password_in, userinfo

SHORTEST = 12
"""Characters that a secret must have at least."""

Kind = Literal[
    "missing",
    "placeholder",
    "default",
    "example",
    "short",
    "unread",
    "readable",
    "no-certificate",
    "expired",
    "not-yet-valid",
    "mismatch",
    "expiring",
    "unchecked",
    "reserved-domain",
]
WARNINGS: frozenset[Kind] = frozenset({"expiring", "unchecked", "reserved-domain"})
"""What is told and keeps nothing from starting."""


@dataclass(frozen=True, slots=True)
class Objection:
    """Why production should not start like this. `name` is a variable, `service.VARIABLE`, or a path; `where` says who sets it."""

    kind: Kind
    name: str
    where: str
    sentence: str
    """For people, whole: it begins with the name."""
    advice: str = ""
    """The next command to type."""

    @property
    def is_warning(self) -> bool:
        return self.kind in WARNINGS


@dataclass(frozen=True, slots=True)
class Variable:
    """One value that production would run with. The value stays out of every repr."""

    name: str
    value: str = field(repr=False)
    where: str
    """`.env.production:6`, "the environment", "the Compose files"."""


_USER_WORDS = frozenset({"USER", "USERNAME", "LOGIN", "ADMIN", "ACCOUNT"})


def _is_user(name: str) -> bool:
    return re.split(r"[^A-Z0-9]+", name.upper())[-1] in _USER_WORDS


# --- which values are worth nothing -------------------------------------------------------------------------------------------

_UNFINISHED = re.compile(
    r"(?i)(?<![a-z])(?:change[-_ ]?(?:me|this)|replace[-_ ]?(?:me|this)|fill[-_ ]?me[-_ ]?in|to[-_ ]be[-_ ](?:set|changed))(?![a-z])"
    r"|(?<![a-z])(?:your|insert)[-_ ][\w -]*[-_ ]here(?![a-z])"
)
_ALL_UNFINISHED = re.compile(
    r"(?i)<[^<>@]+>|\[(?:your|change)[^\]]*\]|x{3,}(?:[-_.]x+)*|todo|tbd|fixme|placeholder|\*{3,}|\.{3,}|…|\?{3,}"
)
_YOURS = re.compile(
    r"(?i)(?:your|insert|enter)[-_ ](?:\w+[-_ ]){0,3}(?:secrets?|keys?|passwords?|passwd|pass|tokens?|ids?|values?|strings?|credentials?|here)\d*"
)
_WORDS = (
    "my|your|the|a|very|super|top|dev|devel|develop|development|prod|production|local|localhost|test|testing|demo|sample|example|default|insecure|"
    "secret|secrets|password|passwd|pass|passw0rd|p@ssw0rd|p@ssword|pw|key|token|jwt|session|cookie|flask|django|admin|administrator|root|toor|"
    "user|guest|service|postgres|postgresql|pg|rabbitmq|rabbit|mysql|mariadb|redis|mongo|minio|db|dbpass|database|app|api|gateway|web|server|docker|"
    "compose|darts|dart|wso2|carbon|is|apim|change|changeit|it|letmein|welcome|qwerty|qwertz|abc|abcdef|hunter|foo|bar|foobar|trustno"
)
_EASY = re.compile(
    rf"(?i)(?:(?:{_WORDS})[ _.\-]*)+[\d!@#$%^&*?.]*|\d*(?:0?1234567890?|12345678)\d*|django-insecure-.*"
)
_LONGEST_EASY = (
    40  # characters: longer ones are not made by hand, and the pattern would take its time
)
_RESERVED_DOMAIN = re.compile(r"(?i)(?<![\w-])(?:[\w-]+\.)*example\.(?:com|net|org)(?![\w-]|\.\w)")


def is_placeholder(value: str, *, secret: bool) -> bool:
    """Whether a value waits for somebody to replace it. Of a secret, `your-...` at its beginning says so too."""
    text = value.strip()
    return bool(
        _UNFINISHED.search(text)
        or _ALL_UNFINISHED.fullmatch(text)
        or (secret and _YOURS.fullmatch(text))
    )


def _is_easy(value: str, users: Iterable[str]) -> bool:
    """The user's name, nothing but words that everybody tries (and digits after them), or hardly any different characters."""
    if value.casefold() in {user.casefold() for user in users} or (
        len(value) >= SHORTEST and len(set(value)) < 5
    ):
        return True
    return len(value) <= _LONGEST_EASY and bool(_EASY.fullmatch(value))


def _secret_kind(value: str, users: Iterable[str], examples: Iterable[str]) -> Kind | None:
    if is_placeholder(value, secret=True):
        return "placeholder"
    if _is_easy(value, users):
        return "default"
    if value in examples:
        return "example"
    return "short" if len(value) < SHORTEST else None


def weakness(
    variable: Variable, users: Iterable[str] = (), examples: Iterable[str] = ()
) -> Kind | None:
    """What is wrong with one value, None where nothing is. `users` are account names beside it, `examples` secrets that a published file shows.

    A variable whose name says nothing of a secret is judged as a placeholder, and by the password inside its URL.
    """
    name, value = variable.name.rpartition(".")[2], variable.value
    if is_secret(name) and not is_open(value):
        return _secret_kind(value, users, examples)
    if is_placeholder(value, secret=False):
        return "placeholder"
    if inside := userinfo(
        value
    ):  # what a URL says before its @ may be weak, its host is no business of this
        return _secret_kind(inside.password, (*users, inside.user), examples)
    return "reserved-domain" if _RESERVED_DOMAIN.search(value) else None


_SENTENCES: Mapping[Kind, str] = {
    "placeholder": "is still a placeholder",
    "default": "is a well-known default, or easy to guess",
    "example": "is the value of the example file, which everybody can read",
    "short": f"has fewer than {SHORTEST} characters",
    "reserved-domain": "still names example.com, .net or .org",
}
_NEW_VALUE = "openssl rand -hex 24    makes a good value"


def judge(variables: Sequence[Variable], examples: Mapping[str, str]) -> tuple[Objection, ...]:
    """What is wrong with the variables of the env files. `examples` are those of the example files beside them."""
    users = [one.value for one in variables if _is_user(one.name)]
    shown, named = secrets_among(examples), {one.value for one in variables if is_secret(one.name)}
    return tuple(
        _objection(one, kind)
        for one in variables
        if password_in(one.value) not in named and (kind := weakness(one, users, shown))
    )


def judge_model(
    stack: Stack, settled: Iterable[str], examples: Mapping[str, str], exported: Mapping[str, str]
) -> tuple[Objection, ...]:
    """What is wrong with the secrets of the containers' environments: written into the Compose files, their defaults, or exported by our caller.

    `settled` are values that the env files set and `judge` has seen; `exported` is the process's environment.
    """
    known, shown = set(settled), secrets_among(examples)
    found: dict[tuple[str, str], Objection] = {}
    for service in stack.services.values():
        users = [value for name, value in service.environment.items() if _is_user(name)]
        for name, value in service.environment.items():
            inside = password_in(value)
            if value in known or inside in known:
                continue
            origin = next(
                (
                    other
                    for other, one in exported.items()
                    if one == value and (other == name or is_secret(other))
                ),
                "",
            )
            variable = Variable(
                origin or f"{service.name}.{name}",
                value,
                "the environment" if origin else "the Compose files",
            )
            kind = weakness(Variable(name, value, variable.where), users, shown)
            if (
                kind
                and kind != "reserved-domain"
                and (kind != "placeholder" or inside or is_secret(name))
            ):
                found.setdefault((variable.where, variable.name), _objection(variable, kind))
    return tuple(found.values())


def judge_mode(path: str, mode: int) -> tuple[Objection, ...]:
    """What is wrong with who may read an env file: anybody but its owner. Whose it is has been asked before (config/trust.py)."""
    import shlex

    if not mode & 0o077:
        return ()
    who = "everybody on this machine" if mode & 0o007 else "its group"
    sentence = f"{path} is open to {who} (mode {mode & 0o777:04o})"
    return (Objection("readable", path, path, sentence, f"chmod 600 {shlex.quote(path)}"),)


def unread(path: str, problem: str) -> Objection:
    """An env file that could not be read, so that nothing in it was judged. `problem` holds no value."""
    return Objection("unread", path, path, f"{path} could not be checked: {problem}")


def missing(names: Sequence[str]) -> tuple[Objection, ...]:
    """Variables that the Compose files require (`${NAME:?}`), and nothing sets."""
    return tuple(
        Objection(
            "missing",
            name,
            "the Compose files",
            f"{name} is required, and nothing sets it",
            _NEW_VALUE,
        )
        for name in names
    )


def secrets_among(values: Mapping[str, str]) -> frozenset[str]:
    """Those values that are secrets by their names, the passwords inside URLs included."""
    found = {value for name, value in values.items() if is_secret(name) and not is_open(value)}
    return frozenset(
        found | {inside for value in values.values() if (inside := password_in(value))}
    )


def _objection(variable: Variable, kind: Kind) -> Objection:
    sentence = f"{variable.name} ({variable.where}) {_SENTENCES[kind]}"
    return Objection(
        kind,
        variable.name,
        variable.where,
        sentence,
        "" if kind == "reserved-domain" else _NEW_VALUE,
    )
