"""Which service of a stack runs the app of a folder, and with which command."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from dartsctl.discovery.app.command_entry import entry_of
from dartsctl.discovery.app.entry import CommandLine, EntryPoint
from dartsctl.discovery.app.health_path import path_of_check
from dartsctl.discovery.dockerfile import Dockerfile, Written, read_dockerfile
from dartsctl.discovery.service_roles import role_of_image
from dartsctl.records import field, record
from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from dartsctl.discovery.app.sources import Sources

_NO_APP = regex(
    r"(?i)(?:^|[\W_])(?:celery|workers?\d*|beat|flower|scheduler|cron|migrat\w+|docs|tests?"
    r"|front-?end|client|node|npm|webpack|vite|assets|css|js|nginx|proxy|caddy|traefik|gateway"
    r"|db|database|postgres\w*|mysql|mariadb|mongo\w*|redis|rabbitmq)(?=$|[\W_])"
)
"""In the name of a service that is built from the app's folder, but is not the app."""
_WORKER = regex(r"(?:^|[\s/])(?:celery|rq|dramatiq|huey_consumer\S*|flower)(?=$|\s)")

Place = Callable[[str, str], str]
"""The place of a service's key in the Compose files: `compose.yaml:12`."""


@record
class _Image:
    """How a service's image is built; `file` is empty for one that is not."""

    file: str = ""
    dockerfile: Dockerfile = field(default_factory=Dockerfile)


@record
class AppService:
    """A service that is built from the app's folder, or runs it from there."""

    name: str
    place: str = ""
    """Where it is declared."""
    dockerfile: str = ""
    """The Dockerfile's path below the folder; empty for an image that is not built."""
    commands: tuple[CommandLine, ...] = ()
    entry: EntryPoint | None = None
    """What its container runs, if that is a Python server."""
    ports: frozenset[int] = frozenset()
    """The ports on which it listens in its container, as far as its files say them."""
    host_ports: frozenset[int] = frozenset()
    health: tuple[str, str] = ("", "")
    """The path that its health check requests, and the check's place."""
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)

    @property
    def is_candidate(self) -> bool:
        """Whether it may be the app: it starts a server, or may do so in an image of its own."""
        return self.entry is not None or bool(self.dockerfile)


def app_services(
    model: Mapping[str, Any], folder: str, sources: Sources, place: Place
) -> tuple[AppService, ...]:
    """Return the services of a resolved model that run what is in `folder`, which is absolute.

    A database or proxy that is built from there with files of its own is not one of them.
    """
    services: list[AppService] = []
    for name, body in _entries(model.get("services")):
        build = body.get("build")
        if isinstance(build, dict):
            file = _dockerfile_in(folder, build)
            image = _image(build, file, sources)
            if file and role_of_image(image.dockerfile.base) is None:
                services.append(_service(name, body, image, sources, place))
        elif any(_is_mount_of(mount, folder) for mount in body.get("volumes") or ()):
            services.append(_service(name, body, _Image(), sources, place))
    return tuple(services)


def dockerfile_commands(sources: Sources) -> tuple[CommandLine, ...]:
    """Return what the image of the app's own Dockerfile runs, where no stack builds it."""
    image = _image({}, "Dockerfile", sources)
    variables = image.dockerfile.variables
    return tuple(_commands("", {}, image, lambda *_: "Dockerfile", variables))


def best_service(services: Sequence[AppService]) -> AppService | None:
    """Return the service that is the app. None without one, and where several may be.

    Of several it is the one that runs what `dev` starts anyway, else the one that is built from the
    plain `Dockerfile`, else the one with ports.
    """
    remaining = [service for service in possible_apps(services) if service.is_candidate]
    tests: tuple[Callable[[AppService], bool], ...] = (
        _is_seen_to_serve,
        _runs_the_default,
        _has_the_plain_dockerfile,
        _has_ports,
    )
    for test in tests:
        passing = [service for service in remaining if test(service)]
        if len(passing) == 1:
            return passing[0]
        remaining = passing or remaining
    if len(remaining) != 1:
        return None
    return remaining[0]


def possible_apps(services: Sequence[AppService]) -> tuple[AppService, ...]:
    """Return the services that may be the app: those that start a server, as far as that is seen.

    Else those that are built, without workers, a front end and the like.
    """
    serving = [service for service in services if service.entry is not None]
    others = [service for service in services if service.is_candidate and not _is_other(service)]
    return tuple(serving or others or services)


