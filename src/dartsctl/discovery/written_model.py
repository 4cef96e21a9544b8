"""The services as the Compose files have them: merged, but before variables are replaced.

So it is known which variable a text comes from. Unlike the resolved model it can be had while an
env file or a value is missing. A place that is not as expected is left out: a variable may stand
there.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dartsctl.records import field, record
from dartsctl.text.patterns import regex

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_DATA = regex(r"^/(?:var/lib|var/opt|bitnami)/|data(?:/|$)")
"""Where programs keep data; a folder that is mounted elsewhere is their configuration."""


@record
class EnvFile:
    """An entry of a service's `env_file`."""

    path: Path
    is_required: bool = True


@record
class DataPlace:
    """Where a service keeps data: the engine's name of a volume, or a folder of this host."""

    volume: str = ""
    folder: Path | None = None


@record
class WrittenService:
    """A service, with its texts as they are written. They may contain secrets."""

    name: str
    image: str = ""
    is_built: bool = False
    context: Path | None = None
    """The folder that its image is built from; None for an image without `build` or a remote one.
    """
    dockerfile: str = "Dockerfile"
    environment: Mapping[str, str] = field(default_factory=dict, repr=False)
    command: str = field(default="", repr=False)
    """Its entrypoint and command, as one text."""
    env_files: tuple[EnvFile, ...] = ()
    hosts: frozenset[str] = frozenset()
    """The names by which other services reach it."""
    data: tuple[DataPlace, ...] = ()
    secret_files: Mapping[str, Path] = field(default_factory=dict)
    """The files that it has as `secrets:`, by the variable whose `..._FILE` names it, or by their
    names in the container."""


def read_written(model: Mapping[str, Any]) -> dict[str, WrittenService]:
    """Return the services of a model that Compose has merged, but not interpolated."""
    services: dict[str, WrittenService] = {}
    for name, body in _mapping(model.get("services")).items():
        if isinstance(body, dict):
            services[name] = _service(name, body, model)
    return services


def secret_variables_of(model: Mapping[str, Any]) -> frozenset[str]:
    """Return the variables that services have as `secrets:` with `environment`."""
    secrets = _mapping(model.get("secrets"))
    names: set[str] = set()
    for body in _mapping(model.get("services")).values():
        for source, _ in _secrets(_mapping(body).get("secrets")):
            names.add(_text(_mapping(secrets.get(source)).get("environment")))
    return frozenset(names - {""})


def _service(name: str, body: Mapping[str, Any], model: Mapping[str, Any]) -> WrittenService:
    build = body.get("build")
    context = _mapping(build).get("context", build)
    folder = None
    if isinstance(context, str) and context.startswith("/"):
        folder = Path(context)
    environment = dict(_environment(body.get("environment")))
    files: dict[str, Path] = {}
    secrets = _mapping(model.get("secrets"))
    for source, target in _secrets(body.get("secrets")):
        secret = _mapping(secrets.get(source))
        variable = _named_by(target, environment)
        if own := _text(secret.get("environment")):
            environment[variable] = f"${{{own}}}"
        elif (file := _text(secret.get("file"))).startswith("/") and "$" not in file:
            files[variable] = Path(file)
    return WrittenService(
        name=name,
        image=_text(body.get("image")),
        is_built=build is not None,
        context=folder,
        dockerfile=_text(_mapping(build).get("dockerfile")) or "Dockerfile",
        environment=environment,
        command=" ".join([*_words(body.get("entrypoint")), *_words(body.get("command"))]),
        env_files=tuple(_env_files(body.get("env_file"))),
        hosts=frozenset(filter(None, _hosts(name, body))),
        data=tuple(_data(body.get("volumes"), _mapping(model.get("volumes")))),
        secret_files=files,
    )


def _secrets(block: Any) -> Iterator[tuple[str, str]]:
    """Yield the key of each secret of a service, and its path in the container."""
    for entry in block if isinstance(block, list) else ():
        source = _text(_mapping(entry).get("source", entry))
        target = _text(_mapping(entry).get("target")) or source
        if source:
            yield source, target if target.startswith("/") else f"/run/secrets/{target}"


def _named_by(path: str, environment: Mapping[str, str]) -> str:
    """Return the variable whose `..._FILE` is this path, else the file's name."""
    for name, text in environment.items():
        if text == path and name.endswith("_FILE"):
            return name.removesuffix("_FILE").removesuffix("_")
    return path.rpartition("/")[2]


def _environment(block: Any) -> Iterator[tuple[str, str]]:
    """Yield name and text of each variable that has one, of a mapping or of a list."""
    if isinstance(block, list):
        for entry in block:
            name, sign, text = str(entry).partition("=")
            if sign:
                yield name, text
        return
    for name, value in _mapping(block).items():
        if value is not None:
            yield name, _text(value)


def _env_files(block: Any) -> Iterator[EnvFile]:
    entries = block if isinstance(block, list) else [block]
    for entry in entries:
        path = _text(_mapping(entry).get("path", entry))
        if path.startswith("/") and "$" not in path:
            yield EnvFile(Path(path), _mapping(entry).get("required", True) is not False)


def _hosts(name: str, body: Mapping[str, Any]) -> Iterator[str]:
    yield name
    yield _text(body.get("container_name"))
    yield _text(body.get("hostname"))
    for network in _mapping(body.get("networks")).values():
        yield from _words(_mapping(network).get("aliases"))


def _data(block: Any, volumes: Mapping[str, Any]) -> Iterator[DataPlace]:
    """Yield the named volumes and the folders that a service may write to."""
    for entry in block if isinstance(block, list) else ():
        mount = _mapping(entry)
        source = _text(mount.get("source"))
        if not source or "$" in source or mount.get("read_only") is True:
            continue
        if mount.get("type") == "bind" and _DATA.search(_text(mount.get("target"))):
            yield DataPlace(folder=Path(source))
        elif mount.get("type") == "volume":
            named = _text(_mapping(volumes.get(source)).get("name"))
            if named and "$" not in named:
                yield DataPlace(volume=named)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _words(value: Any) -> list[str]:
    if isinstance(value, list):
        return [_text(word) for word in value]
    return [_text(value)]


def _text(value: Any) -> str:
    """Return a text or a number as Compose reads it; empty for anything else."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str | int | float):
        return str(value)
    return ""
