"""The lines of .dockerignore that keep secrets, .git and virtual environments out of images."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dartsctl.discovery.changes import Change
from dartsctl.discovery.docker_ignore import excluded, kept_on_purpose, takes
from dartsctl.discovery.dockerfile import copied_by
from dartsctl.discovery.proposal import Proposal
from dartsctl.edges.project.env_files import EXAMPLES
from dartsctl.records import record
from dartsctl.system import bounded_file
from dartsctl.text.patterns import regex
from dartsctl.text.phrases import relative

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from dartsctl.workflows.init.project import Project

_USES_GIT = regex(r"\bgit +(?:describe|rev-parse|log|show|submodule)\b|setuptools[-_]scm|\.git\b")


@record
class _Build:
    """A service that is built from a folder of this project."""

    service: str
    context: Path
    dockerfile: str
    ignore_file: Path


def find_docker_ignored(project: Project, private: Sequence[Path]) -> Proposal:
    """Return the lines for each .dockerignore; `private` are the files that no image may get."""
    missing: dict[Path, dict[str, str]] = {}
    notes: dict[str, None] = {}
    for stack in project.stacks.values():
        for build in _builds(stack.model, project.root):
            lines = bounded_file.readable_text(build.ignore_file).splitlines()
            for path in _candidates(build, private):
                if kept_on_purpose(path, lines):
                    shown = relative(project.root, build.ignore_file)
                    notes[f"{shown} keeps {path} in the image of {build.service} on purpose"] = None
                elif not excluded(path, lines):
                    missing.setdefault(build.ignore_file, {}).setdefault(path, build.service)
    changes = tuple(_change(path, wanted) for path, wanted in missing.items())
    return Proposal(notes=tuple(notes), changes=changes)


def _change(path: Path, wanted: Mapping[str, str]) -> Change:
    text = "".join(f"{name}\n" for name in wanted)
    services = ", ".join(dict.fromkeys(wanted.values()))
    about = f"keeps out of the image of {services}: {', '.join(wanted)}"
    return Change("append" if path.exists() else "create", path, about, text)


def _builds(model: Mapping[str, Any], root: Path) -> Iterator[_Build]:
    for name, body in model.get("services", {}).items():
        build = body.get("build")
        context = Path((build or {}).get("context") or "")
        if not context.is_absolute() or not context.is_relative_to(root):
            continue
        file = context / (build.get("dockerfile") or "Dockerfile")
        text = build.get("dockerfile_inline") or bounded_file.readable_text(file)
        own = file.with_name(f"{file.name}.dockerignore")  # goes before the context's
        yield _Build(name, context, text, own if own.is_file() else context / ".dockerignore")


def _candidates(build: _Build, private: Sequence[Path]) -> Iterator[str]:
    """Yield what the Dockerfile would copy into the image, of all that should not be there."""
    sources = copied_by(build.dockerfile)
    for path in dict.fromkeys((*_unwanted(build), *private)):
        if path.is_relative_to(build.context):
            name = path.relative_to(build.context).as_posix()
            if any(takes(source, name) for source in sources):
                yield name


def _unwanted(build: _Build) -> Iterator[Path]:
    """Yield env files, the repository and virtual environments in the context's own folder."""
    context = build.context
    with suppress(OSError):
        for path in sorted(context.glob(".env*")):
            is_example = path.name.endswith(EXAMPLES) or "example" in path.name
            if path.is_file() and not is_example:
                yield path
    if (context / ".git").exists() and not _USES_GIT.search(build.dockerfile):
        yield context / ".git"
    for name in (".venv", "venv"):
        if (context / name / "pyvenv.cfg").is_file():
            yield context / name
