"""Decide who may choose a secret: the stack, its own app, or only a person.

How the services use the variable decides first, its name second. What nobody knows is a person's:
a wrong random value would look like a right one.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Literal

from dartsctl.discovery.secrets.image_secrets import initial_variables, password_options
from dartsctl.records import field, record
from dartsctl.stack.config_errors.interpolation import expand, references
from dartsctl.stack.model import image_name
from dartsctl.text.patterns import regex
from dartsctl.text.secret_names import is_secret_name, userinfo, word_set

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

    from dartsctl.discovery.written_model import WrittenService

Owner = Literal["stack", "app", "person"]

_MARK = "\x01{}\x02"  # no file contains it
_HOST = regex(r"^[a-zA-Z][\w+.-]*://(?:[^/@\s]*@)?([^/:?#\s]+)")


@record
class Place:
    """A variable of a service, or (without a name) its command."""

    service: str
    name: str = ""

    def __str__(self) -> str:
        return f"{self.service}.{self.name}" if self.name else f"the command of {self.service}"


@record
class SecretVariable:
    """A secret of the Compose files that has no value yet."""

    name: str
    owner: Owner
    places: tuple[Place, ...] = ()
    """Where the services have it."""
    server: str = ""
    """The service of the stack that sets its own password from it."""
    keeps_data: bool = False
    """Whether that service keeps the password with its data: a new one does not fit old data."""
    literals: tuple[Place, ...] = ()
    """Where another service has the same secret as a fixed text, which a new value would not fit.
    """

    @property
    def users(self) -> tuple[str, ...]:
        """The services that have it, the server aside."""
        names = dict.fromkeys(place.service for place in self.places)
        return tuple(name for name in names if name != self.server)


@record
class SecretsQuestion:
    """What is known about a stack's variables.

    `images`: the image of each service, of a built one the image that it is built on. `values`:
    variables that have a value. `defaults`: the value that a variable would have without one.
    `extra`: the variables that services have from their `env_file`.
    """

    services: Mapping[str, WrittenService]
    images: Mapping[str, str]
    values: Mapping[str, str] = field(default_factory=dict, repr=False)
    defaults: Mapping[str, str] = field(default_factory=dict, repr=False)
    extra: Mapping[str, Mapping[str, str]] = field(default_factory=dict, repr=False)


def secret_variables(
    names: Sequence[str], question: SecretsQuestion, project: str = ""
) -> dict[str, SecretVariable]:
    """Return those of the variables `names` that are secrets, each with its owner."""
    texts = _marked_texts(names, question)
    secrets: dict[str, SecretVariable] = {}
    for name in names:
        mark = _MARK.format(name)
        places = tuple(place for place, text in texts.items() if mark in text)
        is_secret = any(_holds_secret(place, texts[place], mark) for place in places)
        if is_secret or is_secret_name(name):
            secrets[name] = _owned(name, places, texts, question, project)
    return secrets


def _marked_texts(names: Sequence[str], question: SecretsQuestion) -> dict[Place, str]:
    """Return the text of each variable and command, with marks for the values of `names`.

    A variable whose default consists of others is not marked: they are looked for.
    """
    marks: dict[str, str] = {}
    for name in names:
        if not references(question.defaults.get(name, "")):
            marks[name] = _MARK.format(name)
    values = dict(marks)
    for name, value in question.values.items():
        values[name] = expand(value, marks)
    texts: dict[Place, str] = {}
    for service in question.services.values():
        initial = initial_variables(question.images.get(service.name, ""))
        for name, raw in (question.extra.get(service.name) or {}).items():
            if not initial or name in initial:  # a database does not read the app's variables
                texts[Place(service.name, name)] = expand(raw, values)
        for name, raw in service.environment.items():
            texts[Place(service.name, name)] = expand(raw, values)
        texts[Place(service.name)] = expand(service.command, values)
    return texts


def _holds_secret(place: Place, text: str, mark: str) -> bool:
    """Whether a marked value is a secret by its place: a password variable, or inside a URL."""
    if text == mark and is_secret_name(place.name):
        return True
    return re.search(rf"://[^:/@\s]*:[^@/\s]*{mark}", text) is not None


def _owned(
    name: str,
    places: tuple[Place, ...],
    texts: Mapping[Place, str],
    question: SecretsQuestion,
    project: str,
) -> SecretVariable:
    mark = _MARK.format(name)
    for place in places:
        image = question.images.get(place.service, "")
        if place.name in initial_variables(image):
            literals = tuple(_literals(name, place, texts, question))
            return SecretVariable(
                name, "stack", places, place.service, keeps_data=True, literals=literals
            )
    for place in places:
        image = question.images.get(place.service, "")
        if not place.name and mark in password_options(image, texts[place]):
            literals = tuple(_literals(name, place, texts, question))
            return SecretVariable(name, "stack", places, place.service, literals=literals)
    is_own = is_own_key(name, _prefixes(places, question, project))
    if is_own and _are_own_services(places, question):
        return SecretVariable(name, "app", places)
    return SecretVariable(name, "person", places)


def _literals(
    name: str, own: Place, texts: Mapping[Place, str], question: SecretsQuestion
) -> Iterator[Place]:
    """Yield where the secret of a server stands as a fixed text."""
    server = question.services[own.service]
    default = question.defaults.get(name, "")
    others = {
        text for place, text in texts.items() if place.service == own.service and place != own
    }
    for place, text in texts.items():
        if place.service == own.service or "\x01" in text:
            continue
        login, host = userinfo(text), _HOST.match(text)
        if login and host and host[1] in server.hosts:
            is_same = login.password == default or not default
            if is_same and login.password not in others - {default}:
                yield place
        elif default and text == default and is_secret_name(place.name):
            yield place


def urls_with(
    secrets: Mapping[str, SecretVariable], values: Mapping[str, str], question: SecretsQuestion
) -> dict[str, str]:
    """Return URL variable -> the secret that stands in it as its password.

    `values` are those of one env file. The URL names the secret's own server.
    """
    urls: dict[str, str] = {}
    for secret in secrets.values():
        server = question.services.get(secret.server)
        for name, value in values.items():
            default = question.defaults.get(secret.name, "")
            if server and is_login(value, server.hosts, default):
                urls[name] = secret.name
    return urls


def is_login(url: str, hosts: Collection[str], password: str) -> bool:
    """Return whether a URL connects to one of these hosts with this password."""
    login, host = userinfo(url), _HOST.match(url)
    is_there = host is not None and host[1] in hosts
    return is_there and login is not None and login.password == password


def is_for_server(name: str, beside: Mapping[str, str], server: WrittenService, image: str) -> bool:
    """Return whether a password variable is for a server: by its name, or by the host beside it.

    `beside` are the variables of the same container or file, `image` is that of the server.
    """
    words = set(as_variable(name).split("_"))
    if not words.isdisjoint((as_variable(server.name), as_variable(image_name(image)))):
        return True
    prefix = name.upper().rpartition("_")[0]
    for other, text in beside.items():
        if other.upper() in (f"{prefix}_HOST", f"{prefix}_SERVER") and text in server.hosts:
            return True
    return False


def as_variable(name: str) -> str:
    """Return a name as variables have it: MY_DB for `my-db`."""
    return re.sub(r"[^A-Z0-9]+", "_", name.upper())


def with_password(url: str, password: str) -> str:
    """Return a URL with another password."""
    login = userinfo(url)
    if login is None:
        return url
    before, _, rest = url.partition("://")
    account, _, after = rest.partition("@")
    return f"{before}://{account.partition(':')[0]}:{password}@{after}"


# --- names ----------------------------------------------------------------------------------------


_OWN_KEYS = word_set(
    "SECRET_KEY SECRET_KEY_BASE APP_SECRET APP_SECRET_KEY SESSION_SECRET SESSION_KEY "
    "SESSION_SECRET_KEY COOKIE_SECRET COOKIE_SECRET_KEY JWT_SECRET JWT_SECRET_KEY JWT_SIGNING_KEY "
    "JWT_ACCESS_SECRET JWT_REFRESH_SECRET JWT_TOKEN_SECRET CSRF_SECRET CSRF_SECRET_KEY "
    "NEXTAUTH_SECRET AUTH_SECRET BETTER_AUTH_SECRET"
)
"""Keys with which an app signs what it reads again itself: sessions, cookies, tokens."""
_OWN_PREFIXES = word_set(
    "APP APPLICATION FLASK DJANGO FASTAPI QUART STARLETTE EXPRESS NODE RAILS PHX PHOENIX WTF WEB "
    "API SERVER BACKEND SITE PROJECT SECURITY"
)


def is_own_key(name: str, prefixes: frozenset[str]) -> bool:
    """Return whether a name is that of a key which an app signs its own data with.

    Only with a prefix that says so: DJANGO_SECRET_KEY, SHOP_SECRET_KEY of a service `shop`; not
    STRIPE_SECRET_KEY.
    """
    upper = name.upper()
    if upper in _OWN_KEYS:
        return True
    for key in _OWN_KEYS:
        if upper.endswith(f"_{key}"):
            words = upper.removesuffix(f"_{key}").split("_")
            if all(word in _OWN_PREFIXES or word in prefixes for word in words):
                return True
    return False


def _prefixes(places: Sequence[Place], question: SecretsQuestion, project: str) -> frozenset[str]:
    """Return the words by which the project, the services and their images are called."""
    names = [project]
    for place in places:
        names += [place.service, image_name(question.images.get(place.service, ""))]
    words: set[str] = set()
    for name in names:
        words.update(re.split(r"[^A-Z0-9]+", name.upper()))
    return frozenset(words - {""})


def _are_own_services(places: Sequence[Place], question: SecretsQuestion) -> bool:
    """Whether all who have a key are built here, or are one program in several services.

    A key of an example that no service has is read by an app on the host.
    """
    services = [question.services[place.service] for place in places]
    if all(service.is_built for service in services):
        return True
    return len({service.image for service in services}) <= 1


_PROVIDER_WORDS = word_set(
    "CLIENT OAUTH OAUTH2 OIDC OPENID SAML SSO IDP INTROSPECT INTROSPECTION WSO2 KEYCLOAK AUTH0 "
    "OKTA COGNITO ENTRA AZUREAD AUTHENTIK AUTHELIA ZITADEL LDAP"
)
_MAIL_WORDS = word_set("SMTP MAIL EMAIL MAILGUN SENDGRID POSTMARK MAILER")


def issuer(name: str) -> str:
    """Return who knows a person's secret, as far as its name says it."""
    words = frozenset(re.split(r"[^A-Z0-9]+", name.upper()))
    if words & _PROVIDER_WORDS:
        return "of the identity provider"
    if words & _MAIL_WORDS:
        return "of the mail service"
    return ""


def is_issued_name(name: str) -> bool:
    """Return whether a value that is no secret is issued together with one: a client's id."""
    return name.upper().endswith(("CLIENT_ID", "CLIENTID", "ACCESS_KEY_ID"))
