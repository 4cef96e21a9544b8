"""What a Dockerfile says: what its image is built on, what it copies, which program it runs."""

from __future__ import annotations

import json
import posixpath
import re
import shlex

from dartsctl.records import field, record, replace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping


@record
class Written:
    """Words of a command, and the line where they begin. `is_shell`: a shell reads them."""

    words: tuple[str, ...]
    line: int
    is_shell: bool = False


NOTHING = Written((), 0)


@record
class Dockerfile:
    """The last stage of a Dockerfile, or the one that is built, with what it takes from others."""

    base: str = ""
    """The image that it is built on; empty if that is unknown."""
    command: Written = NOTHING
    entrypoint: Written = NOTHING
    health_check: Written = NOTHING
    variables: Mapping[str, str] = field(default_factory=dict)
    copied: tuple[str, ...] = ()
    """What is copied from the build context; `.` is all of it."""


def read_dockerfile(text: str, *, stage: str = "") -> Dockerfile:
    """Return the stage with this name or number, the last one without a name."""
    stages: list[tuple[str, Dockerfile]] = []
    for line, instruction, rest in _instructions(text):
        if instruction == "FROM":
            image, name = _from_words(rest)
            stages.append((name, _stage_of(stages, image) or _built_on(image)))
        elif stages:
            name, current = stages[-1]
            stages[-1] = (name, _with(current, instruction, rest, line))
    if not stages:
        return Dockerfile()
    return _stage_of(stages, stage) or stages[-1][1]


def copied_by(text: str) -> tuple[str, ...]:
    """Return what all stages of a Dockerfile copy from the build context; `.` is all of it.

    Variables stay as they are written.
    """
    paths: dict[str, None] = {}
    for _, instruction, rest in _instructions(text):
        if instruction in ("COPY", "ADD"):
            paths |= dict.fromkeys(_copied(rest))
    return tuple(paths)


def _instructions(text: str) -> Iterator[tuple[int, str, str]]:
    """Yield line, instruction and arguments; continued lines are joined, comments left out."""
    start, parts = 0, [""]
    escape = "\\"
    if re.match(r"(?i)\s*#\s*escape\s*=\s*`", text):
        escape = "`"
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        if not line or line.startswith("#"):
            continue
        if not parts[0]:
            start, parts = number, []
        parts.append(line.removesuffix(escape).strip())
        if line.endswith(escape):
            continue
        instruction, _, rest = " ".join(parts).partition(" ")
        yield start, instruction.upper(), rest.strip()
        parts = [""]


def _from_words(rest: str) -> tuple[str, str]:
    words = [word for word in rest.split() if not word.startswith("--")]
    name = ""
    if len(words) > 2 and words[1].lower() == "as":
        name = words[2]
    return "".join(words[:1]), name


def _built_on(image: str) -> Dockerfile:
    if "$" in image:
        return Dockerfile()
    return Dockerfile(image)


def _stage_of(stages: list[tuple[str, Dockerfile]], name: str) -> Dockerfile | None:
    for index, (own_name, stage) in enumerate(stages):
        if name and name.lower() in (own_name.lower(), str(index)):
            return stage
    return None


def _with(stage: Dockerfile, instruction: str, rest: str, line: int) -> Dockerfile:
    """Return the stage after one more instruction."""
    match instruction:
        case "CMD":
            return replace(stage, command=_words(rest, line))
        case "ENTRYPOINT":  # a new one drops the image's command
            return replace(stage, entrypoint=_words(rest, line))
        case "HEALTHCHECK":
            _, _, check = rest.partition("CMD")
            return replace(stage, health_check=_words(check.strip(), line))
        case "ENV":
            return replace(stage, variables={**stage.variables, **_variables(rest)})
        case "COPY" | "ADD":
            return replace(stage, copied=(*stage.copied, *_copied(rest)))
    return stage


def _words(rest: str, line: int) -> Written:
    if rest.startswith("["):
        try:
            words = json.loads(rest)
        except ValueError:
            return NOTHING
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return Written(tuple(words), line)
        return NOTHING
    if not rest:
        return NOTHING
    return Written((rest,), line, is_shell=True)


def _variables(rest: str) -> dict[str, str]:
    try:
        words = shlex.split(rest)
    except ValueError:
        return {}
    if words and "=" not in words[0]:  # ENV NAME value
        return {words[0]: " ".join(words[1:])}
    pairs = [word.partition("=") for word in words]
    return {name: value for name, _, value in pairs}


def _copied(rest: str) -> Iterator[str]:
    """Yield the sources of COPY or ADD; none of those in other stages, images and URLs."""
    words = rest.split()
    if any(word.startswith("--from=") for word in words):
        return
    plain = [word.strip("[],\"'") for word in words if not word.startswith("--")]
    for word in plain[:-1]:
        if word and "://" not in word and not word.startswith("<<"):
            yield posixpath.normpath(word.lstrip("/") or ".")
