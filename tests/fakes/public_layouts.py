"""Public Compose projects by their names and skeletons: tests/data/public_layouts.toml."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from dartsctl.config.environment import Environment
from dartsctl.stack import compose_files

_TABLE = Path(__file__).parents[1] / "data" / "public_layouts.toml"
_SERVICE = re.compile(r"(?P<bare>~?)(?P<name>[^>@]+)(?:>(?P<needs>[^@]+))?(?:@(?P<profile>.+))?")
_FROM_FOLDER = re.compile(r"cd (?P<folder>\S+) && ")
_FILE_OPTION = re.compile(r"(?:-f|--file)[ =](\S+)")


@dataclass(frozen=True, slots=True)
class Service:
    """One entry of a file's `services`."""

    name: str
    is_whole: bool
    """Whether it has an image, a build or `extends` here."""
    needs: tuple[str, ...] = ()
    """Services of `depends_on` that are not in the same file."""
    profile: str = ""

    def text(self) -> dict[str, object]:
        """Return it as Compose reads it."""
        service: dict[str, object] = {"environment": {"A": "b"}}
        if self.is_whole:
            service["image"] = "dartsctl-test/busybox:1"
        if self.needs:
            service["depends_on"] = list(self.needs)
        if self.profile:
            service["profiles"] = [self.profile]
        return service


@dataclass(frozen=True, slots=True)
class Told:
    """What a project tells people to use for one environment, and what dartsctl picks."""

    layout: Layout
    environment: str
    says: str
    files: tuple[str, ...]
    picked: tuple[str, ...]
    why: str
    """The reason for an exception; empty without one."""

    def __str__(self) -> str:
        return f"{self.layout.name} {self.environment}"


@dataclass(frozen=True, slots=True)
class Layout:
    """One project: its Compose files with their services, and what it tells people."""

    name: str
    files: Mapping[str, tuple[Service, ...]]
    includes: Mapping[str, tuple[str, ...]]
    dotenv: str

    def write(self, folder: Path) -> None:
        """Write the skeleton; what a file includes is written too, if it is not there."""
        for name, services in self.files.items():
            text: dict[str, object] = {
                "services": {service.name: service.text() for service in services},
            }
            if included := self.includes[name]:
                text["include"] = list(included)
            if not services and not included:
                text = {"volumes": {"data": {}}}
            _write(folder / name, text)
            for other in included:
                if not (folder / name).parent.joinpath(other).exists():
                    _write((folder / name).parent / other, {"services": {}})
        if self.dotenv:
            (folder / ".env").write_text(self.dotenv)

    def is_complete(self, names: Iterable[str]) -> bool:
        """Return whether Compose can read these files without another one."""
        whole: dict[str, bool] = {}
        needs: set[str] = set()
        has_includes = False
        for name in names:
            has_includes = has_includes or bool(self.includes[name])
            for service in self.files[name]:
                whole[service.name] = whole.get(service.name, False) or service.is_whole
                needs.update(service.needs)
        if has_includes:
            return all(whole.values())
        return bool(whole) and all(whole.values()) and needs <= set(whole)

    def has_profile(self, names: Iterable[str], profile: str) -> bool:
        """Return whether a service of these files has the profile."""
        services = [service for name in names for service in self.files[name]]
        return any(service.profile == profile for service in services)


class SkeletonReader:
    """What Compose would say about the files of a layout, from its skeleton."""

    def __init__(self, layout: Layout, folder: Path) -> None:
        self._layout = layout
        self._folder = folder

    def is_complete(self, environment: Environment) -> bool:
        return self._layout.is_complete(self._names(environment))

    def has_profile(self, environment: Environment) -> bool:
        return self._layout.has_profile(self._names(environment), environment.profiles[0])

    def _names(self, environment: Environment) -> list[str]:
        return [str(file.relative_to(self._folder)) for file in environment.files]


def reasons() -> dict[str, str]:
    """Return the reasons for exceptions."""
    return dict(_table()["reasons"])


def everything_told() -> list[Told]:
    """Return what each project tells about each environment."""
    told: list[Told] = []
    for name, entry in _table().items():
        if name != "reasons":
            layout = _layout(name, entry)
            told += [_told(layout, env, entry[env]) for env in ("dev", "prod") if env in entry]
    return told


def _table() -> dict[str, Any]:
    return tomllib.loads(_TABLE.read_text())


def _layout(name: str, entry: Mapping[str, Any]) -> Layout:
    files: dict[str, tuple[Service, ...]] = {}
    includes: dict[str, tuple[str, ...]] = {}
    for file, text in entry["files"].items():
        words = text.split()
        files[file] = tuple(_service(word) for word in words if not word.startswith("+"))
        includes[file] = tuple(word[1:] for word in words if word.startswith("+"))
    return Layout(name, files, includes, entry.get("compose", ""))


def _service(word: str) -> Service:
    match = _SERVICE.fullmatch(word)
    assert match, word
    needs = (match["needs"] or "").split(",")
    return Service(
        name=match["name"],
        is_whole=not match["bare"],
        needs=tuple(need for need in needs if need),
        profile=match["profile"] or "",
    )


def _told(layout: Layout, environment: str, entry: Mapping[str, Any]) -> Told:
    says, why = entry["says"], entry.get("why", "")
    files = tuple(entry.get("means", ()))
    if "means" not in entry:
        files = _meant(says.partition(": ")[2], layout)
    picked = files
    if why:
        picked = files[-1:] if why == "alone" else ()
    return Told(
        layout=layout,
        environment=environment,
        says=says,
        files=files,
        picked=tuple(entry.get("picked", picked)),
        why=why,
    )


def _meant(command: str, layout: Layout) -> tuple[str, ...]:
    """Return the files that a command names, else those that Compose takes by itself."""
    folder = PurePosixPath()
    if match := _FROM_FOLDER.match(command):
        folder = PurePosixPath(match["folder"])
    if named := _FILE_OPTION.findall(command):
        return tuple(str(folder / name) for name in named)
    inside = [PurePosixPath(file) for file in layout.files]
    names = [file.name for file in inside if file.parent == folder]
    return tuple(str(folder / name) for name in compose_files.defaults_among(names))


def _write(file: Path, text: Mapping[str, object]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(_yaml(text))


def _yaml(text: Mapping[str, object]) -> str:
    lines = [f"{key}: {json.dumps(value)}\n" for key, value in text.items()]
    return "".join(lines)
