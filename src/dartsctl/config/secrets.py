"""Judge what production would run with: placeholders, well-known defaults, example values.

Values come in and never leave: an Objection contains only names and places.
"""

from __future__ import annotations

import re

from dartsctl.records import field, record
from dartsctl.text.patterns import regex
from dartsctl.text.phrases import shell_command
from dartsctl.text.secret_names import is_never_secret, is_secret_name, password_in, userinfo

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
    from typing import Literal

    from dartsctl.stack.model import Stack

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

SHORTEST = 12
"""Minimum length of a secret, in characters."""

WARNINGS: frozenset[Kind] = frozenset({"expiring", "unchecked", "reserved-domain"})
"""Kinds that are reported, but do not keep production from starting."""


@record
class Objection:
    """A reason not to start production.

    `name` is a variable, `service.VARIABLE`, or a path. `where` is the place that sets it.
    """

    kind: Kind
    name: str
    where: str
    sentence: str
    """The whole sentence for people; it begins with the name."""
    advice: str = ""
    """The next command."""

    @property
    def is_warning(self) -> bool:
        """Whether production may start in spite of it."""
        return self.kind in WARNINGS


@record
class Variable:
    """A value that production would run with. No repr shows it."""

    name: str
    value: str = field(repr=False)
    where: str
    """`.env.production:6`, "the environment", "the Compose files"."""
    uses: frozenset[str] = frozenset()
    """The variables that are replaced in it."""


_USER_WORDS = frozenset({"USER", "USERNAME", "LOGIN", "ADMIN", "ACCOUNT"})


def is_user(name: str) -> bool:
    """Return whether a variable has an account's name."""
    return re.split(r"[^A-Z0-9]+", name.upper())[-1] in _USER_WORDS


# --- weak values -------------------------------------------------------------------------------

_UNFINISHED = regex(
    r"(?i)(?<![a-z])(?:change[-_ ]?(?:me|this|it)?[-_ ]in[-_ ]prod(?:uction)?"
    r"|change[-_ ]?(?:me|this)|replace[-_ ]?(?:me|this)|fill[-_ ]?me[-_ ]?in"
    r"|to[-_ ]be[-_ ](?:set|changed))(?![a-z])"
    r"|(?<![a-z])(?:your|insert)[-_ ][\w -]*[-_ ]here(?![a-z])"
)
_UNFINISHED_URL = regex(
    r"(?i)[a-z][\w+.-]*://\S*"
    r"(?:<[^<>@]+>|(?<![a-z])your[-_]?(?:domain|host|hostname|site)(?![a-z]))"
)
_ALL_UNFINISHED = regex(
    r"(?i)<[^<>@]+>|\[(?:your|change)[^\]]*\]|x{3,}(?:[-_.]x+)*|todo|tbd|fixme|placeholder"
    r"|\*{3,}|\.{3,}|…|\?{3,}"
)
_YOURS = regex(
    r"(?i)(?:your|insert|enter)[-_ ](?:\w+[-_ ]){0,3}"
    r"(?:secrets?|keys?|passwords?|passwd|pass|tokens?|ids?|values?|strings?|credentials?|here)\d*"
)
_WORDS = (
    "my|your|the|a|very|super|top|dev|devel|develop|development|prod|production|local|localhost"
    "|test|testing|demo|sample|example|default|insecure|secret|secrets|password|passwd|pass"
    "|passw0rd|p@ssw0rd|p@ssword|pw|key|token|jwt|session|cookie|flask|django|admin|administrator"
    "|root|toor|user|guest|service|postgres|postgresql|pg|rabbitmq|rabbit|mysql|mariadb|redis|mongo"
    "|minio|db|dbpass|database|app|api|gateway|web|server|docker|compose|darts|dart|wso2|carbon|is"
    "|apim|change|changeit|it|letmein|welcome|qwerty|qwertz|abc|abcdef|hunter|foo|bar|foobar"
    "|trustno"
)
_EASY = regex(
    rf"(?i)(?:(?:{_WORDS})[ _.\-]*)+[\d!@#$%^&*?.]*|\d*(?:0?1234567890?|12345678)\d*"
    r"|django-insecure-.*"
)
_LONGEST_EASY = 40  # characters: nobody types more by hand, and the pattern would be slow
_RESERVED_DOMAIN = regex(r"(?i)(?<![\w-])(?:[\w-]+\.)*example\.(?:com|net|org)(?![\w-]|\.\w)")


