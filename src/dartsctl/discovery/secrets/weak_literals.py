"""Weak secrets that Compose files have as fixed texts, and the variables to write instead.

What belongs together gets one variable: a database's password, and the URLs that connect with it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dartsctl.config.secrets import is_user, is_weak
from dartsctl.discovery.secrets.image_secrets import initial_variables
from dartsctl.discovery.secrets.secret_owners import Place, as_variable, is_for_server
from dartsctl.discovery.yaml_text import yaml_text
from dartsctl.records import field, record, replace
from dartsctl.text.patterns import regex
from dartsctl.text.secret_names import is_never_secret, is_secret_name

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from dartsctl.discovery.written_model import WrittenService

_LOGIN = regex(
    r"(?s)(?P<before>[a-zA-Z][\w+.-]*://(?P<user>[^@\s]*):)(?P<password>[^:@/\s${}]+)"
    r"(?P<after>@(?P<host>[^/:?#\s]*).*)",
)

_HEAD = (
    "# Written by `dartsctl init`: production refuses the fixed passwords of the files before it.\n"
    "# Their new values are in production's env file.\n"
)


@record
class WeakLiteral:
    """A fixed text of a service's variable that is, or contains, a weak secret."""

    place: Place
    text: str = field(repr=False)
    secret: str = field(repr=False)
    host: str = ""
    """The server of a URL."""
    variable: str = ""
    """What is to be written instead; empty where it is not clear what it belongs to."""

    @property
    def replacement(self) -> str:
        """The text with the variable: `postgresql://app:${POSTGRES_PASSWORD:?}@db/app`."""
        reference = f"${{{self.variable}:?}}"
        login = _LOGIN.fullmatch(self.text)
        if login is None:
            return reference
        return f"{login['before']}{reference}{login['after']}"


def weak_literals(
    services: Mapping[str, WrittenService], images: Mapping[str, str]
) -> tuple[WeakLiteral, ...]:
    """Return the weak fixed secrets of the services, each with its variable."""
    literals: list[WeakLiteral] = []
    for service in services.values():
        literals += _of_service(service)
    servers = _servers(literals, images)
    named: list[WeakLiteral] = []
    for literal in literals:
        variable = _variable(literal, servers, services, images)
        named.append(replace(literal, variable=variable))
    return tuple(named)


def _of_service(service: WrittenService) -> Iterator[WeakLiteral]:
    users = [text for name, text in service.environment.items() if is_user(name)]
    for name, text in service.environment.items():
        place = Place(service.name, name)
        login = _LOGIN.fullmatch(text)
        if login:
            if is_weak(login["password"], users=[*users, login["user"]]):
                yield WeakLiteral(place, text, login["password"], login["host"])
        elif "$" not in text and _is_weak_secret(name, text, users):
            yield WeakLiteral(place, text, text)


def _is_weak_secret(name: str, text: str, users: Sequence[str]) -> bool:
    return (
        is_secret_name(name) and not is_never_secret(text) and is_weak(text, name=name, users=users)
    )


def _servers(literals: Sequence[WeakLiteral], images: Mapping[str, str]) -> dict[Place, str]:
    """Return the variables of the servers: under their own names, if no two are the same."""
    own = [
        literal.place
        for literal in literals
        if literal.place.name in initial_variables(images.get(literal.place.service, ""))
    ]
    names = [place.name for place in own]
    variables: dict[Place, str] = {}
    for place in own:
        variables[place] = place.name
        if names.count(place.name) > 1:
            variables[place] = f"{as_variable(place.service)}_{place.name}"
    return variables


def _variable(
    literal: WeakLiteral,
    servers: Mapping[Place, str],
    services: Mapping[str, WrittenService],
    images: Mapping[str, str],
) -> str:
    """Return the variable for a literal; empty where it is not clear which server it is for."""
    if literal.place in servers:
        return servers[literal.place]
    same: list[str] = []
    candidates: list[str] = []
    for place, variable in servers.items():
        server = services[place.service]
        if server.environment[place.name] != literal.secret:
            continue
        same.append(variable)
        beside = services[literal.place.service].environment
        if literal.host in server.hosts or (
            not literal.host
            and is_for_server(literal.place.name, beside, server, images.get(place.service, ""))
        ):
            candidates.append(variable)
    if len(candidates) == 1:
        return candidates[0]
    if same or literal.host:
        return ""
    return literal.place.name


def override_text(replaced: Iterable[WeakLiteral]) -> str:
    """Return the text of an override file with the variables of these literals."""
    services: dict[str, list[str]] = {}
    for literal in replaced:
        lines = services.setdefault(literal.place.service, [])
        name, value = yaml_text(literal.place.name), yaml_text(literal.replacement)
        lines.append(f"      {name}: {value}\n")
    text = f"{_HEAD}services:\n"
    for service, lines in services.items():
        text += f"  {yaml_text(service)}:\n    environment:\n{''.join(lines)}"
    return text