def _is_other(service: AppService) -> bool:
    texts = [" ".join(command.words) for command in service.commands]
    return bool(_NO_APP.search(service.name)) or any(map(_WORKER.search, texts))


def _is_seen_to_serve(service: AppService) -> bool:
    return service.entry is not None and service.entry.sees_port


def _runs_the_default(service: AppService) -> bool:
    return service.entry is not None and service.entry.is_default


def _has_the_plain_dockerfile(service: AppService) -> bool:
    return service.dockerfile == "Dockerfile"


def _has_ports(service: AppService) -> bool:
    return bool(service.ports)


def _dockerfile_in(folder: str, build: Mapping[str, Any]) -> str:
    """Return the Dockerfile's path below `folder`, empty if another folder's app is built.

    An app of a monorepo is often built from the repository's root, with the Dockerfile of its own.
    """
    context = posixpath.normpath(str(build.get("context", "")))
    file = posixpath.normpath(str(build.get("dockerfile", "Dockerfile")))
    if context == folder:
        return file
    path = posixpath.normpath(posixpath.join(context, file))
    if posixpath.dirname(path) == folder and folder.startswith(f"{context.rstrip('/')}/"):
        return posixpath.basename(path)
    return ""


def _image(build: Mapping[str, Any], file: str, sources: Sources) -> _Image:
    text = str(build.get("dockerfile_inline") or sources.texts.get(file, ""))
    return _Image(file, read_dockerfile(text, stage=str(build.get("target", ""))))


def _service(
    name: str, body: Mapping[str, Any], image: _Image, sources: Sources, place: Place
) -> AppService:
    environment: dict[str, str] = {}
    for variable, value in _items(body.get("environment")):
        if value is not None:
            environment[variable] = str(value)
    variables = {**image.dockerfile.variables, **environment}
    commands = tuple(_commands(name, body, image, place, variables))
    entries = [entry for entry in (entry_of(sources, line) for line in commands) if entry]
    ports = _ports(body, "target")
    check = body.get("healthcheck")
    test: tuple[str, ...] = ()
    if isinstance(check, dict):
        test = _words_of(check.get("test"))
    health = (path_of_check(test, ports), place(name, "healthcheck"))
    if not test:
        written = image.dockerfile.health_check
        health = (path_of_check(written.words, ports), f"{image.file}:{written.line}")
    return AppService(
        name,
        place=place(name, ""),
        dockerfile=image.file,
        commands=commands,
        entry=next(iter(entries), None),
        ports=ports,
        host_ports=_ports(body, "published"),
        health=health,
        environment=environment,
    )


def _commands(
    name: str, body: Mapping[str, Any], image: _Image, place: Place, variables: Mapping[str, str]
) -> Iterator[CommandLine]:
    """Yield what the container may run: its command, with its entry point, that alone."""
    file, dockerfile = image.file, image.dockerfile
    own_entrypoint = _words_of(body.get("entrypoint"))
    entrypoint = own_entrypoint or _as_words(dockerfile.entrypoint)
    command, where = _words_of(body.get("command")), place(name, "command")
    if not command and not own_entrypoint:
        command, where = _as_words(dockerfile.command), f"{file}:{dockerfile.command.line}"
    entry_place = f"{file}:{dockerfile.entrypoint.line}"
    if own_entrypoint:
        entry_place = place(name, "entrypoint")
    if not command:
        where = entry_place
    lines = ((command, where), ((*entrypoint, *command), where), (entrypoint, entry_place))
    for words, origin in lines:
        if words:
            yield CommandLine(words, origin, variables, dockerfile.copied)


def _as_words(written: Written) -> tuple[str, ...]:
    if written.is_shell:
        return ("sh", "-c", *written.words)
    return written.words


def _words_of(value: object) -> tuple[str, ...]:
    if not isinstance(value, list):
        return ()
    return tuple(map(str, value))


def _ports(body: Mapping[str, Any], key: str) -> frozenset[int]:
    numbers = [str(port.get(key, "")) for port in body.get("ports") or () if isinstance(port, dict)]
    if key == "target":
        numbers += [str(port).partition("/")[0] for port in body.get("expose") or ()]
    return frozenset(int(number) for number in numbers if number.isdecimal())


def _is_mount_of(mount: object, folder: str) -> bool:
    if not isinstance(mount, dict) or mount.get("type") != "bind":
        return False
    return posixpath.normpath(str(mount.get("source", ""))) == folder


def _entries(value: object) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, body in _items(value):
        if isinstance(body, dict):
            yield name, body


def _items(value: object) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