def is_placeholder(value: str, *, secret: bool) -> bool:
    """Return whether a value is to be replaced. A secret may also begin with `your-...`."""
    text = value.strip()
    if _UNFINISHED.search(text) or _ALL_UNFINISHED.fullmatch(text):
        return True
    if _UNFINISHED_URL.match(text):
        return True
    return secret and _YOURS.fullmatch(text) is not None


def _is_easy(value: str, users: Iterable[str]) -> bool:
    """Return whether a secret is easy to guess.

    That is the user's name, well-known words (with digits after them), or very few different
    characters.
    """
    if value.casefold() in {user.casefold() for user in users}:
        return True
    if len(value) >= SHORTEST and len(set(value)) < 5:
        return True
    return len(value) <= _LONGEST_EASY and _EASY.fullmatch(value) is not None


def _secret_kind(value: str, users: Iterable[str], examples: Iterable[str]) -> Kind | None:
    if is_placeholder(value, secret=True):
        return "placeholder"
    if _is_easy(value, users):
        return "default"
    if value in examples:
        return "example"
    if len(value) < SHORTEST:
        return "short"
    return None


def weakness(
    variable: Variable, users: Iterable[str] = (), examples: Iterable[str] = ()
) -> Kind | None:
    """Return what is wrong with a value, or None.

    `users`: account names beside it. `examples`: secrets that a published file contains. Where the
    name of the variable does not say that it is a secret, only a placeholder, and the password
    inside a URL are judged.
    """
    name, value = variable.name.rpartition(".")[2], variable.value
    if is_secret_name(name) and not is_never_secret(value):
        return _secret_kind(value, users, examples)
    if is_placeholder(value, secret=False):
        return "placeholder"
    login = userinfo(value)
    if login:  # the host of such a URL is not judged
        return _secret_kind(login.password, (*users, login.user), examples)
    if _RESERVED_DOMAIN.search(value):
        return "reserved-domain"
    return None


def is_weak(value: str, *, name: str = "PASSWORD", users: Iterable[str] = ()) -> bool:
    """Return whether production refuses a value for a secret."""
    return weakness(Variable(name, value, ""), users) is not None


_SENTENCES: Mapping[Kind, str] = {
    "placeholder": "is still a placeholder",
    "default": "is a well-known default or easy to guess",
    "example": "is the public value of the example file",
    "short": f"has fewer than {SHORTEST} characters",
    "reserved-domain": "still names the reserved domain example.com, .net or .org",
}
_NEW_VALUE = "openssl rand -hex 24"


def judge(variables: Sequence[Variable], examples: Mapping[str, str]) -> tuple[Objection, ...]:
    """Return what is wrong with the variables of the env files.

    `examples` are the variables of the example files beside them.
    """
    users = [variable.value for variable in variables if is_user(variable.name)]
    public = secrets_among(examples)
    secrets = {variable.name: variable.value for variable in variables}
    objections: list[Objection] = []
    for variable in variables:
        inside = {secrets.get(name) for name in variable.uses if is_secret_name(name)}
        if password_in(variable.value) in inside:
            continue  # judged under the name that it comes from
        kind = weakness(variable, users, public)
        if kind:
            objections.append(_objection(variable, kind))
    return tuple(objections)


