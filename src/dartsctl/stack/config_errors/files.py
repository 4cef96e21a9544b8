"""Errors about files: missing, a folder, a broken env file, `extends`."""

from __future__ import annotations

import re

from dartsctl.records import replace
from dartsctl.stack.config_errors import interpolation
from dartsctl.stack.config_errors.place import Place, Sources
from dartsctl.stack.config_errors.problem import Problem, Said, advice_for, not_a
from dartsctl.text.phrases import did_you_mean

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def file_missing(said: Said) -> Problem:
    """Return the problem of a file that another one names, or of the Compose file itself."""
    path = said["path"]
    if path in said.sources.files:
        return Problem(Place(file=path), "no such file", f"check the path {path}")
    owner = _who_names(path, ("extends", "include"), said.sources)
    key = owner.key or "include or extends"
    return Problem(replace(owner, key=key), f"no such file: {path}", f"check the path {path}")


def include_cycle(said: Said) -> Problem:
    place = Place(file=said["file"].strip(), key="include")
    return Problem(place, "it includes itself, over other files", "remove one `include`")


def env_file_missing(said: Said) -> Problem:
    path, kind = said["path"], said["kind"].replace(" ", "_")
    owner = _who_names(path, (kind,), said.sources)
    if not path:
        owner, raw = _empty_entry(kind, said.sources)
        text = not_a("", "a path", raw, owner, said.sources)
        return Problem(replace(owner, raw=raw), text, advice_for(raw, said.sources, "name a file"))
    return Problem(
        replace(owner, key=kind),
        f"no such file: {path}",
        f"create {path}, or remove it from {kind}",
    )


def _file_entries(key: str, sources: Sources) -> Iterator[tuple[str, str]]:
    """Yield service and raw path of every entry of `env_file`, `label_file` and the like."""
    for name, service in sources.services.items():
        entries = service.get(key)
        for entry in entries if isinstance(entries, list) else [entries]:
            path = entry.get("path") if isinstance(entry, dict) else entry
            if isinstance(path, str):
                yield name, path


def _empty_entry(key: str, sources: Sources) -> tuple[Place, str]:
    for name, path in _file_entries(key, sources):
        variable = path.rpartition("/")[2]
        if not interpolation.expand(variable, sources.values):
            return Place("service", name, key), variable
    return Place(key=key), ""


def _who_names(path: str, keys: tuple[str, ...], sources: Sources) -> Place:
    """Return the service, or at least the line, that names a file."""
    for key in keys:
        for name, entry in _file_entries(key, sources):
            if interpolation.expand(entry, sources.values) == path:
                return Place("service", name, key)
    name = path.rpartition("/")[2]
    places = []
    for file, text in sources.texts.items():
        lines = text.splitlines()
        for number, line in enumerate(lines, 1):
            if re.search(rf"(?<![\w.-]){re.escape(name)}(?![\w.-])", line):
                places.append(Place(file=file, line=number))
    if len(places) == 1:
        return places[0]
    return Place()


def extends(said: Said) -> Problem:
    service, name = said["service"], said["name"]
    other = said["other"]
    if not name:  # Compose 2.24 names either of the two services
        text = f"cannot extend service {service} in {said['file']}: service not found"
        return Problem(Place(key="extends"), text, "correct the name of the service, or its file")
    text = f"service {name} does not exist"
    if other:
        text += f" in {other}"
    similar = ""
    if not other:
        similar = did_you_mean(name, [key for key in said.sources.services if key != name])
    place = Place("service", service, "extends")
    if "/" in said["file"]:
        place = replace(place, file=said["file"])
    return Problem(place, text, similar or "correct the name of the service")


def env_line(said: Said) -> Problem:
    """Return a broken line of an env file, without its text: that may be a secret."""
    text = "not a NAME=value line, or a quote is not closed"
    if said["text"].startswith("unterminated quoted value"):  # Compose counts to the end
        advice = f"close the quote in {said['file']}"
        text = f"a quote at line {said['line']} or above is not closed"
        return Problem(Place(file=said["file"]), text, advice)
    advice = f"correct line {said['line']} of {said['file']}"
    return Problem(Place(file=said["file"], line=int(said["line"])), text, advice)


def folder(said: Said) -> Problem:
    path = said["path"]
    if path in said.sources.files or path in said.sources.env_files:
        return Problem(Place(file=path), "it is a folder", "name the file in it")
    owner = _who_names(path, ("env_file", "label_file"), said.sources)
    return Problem(owner, f"{path} is a folder", "name the file in it")


def unreadable(said: Said) -> Problem:
    return Problem(
        Place(file=said["path"]), "permission denied", f"check who may read {said['path']}"
    )