def judge_model(
    stack: Stack,
    settled: Iterable[str],
    examples: Mapping[str, str],
    exported: Mapping[str, str],
    written: Callable[[], Mapping[tuple[str, str], str]] = dict,
) -> tuple[Objection, ...]:
    """Return what is wrong with the secrets in the environments of the containers.

    Such a secret is in the Compose files, is a default of theirs, or was exported by the caller.
    `settled`: the values of the env files, which `judge` has seen. `exported`: the
    environment of the process. `written` returns the text of each service's variable as the Compose
    files have it, as far as it is known: a value that is written there is not an env file's, even
    if it is equal.
    """
    known, public = set(settled), secrets_among(examples)
    objections: dict[tuple[str, str], Objection] = {}
    texts: Mapping[tuple[str, str], str] | None = None
    for service in stack.services.values():
        users = [value for name, value in service.environment.items() if is_user(name)]
        for name, value in service.environment.items():
            kind = weakness(Variable(name, value, ""), users, public)
            if not kind or not _concerns_secrets(kind, name, value):
                continue
            texts = written() if texts is None else texts
            where = "the Compose files"
            if texts and (service.name, name) not in texts:
                where = "its env_file"
            inline = Variable(f"{service.name}.{name}", value, where)
            for variable in _sources(inline, texts.get((service.name, name), "$"), known, exported):
                key = (variable.where, variable.name)
                objections.setdefault(key, _objection(variable, kind))
    return tuple(objections.values())


def _sources(
    inline: Variable, text: str, known: Collection[str], exported: Mapping[str, str]
) -> list[Variable]:
    """Return what sets a container's variable; nothing if that is an env file's value.

    `text` is what the Compose files have; a `$` means that something is replaced in it.
    """
    if "$" not in text:
        return [inline]
    name, value = inline.name.rpartition(".")[2], inline.value
    if value in known or password_in(value) in known:
        return []
    origins = _exported_as(name, value, exported)
    return [Variable(origin, value, "the environment") for origin in origins] or [inline]


def _exported_as(name: str, value: str, exported: Mapping[str, str]) -> list[str]:
    """Return the exported variables that a container's `name` may have its value from."""
    if exported.get(name) == value:
        return [name]
    others = [other for other, exported_value in exported.items() if exported_value == value]
    return list(filter(is_secret_name, others))


def _concerns_secrets(kind: Kind, name: str, value: str) -> bool:
    """Return whether an objection is about a secret: other placeholders may stand in the files."""
    if kind == "placeholder":
        return is_secret_name(name) or bool(password_in(value))
    return kind != "reserved-domain"


def judge_mode(path: str, mode: int) -> tuple[Objection, ...]:
    """Return what is wrong with the mode of an env file: only its owner may read it.

    The owner was checked before (config/trust.py).
    """
    if not mode & 0o077:
        return ()
    who = "all users" if mode & 0o007 else "its group"
    sentence = f"{path} is accessible to {who} (mode {mode & 0o777:04o})"
    objection = Objection(
        kind="readable",
        name=path,
        where=path,
        sentence=sentence,
        advice=shell_command("chmod", "600", path),
    )
    return (objection,)


def unread(path: str, problem: str) -> Objection:
    """Return the objection to an unreadable env file. `problem` contains no value."""
    return Objection("unread", path, path, f"{path} could not be checked: {problem}")


def missing(names: Sequence[str]) -> tuple[Objection, ...]:
    """Return objections to required variables (`${NAME:?}`) that are not set."""
    return tuple(
        Objection(
            kind="missing",
            name=name,
            where="the Compose files",
            sentence=f"{name} is required, but not set",
            advice=_NEW_VALUE if is_secret_name(name) else "",
        )
        for name in names
    )


def secrets_among(values: Mapping[str, str]) -> frozenset[str]:
    """Return the values that are secrets by their names, and the passwords inside URLs."""
    named = {
        value
        for name, value in values.items()
        if is_secret_name(name) and not is_never_secret(value)
    }
    in_urls = map(password_in, values.values())
    return frozenset(named.union(filter(None, in_urls)))


def _objection(variable: Variable, kind: Kind) -> Objection:
    return Objection(
        kind=kind,
        name=variable.name,
        where=variable.where,
        sentence=f"{variable.name} ({variable.where}) {_SENTENCES[kind]}",
        advice="" if kind == "reserved-domain" else _NEW_VALUE,
    )
